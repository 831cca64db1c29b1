// The three element types and the one dispatch over them. No implicit promotion anywhere: mixing
// dtypes is an error that names both.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/error.h"

namespace heed {

/// Element type: f32 to train, f64 to check gradients, i64 for token ids and positions.
enum class DType : uint8_t { f32, f64, i64 };
inline constexpr DType f32 = DType::f32, f64 = DType::f64, i64 = DType::i64;

constexpr size_t size_of(DType d) {
  return d == f32 ? 4 : 8;
}
constexpr std::string_view name_of(DType d) {
  return d == f32 ? "f32" : d == f64 ? "f64" : "i64";
}

template <class T>
struct DTypeOf;
template <>
struct DTypeOf<float> {
  static constexpr DType value = f32;
};
template <>
struct DTypeOf<double> {
  static constexpr DType value = f64;
};
template <>
struct DTypeOf<int64_t> {
  static constexpr DType value = i64;
};
template <class T>
inline constexpr DType dtype_of = DTypeOf<T>::value;

/// Calls `f.template operator()<float>()` or `<double>()`. Throws for integers: `op` has no meaning
/// on ids.
template <class F>
decltype(auto) dispatch(DType d, std::string_view op, F&& f) {
  require(d != i64, "{}: expected f32 or f64, got i64 (ids carry no gradient)", op);
  return d == f32 ? f.template operator()<float>() : f.template operator()<double>();
}

}  // namespace heed
