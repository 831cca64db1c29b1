// Formulas of ops, which are plain ASCII, as LaTeX. It knows a small grammar and guesses nothing: a
// formula with anything else in it stays the text that it is.
#pragma once
#include <string>

namespace heed::microscope {

/// "y = x / |x|, 0 where x = 0" for LaTeX's math mode (with amsmath): fractions, powers, subscripts
/// (w_hh, h[t-1]), sums over an index, functions, words between them as words. A formula beyond
/// the grammar comes as \text{...} with its characters escaped.
///
///     formula  = relation {("," | ";") relation}
///     relation = sum {("=" | "+=" | "-=" | "<" | ">" | "<=" | ">=") sum}
///     sum      = product {("+" | "-") product}
///     product  = factor {["*" | "." | "/"] factor}          * is element by element, . inner
///     factor   = ["-"] atom ["^" ["-"] factor]              ^T is a transpose
///     atom     = number | name {"[" ... "]"} | function [atom] | "(" ... ")" | "[" ... "]"
///              | "|" sum "|" | words
std::string tex_of(const std::string& formula);

/// Any text for LaTeX's text mode, its special characters escaped, control characters as '?'.
std::string tex_escaped(const std::string& text);

}  // namespace heed::microscope
