// The part of JSON Schema (2020-12) that the schemas of this folder use: type, const, enum,
// required, properties, additionalProperties, items, minItems, maxItems, minimum, maximum,
// maxLength, anyOf and $ref to "#/$defs/...". A schema with another keyword is refused, so that no
// rule is believed to be checked when it is not.
#pragma once
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace heed::microscope {

/// The schemas of this folder, as text.
extern const std::string_view kTraceSchema, kCaseSchema;

/// The first place where `value` is not as the schema says: "tensors[3].name: expected a string,
/// got 5". Nothing where it is. Throws std::logic_error for a schema beyond the part above.
std::optional<std::string> mismatch(const nlohmann::json& value, const nlohmann::json& schema);

/// A number that may be hostile (1e308, -1, 0.5, a string) as a whole number from `least` to
/// `most`. Throws std::invalid_argument "what: expected a whole number from 0 to 9, got 1e+308".
int64_t whole_number(const nlohmann::json& value, std::string_view what, int64_t least,
                     int64_t most);
int64_t whole_number(double value, std::string_view what, int64_t least, int64_t most);

/// A name of unknown origin for a terminal: control characters become '?'.
std::string harmless(std::string_view text);

/// Parses JSON that may be hostile. Throws FileError "path: ..." when it is not JSON or nests
/// deeper than any of our files does.
nlohmann::json parse_json(const std::string& text, const std::string& path);

}  // namespace heed::microscope
