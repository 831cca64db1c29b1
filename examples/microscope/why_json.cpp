// An answer of why as JSON, for programs and the page.
#include "examples/microscope/session.h"
#include "examples/microscope/why.h"

namespace heed::microscope {

Json to_json(const Trace& trace, const Why& w) {
  Json terms = Json::array();
  for (const WhyTerm& v : w.terms)
    if (v.derivative != 0 || w.terms.size() <= 64)
      terms.push_back({{"op", v.op},
                       {"slot", v.slot},
                       {"after", v.after},
                       {"place", v.place},
                       {"derivative", json_number(v.derivative)},
                       {"incoming", json_number(v.incoming)}});
  const TraceTensor& x = trace.tensors[at(w.tensor)];
  Json j = {{"tensor", w.tensor},
            {"name", x.name},
            {"place", place_of(x, w.index)},
            {"rule", w.rule},
            {"en", w.en},
            {"zh", w.zh},
            {"gradient", x.has_grad() ? json_number(w.gradient) : Json(nullptr)},
            {"terms", terms}};
  if (w.source >= 0) j["source"] = {{"tensor", w.source}, {"index", w.source_index}};
  if (!w.because.empty()) j["because"] = w.because;
  if (w.rule == "cancel") j["shift"] = w.shift;
  if (w.rule == "saturated") j["factor"] = w.factor;
  return j;
}

}  // namespace heed::microscope
