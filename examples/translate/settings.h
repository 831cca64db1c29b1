// Whole numbers of a configuration file. nlohmann::json converts any number to any other type; of
// 0.5 it would make 0, and of 1e308 nothing that is defined.
#pragma once
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>

#include "core/error.h"

namespace heed::translate {

/// The setting `key` of `j`. Throws FileError that names `path` and the setting when it is another
/// number or no number, and as nlohmann::json does when it is not there.
inline int64_t whole_number(const std::string& path, const nlohmann::ordered_json& j,
                            const char* key) {
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  const auto& value = j.at(key);
  const bool fits = value.is_number_unsigned()
                        ? value.get<uint64_t>() <= static_cast<uint64_t>(kMost)
                        : value.is_number_integer();
  if (!fits)
    fail_file(path, "expected a whole number for {}, got {}", key,
              value.dump(-1, ' ', true).substr(0, 40));
  return value.get<int64_t>();
}

}  // namespace heed::translate
