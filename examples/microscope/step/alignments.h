// The attention of a run as matrices over words: the weights of all steps put together, what came
// back to them, and what each is worth. Numbers only; the pictures are elsewhere.
#pragma once
#include "examples/microscope/step/stepper.h"

namespace heed::microscope::stepper {

/// One tensor of weights [..., T, S] and the rows it stands for.
struct AlignmentPart {
  int weights;      // tensor
  int scores = -1;  // tensor, -1: unknown
};

/// The weights of one place in the network: a decoder's steps, or one layer.
struct Alignment {
  std::string title;  // "cross", "self_encoder layer 1", or the tensor's name
  int64_t heads = 1;
  std::vector<AlignmentPart> parts{};
  std::vector<std::string> rows{}, cols{};
  size_t height = 0, width = 0;
};

enum class Heat { weight, gradient, score_gradient, product, erase };

/// A matrix [height, width]; `absent` where a number is not known (yet).
struct HeatMap {
  Numbers values;
  std::vector<bool> absent;
};

/// From the trace's views; without any, from the tensors a and w, or the softmax at hand.
std::vector<Alignment> alignments_of(const Stepper& s);

/// `head`: an index, or -1 for the mean over the heads. Of the first sentence of a batch. Erase:
/// what the outcome gains when this weight becomes 0 and the others of its row are scaled up to
/// their old sum, everything after it computed again.
HeatMap heat_map(const Stepper& s, const Alignment& all, Heat what, int64_t head);

}  // namespace heed::microscope::stepper
