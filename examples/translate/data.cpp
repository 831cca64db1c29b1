#include "examples/translate/data.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <utility>

#include "core/error.h"
#include "core/file_bytes.h"
#include "core/rng.h"
#include "examples/console/utf8.h"
#include "examples/translate/corpus/dataset.h"

namespace heed::translate {
namespace {

constexpr std::string_view kLinksExpected = "expected links like \"0-0 1-2\" or \"0?0 1?2\"";
constexpr std::string_view kTagsExpected = "expected tags like \"NEG:1.3,MONO\"";
constexpr std::string_view kHeaderHint =
    " (the file begins with a # line, so columns 3 to 5 are links and tags; delete that line to "
    "have them ignored)";

// A place inside a line of a file, for errors: columns count code points from 1.
struct Place {
  const std::string& path;
  size_t line;
  std::string_view whole;  // the whole line

  [[noreturn]] void fail(std::string_view at, std::string_view text) const {
    int64_t column = 1;
    for (const char* p = whole.data(); p < at.data(); ++column)
      p += decode_utf8(whole, static_cast<size_t>(p - whole.data())).bytes;
    throw FileError(fmt::format("{}:{}:{}: {}", path, line, column, text));
  }
};

// The whole of `text` as a token position below `limit`, or -1.
int parse_position(std::string_view text, size_t limit) {
  int value = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = error == std::errc() && end == text.data() + text.size();
  return whole && value >= 0 && static_cast<size_t>(value) < limit ? value : -1;
}

// The parts of a column, as views so that an error can point at one of them; none of an empty one.
std::vector<std::string_view> items(std::string_view column, char separator) {
  std::vector<std::string_view> parts = split(column, separator);
  std::erase(parts, std::string_view());
  return parts;
}

std::vector<Link> parse_links(std::string_view column, const Example& e, const Place& place) {
  std::vector<Link> links;
  for (const std::string_view item : items(column, ' ')) {
    const size_t mark = std::min(item.find_first_of("-?"), item.size() - 1);
    const Link link{parse_position(item.substr(0, mark), e.src.size()),
                    parse_position(item.substr(mark + 1), e.tgt.size())};
    if (link.src < 0 || link.tgt < 0)
      place.fail(item, fmt::format("{} between {} source and {} target tokens, got \"{}\"{}",
                                   kLinksExpected, e.src.size(), e.tgt.size(), item, kHeaderHint));
    links.push_back(link);
  }
  return links;
}

void parse_tags(std::string_view column, Example& e, const Place& place) {
  for (const std::string_view item : items(column, ',')) {
    const size_t colon = std::min(item.find(':'), item.size());
    e.tags.emplace_back(item.substr(0, colon));
    std::vector<int>& owned = e.tag_tokens.emplace_back();
    if (colon == item.size()) continue;
    for (const std::string_view number : split(item.substr(colon + 1), '.')) {
      owned.push_back(parse_position(number, e.tgt.size()));
      if (owned.back() < 0)
        place.fail(item, fmt::format("{} with positions below {} target tokens, got \"{}\"{}",
                                     kTagsExpected, e.tgt.size(), item, kHeaderHint));
    }
  }
}

// Collects pairs, or the reasons why they were left out.
class Filter {
 public:
  explicit Filter(const DataOptions& options) : options_(options) {
    require(options.min_length >= 1 && options.max_length >= options.min_length,
            "data: expected 1 <= minimum length <= maximum length, got {} and {}",
            options.min_length, options.max_length);
    require(options.max_ratio == 0 || options.max_ratio >= 1,
            "data: expected a length ratio of at least 1 or 0 for no limit, got {}",
            options.max_ratio);
  }

  // The tokens of a pair as the file has it (before any swap), after lower-casing.
  Example tokenised(std::string_view first, std::string_view second) {
    Tokeniser a = options_.src_tokeniser, b = options_.tgt_tokeniser;
    if (options_.swap) std::swap(a, b);
    changed_ = 0;
    Example e;
    e.src = tokenise(cased(first), a);
    e.tgt = tokenise(cased(second), b);
    return e;
  }

  void add(Example e, size_t line) {
    ++data_.report.read;
    if (options_.swap) e = swap_sides(e);
    if (const std::string reason = why_dropped(e); !reason.empty()) return drop(reason, line);
    ++data_.report.kept;
    data_.report.lowercased += changed_;
    data_.examples.push_back(std::move(e));
  }

  void drop_blank(size_t line) {
    ++data_.report.read;
    drop("blank line", line);
  }

  Data finish(const std::string& path) && {
    if (data_.report.kept == 0)
      fail_file(path,
                "no sentence pair is left: {}; check that the file is the right one and the "
                "limits of length ({} to {} tokens) fit it",
                data_.report.text(), options_.min_length, options_.max_length);
    return std::move(data_);
  }

 private:
  std::string cased(std::string_view text) {
    return options_.lowercase ? lowercase(text, &changed_) : std::string(text);
  }

  [[nodiscard]] std::string why_dropped(const Example& e) const {
    const auto src = static_cast<int64_t>(e.src.size()), tgt = static_cast<int64_t>(e.tgt.size());
    if (src == 0) return "empty source";
    if (tgt == 0) return "empty target";
    const auto [shorter, longer] = std::minmax(src, tgt);
    if (shorter < options_.min_length)
      return fmt::format("shorter than {} tokens", options_.min_length);
    if (longer > options_.max_length)
      return fmt::format("longer than {} tokens", options_.max_length);
    if (options_.max_ratio > 0 &&
        static_cast<double>(longer) > options_.max_ratio * static_cast<double>(shorter))
      return fmt::format("one side over {} times the other", options_.max_ratio);
    return "";
  }

  void drop(const std::string& reason, size_t line) {
    auto& dropped = data_.report.dropped;
    const auto known = std::ranges::find(dropped, reason, &Dropped::reason);
    if (known != dropped.end())
      ++known->count;
    else
      dropped.push_back({reason, 1, static_cast<int64_t>(line)});
  }

  DataOptions options_;
  Data data_;
  int64_t changed_ = 0;  // by lower-casing the pair at hand
};

bool is_blank(std::string_view line) {
  return line.find_first_not_of(" \t") == line.npos;
}

}  // namespace

std::string DataReport::text() const {
  std::string out = fmt::format("read {}, kept {}", read, kept);
  for (size_t i = 0; i < dropped.size(); ++i)
    out += fmt::format("{}{} {}, first at line {}",
                       i ? "; " : fmt::format(", dropped {} (", read - kept), dropped[i].count,
                       dropped[i].reason, dropped[i].first_line);
  return dropped.empty() ? out : out + ")";
}

Data read_tsv(const std::string& path, const DataOptions& options) {
  Filter filter(options);
  const std::string text = read_file(path);
  check_utf8(path, text);
  const std::vector<std::string_view> lines = split_lines(text);
  const auto comment = [](std::string_view line) { return line.starts_with('#'); };
  size_t i = 0;
  while (i < lines.size() && comment(lines[i])) ++i;
  const bool words = options.src_tokeniser == Tokeniser::whitespace &&
                     options.tgt_tokeniser == Tokeniser::whitespace;
  const bool annotated = i > 0 && words;
  for (; i < lines.size(); ++i) {
    if (is_blank(lines[i])) {
      filter.drop_blank(i + 1);
      continue;
    }
    const Place place{path, i + 1, lines[i]};
    const std::vector<std::string_view> columns = split(lines[i], '\t');
    if (columns.size() < 2)
      place.fail(lines[i].substr(lines[i].size()),
                 fmt::format("expected source TAB target, got a line without a tab: \"{}\"",
                             fit_columns(printable(lines[i]), 60)));
    Example e = filter.tokenised(columns[0], columns[1]);
    if (annotated && columns.size() > 2) e.sure = parse_links(columns[2], e, place);
    if (annotated && columns.size() > 3) e.possible = parse_links(columns[3], e, place);
    if (annotated && columns.size() > 4) parse_tags(columns[4], e, place);
    filter.add(std::move(e), i + 1);
  }
  return std::move(filter).finish(path);
}

Data read_parallel(const std::string& src_path, const std::string& tgt_path,
                   const DataOptions& options) {
  Filter filter(options);
  const std::string src_text = read_file(src_path), tgt_text = read_file(tgt_path);
  check_utf8(src_path, src_text);
  check_utf8(tgt_path, tgt_text);
  const std::vector<std::string_view> src = split_lines(src_text), tgt = split_lines(tgt_text);
  if (src.size() != tgt.size())
    fail_file(src_path,
              "has {} lines and {} has {}; line i of one must translate line i of the other, so "
              "both need the same number of lines",
              src.size(), tgt_path, tgt.size());
  for (size_t i = 0; i < src.size(); ++i) filter.add(filter.tokenised(src[i], tgt[i]), i + 1);
  return std::move(filter).finish(src_path);
}

std::string format_tsv(const Example& e) {
  const auto links = [](const std::vector<Link>& all, char mark) {
    std::string out;
    for (const Link& link : all)
      out += fmt::format("{}{}{}{}", out.empty() ? "" : " ", link.src, mark, link.tgt);
    return out;
  };
  std::string tags;
  for (size_t k = 0; k < e.tags.size(); ++k) {
    tags += (k ? "," : "") + e.tags[k];
    for (size_t i = 0; i < e.tag_tokens[k].size(); ++i)
      tags += fmt::format("{}{}", i ? '.' : ':', e.tag_tokens[k][i]);
  }
  return fmt::format("{}\t{}\t{}\t{}\t{}", join(e.src, Tokeniser::whitespace),
                     join(e.tgt, Tokeniser::whitespace), links(e.sure, '-'), links(e.possible, '?'),
                     tags);
}

Splits split_by_source(std::vector<Example> examples, uint64_t seed, int64_t most) {
  const Rng rng = Rng(seed).fork("split");
  // Pairs of the same source, in an order that depends on the hash of the source alone.
  std::map<std::pair<uint64_t, std::string>, std::vector<size_t>> groups;
  for (size_t i = 0; i < examples.size(); ++i) {
    std::string source = join(examples[i].src, Tokeniser::whitespace);
    const uint64_t hash = rng.fork(source).next_u64();
    groups[{hash, std::move(source)}].push_back(i);
  }
  require(groups.size() >= 3,
          "data: expected at least 3 different source sentences to hold some out, got {}; give "
          "separate files for validation and test",
          groups.size());
  const auto share = static_cast<size_t>(std::clamp<int64_t>(
      static_cast<int64_t>(examples.size()) / 20, 1, std::max<int64_t>(most, 1)));
  enum Part : char { kTrain, kValid, kTest };
  std::vector<Part> part(examples.size(), kTrain);
  auto group = groups.begin();
  for (const Part held_out : {kValid, kTest})
    for (size_t taken = 0; taken < share && std::next(group) != groups.end(); ++group) {
      if (taken > 0 && taken + group->second.size() > share) break;  // the first may overshoot
      for (const size_t i : group->second) part[i] = held_out;
      taken += group->second.size();
    }
  Splits splits;
  for (size_t i = 0; i < examples.size(); ++i)
    (part[i] == kTrain   ? splits.train
     : part[i] == kValid ? splits.valid
                         : splits.test)
        .push_back(std::move(examples[i]));
  return splits;
}

}  // namespace heed::translate
