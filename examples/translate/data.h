// Sentence pairs from files: TSV (Tatoeba and Anki exports, the program's own corpus) and Moses
// parallel files. Local files only; nothing is downloaded, cleaned or repaired.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "examples/translate/example.h"
#include "examples/translate/text.h"

namespace heed::translate {

/// How pairs are read and which are kept. Lengths are in tokens and hold for both sides.
struct DataOptions {
  Tokeniser src_tokeniser = Tokeniser::whitespace;
  Tokeniser tgt_tokeniser = Tokeniser::whitespace;
  bool lowercase = false;   ///< see `lowercase` in utf8.h for the letters it knows
  bool swap = false;        ///< second column (or file) is the source
  int64_t min_length = 1;   ///< pairs with a shorter side are dropped
  int64_t max_length = 80;  ///< pairs with a longer side are dropped
  double max_ratio = 0;     ///< longer side over shorter side at most this; 0: no limit
};

/// How many pairs were dropped for one reason.
struct Dropped {
  std::string reason;  ///< "empty target"
  int64_t count;
  int64_t first_line;  ///< line of the first of them, from 1
};

/// What became of the lines of a file. read = kept + the counts of `dropped`.
struct DataReport {
  int64_t read = 0, kept = 0;
  std::vector<Dropped> dropped;
  int64_t lowercased = 0;  ///< characters changed by `lowercase` in the kept pairs

  /// "read 5000, kept 4990, dropped 10 (8 longer than 80 tokens, first at line 17; ...)"
  [[nodiscard]] std::string text() const;
};

struct Data {
  std::vector<Example> examples;
  DataReport report;
};

/// Reads a TSV file: source TAB target, further columns ignored. If the file begins with a line
/// that starts with "#", such leading lines are comments and columns 3 to 5, where present, are
/// sure links ("0-0 1-2"), possible links ("2?1"), and tags with the target tokens they own
/// ("NEG:1.3,MONO"), as `format_tsv` writes them. Links and tags refer to whitespace tokens: with
/// another tokeniser they are left out.
///
/// Throws FileError "path:line:column: ..." on bytes that are not UTF-8, a line that is not blank
/// and has no tab, or malformed links and tags; and when nothing is left, with what to do about it.
Data read_tsv(const std::string& path, const DataOptions& options);

/// Reads Moses parallel files: line i of one translates line i of the other. Throws FileError as
/// read_tsv does, and when the files have different numbers of lines.
Data read_parallel(const std::string& src_path, const std::string& tgt_path,
                   const DataOptions& options);

/// One line (without "\n") of a corpus file: source, target, sure links, possible links, tags.
std::string format_tsv(const Example& example);

struct Splits {
  std::vector<Example> train, valid, test;
};

/// Holds out 5 % of the pairs (at least one, at most `most`) for validation and as many for test.
/// The hash of the source sentence and the seed decide, so all pairs with the same source land in
/// the same split. Order is kept. Throws std::invalid_argument if there are fewer than three
/// different sources.
Splits split_by_source(std::vector<Example> examples, uint64_t seed, int64_t most = 1000);

}  // namespace heed::translate
