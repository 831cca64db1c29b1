#include "core/error.h"

#include "core/scope.h"

namespace heed::detail {
namespace {

std::string with_place(std::string text) {
  if (const uint32_t here = current_scope()) text += " (in " + scope_path(here) + ")";
  return text;
}

}  // namespace

void throw_argument(std::string text) {
  throw std::invalid_argument(with_place(std::move(text)));
}
void throw_misuse(std::string text) {
  throw std::logic_error(with_place(std::move(text)));
}

}  // namespace heed::detail
