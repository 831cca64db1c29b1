// Two traces side by side: which tensors of one are which of the other, how far their values and
// gradients are apart, and where they part first.
#pragma once
#include <string>
#include <vector>

#include "examples/microscope/trace.h"

namespace heed::microscope {

/// Tensors are the same when they stand in the same scope and have the same name there (or are made
/// by the same op) for the same time. `token`: a step is called by the word that it says, not by
/// its number.
enum class Align { name, token };

struct ComparedTensor {
  std::string key;           // "decoder/step[2]/attention/e"
  int one = -1, other = -1;  // -1: not there
  bool same_shape = true;
  double value = 0, grad = 0;  // largest difference; NaN where it cannot be told
  bool grad_known = true;      // both have a gradient, or neither
};

struct Comparison {
  std::vector<ComparedTensor>
      tensors;  // in the order of the first trace, then what only the other has
  int first_value = -1, first_grad = -1;  // into `tensors`: first in forward and backward order
};

/// Differences above `tolerance` times the larger of 1 and the tensor's largest number count for
/// the first divergence.
Comparison compare(const Trace& one, const Trace& other, Align align, double tolerance = 0);

/// The keys of a trace's tensors, one each.
std::vector<std::string> keys_of(const Trace& trace, Align align);

}  // namespace heed::microscope
