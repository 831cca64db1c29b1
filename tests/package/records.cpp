// Outside the tree, with the installed heed: a model's pass becomes a file.
#include <heed/heed.h>
#include <heed/trace.h>

int main() {
  const heed::Tensor w = heed::leaf(heed::Tensor::of({1, 2}));
  heed::Tape tape;
  heed::Recording recording(tape);
  heed::save_trace("records.json", recording.backward(heed::sum(heed::square(w))));
}
