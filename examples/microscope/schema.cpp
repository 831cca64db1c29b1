#include "examples/microscope/schema.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/error.h"
#include "core/file_bytes.h"
#include "examples/translate/settings.h"

namespace heed::microscope {
namespace {

using Json = nlohmann::json;
using Fault = std::optional<std::string>;

std::string shown(const Json& value) {
  if (value.is_array()) return fmt::format("a list of {}", value.size());
  if (value.is_object()) return "an object";
  if (value.is_string()) return quote_bytes(value.get_ref<const std::string&>());
  return value.dump();
}

bool is_of(const Json& value, const std::string& type) {
  if (type == "integer") return value.is_number_integer();
  return type == (value.is_number()    ? "number"
                  : value.is_string()  ? "string"
                  : value.is_boolean() ? "boolean"
                                       : value.type_name());
}

Fault at(const std::string& path, const std::string& text) {
  return (path.empty() ? "the file" : path) + ": " + text;
}

struct Checker {
  const Json& root;

  Fault check(const Json& value, const Json& schema, const std::string& path) const {
    if (schema.is_boolean())
      return schema.get<bool>() ? Fault{} : at(path, "expected no such field");
    for (const auto& [key, rule] : schema.items())
      if (Fault f = keyword(key, rule, value, schema, path)) return f;
    return {};
  }

  Fault keyword(const std::string& key, const Json& rule, const Json& value, const Json& schema,
                const std::string& path) const {
    if (key == "$ref") return check(value, resolve(rule), path);
    if (key == "type") return type(rule, value, path);
    if (key == "const")
      return value == rule ? Fault{}
                           : at(path, "expected " + shown(rule) + ", got " + shown(value));
    if (key == "enum")
      return std::find(rule.begin(), rule.end(), value) != rule.end()
                 ? Fault{}
                 : at(path, "expected one of " + rule.dump() + ", got " + shown(value));
    if (key == "anyOf") return any_of(rule, value, path);
    if (key == "minimum" || key == "maximum") return bound(key, rule, value, path);
    if (key == "minItems" || key == "maxItems" || key == "maxLength")
      return size(key, rule, value, path);
    if (key == "items") return items(rule, value, path);
    if (key == "required") return required(rule, value, path);
    if (key == "properties" || key == "additionalProperties")
      return key == "properties" && schema.contains("additionalProperties")
                 ? Fault{}  // both in one walk, below
                 : properties(value, schema, path);
    static constexpr std::array kSilent{"$schema", "$id", "$defs", "title", "description"};
    require_use(std::find(kSilent.begin(), kSilent.end(), key) != kSilent.end(),
                "the schema's keyword '{}' is not one that this program checks", key);
    return {};
  }

  const Json& resolve(const Json& ref) const {
    return root.at(Json::json_pointer(ref.get<std::string>().substr(1)));
  }

  static Fault type(const Json& rule, const Json& value, const std::string& path) {
    if (rule.is_string()) {
      if (is_of(value, rule.get_ref<const std::string&>())) return {};
    } else if (std::any_of(rule.begin(), rule.end(),
                           [&](const Json& t) { return is_of(value, t.get<std::string>()); })) {
      return {};
    }
    return at(path,
              fmt::format("expected {}, got {}",
                          rule.is_string() ? rule.get<std::string>() : rule.dump(), shown(value)));
  }

  Fault any_of(const Json& rule, const Json& value, const std::string& path) const {
    Fault last;
    for (const Json& one : rule)
      if (last = check(value, one, path); !last) return {};
    return last;
  }

  static Fault bound(const std::string& key, const Json& rule, const Json& value,
                     const std::string& path) {
    if (!value.is_number()) return {};
    const double x = value.get<double>(), limit = rule.get<double>();
    if (key == "minimum" ? x >= limit : x <= limit) return {};
    return at(path, fmt::format("expected at {} {}, got {}", key == "minimum" ? "least" : "most",
                                rule.dump(), value.dump()));
  }

  static Fault size(const std::string& key, const Json& rule, const Json& value,
                    const std::string& path) {
    const bool text = key == "maxLength";
    if (text ? !value.is_string() : !value.is_array()) return {};
    const size_t n = text ? value.get_ref<const std::string&>().size() : value.size();
    const auto limit = rule.get<size_t>();
    if (key == "minItems" ? n >= limit : n <= limit) return {};
    return at(path,
              fmt::format("expected at {} {} {}, got {}", key == "minItems" ? "least" : "most",
                          limit, text ? "bytes" : "items", n));
  }

  Fault items(const Json& rule, const Json& value, const std::string& path) const {
    if (!value.is_array()) return {};
    for (size_t i = 0; i < value.size(); ++i)
      if (Fault f = check(value[i], rule, {})) {  // the path is made only where it is needed
        f = check(value[i], rule, fmt::format("{}[{}]", path, i));
        return f;
      }
    return {};
  }

  static Fault required(const Json& rule, const Json& value, const std::string& path) {
    if (!value.is_object()) return {};
    for (const Json& name : rule)
      if (!value.contains(name.get_ref<const std::string&>()))
        return at(path, "expected the field " + name.dump());
    return {};
  }

  Fault properties(const Json& value, const Json& schema, const std::string& path) const {
    if (!value.is_object()) return {};
    const auto known = schema.find("properties");
    const auto others = schema.find("additionalProperties");
    for (const auto& [name, field] : value.items()) {
      const std::string here = (path.empty() ? "" : path + ".") + harmless(name.substr(0, 60));
      const bool listed = known != schema.end() && known->contains(name);
      if (!listed && others == schema.end()) continue;
      if (Fault f = check(field, listed ? known->at(name) : *others, here)) return f;
    }
    return {};
  }
};

}  // namespace

int64_t whole_number(const Json& value, std::string_view what, int64_t least, int64_t most) {
  if (value.is_number_float()) return whole_number(value.get<double>(), what, least, most);
  const auto n = translate::whole_in(value);
  require(n && *n >= least && *n <= most, "{}: expected a whole number from {} to {}, got {}", what,
          least, most, harmless(shown(value)));
  return *n;
}

int64_t whole_number(double value, std::string_view what, int64_t least, int64_t most) {
  constexpr double kExact = 9007199254740992;  // above it not every whole number is a double
  const bool whole = std::abs(value) <= kExact && value == std::floor(value);
  const int64_t n = whole ? static_cast<int64_t>(value) : 0;
  require(whole && n >= least && n <= most, "{}: expected a whole number from {} to {}, got {}",
          what, least, most, value);
  return n;
}

std::string harmless(std::string_view text) {
  std::string out(text);
  for (size_t i = 0; i < out.size(); ++i) {
    const auto byte = [&](size_t k) { return k < out.size() ? static_cast<uint8_t>(out[k]) : 0; };
    if (byte(i) < 0x20 || byte(i) == 0x7F) out[i] = '?';
    // U+0080 to U+009F are controls too; U+202A to U+202E and U+2066 to U+2069 turn text around.
    if (byte(i) == 0xC2 && byte(i + 1) >= 0x80 && byte(i + 1) < 0xA0) out.replace(i, 2, "?");
    const bool turns = (byte(i + 1) == 0x80 && byte(i + 2) >= 0xAA && byte(i + 2) <= 0xAE) ||
                       (byte(i + 1) == 0x81 && byte(i + 2) >= 0xA6 && byte(i + 2) <= 0xA9);
    if (byte(i) == 0xE2 && turns) out.replace(i, 3, "?");
  }
  return out;
}

std::optional<std::string> mismatch(const Json& value, const Json& schema) {
  return Checker{schema}.check(value, schema, "");
}

Json parse_json(const std::string& text, const std::string& path) {
  constexpr int kDeepest = 32;
  int depth = 0;
  bool quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c == '\\') ++i;
      quoted = c != '"';
    } else if (c == '"') {
      quoted = true;
    } else if (c == '[' || c == '{') {
      if (++depth > kDeepest)
        fail_file(path, "expected JSON that nests at most {} deep, byte {} goes deeper", kDeepest,
                  i);
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
  try {
    return Json::parse(text);
  } catch (const Json::exception& e) {
    fail_file(path, "expected JSON: {}", harmless(std::string(e.what()).substr(0, 300)));
  }
}

}  // namespace heed::microscope
