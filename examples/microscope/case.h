// A mechanism on given numbers: what `microscope trace --case` records. The fields of a case file
// are documented in case.schema.json. No networks, no text, no training.
#pragma once
#include <map>
#include <set>
#include <string>
#include <utility>

#include "autograd/recording.h"
#include "core/mask.h"
#include "examples/microscope/trace.h"

namespace heed::microscope {

/// How true the gradient of a hard choice is: {"kind", "label"}.
Json estimator_of(const std::string& kind);

/// Checks the JSON of a case file. Throws FileError with the field and what was expected of it.
void check_case(const Json& json, const std::string& path);

/// The composed twins that a case can be run with, in place of the fused op of that name.
const std::set<std::string>& decomposable();

/// What was computed last: its gradient is `cotangent` there.
struct Outcome {
  Tensor y, cotangent;
};

/// A case with its numbers as leaves. `forward` can be called again and again, under a new tape
/// each time; between calls the leaves may be changed in place.
class Case {
 public:
  /// Throws std::invalid_argument for sizes that do not fit and twins that do not exist.
  Case(const Json& json, const std::set<std::string>& decompose, DType dtype);
  /// The dtype that the file asks for.
  static DType dtype_of_file(const Json& json);

  /// Runs it under the active tape, naming tensors q, K and V or H, e, a, c, z, p, L and the
  /// params.
  Outcome forward() const;
  /// Tells the recording which leaves are data.
  void mark_inputs(Recording& recording) const;
  Tensor& leaf_named(const std::string& name) { return leaves_.at(name); }

 private:
  Tensor score(const Tensor& q, const Tensor& keys) const;
  Tensor additive(const Tensor& q, const Tensor& keys, const Tensor& v) const;
  Tensor direction(const Tensor& x) const;
  Tensor soft(const Tensor& e, const Mask& mask, bool masked) const;
  Tensor local(const Tensor& q, const Tensor& e) const;
  Tensor hard(const Tensor& e, const Mask& mask, bool masked) const;
  std::pair<Tensor, Tensor> context() const;
  Tensor heads() const;
  Outcome ending(const Tensor& c, const Tensor& e) const;
  Tensor use(const std::string& name) const;

  std::string mechanism_;
  std::set<std::string> decompose_;
  DType dtype_;
  std::map<std::string, Tensor> leaves_;
  std::vector<uint8_t> keep_;
  int64_t target_ = -1;
  double reach_ = 0, position_ = 0;
  Tensor cotangent_;
  int64_t n_, heads_ = 1, position_of_row_ = -1;
  bool causal_ = false, residual_ = false;
  Json hard_;  // as in the file; null: soft
};

/// Runs a case and records it.
Trace record_case(const Json& json, const std::set<std::string>& decompose);

}  // namespace heed::microscope
