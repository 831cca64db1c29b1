// Ways that a gradient takes from what was differentiated to a place: the shortest one, and a
// partition of all of them into routes whose gradients add up to the whole. Routes are told apart
// where they cross from what the target's words made to what was there before them, which every way
// does exactly once.
#pragma once
#include <string>
#include <vector>

#include "examples/microscope/session.h"

namespace heed::microscope {

/// Some numbers of a tensor.
struct Place {
  int tensor;
  std::vector<size_t> numbers;  // row-major
};

/// "loss.t2" (the loss of word 2), "logit.t2.chat", "src.1" and "tgt.1" (the vector of a word),
/// "h[1]" (all numbers under these indices, axes of size 1 in front left out), "e[0,3]", "L".
/// Throws std::invalid_argument.
Place place_named(const Trace& trace, const std::string& text);

enum class RouteBy { route, time, head };

struct Route {
  std::string label;  // value, score, initial state, summary; t=2; layer 0, head 1
  Numbers gradient;   // of the place, by this route alone
};

struct PathReport {
  std::vector<int> shortest;  // ops, from what is differentiated on; empty: there is no way
  Numbers total;              // of the place
  std::vector<Route> routes;
  double error = 0;  // largest |sum of the routes - total|
};

/// The gradient of the sum of `from` with respect to `to`. `closed`: what these routes
/// ("attention": value and score) carry is left out of everything. Throws std::invalid_argument.
PathReport path(const Trace& trace, const Place& from, const Place& to, RouteBy by,
                const std::string& closed = "");

}  // namespace heed::microscope
