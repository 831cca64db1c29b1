// An op's own formulas, in the names of the tensors at hand: "y = exp(x - max x) / ..." of a =
// softmax(e) becomes "a = exp(e - max e) / ...".
#include <cctype>
#include <map>

#include "examples/console/utf8.h"
#include "examples/microscope/step/step_view.h"

namespace heed::microscope::stepper {
namespace {

bool letter(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
}

// Every whole word of the formula that is a key, replaced at once.
std::string replaced(const std::string& formula, const std::map<std::string, std::string>& names) {
  std::string out;
  for (size_t i = 0; i < formula.size();) {
    if (!letter(formula[i])) {
      out += formula[i++];
      continue;
    }
    size_t end = i;
    while (end < formula.size() && letter(formula[end])) ++end;
    const std::string word = formula.substr(i, end - i);
    const auto it = names.find(word);
    out += it == names.end() ? word : it->second;
    i = end;
  }
  return out;
}

// "y" of "y = ..." or "e" of "e[t,s] = ..."; "" of "(a, b) = ...", where outputs are named apart.
std::string output_letter(const std::string& formula) {
  size_t end = 0;
  while (end < formula.size() && letter(formula[end])) ++end;
  return formula.substr(0, end);
}

std::map<std::string, std::string> names_of(const Stepper& s, int op) {
  const Timeline& line = s.line();
  const TraceOp& o = line.op(op);
  const TraceFormula& f = line.formula(op);
  std::map<std::string, std::string> names;
  const auto put = [&](const std::string& word, int tensor) {
    if (word.empty() || tensor < 0) return;
    names[word] = line.label(tensor);
    names["d" + word] = "d" + line.label(tensor);
  };
  if (o.out.size() == 1) put(output_letter(f.forward), o.out[0]);
  for (size_t i = 0; i < f.inputs.size() && i < o.in.size(); ++i)
    if (o.in.size() <= f.inputs.size()) put(f.inputs[i], o.in[i]);  // concat has one name for all
  return names;
}

}  // namespace

std::string forward_formula(const Stepper& s, int op) {
  return printable(replaced(s.line().formula(op).forward, names_of(s, op)));
}

std::vector<std::string> backward_formulas(const Stepper& s, int op) {
  const TraceFormula& f = s.line().formula(op);
  const auto names = names_of(s, op);
  std::vector<std::string> all;
  std::string last;
  for (const int slot : s.line().op(op).sends) {
    const size_t i = std::min(static_cast<size_t>(slot), f.backward.size() - 1);
    if (f.backward.empty()) break;
    std::string text = printable(replaced(f.backward[i], names));
    if (text != last) all.push_back(text);
    last = text;
  }
  return all;
}

}  // namespace heed::microscope::stepper
