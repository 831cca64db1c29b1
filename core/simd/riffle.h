// Two vectors together like two halves of a pack of cards. Included only by what is compiled once
// per instruction set; hence everything here has internal linkage.
#pragma once
#include <cstddef>
#include <utility>

namespace {

// low and high together: a[0], b[0], a[1], b[1], ... for vectors of as many lanes as I counts.
// (clang and g++ spell it differently, and g++ 11 does not know clang's spelling.)
template <class V, size_t... I>
inline void riffle(V a, V b, V& low, V& high, std::index_sequence<I...>) {
  constexpr size_t n = sizeof...(I);
#ifdef __clang__
  low = __builtin_shufflevector(a, b, (I / 2 + I % 2 * n)...);
  high = __builtin_shufflevector(a, b, (I / 2 + n / 2 + I % 2 * n)...);
#else
  using Places = decltype(a == b);  // whole numbers of the lanes' size
  low = __builtin_shuffle(a, b, Places{(I / 2 + I % 2 * n)...});
  high = __builtin_shuffle(a, b, Places{(I / 2 + n / 2 + I % 2 * n)...});
#endif
}

}  // namespace
