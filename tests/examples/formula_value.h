// The value of a formula as an op carries it ("y = exp(x - max x) / sum exp(x - max x)"), on one
// row of numbers: names stand for rows or for single numbers, functions work element by element,
// and sum, mean, max, var make one number of a row. Written apart from the library and from tex.h.
#pragma once
#include <algorithm>
#include <cctype>
#include <cmath>
#include <functional>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

namespace heed::microscope {

class FormulaValue {
 public:
  using Row = std::vector<double>;  // of size 1: for every place
  using Names = std::map<std::string, Row>;

  /// `norm`: |x| is a row's length, else each number's size. Throws std::runtime_error for what it
  /// does not understand.
  FormulaValue(std::string text, const Names& names, bool norm)
      : text_(std::move(text)), names_(names), norm_(norm) {}

  Row value() {
    Row all = sum();
    space();
    if (at_ != text_.size()) fail();
    return all;
  }

 private:
  [[noreturn]] void fail() const {
    throw std::runtime_error("'" + text_ + "' at " + std::to_string(at_));
  }
  void space() {
    while (at_ < text_.size() && text_[at_] == ' ') ++at_;
  }
  char next() {
    space();
    return at_ < text_.size() ? text_[at_] : '\0';
  }
  bool take(const std::string& s) {
    space();
    if (text_.compare(at_, s.size(), s) != 0) return false;
    at_ += s.size();
    return true;
  }
  template <class F>
  static Row each(const Row& a, const Row& b, F f) {
    Row all(std::max(a.size(), b.size()));
    for (size_t i = 0; i < all.size(); ++i) all[i] = f(a[i % a.size()], b[i % b.size()]);
    return all;
  }

  Row sum() {
    Row all = product();
    for (;;) {
      if (take("+"))
        all = each(all, product(), std::plus<>());
      else if (take("-"))
        all = each(all, product(), std::minus<>());
      else
        return all;
    }
  }
  Row product() {
    Row all = factor();
    for (;;) {
      if (take("*")) {
        all = each(all, factor(), std::multiplies<>());
      } else if (take("/")) {
        all = each(all, factor(), std::divides<>());
      } else if (take(".")) {
        all = total(each(all, factor(), std::multiplies<>()));
      } else {
        const char c = next();
        const bool more = std::isalnum(static_cast<unsigned char>(c)) || c == '(' || c == '[';
        if (!more) return all;
        all = each(all, factor(), std::multiplies<>());
      }
    }
  }
  Row factor() {
    if (take("-")) return each({0}, factor(), std::minus<>());
    Row base = atom();
    if (!take("^")) return base;
    return each(base, factor(), [](double x, double y) { return std::pow(x, y); });
  }
  Row atom() {
    if (take("(")) {
      Row all = sum();
      if (!take(")")) fail();
      return all;
    }
    if (take("[")) return holds();
    if (take("|")) {
      Row all = sum();
      if (!take("|")) fail();
      if (norm_) return {std::sqrt(total(each(all, all, std::multiplies<>()))[0])};
      return each(all, {0}, [](double x, double) { return std::abs(x); });
    }
    if (std::isdigit(static_cast<unsigned char>(next()))) {
      size_t end = 0;
      const double number = std::stod(text_.substr(at_), &end);
      at_ += end;
      return {number};
    }
    return named();
  }
  // [low <= x <= high]: 1 where it holds, else 0.
  Row holds() {
    Row left = sum(), all{1};
    while (!take("]")) {
      const std::string sign = take("<=") ? "<=" : take(">") ? ">" : take("=") ? "=" : "";
      if (sign.empty()) fail();
      const Row right = sum();
      const Row here = each(left, right, [&](double a, double b) {
        return (sign == "<=" ? a <= b : sign == ">" ? a > b : a == b) ? 1.0 : 0.0;
      });
      all = each(all, here, std::multiplies<>());
      left = right;
    }
    return all;
  }
  Row named() {
    space();
    std::string name;
    while (at_ < text_.size() &&
           (std::isalnum(static_cast<unsigned char>(text_[at_])) || text_[at_] == '_'))
      name += text_[at_++];
    if (name.empty()) fail();
    if (const auto it = names_.find(name); it != names_.end()) return it->second;
    if (name == "e") return {std::exp(1.0)};
    const bool pair = (name == "max" || name == "min") && next() == '(';
    if (pair) {
      const size_t from = at_;
      ++at_;
      const Row a = sum();
      if (take(",")) {
        const Row b = sum();
        if (!take(")")) fail();
        return each(a, b, [&](double x, double y) {
          return name == "max" ? std::max(x, y) : std::min(x, y);
        });
      }
      at_ = from;  // of one argument
    }
    return applied(name, factor());
  }
  Row applied(const std::string& name, const Row& x) const {
    static const std::map<std::string, double (*)(double)> kEach{
        {"exp", [](double v) { return std::exp(v); }},
        {"ln", [](double v) { return std::log(v); }},
        {"tanh", [](double v) { return std::tanh(v); }},
        {"sqrt", [](double v) { return std::sqrt(v); }},
        {"erf", [](double v) { return std::erf(v); }},
        {"Phi", [](double v) { return std::erfc(-v / std::sqrt(2.0)) / 2; }},
        {"phi", [](double v) { return std::exp(-v * v / 2) / std::sqrt(2 * M_PI); }},
        {"sign", [](double v) { return static_cast<double>((v > 0) - (v < 0)); }}};
    if (const auto it = kEach.find(name); it != kEach.end())
      return each(x, {0}, [&](double v, double) { return it->second(v); });
    const double n = static_cast<double>(x.size()), mean = total(x)[0] / n;
    if (name == "sum") return total(x);
    if (name == "mean") return {mean};
    if (name == "max") return {*std::max_element(x.begin(), x.end())};
    if (name == "var")
      return {total(each(x, {mean}, [](double v, double m) { return (v - m) * (v - m); }))[0] / n};
    fail();
  }
  static Row total(const Row& x) {
    double all = 0;
    for (const double v : x) all += v;
    return {all};
  }

  std::string text_;
  const Names& names_;
  bool norm_;
  size_t at_ = 0;
};

}  // namespace heed::microscope
