// A trace as data: what a heed-trace/1 file holds, between the recorder that fills it and the
// viewers that read it. All numbers are doubles here, which hold every f32 and every id exactly.
// It computes nothing.
#pragma once
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "autograd/recording.h"

namespace heed::microscope {

using Json = nlohmann::json;
using Numbers = std::vector<double>;  // row-major

struct TraceScope {
  std::string name;
  int64_t index;  // -1: none
  int parent;     // the root, scope 0, is its own
};

/// Indices count within the vectors of Trace; -1 is none.
struct TraceTensor {
  std::string name;  // may be empty
  int scope = 0;
  std::string role;   // param, input, const, inter, output, saved
  std::string dtype;  // f32, f64, i64
  std::vector<int64_t> shape;
  int producer = -1;
  Numbers value;
  std::string grad_state;  // done, not_reached, cut, no_grad
  Numbers grad;            // only where done
  std::string cut;         // how, where cut
  std::string ends;        // how its value goes on without a gradient, whatever its own state
  int detached_from = -1;
  /// Of a large tensor some numbers may be kept (sample.h). Then `shape` is how many, `places` are
  /// theirs in the tensor (row-major, ascending), `whole` is its shape, and the statistics are
  /// those of all of its numbers.
  std::vector<int64_t> whole{}, places{};
  Json stats{}, grad_stats{};
  bool sampled() const { return !places.empty(); }
  const std::vector<int64_t>& whole_shape() const { return sampled() ? whole : shape; }
  bool has_grad() const { return grad_state == "done"; }
};

struct TraceSaved {
  std::string name;
  int tensor;
};

struct TraceOp {
  std::string op;
  int scope = 0;
  std::vector<int> in;  // -1: left out
  std::vector<int> out;
  std::vector<TraceSaved> saved;
  Json attrs = Json::object();  // what it was told beside its tensors
  int bwd = -1;                 // its place in the backward order
  std::vector<int> sends;       // the inputs it contributed to, in order
};

struct TraceContribution {
  int op, slot, tensor;
  Numbers value;
};

struct TraceFormula {
  std::string op, forward;
  std::vector<std::string> inputs, backward;
};

struct Trace {
  Json meta = Json::object(), run = Json::object();
  std::vector<TraceScope> scopes;
  std::vector<TraceTensor> tensors;
  std::vector<TraceOp> ops;  // in forward order
  std::vector<TraceContribution> contribs;
  int seed = -1;  // the tensor that was differentiated
  Numbers seed_value;
  std::vector<TraceFormula> formulas;
  // Further fields of the file as they stand there; see heed-trace-1.schema.json.
  Json checks = Json::array(), diags = Json::array(), views = Json::object();

  /// A tensor by its name (the last of that name), by its path or the end of it
  /// ("decoder/step[2]/attention/e", "step[2]/e": scopes may be left out), or as "#12". Throws
  /// std::invalid_argument with the names there are.
  int find(const std::string& name) const;
};

/// "decoder/step[2]/attention"; "" for the root.
std::string scope_path(const Trace& trace, int scope);

/// The trace of a recording, without meta and run.
Trace trace_of(const Recorded& recorded);

/// What `meta` says of the program and the dtype of a run.
Json meta_of(DType dtype);

/// {"min", "max", "mean", "l2", "zeros", "nonfinite"} of a tensor's numbers; the first three are
/// null where none is finite.
Json stats_of(const Numbers& numbers);

/// An index of a trace, which is an int because -1 is none, as a place in a vector.
inline size_t at(int index) {
  return static_cast<size_t>(index);
}

/// The text of a trace file: one record per line, the shortest decimals that read back as the same
/// bits.
std::string to_json(const Trace& trace);

/// A number as such a file writes it, NaN and infinities as strings; and back.
Json json_number(double v);
double number_from(const Json& json);

/// Reads a trace file's text; `path` is for errors. Throws FileError where it is too large, not
/// JSON, or not as the schema says. Nothing is promised about the numbers: see `faults`.
Trace trace_from(const std::string& text, const std::string& path);

/// What is wrong with the numbers and the order of a trace, in sentences, at most `most`. Empty:
/// every index exists and precedes its use, shapes fit, every gradient is the sum of its
/// contributions to the bit, no contribution is missing.
std::vector<std::string> faults(const Trace& trace, size_t most = 8);

/// A whole file, read and free of faults. Throws FileError.
Trace load_trace(const std::string& path);

/// Writes a trace file. Throws FileError when it cannot be, or is larger than what is read.
void save(const std::string& path, const Trace& trace);

/// The largest id, so that ids and doubles are the same numbers.
inline constexpr int64_t kMostId = int64_t{1} << 53;

/// The largest file that is read.
inline constexpr uint64_t kMostBytes = 50'000'000;

}  // namespace heed::microscope
