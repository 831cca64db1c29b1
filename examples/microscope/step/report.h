// What a command of the stepper answers, as data: lines of text and rows of numbers. One layout
// turns it into lines of a given width, another into JSON; a full screen and a pipe show the same.
// It knows no trace and no command.
#pragma once
#include <string>
#include <variant>
#include <vector>

#include "examples/microscope/trace.h"

namespace heed::microscope::stepper {

enum class Tone { plain, head, formula, label, dim, good, bad, now };

/// A paragraph. Where it does not fit it goes on in the next line, indented by `indent` columns.
struct Text {
  std::string text;
  Tone tone = Tone::plain;
  std::string right{};  // stands at the right margin where there is room
  int indent = 2;
};

/// Numbers with a label before them and a note behind. The last axis runs along the line.
struct Row {
  std::string label, name;
  std::vector<int64_t> shape{};
  Numbers values{};
  std::string note{};
  Tone tone = Tone::plain;
  std::vector<std::string> rows{}, cols{};  // names of what the last two axes count
  std::string missing{};                    // in place of numbers: why there are none
  std::vector<bool> absent{};               // which numbers are not there (∅); empty: none
  bool hidden = false;                      // the numbers are to be guessed
  bool all = false;                         // every number, however many
  bool heat = false;                        // shades beside the numbers
  bool whole = false;                       // ids: without digits behind the point
};

/// Text of another format: its lines stay as they are, however long.
struct Raw {
  std::string text;
};

struct Report {
  std::vector<std::variant<Text, Row, Raw>> items{};

  void say(std::string text, Tone tone = Tone::plain) {
    items.emplace_back(Text{std::move(text), tone});
  }
  void add(Row row) { items.emplace_back(std::move(row)); }
  void append(const Report& other) {
    items.insert(items.end(), other.items.begin(), other.items.end());
  }
};

/// Pieces of one line of the screen.
struct Piece {
  std::string text;
  Tone tone;
};
using Line = std::vector<Piece>;

/// `digits` behind the point; an exact 0 is "0", what would lose its digits is written with an
/// exponent, and from 16 digits on the shortest text that reads back as the same number.
std::string number_text(double v, int digits);

/// The lines of a report: none but raw ones is wider than `width` columns (at least 20).
std::vector<Line> lines_of(const Report& report, int width, int digits);

/// A line that ends after `width` columns.
Line cut_line(Line line, int width);

/// A line as text, with colours (SGR) or without.
std::string text_of(const Line& line, bool colour);

/// The items in order: {"text"} or {"label", "tensor", "shape", "values", ...}. Numbers are exact.
Json json_of(const Report& report);

}  // namespace heed::microscope::stepper
