// Settings and places as text, and back.
#include <algorithm>
#include <charconv>

#include "core/error.h"
#include "examples/microscope/schema.h"
#include "examples/microscope/session.h"

namespace heed::microscope {

std::string place_of(const TraceTensor& t, size_t index) {
  const std::vector<int64_t>& shape = t.whole_shape();
  if (t.sampled() && index < t.places.size()) index = static_cast<size_t>(t.places[index]);
  std::string text;
  for (size_t axis = shape.size(); axis-- > 0;) {
    const auto size = static_cast<size_t>(std::max<int64_t>(shape[axis], 1));
    text = std::to_string(index % size) + (text.empty() ? "" : ",") + text;
    index /= size;
  }
  return "[" + text + "]";
}

std::string text_of(const Trace& trace, const Setting& s) {
  const TraceTensor& t = trace.tensors.at(static_cast<size_t>(s.tensor));
  const bool named = !t.name.empty() && trace.find(t.name) == s.tensor;
  return fmt::format("{}{}={}", named ? t.name : fmt::format("#{}", s.tensor), place_of(t, s.index),
                     s.value);
}

Setting setting_of(const Trace& trace, const std::string& text) {
  const size_t equals = text.rfind('=');
  require(equals != std::string::npos && equals > 0,
          "expected a setting such as W[0,1]=0.3, got '{}'", harmless(text));
  const size_t open = text[equals - 1] == ']' ? text.rfind('[', equals) : std::string::npos;
  const std::string name = text.substr(0, std::min(open, equals));
  Setting s{.tensor = trace.find(name), .index = 0, .value = 0};
  const TraceTensor& t = trace.tensors[static_cast<size_t>(s.tensor)];
  const std::string number = text.substr(equals + 1);
  const char* end = number.data() + number.size();
  const auto [stop, error] = std::from_chars(number.data(), end, s.value);
  require(error == std::errc() && stop == end, "{}: expected a number, got '{}'", harmless(name),
          harmless(number));
  std::vector<int64_t> place;
  if (open != std::string::npos) {
    const std::string inside = text.substr(open + 1, equals - open - 2);
    for (size_t i = 0; i <= inside.size();) {
      const size_t comma = std::min(inside.find(',', i), inside.size());
      int64_t k = -1;
      const auto part = std::from_chars(inside.data() + i, inside.data() + comma, k);
      require(part.ec == std::errc() && part.ptr == inside.data() + comma && comma > i,
              "{}: expected a place such as [0,1], got '[{}]'", harmless(name), harmless(inside));
      place.push_back(k);
      i = comma + 1;
    }
  }
  const auto shape = [&] {
    std::string all;
    for (const int64_t n : t.shape) all += (all.empty() ? "" : ", ") + std::to_string(n);
    return "[" + all + "]";
  };
  // Without the axes of size 1 in front, a row of [1, n] is called by one number.
  size_t skipped = 0;
  while (place.size() + skipped < t.shape.size() && t.shape[skipped] == 1) ++skipped;
  bool fits = place.size() + skipped == t.shape.size() || (place.empty() && t.value.size() == 1);
  for (size_t i = 0; fits && i < place.size(); ++i)
    fits = 0 <= place[i] && place[i] < t.shape[i + skipped];
  require(fits, "{}: expected a place in {}, got '{}'", harmless(name), shape(),
          harmless(text.substr(0, equals)));
  for (size_t i = 0; i < place.size(); ++i)
    s.index = s.index * static_cast<size_t>(t.shape[i + skipped]) + static_cast<size_t>(place[i]);
  return s;
}

}  // namespace heed::microscope
