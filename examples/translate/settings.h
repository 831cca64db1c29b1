// Whole numbers of JSON files. nlohmann::json converts any number to any other type; of 0.5 it
// would make 0, and of 1e308 nothing that is defined.
#pragma once
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "core/error.h"

namespace heed::translate {

/// The whole number that `value` holds, or nothing: for another number, and where it does not fit.
template <class J>
std::optional<int64_t> whole_in(const J& value) {
  constexpr auto kMost = static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
  const bool fits = value.is_number_unsigned() ? value.template get<uint64_t>() <= kMost
                                               : value.is_number_integer();
  if (!fits) return {};
  return value.template get<int64_t>();
}

/// The setting `key` of `j`. Throws FileError that names `path` and the setting when it is another
/// number or no number, and as nlohmann::json does when it is not there.
inline int64_t whole_number(const std::string& path, const nlohmann::ordered_json& j,
                            const char* key) {
  const auto& value = j.at(key);
  const auto number = whole_in(value);
  if (!number)
    fail_file(path, "expected a whole number for {}, got {}", key,
              value.dump(-1, ' ', true).substr(0, 40));
  return *number;
}

}  // namespace heed::translate
