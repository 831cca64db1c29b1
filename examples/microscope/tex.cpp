// Plain formulas as LaTeX, by recursive descent over their tokens.
#include "examples/microscope/tex.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "examples/microscope/schema.h"

namespace heed::microscope {
namespace {

constexpr int kDeepest = 32;  // a formula of unknown origin may nest as deep as it is long

struct Word {
  std::string_view text, tex;
};
constexpr Word kGreek[] = {
    {"alpha", "\\alpha"},    {"beta", "\\beta"},   {"gamma", "\\gamma"},   {"delta", "\\delta"},
    {"eps", "\\varepsilon"}, {"eta", "\\eta"},     {"lambda", "\\lambda"}, {"mu", "\\mu"},
    {"phi", "\\varphi"},     {"pi", "\\pi"},       {"rho", "\\rho"},       {"sigma", "\\sigma"},
    {"tau", "\\tau"},        {"theta", "\\theta"}, {"Phi", "\\Phi"},
};
constexpr std::string_view kOfLatex[] = {"cos", "exp", "ln",  "log", "max",
                                         "min", "sin", "sum", "tanh"};
constexpr std::string_view kOperators[] = {"argmax",  "erf",  "logsumexp", "mean", "onehot",
                                           "sigmoid", "sign", "softmax",   "sqrt", "var"};
constexpr Word kRelations[] = {
    {"=", "="}, {"+=", "\\mathrel{+}="}, {"-=", "\\mathrel{-}="}, {"<", "<"},
    {">", ">"}, {"<=", "\\le"},          {">=", "\\ge"},          {"!=", "\\ne"},
};

template <size_t N>
std::string_view known(const Word (&all)[N], std::string_view text) {
  for (const Word& w : all)
    if (w.text == text) return w.tex;
  return {};
}

// "\\exp", "\\operatorname{softmax}"; "" for what is no function.
std::string function(std::string_view name) {
  const auto among = [&](const auto& all) { return std::ranges::find(all, name) != std::end(all); };
  if (among(kOfLatex)) return "\\" + std::string(name);
  return among(kOperators) ? "\\operatorname{" + std::string(name) + "}" : "";
}

bool letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
bool digit(char c) {
  return c >= '0' && c <= '9';
}
bool letters(std::string_view s) {
  return !s.empty() && std::all_of(s.begin(), s.end(), letter);
}

// ---- tokens ----

struct Token {
  std::string_view text;
  bool tight;  // nothing between it and the token before
};

// How long the token at the front is; 0: none of the language.
size_t length_of_token(std::string_view s) {
  const auto run = [&](size_t i, auto holds) {
    while (i < s.size() && holds(s[i])) ++i;
    return i;
  };
  const auto digit_at = [&](size_t i) { return i < s.size() && digit(s[i]); };
  if (digit(s[0])) {
    size_t end = run(0, digit);
    if (s.substr(end, 1) == "." && digit_at(end + 1)) end = run(end + 1, digit);
    const size_t power = end + (s.substr(end, 2) == "e-" ? 2 : 1);
    return s.substr(end, 1) == "e" && digit_at(power) ? run(power, digit) : end;
  }
  if (letter(s[0])) {
    size_t end = run(0, [](char c) { return letter(c) || digit(c) || c == '_'; });
    // "row-major" and "x's" are words; "t-1" is not.
    for (size_t part = 0; end + 2 < s.size() && s[end] == '-' && end - part > 1;) {
      const size_t next = run(end + 1, letter);
      if (next - end < 3 || !letters(s.substr(part, end - part))) break;
      part = end + 1, end = next;
    }
    return s.substr(end, 2) == "'s" ? end + 2 : end;
  }
  if (s[0] == '`') {
    const size_t end = run(1, [](char c) { return letter(c) || digit(c) || c == '_'; });
    return end > 1 && end < s.size() && s[end] == '`' ? end + 1 : 0;
  }
  if (!known(kRelations, s.substr(0, 2)).empty()) return 2;
  return std::string_view("=<>+-*/.^()[]|,;:").find(s[0]) == std::string_view::npos ? 0 : 1;
}

std::optional<std::vector<Token>> tokens(std::string_view s) {
  std::vector<Token> all;
  bool tight = false;
  while (!s.empty()) {
    if (s[0] == ' ') {
      s.remove_prefix(1), tight = false;
      continue;
    }
    const size_t n = length_of_token(s);
    if (n == 0) return {};
    all.push_back({s.substr(0, n), tight});
    s.remove_prefix(n), tight = true;
  }
  return all;
}

// ---- grammar ----

struct Unknown {};

struct Piece {
  std::string tex;
  std::string inside{};  // of (...), for fractions and roots, which need no parentheses
  bool words = false;    // prose, which is no operand of a fraction
  const std::string& bare() const { return inside.empty() ? tex : inside; }
};

class Parser {
 public:
  explicit Parser(std::vector<Token> all) : all_(std::move(all)) {}

  std::string formula() {
    std::string tex = relation();
    while (is(",") || is(";")) {
      tex += std::string(next()) + "\\quad ";
      tex += relation();
    }
    if (at_ < all_.size()) throw Unknown();
    return tex;
  }

 private:
  bool is(std::string_view text, size_t ahead = 0) const {
    return at_ + ahead < all_.size() && all_[at_ + ahead].text == text;
  }
  bool is_tight(std::string_view text, size_t ahead = 0) const {
    return is(text, ahead) && all_[at_ + ahead].tight;
  }
  bool take(std::string_view text) {
    if (!is(text)) return false;
    ++at_;
    return true;
  }
  std::string_view next() {
    if (at_ == all_.size()) throw Unknown();
    return all_[at_++].text;
  }

  // A word of prose: neither a letter nor a function (but "sum of x") nor the gradient of
  // something, and not used as the name of what has an index, a power or an argument.
  bool is_word(size_t i) const {
    if (i >= all_.size()) return false;
    const std::string_view t = all_[i].text;
    if (t[0] == '`') return true;
    if (!letter(t[0])) return false;
    if (t.find_first_of("-'") != std::string_view::npos) return true;
    if (t.size() == 1 || !letters(t) || !known(kGreek, t).empty() || is_gradient(t)) return false;
    if (!function(t).empty()) return is_word(i + 1);
    const std::string_view after = i + 1 < all_.size() ? all_[i + 1].text : "";
    return after != "^" && !((after == "[" || after == "(") && all_[i + 1].tight);
  }
  static bool is_gradient(std::string_view t) {
    if (t.size() < 2 || t[0] != 'd') return false;
    t.remove_prefix(1);
    return !known(kGreek, t).empty() || (t.size() == 1 && letter(t[0]));
  }
  // Whether what comes can be one more factor, without a sign between.
  bool starts() const {
    if (at_ == all_.size()) return false;
    const std::string_view t = all_[at_].text;
    return letter(t[0]) || digit(t[0]) || t[0] == '`' || t == "(" || t == "[" ||
           (t == "|" && !in_bars_);
  }

  std::string relation() {
    if (++depth_ > kDeepest) throw Unknown();
    std::string tex = sum();
    while (at_ < all_.size()) {
      const std::string_view sign = known(kRelations, all_[at_].text);
      if (sign.empty()) break;
      ++at_;
      tex += " " + std::string(sign) + " " + sum();
    }
    --depth_;
    return tex;
  }

  std::string sum() {
    std::string tex = product().tex;
    while (is("+") || is("-")) {
      const std::string sign(next());
      tex += " " + sign + " " + product().tex;
    }
    return tex;
  }

  Piece product() {
    std::string before;
    Piece left = factor();
    for (;;) {
      if (take("/")) {
        const Piece right = factor();
        if (left.words || right.words)
          left = {left.tex + " / " + right.tex, {}, true};
        else
          left = {"\\frac{" + left.bare() + "}{" + right.bare() + "}"};
      } else if (is("*") || is(".")) {
        const char* sign = next() == "*" ? " \\odot " : " \\cdot ";
        left = {left.tex + sign + factor().tex};
      } else if (starts()) {
        Piece right = factor();
        if (left.words || right.words)
          before += left.tex + "\\ ", left = std::move(right);
        else
          left = {left.tex + "\\," + right.tex};
      } else {
        if (before.empty()) return left;
        return {before + left.tex, {}, true};
      }
    }
  }

  Piece factor() {
    if (++depth_ > kDeepest) throw Unknown();
    Piece p = take("-") ? Piece{"-" + factor().tex} : atom();
    if (take("^")) {
      const bool minus = take("-");
      std::string power = is("T") ? (++at_, "\\top") : factor().bare();
      p = {p.tex + "^{" + (minus ? "-" : "") + power + "}"};
    }
    --depth_;
    return p;
  }

  Piece atom() {
    if (take("(")) return fence("(");
    if (take("[")) return fence("[");
    if (!in_bars_ && take("|")) {
      in_bars_ = true;
      const std::string inside = sum();
      if (!take("|")) throw Unknown();
      in_bars_ = false;
      return {"\\left| " + inside + " \\right|"};
    }
    if (is_word(at_)) return words();
    const std::string_view t = next();
    if (digit(t[0])) return {number(t)};
    if (!letter(t[0])) throw Unknown();
    return named(t);
  }

  // "1e-6" as 1 times a power of ten.
  static std::string number(std::string_view t) {
    const size_t e = t.find('e');
    std::string tex(t.substr(0, e));
    if (e != t.npos) tex += " \\cdot 10^{" + std::string(t.substr(e + 1)) + "}";
    return tex;
  }

  // "w_hh", "h[t-1]", "dx[t]", "sum_t", "softmax(z)".
  Piece named(std::string_view t) {
    const size_t low = std::min(t.find('_'), t.size());
    const std::string_view base = t.substr(0, low);
    std::vector<std::string> below;
    if (low < t.size()) below.emplace_back(t.substr(low + 1));
    if (below.size() == 1 && (below[0].empty() || below[0].find('_') != std::string::npos))
      throw Unknown();
    if (std::string f = function(base); !f.empty())
      return applied(base, std::move(f), below.empty() ? "" : below[0]);
    std::string tex = name(base);
    while (is_tight("[")) {
      ++at_;
      below.push_back(sequence());
      if (!take("]")) throw Unknown();
    }
    for (size_t i = 0; i < below.size(); ++i) tex += (i == 0 ? "_{" : ",") + below[i];
    if (!below.empty()) tex += "}";
    if (is_tight("(")) ++at_, tex += fence("(").tex;
    return {tex};
  }

  // "h0" and "h[0]" are not the same, so digits stay with their letter.
  std::string name(std::string_view base) const {
    if (const std::string_view greek = known(kGreek, base); !greek.empty())
      return std::string(greek);
    if (is_gradient(base)) return "\\mathrm{d}" + name(base.substr(1));
    if (base.size() == 1) return std::string(base);
    return (is_tight("(") ? "\\operatorname{" : "\\mathrm{") + std::string(base) + "}";
  }

  // A function and its argument, which needs no parentheses: "ln sum exp(x)". Behind an index of a
  // sum all that is multiplied is summed.
  Piece applied(std::string_view name, std::string tex, const std::string& indices) {
    for (size_t i = 0; i < indices.size(); ++i)
      tex += (i == 0 ? "_{" : ",") + std::string(1, indices[i]);
    if (!indices.empty()) tex += "}";
    if (!starts() || is_word(at_)) return {tex};
    if (name == "sqrt" && indices.empty()) return {"\\sqrt{" + atom().bare() + "}"};
    if (is("(")) return {tex + atom().tex};
    return {tex + " " + (indices.empty() ? factor().tex : product().tex)};
  }

  std::string sequence() {
    const bool outside = std::exchange(in_bars_, false);
    std::string tex = relation();
    while (is(",") || is(";") || is(":")) {
      const std::string sign(next());
      tex += sign + (sign == ":" ? "" : " ") + relation();
    }
    in_bars_ = outside;
    return tex;
  }

  // Also intervals that are open at one end, [begin, end).
  Piece fence(std::string_view open) {
    const std::string inside = sequence();
    const std::string_view close = next();
    if (close != ")" && close != "]") throw Unknown();
    const bool plain = open == "(" && close == ")";
    return {"\\left" + std::string(open) + " " + inside + " \\right" + std::string(close),
            plain ? inside : ""};
  }

  Piece words() {
    std::string tex, run;
    const auto flush = [&] {
      if (!run.empty()) tex += (tex.empty() ? "" : "\\ ") + ("\\text{" + run + "}");
      run.clear();
    };
    while (is_word(at_)) {
      std::string_view t = next();
      if (t[0] != '`') {
        run += (run.empty() ? "" : " ") + std::string(t);
        continue;
      }
      flush();
      tex += (tex.empty() ? "" : "\\ ") +
             ("\\texttt{" + tex_escaped(std::string(t.substr(1, t.size() - 2))) + "}");
    }
    flush();
    return {tex, {}, true};
  }

 private:
  std::vector<Token> all_;
  size_t at_ = 0;
  int depth_ = 0;
  bool in_bars_ = false;
};

}  // namespace

std::string tex_escaped(const std::string& text) {
  constexpr Word kSpecial[] = {
      {"\\", "\\textbackslash{}"},
      {"^", "\\textasciicircum{}"},
      {"~", "\\textasciitilde{}"},
      {"<", "\\textless{}"},
      {">", "\\textgreater{}"},
      {"|", "\\textbar{}"},
      {"_", "\\_"},
      {"#", "\\#"},
      {"%", "\\%"},
      {"&", "\\&"},
      {"$", "\\$"},
      {"{", "\\{"},
      {"}", "\\}"},
  };
  std::string out;
  for (const char& c : harmless(text)) {
    const std::string_view special = known(kSpecial, std::string_view(&c, 1));
    out += special.empty() ? std::string_view(&c, 1) : special;
  }
  return out;
}

std::string tex_of(const std::string& formula) {
  try {
    if (auto all = tokens(formula)) return Parser(std::move(*all)).formula();
  } catch (const Unknown&) {  // then it stays text
  }
  return "\\text{" + tex_escaped(formula) + "}";
}

}  // namespace heed::microscope
