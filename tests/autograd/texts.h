// What an error says, for tests that read it.
#pragma once
#include <functional>
#include <stdexcept>
#include <string>

namespace heed::test {

/// The text of the E that `f` throws; "accepted" when it throws nothing.
template <class E>
std::string text_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const E& e) {
    return e.what();
  }
  return "accepted";
}
inline std::string argument_error(const std::function<void()>& f) {
  return text_of<std::invalid_argument>(f);
}
inline std::string misuse(const std::function<void()>& f) {
  return text_of<std::logic_error>(f);
}

}  // namespace heed::test
