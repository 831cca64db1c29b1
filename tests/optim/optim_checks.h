// What the tests of optim share: gradients made by hand, and errors compared as text.
#pragma once
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "autograd/parameter.h"
#include "autograd/tape.h"

namespace heed {

inline Gradients gradients_of(std::initializer_list<std::pair<Tensor, Tensor>> pairs) {
  Gradients all;
  for (const auto& [leaf, gradient] : pairs) all.add(leaf.ref().slot, gradient);
  return all;
}

template <class Error>
void expect_error(const std::function<void()>& f, const std::string& text) {
  try {
    f();
    ADD_FAILURE() << "accepted; expected: " << text;
  } catch (const Error& e) {
    EXPECT_EQ(std::string(e.what()), text);
  }
}

/// Numbers in [-1, 1) that look like noise and are the same everywhere.
inline std::vector<double> noise(int64_t n, uint32_t seed) {
  std::vector<double> x;
  for (int64_t i = 0; i < n; ++i) {
    seed = seed * 1664525u + 1013904223u;
    x.push_back(static_cast<double>(seed >> 8) / 8388608.0 - 1);
  }
  return x;
}

}  // namespace heed
