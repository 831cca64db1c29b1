// One sentence pair, as the corpus, the readers and the metrics share it. Plain data: no parsing.
#pragma once
#include <compare>
#include <string>
#include <vector>

namespace heed::translate {

/// A word link: token `src` of the source belongs to token `tgt` of the target, both from 0.
struct Link {
  int src, tgt;
  friend auto operator<=>(const Link&, const Link&) = default;
};

/// A sentence pair in tokens (the end-of-sentence mark is not one), with gold links and tags where
/// the data has them.
struct Example {
  std::vector<std::string> src, tgt;
  std::vector<Link> sure{};                    ///< links that any annotator would draw
  std::vector<Link> possible{};                ///< further links that are not wrong
  std::vector<std::string> tags{};             ///< phenomena in this pair
  std::vector<std::vector<int>> tag_tokens{};  ///< for tags[k]: the target positions that it owns
};

}  // namespace heed::translate
