// The exhibits of the bug museum: wrong forms of attention from the articles, as code that runs,
// and the examinations that each is put to.
#pragma once
#include <functional>

#include "autograd/ops.h"
#include "examples/microscope/lessons/lesson.h"

namespace heed::microscope {

/// What an exhibit is given: one query per sentence and a padded batch of encoder states.
struct Visit {
  Tensor q, h;                   // [B, D], [B, S, D]
  std::vector<int64_t> lengths;  // of the sentences
  double shift = 0;              // added to every score
};
/// What it gives back. Weights are undefined where it has none that could be called so.
struct Shown {
  Tensor context, weights;  // [B, D], [B, S]
};

/// An attention, right or wrong, and what is known of it.
struct Exhibit {
  std::string name, where;  // "no-exp", "000:57"
  Words what;
  std::function<Shown(const Visit&)> attend;
  std::string caught;  // the examinations that find it, in their order: "shift positive"
};
/// The right form, which passes every examination, then the exhibits.
const std::vector<Exhibit>& exhibits();

/// One examination: whether the exhibit fails it.
struct Examination {
  std::string name;
  Words what;
  std::function<bool(const Exhibit&)> fails;
};
const std::vector<Examination>& examinations();

/// A batch of two sentences of lengths 4 and 3, the same on every call.
Visit example_visit();

/// What is wired wrongly round the attention of one decoder step.
struct Wiring {
  std::string name, where;
  Words what;
  /// The next state from the word's vector [1, E], the state before [1, D] and the context [1, D].
  std::function<Tensor(const Tensor& word, const Tensor& state, const Tensor& context)> next;
  bool detached = false;     // the weights leave the tape on their way to the context
  std::string word, values;  // what the trace says of the gradient of the word and of the scores
  int state_routes;          // contributions to the state's gradient
};
const std::vector<Wiring>& wirings();
/// One decoder step of it, recorded: tensors word, s, H, e, a, c, next, L.
Trace trace_of_wiring(const Wiring& wiring);

}  // namespace heed::microscope
