#include "examples/microscope/sample.h"

#include <algorithm>
#include <set>

#include "core/error.h"
#include "examples/microscope/schema.h"

namespace heed::microscope {
namespace {

Numbers picked(const Numbers& all, const std::vector<int64_t>& places) {
  Numbers some;
  for (const int64_t i : places) some.push_back(all[static_cast<size_t>(i)]);
  return some;
}

std::set<int> kept_whole(const Trace& t) {
  std::set<int> all{t.seed};
  for (const Json& view : t.views.value("alignment", Json::array()))
    for (const char* key : {"tensor", "scores"})
      if (view[key].is_number()) all.insert(view[key].get<int>());
  return all;
}

}  // namespace

void take_samples(Trace& t, int64_t most) {
  require(most >= kSampleSize, "sample: expected a limit of at least {} numbers, got {}",
          kSampleSize, most);
  const std::set<int> whole = kept_whole(t);
  for (int i = 0; i < static_cast<int>(t.tensors.size()); ++i) {
    TraceTensor& x = t.tensors[at(i)];
    const auto n = static_cast<int64_t>(x.value.size());
    if (n <= most || whole.contains(i) || x.sampled()) continue;
    for (int64_t k = 0; k < kSampleSize; ++k) x.places.push_back(k * n / kSampleSize);
    x.whole = std::exchange(x.shape, {kSampleSize});
    x.stats = stats_of(x.value);
    x.value = picked(x.value, x.places);
    if (!x.has_grad()) continue;
    x.grad_stats = stats_of(x.grad);
    x.grad = picked(x.grad, x.places);
  }
  for (TraceContribution& c : t.contribs)
    if (const TraceTensor& x = t.tensors[at(c.tensor)];
        x.sampled() && c.value.size() > x.places.size())
      c.value = picked(c.value, x.places);
  t.run["sample"] = most;
}

int64_t sample_limit(const Json& run) {
  const auto it = run.find("sample");
  return it == run.end() ? 0 : whole_number(*it, "run.sample", 0, kMostBytes);
}

bool holds_samples(const Trace& t) {
  return std::any_of(t.tensors.begin(), t.tensors.end(),
                     [](const TraceTensor& x) { return x.sampled(); });
}

std::string size_of_sample(const TraceTensor& x) {
  int64_t n = 1;
  for (const int64_t size : x.whole) n *= size;
  return fmt::format("{} of {} numbers", x.places.size(), n);
}

bool touches_sample(const Trace& t, const TraceOp& op) {
  const auto sampled = [&](int i) { return i >= 0 && t.tensors[at(i)].sampled(); };
  return std::any_of(op.in.begin(), op.in.end(), sampled) ||
         std::any_of(op.out.begin(), op.out.end(), sampled) ||
         std::any_of(op.saved.begin(), op.saved.end(),
                     [&](const TraceSaved& s) { return sampled(s.tensor); });
}

void require_whole(const Trace& t) {
  const auto count = std::count_if(t.tensors.begin(), t.tensors.end(),
                                   [](const TraceTensor& x) { return x.sampled(); });
  require(count == 0,
          "this trace holds only samples of {} large tensors, so it can be looked at but not "
          "computed again; record it without --sample, or with a larger one",
          count);
}

}  // namespace heed::microscope
