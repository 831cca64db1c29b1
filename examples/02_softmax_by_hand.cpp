// Lesson 2: softmax and cross-entropy by hand, against the tape.
//
//   run             build/bin/02_softmax_by_hand     (no seed: nothing is random; less than 1 s)
//   last line       largest difference below 1e-15: yes
//
// p = softmax(z), L = -ln p[y]. Two steps of the chain rule,
//   dL/dp[j] = -[j = y] / p[y]          dp[i]/dz[j] = p[i] ([i = j] - p[j])
// multiply to the shortest formula of the field: dL/dz = p - onehot(y). It sums to 0: adding the
// same number to every score changes nothing, so the gradient has nothing to say in that direction.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "autograd/ops.h"

using namespace heed;

int main() {
  const std::vector<double> z{1.0, 0.5, -0.5};
  const size_t y = 1, n = z.size();

  // By hand: subtract the largest score first, or e^1000 ends the lesson.
  std::vector<double> p(n), dz(n);
  const double top = *std::max_element(z.begin(), z.end());
  double sum = 0;
  for (size_t j = 0; j < n; ++j) sum += p[j] = std::exp(z[j] - top);
  for (double& v : p) v /= sum;
  for (size_t j = 0; j < n; ++j) {  // row y of the Jacobian times dL/dp[y]
    const double dp_dz = p[y] * ((j == y ? 1 : 0) - p[j]);
    dz[j] = -1 / p[y] * dp_dz;
  }

  // The same on a tape.
  const Tensor scores = leaf(Tensor::from<double>(z, {3}));
  Tape tape;
  const Tensor probabilities = softmax(scores);
  const Tensor loss = neg(log(select(probabilities, 0, static_cast<int64_t>(y))));
  tape.backward(loss);
  const auto taped = tape.grad(scores).to_vector();

  fmt::print("j    z[j]        p[j]      dL/dz by hand   dL/dz on the tape   p - onehot\n");
  double worst = 0;
  for (size_t j = 0; j < n; ++j) {
    const double shortest = p[j] - (j == y ? 1 : 0);
    fmt::print("{}   {:5.2f}  {:.9f}    {:12.9f}        {:12.9f} {:12.9f}\n", j, z[j], p[j], dz[j],
               taped[j], shortest);
    worst = std::max({worst, std::abs(dz[j] - taped[j]), std::abs(shortest - taped[j])});
  }
  fmt::print("loss {:.9f}, sum of dL/dz {:.1f}\n", loss.item(),
             std::abs(taped[0] + taped[1] + taped[2]));
  fmt::print("largest difference below 1e-15: {}\n", worst < 1e-15 ? "yes" : "no");
  return worst < 1e-15 ? 0 : 1;
}
