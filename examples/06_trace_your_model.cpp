// Lesson 6: a forward and a backward pass of a model of one's own, as a file to walk through.
//
//   run             build/bin/06_trace_your_model my.json    (seed 7; less than 1 s)
//                   build/bin/microscope check my.json
//   last line       9 operations, 9 of them passed a gradient on
//
// Without a file name it writes into the folder for temporary files. What a program adds to record
// itself: a Recording before the first operation, save_trace in place of tape.backward, and names
// for what it wants to find again (a layer names its own: here e, a and c).
#include <fmt/format.h>

#include <heed/trace.h>
#include <filesystem>

#include "layers/attention.h"

using namespace heed;

int main(int argc, char** argv) {
  const auto temporary = std::filesystem::temp_directory_path() / "heed_lesson_6.json";
  const std::string file = argc > 1 ? argv[1] : temporary.string();

  Rng rng(7);
  Attention attention({.score = Score::additive, .query = 4, .key = 4}, rng);
  const Tensor query = leaf(Tensor::normal({1, 4}, 0, 1, rng));
  const Tensor states = leaf(Tensor::normal({1, 5, 4}, 0, 1, rng));  // of five words

  Tape tape;
  Recording recording(tape);  // before the first operation
  for (const NamedParameter& p : parameters(attention)) tape.name(p.value, p.name);
  recording.input(named(query, "query"));
  recording.input(named(states, "states"));
  const Attended r = attention(query, attention.memory(states));
  const Tensor loss = named(sum(square(r.context)), "L");
  const Recorded& run = recording.backward(loss);  // in place of tape.backward(loss)
  save_trace(file, run, {.title = "additive attention over five words"});

  fmt::print("attention weights {}\n", to_text(r.weights));
  fmt::print("written: {}\n", file);
  size_t walked = 0;
  for (const RecordedOp& op : run.ops) walked += op.step >= 0 ? 1 : 0;
  fmt::print("{} operations, {} of them passed a gradient on\n", run.ops.size(), walked);
}
