// Formulas as LaTeX: what the formulas of all ops come to, and what stays text.
#include "examples/microscope/tex.h"

#include <gtest/gtest.h>

#include <set>

#include "core/error.h"
#include "core/file_bytes.h"
#include "examples/microscope/schema.h"
#include "tests/examples/microscope_cases.h"
#include "tests/examples/traced_op.h"

namespace heed::microscope {
namespace {

// What stops LaTeX's math mode, or is read otherwise than it was meant: the first of it, "" if
// there is none. No more than the commands below are known, all of them of LaTeX or amsmath.
std::string wrong_with(const std::string& tex) {
  static const std::set<std::string> commands{"frac",
                                              "sqrt",
                                              "sum",
                                              "left",
                                              "right",
                                              "odot",
                                              "cdot",
                                              "le",
                                              "ge",
                                              "ne",
                                              "quad",
                                              "text",
                                              "texttt",
                                              "mathrm",
                                              "operatorname",
                                              "mathrel",
                                              "top",
                                              "exp",
                                              "ln",
                                              "log",
                                              "max",
                                              "min",
                                              "tanh",
                                              "sin",
                                              "cos",
                                              "varepsilon",
                                              "varphi",
                                              "Phi",
                                              "beta",
                                              "sigma",
                                              "textbackslash",
                                              "textasciicircum",
                                              "textasciitilde",
                                              "textless",
                                              "textgreater",
                                              "textbar"};
  int braces = 0, fences = 0, text = 0;  // text: how deep the braces of its words are, 0: none
  for (size_t i = 0; i < tex.size(); ++i) {
    const char c = tex[i], after = i + 1 < tex.size() ? tex[i + 1] : ' ';
    if (c == '\\') {
      size_t end = i + 1;
      while (end < tex.size() && std::isalpha(static_cast<unsigned char>(tex[end]))) ++end;
      const std::string name = tex.substr(i + 1, end - i - 1);
      if (!name.empty() && !commands.contains(name)) return "command " + name;
      if (name.empty() && std::string(", _{}&%$#").find(after) == std::string::npos)
        return std::string("command ") + after;
      fences += name == "left" ? 1 : name == "right" ? -1 : 0;
      if ((name == "text" || name == "texttt") && text == 0) text = braces + 1;
      i = name.empty() ? i + 1 : end - 1;
    } else if (c == '{' || c == '}') {
      braces += c == '{' ? 1 : -1;
      if (braces < text) text = 0;
      if (braces < 0) return "a closing brace too many";
    } else if (c == '_' || c == '^') {
      if (text > 0 || after != '{' || i == 0 || tex[i - 1] == ' ')
        return std::string("a stray ") + c;
    } else if (std::string("%#&$~").find(c) != std::string::npos ||
               (text == 0 && std::string("*`'\"@?!").find(c) != std::string::npos)) {
      return std::string("a stray ") + c;
    } else if (static_cast<unsigned char>(c) < ' ') {
      return "a control character";
    }
  }
  return braces != 0 ? "a brace that stays open" : fences != 0 ? "a fence that stays open" : "";
}

// Every op's formulas are mathematics with words between, none is text as a whole.
TEST(Tex, TheFormulasOfAllOpsAreMathematics) {
  std::set<std::string> ops;
  for (const test::Case& c : test::all_cases()) {
    if (!ops.insert(c.op).second) continue;
    const Trace t = traced(c, f64);
    for (const TraceFormula& f : t.formulas) {
      std::vector<std::string> all = f.backward;
      all.push_back(f.forward);
      for (const std::string& text : all) {
        const std::string tex = tex_of(text);
        EXPECT_EQ(wrong_with(tex), "") << f.op << ": " << text << " -> " << tex;
        EXPECT_NE(tex, "\\text{" + tex_escaped(text) + "}") << f.op;
      }
    }
  }
  EXPECT_GT(ops.size(), 40u);
}

struct Known {
  const char *text, *tex;
};

TEST(Tex, KnownFormulas) {
  for (const Known& k : std::initializer_list<Known>{
           {"y = -x", "y = -x"},
           {"y = a b^T", "y = a\\,b^{\\top}"},
           {"dx -= dy", "\\mathrm{d}x \\mathrel{-}= \\mathrm{d}y"},
           {"y = e^-x", "y = e^{-x}"},
           {"y = e^-x^2", "y = e^{-x^{2}}"},
           {"y = x^(1/2)", "y = x^{\\frac{1}{2}}"},
           {"db -= y / b * dy", "\\mathrm{d}b \\mathrel{-}= \\frac{y}{b} \\odot \\mathrm{d}y"},
           {"y = 1 / (1 + e^-x)", "y = \\frac{1}{1 + e^{-x}}"},
           {"y = x / |x|, 0 where x = 0",
            "y = \\frac{x}{\\left| x \\right|},\\quad 0\\ \\text{where}\\ x = 0"},
           {"y = max x + ln sum exp(x - max x)",
            "y = \\max x + \\ln \\sum \\exp\\left( x - \\max x \\right)"},
           {"h[t] = tanh(x[t] + w_hh h[t-1] + b_hh)",
            "h_{t} = \\tanh\\left( x_{t} + w_{hh}\\,h_{t - 1} + b_{hh} \\right)"},
           {"dw_hh += sum_t da[t] h[t-1]^T",
            "\\mathrm{d}w_{hh} \\mathrel{+}= \\sum_{t} \\mathrm{d}a_{t}\\,h_{t - 1}^{\\top}"},
           {"dv += sum_ts de[t,s] * u[t,s]",
            "\\mathrm{d}v \\mathrel{+}= \\sum_{t,s} \\mathrm{d}e_{t, s} \\odot u_{t, s}"},
           {"dh0 += dh[0]", "\\mathrm{dh0} \\mathrel{+}= \\mathrm{d}h_{0}"},
           {"dx += (dy - (y . dy) y) / |x|",
            "\\mathrm{d}x \\mathrel{+}= \\frac{\\mathrm{d}y - \\left( y \\cdot \\mathrm{d}y "
            "\\right)\\,y}{\\left| x \\right|}"},
           {"da += [a >= b] dy / 2",
            "\\mathrm{d}a \\mathrel{+}= \\frac{\\left[ a \\ge b \\right]\\,\\mathrm{d}y}{2}"},
           {"y = erf(x / sqrt 2)", "y = \\operatorname{erf}\\left( \\frac{x}{\\sqrt{2}} \\right)"},
           {"y = x / sqrt(var x + eps)",
            "y = \\frac{x}{\\sqrt{\\operatorname{var} x + \\varepsilon}}"},
           {"dx[begin:end] += dy",
            "\\mathrm{d}x_{\\text{begin}:\\text{end}} \\mathrel{+}= \\mathrm{d}y"},
           {"y[i] = weight[ids[i]]", "y_{i} = \\mathrm{weight}_{\\mathrm{ids}_{i}}"},
           {"y = positions [begin, end) of an axis of x",
            "y = \\text{positions}\\ \\left[ \\text{begin}, \\text{end} \\right)\\ "
            "\\text{of an axis of}\\ x"},
           {"y = sum of x over axes / n", "y = \\text{sum of}\\ x\\ \\text{over axes} / n"},
           {"y = x with x's sizes, row-major order",
            "y = x\\ \\text{with x's sizes},\\quad \\text{row-major order}"},
           {"y = position `in_1` of x", "y = \\text{position}\\ \\texttt{in\\_1}\\ \\text{of}\\ x"},
           {"y = f(x) + 1.5 sigma + 1e-6",
            "y = f\\left( x \\right) + 1.5\\,\\sigma + 1 \\cdot 10^{-6}"},
       })
    EXPECT_EQ(tex_of(k.text), k.tex) << k.text;
}

// What is beyond the grammar is shown as it is written, down to the last character.
TEST(Tex, WhatIsUnknownStaysText) {
  for (const Known& k : std::initializer_list<Known>{
           {"", "\\text{}"},
           {"y = ?", "\\text{y = ?}"},
           {"y = (a + b", "\\text{y = (a + b}"},
           {"y = a)", "\\text{y = a)}"},
           {"y = a + ", "\\text{y = a + }"},
           {"y = |a", "\\text{y = \\textbar{}a}"},
           {"y = a ** b", "\\text{y = a ** b}"},
           {"y = a^", "\\text{y = a\\textasciicircum{}}"},
           {"y = a_", "\\text{y = a\\_}"},
           {"y = a % b & c # d $ {e}", "\\text{y = a \\% b \\& c \\# d \\$ \\{e\\}}"},
           {"y = \\input{secret}", "\\text{y = \\textbackslash{}input\\{secret\\}}"},
           {"y = x\n\n~y", "\\text{y = x??\\textasciitilde{}y}"},
           {"y = \xe2\x88\x9ax", "\\text{y = \xe2\x88\x9ax}"},
       }) {
    EXPECT_EQ(tex_of(k.text), k.tex) << k.text;
    EXPECT_EQ(wrong_with(k.tex), "") << k.text;
  }
}

TEST(Tex, NoDepthIsTooMuchForIt) {
  for (const char* one :
       {"(", "[", "x[", "-", "|", "e^", "exp ", "1 / ", "x^-", "sum_t ", "sum "}) {
    std::string text;
    while (text.size() < 4000) text += one;
    EXPECT_EQ(wrong_with(tex_of(text)), "") << one;
    EXPECT_EQ(wrong_with(tex_of(text + "x")), "") << one;
  }
}

// LaTeX that its text does not say would end in somebody's document.
TEST(Tex, ATraceWhoseLatexIsNotThatOfItsTextIsRefused) {
  const Json good = Json::parse(to_json(record_case(example("dot"), {})));
  const Json softmax = good["formulas"]["softmax"];
  EXPECT_EQ(softmax["fwd_tex"], tex_of(softmax["fwd_txt"]));
  EXPECT_EQ(softmax["vjp_tex"], Json({tex_of(softmax["vjp_txt"][0])}));
  for (const char* field : {"fwd_tex", "vjp_tex"}) {
    Json bad = good;
    Json& place = bad["formulas"]["softmax"][field];
    (place.is_array() ? place[0] : place) = "\\input{/etc/passwd}";
    try {
      (void)trace_from(bad.dump(), "bad.json");
      ADD_FAILURE() << field;
    } catch (const FileError& e) {
      EXPECT_STREQ(e.what(), "bad.json: formulas.softmax: its LaTeX is not that of its text");
    }
    bad["formulas"]["softmax"].erase(field);
    EXPECT_THROW((void)trace_from(bad.dump(), "bad.json"), FileError) << field;
  }
}

}  // namespace
}  // namespace heed::microscope
