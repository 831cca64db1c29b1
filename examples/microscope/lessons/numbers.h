// What several lessons need: the worked example A, Jacobians by an op's own backward, norms.
#pragma once
#include <functional>

#include "autograd/ops.h"
#include "examples/microscope/case.h"

namespace heed::microscope {

/// The worked example A as a case: q = (1, 0.5) attends to three positions by the dot product, keys
/// = values = H; three classes by U; the loss is -ln p of class 1.
Json example_a();
/// Forward and backward of a case, recorded. Throws where `file` is no case.
Trace run_case(const Json& file, const std::set<std::string>& decompose = {});
/// Forward and backward of what `f` computes from leaves, recorded. The last word of the title is
/// the lesson's. f may tell the recording which tensors are data and where it cuts.
Trace record_run(const std::string& title, const std::function<Tensor(Recording&)>& f);

const TraceTensor& tensor_of(const Trace& t, const std::string& name);
Numbers value_of(const Trace& t, const std::string& name);
/// The gradient of a tensor of this name. Throws std::logic_error where it has none.
Numbers grad_of(const Trace& t, const std::string& name);
/// "done", "not reached", "cut: argmax", "no grad".
std::string state_of(const Trace& t, const std::string& name);

/// The tensor as f64 leaf.
Tensor leaf64(std::initializer_list<std::initializer_list<double>> rows);
Tensor matrix(const Numbers& row_major, int64_t rows);
Tensor normal_leaf(const Shape& shape, Rng& rng, double deviation = 1);
/// dL/dx for L = sum(cotangent * f()), of each leaf; zeros where nothing arrives.
std::vector<Numbers> gradients(const std::function<Tensor()>& f, const Tensors& leaves,
                               const Tensor& cotangent = {});
Numbers gradient(const std::function<Tensor()>& f, const Tensor& leaf);
/// dy[i]/dx[j] as rows, each by one backward pass with a unit cotangent. x is a leaf.
std::vector<Numbers> jacobian(const std::function<Tensor()>& f, const Tensor& x);
/// -ln p_1 of softmax(c U^T) for example A's U, c [1, 2] -> [1].
Tensor loss_a(const Tensor& context);

double dot(const Numbers& a, const Numbers& b);
double norm(const Numbers& v);
double sum(const Numbers& v);
double largest(const Numbers& v);  // of the absolute values; NaN if there is one
double largest_gap(const Numbers& a, const Numbers& b);
double cosine(const Numbers& a, const Numbers& b);
/// The largest singular value of a matrix given as rows.
double spectral_norm(const std::vector<Numbers>& rows);
double frobenius_norm(const std::vector<Numbers>& rows);
Numbers flat(const std::vector<Numbers>& rows);
/// Part [begin, end).
Numbers part(const Numbers& v, size_t begin, size_t end);
bool same_bits(const Numbers& a, const Numbers& b);

}  // namespace heed::microscope
