// Lesson 1: the chain rule is a walk along a list, from its end to its beginning.
//
//   run             build/bin/01_chain_rule          (no seed: nothing is random; less than 1 s)
//   last line       dc/da = 4
//
// b = a + a and c = b + b, so c = 4 a. Each use of a value sends back a contribution of its own,
// and the contributions are ADDED. Whoever follows each value back once, and forgets that b is used
// twice, finds 2; whoever walks from a node before all its users have spoken finds something worse.
#include <fmt/format.h>

#include "autograd/ops.h"

using namespace heed;

int main() {
  const Tensor a = leaf(Tensor::scalar(3, f64));

  Tape tape;  // from here on, operations are written down
  const Tensor b = named(a + a, "b");
  const Tensor c = named(b + b, "c");
  named(a, "a");
  fmt::print("the tape, in the order things happened:\n{}\n", to_text(tape));

  tape.keep_grad(b);  // a gradient is passed on and forgotten unless somebody asks for it
  tape.backward(c);   // walks the list from its last line to its first

  fmt::print("backward starts with dc/dc = 1\n");
  fmt::print("line 1, c = b + b: b gets 1 from the left and 1 from the right, dc/db = {}\n",
             tape.grad(b).item());
  fmt::print("line 0, b = a + a: a gets dc/db twice\n");

  // The same by finite differences, which know nothing of tapes.
  const auto f = [](double x) { return (x + x) + (x + x); };
  const double h = 1e-6;
  fmt::print("finite difference: {:.6f}\n", (f(3 + h) - f(3 - h)) / (2 * h));
  fmt::print("dc/da = {}\n", tape.grad(a).item());
}
