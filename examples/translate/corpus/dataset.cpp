// Reading a pair backwards, and writing pairs as TSV. See dataset.h.
#include "examples/translate/corpus/dataset.h"

#include <fmt/format.h>

#include <algorithm>

#include "examples/translate/data.h"

namespace heed::translate {
namespace {

std::vector<Link> turned(const std::vector<Link>& links) {
  std::vector<Link> out;
  for (const Link& l : links) out.push_back({l.tgt, l.src});
  std::ranges::sort(out, {}, [](const Link& l) { return std::pair(l.tgt, l.src); });
  return out;
}

}  // namespace

Example swap_sides(const Example& e) {
  Example out{e.tgt, e.src, turned(e.sure), turned(e.possible), e.tags, {}};
  for (const std::vector<int>& owned : e.tag_tokens) {
    std::vector<int> at;
    for (const auto* links : {&e.sure, &e.possible}) {
      for (const Link& l : *links) {
        if (std::ranges::find(owned, l.tgt) != owned.end()) at.push_back(l.src);
      }
    }
    std::ranges::sort(at);
    at.erase(std::unique(at.begin(), at.end()), at.end());
    out.tag_tokens.push_back(std::move(at));
  }
  return out;
}

void write_tsv(std::ostream& out, std::span<const Example> pairs, std::string_view header) {
  out << "# " << header << '\n';
  for (const Example& e : pairs) out << format_tsv(e) << '\n';
}

void write_tsv(std::ostream& out, std::span<const ContrastPair> pairs, std::string_view header) {
  out << "# " << header << '\n';
  for (const ContrastPair& p : pairs) {
    out << fmt::format("{}\t{}\t{}\t{}\n", fmt::join(p.src, " "), fmt::join(p.reference, " "),
                       fmt::join(p.foil, " "), p.flipped);
  }
}

}  // namespace heed::translate
