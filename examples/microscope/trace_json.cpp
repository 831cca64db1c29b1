// A trace as the text of a file, and back.
#include <algorithm>
#include <cmath>
#include <functional>

#include "core/file_bytes.h"
#include "examples/microscope/schema.h"
#include "examples/microscope/tex.h"
#include "examples/microscope/trace.h"

namespace heed::microscope {
namespace {

// ---- writing: one record per line ----

std::string number_text(double v, bool narrow) {
  if (std::isnan(v)) return "\"NaN\"";
  if (std::isinf(v)) return v < 0 ? "\"-Infinity\"" : "\"Infinity\"";
  if (v == 0) return std::signbit(v) ? "-0.0" : "0";  // "-0" would be read as an integer
  return narrow ? fmt::format("{}", static_cast<float>(v)) : fmt::format("{}", v);
}

}  // namespace

Json json_number(double v) {
  if (std::isnan(v)) return "NaN";
  if (std::isinf(v)) return v < 0 ? "-Infinity" : "Infinity";
  return v;
}

double number_from(const Json& j) {
  if (!j.is_string()) return j.get<double>();
  const auto& s = j.get_ref<const std::string&>();
  return s == "NaN" ? std::nan("") : s == "Infinity" ? INFINITY : -INFINITY;
}

namespace {

std::string numbers_text(const Numbers& all, const std::string& dtype) {
  std::string text;
  for (const double v : all) {
    if (!text.empty()) text += ',';
    text += number_text(v, dtype == "f32");
  }
  return "[" + text + "]";
}

// All of them, or where the tensor is a sample {"sample": {"idx", "value"}, "of": N}.
std::string numbers_text(const Numbers& all, const TraceTensor& t) {
  const std::string list = numbers_text(all, t.dtype);
  if (!t.sampled()) return list;
  int64_t n = 1;
  for (const int64_t size : t.whole) n *= size;
  return fmt::format("{{\"sample\":{{\"idx\":{},\"value\":{}}},\"of\":{}}}", Json(t.places).dump(),
                     list, n);
}

Json or_null(int64_t index) {
  return index < 0 ? Json(nullptr) : Json(index);
}

Json or_nulls(const std::vector<int>& all) {
  Json list = Json::array();
  for (const int i : all) list.push_back(or_null(i));
  return list;
}

using Field = std::pair<const char*, std::string>;  // key, JSON

std::string record(const std::vector<Field>& fields) {
  std::string text;
  for (const auto& [key, value] : fields)
    text += fmt::format("{}\"{}\":{}", text.empty() ? "" : ",", key, value);
  return "{" + text + "}";
}

std::string number(size_t i) {
  return std::to_string(i);
}

std::string text_of(const std::string& s) {
  return Json(s).dump();
}

template <class T, class F>
std::string list(const std::vector<T>& all, F each) {
  std::string text;
  for (size_t i = 0; i < all.size(); ++i) text += (i == 0 ? "\n" : ",\n") + each(i, all[i]);
  return "[" + text + "]";
}

std::string rows_text(const Json& rows) {
  return list(std::vector<Json>(rows.begin(), rows.end()),
              [](size_t, const Json& row) { return row.dump(); });
}

std::string tensor_text(size_t id, const TraceTensor& t) {
  std::vector<Field> fields{{"id", number(id)},
                            {"name", text_of(t.name)},
                            {"scope", std::to_string(t.scope)},
                            {"role", text_of(t.role)},
                            {"dtype", text_of(t.dtype)},
                            {"shape", Json(t.sampled() ? t.whole : t.shape).dump()},
                            {"producer", or_null(t.producer).dump()},
                            {"grad_state", text_of(t.grad_state)}};
  if (!t.cut.empty()) fields.emplace_back("cut", text_of(t.cut));
  if (!t.ends.empty()) fields.emplace_back("ends", text_of(t.ends));
  if (t.detached_from >= 0) fields.emplace_back("detached_from", std::to_string(t.detached_from));
  constexpr size_t kAtOneGlance = 16;
  if (t.sampled()) {
    fields.emplace_back("stats", t.stats.dump());
    if (t.has_grad()) fields.emplace_back("grad_stats", t.grad_stats.dump());
  } else if (t.dtype != "i64" && t.value.size() > kAtOneGlance) {
    fields.emplace_back("stats", stats_of(t.value).dump());
  }
  fields.emplace_back("value", numbers_text(t.value, t));
  fields.emplace_back("grad", t.has_grad() ? numbers_text(t.grad, t) : "null");
  return record(fields);
}

std::string op_text(size_t id, const TraceOp& o) {
  Json saved = Json::array();
  for (const TraceSaved& s : o.saved) saved.push_back({{"name", s.name}, {"tensor", s.tensor}});
  return record({{"id", number(id)},
                 {"op", text_of(o.op)},
                 {"scope", std::to_string(o.scope)},
                 {"in", or_nulls(o.in).dump()},
                 {"out", Json(o.out).dump()},
                 {"saved", saved.dump()},
                 {"attrs", o.attrs.dump()},
                 {"formula", text_of(o.op)},
                 {"fwd", number(id)},
                 {"bwd", or_null(o.bwd).dump()},
                 {"sends", Json(o.sends).dump()}});
}

std::vector<std::string> texs_of(const std::vector<std::string>& formulas) {
  std::vector<std::string> all;
  for (const std::string& text : formulas) all.push_back(tex_of(text));
  return all;
}

std::string formulas_text(const std::vector<TraceFormula>& all) {
  std::string text;
  for (const TraceFormula& f : all)
    text += (text.empty() ? "\n" : ",\n") + text_of(f.op) + ":" +
            Json({{"inputs", f.inputs},
                  {"fwd_txt", f.forward},
                  {"fwd_tex", tex_of(f.forward)},
                  {"vjp_txt", f.backward},
                  {"vjp_tex", texs_of(f.backward)}})
                .dump();
  return "{" + text + "}";
}

// ---- reading ----

int index_of(const Json& j) {
  return j.is_null() ? -1 : j.get<int>();
}

double number_of(const Json& j, bool narrow) {
  const double v = number_from(j);
  return narrow ? static_cast<double>(static_cast<float>(v)) : v;
}

Numbers numbers_from(const Json& list, const std::string& dtype) {
  Numbers all;
  all.reserve(list.size());
  for (const Json& j : list) all.push_back(number_of(j, dtype == "f32"));
  return all;
}

// Ids are whole numbers, and everybody may take them for integers.
void require_ids(const Numbers& all, const std::string& path, const std::string& where) {
  for (const double v : all) try {
      (void)whole_number(v, where + ".value", -kMostId, kMostId);
    } catch (const std::invalid_argument& e) {
      fail_file(path, "{}", e.what());
    }
}

// The places of a sample, which are those of whatever belongs to the same tensor.
std::vector<int64_t> places_from(const Json& j, const std::vector<int64_t>& shape,
                                 const std::string& path, const std::string& where) {
  const Json &places = j["sample"]["idx"], &values = j["sample"]["value"];
  double n = 1;  // a hostile shape may exceed any integer
  for (const int64_t size : shape) n *= static_cast<double>(size);
  auto list = places.get<std::vector<int64_t>>();
  const auto repeats = std::adjacent_find(list.begin(), list.end(), std::greater_equal<>());
  if (list.empty() || repeats != list.end() || static_cast<double>(list.back()) >= n ||
      values.size() != list.size() || j["of"].get<double>() != n)
    fail_file(path, "{}: expected a sample of ascending places in {} numbers, a value for each",
              where, n);
  return list;
}

// The numbers of a tensor or of what contributed to it, all or at its places.
Numbers numbers_from(const Json& j, const TraceTensor& t, const std::string& path,
                     const std::string& where) {
  if (j.is_object() != t.sampled() ||
      (t.sampled() && places_from(j, t.whole, path, where) != t.places))
    fail_file(path, "{}: expected {}", where,
              t.sampled() ? "a sample at the places of its tensor" : "all numbers, no sample");
  return numbers_from(t.sampled() ? j["sample"]["value"] : j, t.dtype);
}

TraceTensor tensor_from(const Json& j, const std::string& path, const std::string& where) {
  TraceTensor t{.name = j["name"],
                .scope = j["scope"],
                .role = j["role"],
                .dtype = j["dtype"],
                .shape = j["shape"].get<std::vector<int64_t>>(),
                .producer = index_of(j["producer"]),
                .value = {},
                .grad_state = j["grad_state"],
                .grad = {},
                .cut = j.value("cut", ""),
                .ends = j.value("ends", ""),
                .detached_from = j.value("detached_from", -1)};
  if (j["value"].is_object()) {
    t.places = places_from(j["value"], t.shape, path, where);
    t.whole = std::exchange(t.shape, {static_cast<int64_t>(t.places.size())});
    t.stats = j.value("stats", Json());
    t.grad_stats = j.value("grad_stats", Json());
    if (t.stats.is_null() || t.grad_stats.is_null() != j["grad"].is_null())
      fail_file(path, "{}: expected the statistics of a tensor of which only a sample is kept",
                where);
  }
  t.value = numbers_from(j["value"], t, path, where + ".value");
  if (t.dtype == "i64") require_ids(t.value, path, where);
  if (!j["grad"].is_null()) t.grad = numbers_from(j["grad"], t, path, where + ".grad");
  return t;
}

TraceOp op_from(const Json& j) {
  TraceOp o{.op = j["op"],
            .scope = j["scope"],
            .in = {},
            .out = j["out"],
            .saved = {},
            .attrs = j["attrs"],
            .bwd = index_of(j["bwd"]),
            .sends = j["sends"]};
  for (const Json& i : j["in"]) o.in.push_back(index_of(i));
  for (const Json& s : j["saved"]) o.saved.push_back({s["name"], s["tensor"]});
  return o;
}

// What the schema cannot say but this representation takes for granted.
void check_references(const Json& j, const std::string& path) {
  for (const char* table : {"scopes", "tensors", "ops"})
    for (size_t i = 0; i < j[table].size(); ++i)
      if (j[table][i]["id"] != i)
        fail_file(path, "{}[{}].id: expected {}, got {}", table, i, i, j[table][i]["id"].dump());
  const size_t tensors = j["tensors"].size(), ops = j["ops"].size();
  for (size_t i = 0; i < ops; ++i) {
    const Json& o = j["ops"][i];
    if (o["fwd"] != i || o["formula"] != o["op"] || !j["formulas"].contains(o["op"]))
      fail_file(path, "ops[{}]: expected fwd {} and a formula of the op's own name", i, i);
  }
  for (size_t i = 0; i < j["contribs"].size(); ++i) {
    const Json& c = j["contribs"][i];
    if (c["op"] >= ops || c["tensor"] >= tensors ||
        j["ops"][c["op"].get<size_t>()]["bwd"] != c["bwd"])
      fail_file(path, "contribs[{}]: expected an op, its bwd and a tensor of this file", i);
  }
  if (j["seeds"][0]["tensor"] >= tensors)
    fail_file(path, "seeds[0].tensor: expected a tensor of this file");
  for (size_t i = 0; i < tensors; ++i) {
    const Json& t = j["tensors"][i];
    if ((t["grad_state"] == "done") == t["grad"].is_null())
      fail_file(path, "tensors[{}].grad: expected numbers where grad_state is done, else null", i);
    if ((t["grad_state"] == "cut") != t.contains("cut"))
      fail_file(path, "tensors[{}].cut: expected it where grad_state is cut, and only there", i);
  }
}

}  // namespace

std::string to_json(const Trace& t) {
  const auto scope = [](size_t id, const TraceScope& s) {
    return record({{"id", number(id)},
                   {"name", text_of(s.name)},
                   {"parent", std::to_string(s.parent)},
                   {"index", or_null(s.index).dump()}});
  };
  const auto contribution = [&](size_t, const TraceContribution& c) {
    return record({{"bwd", std::to_string(t.ops[static_cast<size_t>(c.op)].bwd)},
                   {"op", std::to_string(c.op)},
                   {"slot", std::to_string(c.slot)},
                   {"tensor", std::to_string(c.tensor)},
                   {"value", numbers_text(c.value, t.tensors[at(c.tensor)])}});
  };
  const std::string seed =
      record({{"tensor", std::to_string(t.seed)},
              {"value", numbers_text(t.seed_value, t.tensors[at(t.seed)].dtype)}});
  return "{\"schema\":\"heed-trace/1\",\n\"meta\":" + t.meta.dump() + ",\n\"run\":" + t.run.dump() +
         ",\n\"scopes\":" + list(t.scopes, scope) +
         ",\n\"tensors\":" + list(t.tensors, tensor_text) + ",\n\"ops\":" + list(t.ops, op_text) +
         ",\n\"contribs\":" + list(t.contribs, contribution) + ",\n\"seeds\":[" + seed +
         "],\n\"checks\":" + rows_text(t.checks) + ",\n\"diags\":" + rows_text(t.diags) +
         ",\n\"views\":" + t.views.dump() + ",\n\"formulas\":" + formulas_text(t.formulas) + "}\n";
}

Trace trace_from(const std::string& text, const std::string& path) {
  if (text.size() > kMostBytes)
    fail_file(path, "expected a trace of at most {} MB; trace fewer steps or a smaller model",
              kMostBytes / 1'000'000);
  static const Json schema = Json::parse(kTraceSchema);
  const Json j = parse_json(text, path);
  if (const auto fault = mismatch(j, schema)) fail_file(path, "{}", *fault);
  check_references(j, path);
  Trace t;
  t.meta = j["meta"];
  t.run = j["run"];
  for (const Json& s : j["scopes"])
    t.scopes.push_back({s["name"], index_of(s["index"]), s["parent"]});
  for (const Json& x : j["tensors"]) {
    const std::string where = fmt::format("tensors[{}]", t.tensors.size());
    t.tensors.push_back(tensor_from(x, path, where));
    const TraceTensor& read = t.tensors.back();
    if (x.contains("stats") && !read.sampled() && x["stats"] != stats_of(read.value))
      fail_file(path, "{}.stats: they are not those of its numbers", where);
  }
  for (const Json& o : j["ops"]) t.ops.push_back(op_from(o));
  for (const Json& c : j["contribs"]) {
    const std::string where = fmt::format("contribs[{}].value", t.contribs.size());
    const TraceTensor& x = t.tensors[c["tensor"].get<size_t>()];
    t.contribs.push_back(
        {c["op"], c["slot"], c["tensor"], numbers_from(c["value"], x, path, where)});
  }
  t.checks = j.value("checks", Json::array());
  t.diags = j.value("diags", Json::array());
  t.views = j.value("views", Json::object());
  const Json& seed = j["seeds"][0];
  t.seed = seed["tensor"];
  t.seed_value = numbers_from(seed["value"], t.tensors[static_cast<size_t>(t.seed)].dtype);
  for (const auto& [op, f] : j["formulas"].items()) {
    t.formulas.push_back({op, f["fwd_txt"], f["inputs"], f["vjp_txt"]});
    const TraceFormula& read = t.formulas.back();  // whose LaTeX ends in somebody's document
    if (f["fwd_tex"] != tex_of(read.forward) || f["vjp_tex"] != texs_of(read.backward))
      fail_file(path, "formulas.{}: its LaTeX is not that of its text", harmless(op.substr(0, 60)));
  }
  return t;
}

void save(const std::string& path, const Trace& trace) {
  const std::string text = to_json(trace);
  if (text.size() > kMostBytes)
    fail_file(path,
              "the trace would be {} MB, and at most {} are read; keep a sample of large tensors "
              "(--sample 4096), or trace a shorter sentence or a smaller model",
              text.size() / 1'000'000, kMostBytes / 1'000'000);
  write_file(path, text);
}

Trace load_trace(const std::string& path) {
  Trace t = trace_from(read_file(path, kMostBytes), path);
  if (const auto wrong = faults(t, 1); !wrong.empty()) fail_file(path, "{}", wrong[0]);
  return t;
}

}  // namespace heed::microscope
