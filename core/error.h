// Errors that teach: what was expected, what came, and where. Three kinds, by who can mend it:
//   std::invalid_argument  the caller's shapes, dtypes, ids, options
//   std::logic_error       misuse of the tape ("backward: ...")
//   FileError              a file that cannot be read or written (a std::runtime_error)
#pragma once
#include <fmt/format.h>

#include <cstdlib>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

namespace heed {

/// A file that is missing, malformed or cannot be written. The text begins with the file's name.
class FileError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

namespace detail {
[[noreturn]] void throw_argument(std::string text);  // adds " (in scope/path)" when there is one
[[noreturn]] void throw_misuse(std::string text);

// How an argument gets to `refuse`: what is small as a copy, made on the way there. For a reference
// it would have to be put in memory before the check, whether or not that fails.
template <class T>
using Passed = std::conditional_t<std::is_trivially_copyable_v<std::remove_cvref_t<T>> &&
                                      !std::is_array_v<std::remove_cvref_t<T>> &&
                                      sizeof(std::remove_cvref_t<T>) <= 32,
                                  std::remove_cvref_t<T>, T&&>;

// Apart, so that what checks is small enough to be put where it is called.
template <class... Args>
[[noreturn, gnu::cold, gnu::noinline]] void refuse(void (*how)(std::string),
                                                   fmt::format_string<Args...> text,
                                                   Passed<Args>... args) {
  how(fmt::format(text, std::forward<Args>(args)...));
  std::abort();  // not reached: both ways of refusing throw
}
}  // namespace detail

/// Throws std::invalid_argument with this text unless `ok`. The text is formatted only on failure.
template <class... Args>
void require(bool ok, fmt::format_string<Args...> text, Args&&... args) {
  if (!ok) [[unlikely]]
    detail::refuse<Args...>(detail::throw_argument, text, std::forward<Args>(args)...);
}

/// Throws std::logic_error (misuse; the text names the remedy) unless `ok`.
template <class... Args>
void require_use(bool ok, fmt::format_string<Args...> text, Args&&... args) {
  if (!ok) [[unlikely]]
    detail::refuse<Args...>(detail::throw_misuse, text, std::forward<Args>(args)...);
}

/// Throws FileError "path: text".
template <class... Args>
[[noreturn]] void fail_file(const std::string& path, fmt::format_string<Args...> text,
                            Args&&... args) {
  throw FileError(path + ": " + fmt::format(text, std::forward<Args>(args)...));
}

}  // namespace heed
