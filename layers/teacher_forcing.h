// How often a decoder is fed the gold word in training, as a function of the step (scheduled
// sampling: Bengio, Vinyals, Jaitly & Shazeer 2015, arXiv:1506.03099, sec. 2.4). Not here: the coin
// itself (Seq2SeqCall).
#pragma once
#include <cstdint>
#include <optional>
#include <string_view>

namespace heed {

/// With p = t / total, t the number of steps taken before this one:
///   constant         least
///   linear           1 - (1 - least) p
///   exponential      least^p, the paper's k^t with k = least^(1 / total)
///   inverse_sigmoid  max(least, k / (k + exp(t / k))), k ln k = total / 2: half way at half time
enum class ForcingSchedule { constant, linear, exponential, inverse_sigmoid };
std::string_view name_of(ForcingSchedule schedule);
/// The schedule of this name ("inverse-sigmoid"); nothing if there is none.
std::optional<ForcingSchedule> forcing_named(std::string_view name);

/// The probability of feeding the gold word, for t in [0, total]; `least` from there on. Throws
/// std::invalid_argument unless least is in [0, 1] (exponential: > 0), t >= 0 and total > 0.
double forcing_ratio(ForcingSchedule schedule, double least, int64_t t, int64_t total);

}  // namespace heed
