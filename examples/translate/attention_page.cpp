// The HTML page of attention_view.h. Everything that varies is written into the markup here; the
// script below is fixed and only moves the focus and copies a cell's description to the read-out.
#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "examples/console/utf8.h"
#include "examples/translate/attention_view.h"

namespace heed::translate {
namespace {

constexpr std::string_view kHead = R"(<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
)";

constexpr std::string_view kStyle = R"(<style>
:root { --paper: #fff; --ink: #1d2125; --soft: #5a646e; --line: #d9dee3; --high: #0b4a86; --mark: #c2410c; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #15181b; --ink: #e8ebee; --soft: #a3adb7; --line: #343a40; --high: #9fd0ff; --mark: #ffa657; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1rem 3rem; max-width: 64rem; background: var(--paper);
  color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; margin: 0; }
h2 { font-size: 1.1rem; font-weight: 600; margin: 0 0 .75rem; overflow-wrap: anywhere; }
p { max-width: 42rem; margin: .5rem 0; }
.model, .soft { color: var(--soft); }
section { border-top: 1px solid var(--line); margin-top: 1.75rem; padding-top: 1.25rem; }
.scroll { overflow-x: auto; }
svg { display: block; }
svg text { fill: var(--ink); font: 14px system-ui, sans-serif; unicode-bidi: isolate; }
svg .axis, svg .key { fill: var(--soft); font-size: 12px; }
svg .on { fill: var(--mark); font-weight: 700; }
rect { fill: var(--high); stroke: var(--line); forced-color-adjust: none; }
rect[tabindex]:hover, rect:focus { stroke: var(--mark); stroke-width: 3; outline: none; }
.readout { min-height: 1.5em; margin-top: .5rem; font-variant-numeric: tabular-nums; }
summary { cursor: pointer; color: var(--soft); width: max-content; }
summary:focus-visible, .scroll:focus-visible { outline: 3px solid var(--mark); outline-offset: 2px; }
table { border-collapse: collapse; margin: .75rem 0; font-size: .875rem; font-variant-numeric: tabular-nums; }
th, td { border: 1px solid var(--line); padding: .2rem .5rem; text-align: right; font-weight: 400; }
th { font-weight: 600; white-space: pre; }
</style>
)";

constexpr std::string_view kScript = R"(<script>
for (const grid of document.querySelectorAll('[role=grid]')) {
  const rows = [...grid.querySelectorAll('.cells')].map(row => [...row.querySelectorAll('rect')]);
  const columns = grid.querySelectorAll('.column'), labels = grid.querySelectorAll('.label');
  const readout = grid.closest('section').querySelector('.readout');
  const place = new Map(rows.flatMap((row, r) => row.map((cell, c) => [cell, [r, c]])));
  let entry = rows[0][0];
  function show(cell) {
    const [r, c] = place.get(cell);
    readout.textContent = cell.firstElementChild.textContent;
    for (const on of grid.querySelectorAll('.on')) on.classList.remove('on');
    labels[r].classList.add('on');
    columns[c].classList.add('on');
  }
  function move(cell) {
    entry.setAttribute('tabindex', -1);
    entry = cell;
    entry.setAttribute('tabindex', 0);
    entry.focus();
  }
  grid.addEventListener('pointerover', e => { if (place.has(e.target)) show(e.target); });
  grid.addEventListener('focusin', e => { if (place.has(e.target)) show(e.target); });
  grid.addEventListener('click', e => { if (place.has(e.target)) move(e.target); });
  grid.addEventListener('keydown', e => {
    if (!place.has(e.target) || e.altKey || e.metaKey) return;
    let [r, c] = place.get(e.target);
    const bottom = rows.length - 1, right = rows[0].length - 1;
    if (e.key === 'ArrowLeft') c--;
    else if (e.key === 'ArrowRight') c++;
    else if (e.key === 'ArrowUp') r--;
    else if (e.key === 'ArrowDown') r++;
    else if (e.key === 'Home') { c = 0; if (e.ctrlKey) r = 0; }
    else if (e.key === 'End') { c = right; if (e.ctrlKey) r = bottom; }
    else return;
    e.preventDefault();
    move(rows[Math.min(Math.max(r, 0), bottom)][Math.min(Math.max(c, 0), right)]);
  });
}
</script>
)";

// Sizes in CSS pixels.
constexpr double kCell = 30;
constexpr double kColumnWidth = 8;  // of a terminal column in the 14-pixel type, generously
constexpr int kLongestLabel = 18;   // terminal columns; longer tokens are cut (the read-out is not)

std::string escape(std::string_view token) {
  std::string out;
  for (const char c : printable(token)) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

double weight(const AttentionMap& map, size_t t, size_t s) {
  return map.weights[t * map.source.size() + s];
}

std::string label(const std::string& token) {
  return fit_columns(token, kLongestLabel);
}

double longest_label(const std::vector<std::string>& tokens) {
  int longest = 0;
  for (const std::string& token : tokens) longest = std::max(longest, display_width(label(token)));
  return kColumnWidth * longest;
}

std::string sentence(const std::vector<std::string>& tokens) {
  std::string out;
  for (const std::string& token : tokens) {
    if (&token == &tokens.back() && token == "</s>") break;
    out += (out.empty() ? "" : " ") + token;
  }
  return "<bdi>" + escape(out) + "</bdi>";
}

// The chart: source tokens above the columns at 45 degrees, target tokens left of the rows.
void add_chart(std::string& out, const AttentionMap& map) {
  constexpr double kSlant = 0.71;  // sine and cosine of 45 degrees
  const double left = std::max(72.0, longest_label(map.target) + 16);
  const double slanted = kSlant * longest_label(map.source);
  const double top = std::max(44.0, slanted + 26);
  const auto columns = static_cast<double>(map.source.size());
  const auto rows = static_cast<double>(map.target.size());
  const double width = left + kCell * columns + slanted, height = top + kCell * rows + 2;
  out += fmt::format(
      "<div class=\"scroll\"><svg role=\"grid\" width=\"{0:.0f}\" height=\"{1:.0f}\" "
      "viewBox=\"0 0 {0:.0f} {1:.0f}\" aria-label=\"Attention of {2} target tokens (rows) to {3} "
      "source tokens (columns)\">\n",
      width, height, map.target.size(), map.source.size());
  out += fmt::format(
      "<g role=\"row\"><g role=\"columnheader\" aria-label=\"target\">"
      "<text class=\"axis\" text-anchor=\"end\" x=\"{0:.0f}\" y=\"{1:.0f}\">source →</text>"
      "<text class=\"axis\" text-anchor=\"end\" x=\"{0:.0f}\" y=\"{2:.0f}\">target ↓</text></g>\n",
      left - 10, top - 24, top - 8);
  for (size_t s = 0; s < map.source.size(); ++s)
    out += fmt::format(
        "<text class=\"column\" role=\"columnheader\" "
        "transform=\"translate({:.0f} {:.0f}) rotate(-45)\">{}</text>\n",
        left + kCell * (static_cast<double>(s) + 0.55), top - 8, escape(label(map.source[s])));
  out += "</g>\n";
  for (size_t t = 0; t < map.target.size(); ++t) {
    const double y = top + kCell * static_cast<double>(t);
    out += fmt::format(
        "<g role=\"row\" class=\"cells\"><text class=\"label\" role=\"rowheader\" "
        "text-anchor=\"end\" x=\"{:.0f}\" y=\"{:.0f}\">{}</text>\n",
        left - 10, y + kCell / 2 + 5, escape(label(map.target[t])));
    for (size_t s = 0; s < map.source.size(); ++s)
      out += fmt::format(
          "<rect role=\"gridcell\" tabindex=\"{0}\" aria-label=\"{1:.2f}\" x=\"{2:.0f}\" "
          "y=\"{3:.0f}\" width=\"{4:.0f}\" height=\"{4:.0f}\" fill-opacity=\"{1:.3f}\">"
          "<title>target ‘{5}’ attends to ‘{6}’ {1:.2f}</title></rect>\n",
          t == 0 && s == 0 ? 0 : -1, weight(map, t, s), left + kCell * static_cast<double>(s) + 1.5,
          y + 1.5, kCell - 3, escape(map.target[t]), escape(map.source[s]));
    out += "</g>\n";
  }
  out += "</svg></div>\n";
}

void add_table(std::string& out, const AttentionMap& map) {
  out +=
      "<details><summary>Weights as a table</summary>"
      "<div class=\"scroll\" tabindex=\"0\"><table>\n<tr><th scope=\"col\">target \\ source</th>";
  for (const std::string& token : map.source)
    out += "<th scope=\"col\"><bdi>" + escape(token) + "</bdi></th>";
  out += "</tr>\n";
  for (size_t t = 0; t < map.target.size(); ++t) {
    out += "<tr><th scope=\"row\"><bdi>" + escape(map.target[t]) + "</bdi></th>";
    for (size_t s = 0; s < map.source.size(); ++s)
      out += fmt::format("<td>{:.3f}</td>", weight(map, t, s));
    out += "</tr>\n";
  }
  out += "</table></div></details>\n";
}

void add_scale(std::string& out) {
  out +=
      "<svg width=\"230\" height=\"44\" role=\"img\" aria-label=\"Scale: from weight 0, empty, to "
      "weight 1, full colour\">\n";
  for (int i = 0; i < 5; ++i)
    out += fmt::format(
        "<rect x=\"{0}\" y=\"2\" width=\"40\" height=\"18\" fill-opacity=\"{1:.2f}\"/>"
        "<text class=\"key\" text-anchor=\"middle\" x=\"{2}\" y=\"36\">{1:.2f}</text>\n",
        2 + 45 * i, 0.25 * i, 22 + 45 * i);
  out += "</svg>\n";
}

}  // namespace

std::string attention_page(std::span<const AttentionMap> maps, const std::string& model) {
  for (const AttentionMap& map : maps) check(map);
  std::string out(kHead);
  out += "<title>Attention of " + escape(model) + "</title>\n";
  out += kStyle;
  out += "</head>\n<body>\n<h1>Attention</h1>\n<p class=\"model\">" + escape(model) + "</p>\n";
  out +=
      "<p>Each row is a step that writes a target token, each column a source token it can look "
      "at. The stronger the colour, the more the step attends to that token; a row sums to 1.</p>\n"
      "<p class=\"soft\">Point at a cell, or press Tab and then the arrow keys.</p>\n";
  add_scale(out);
  for (const AttentionMap& map : maps) {
    out += "<section translate=\"no\">\n<h2>" + sentence(map.source) + " → " +
           sentence(map.target) + "</h2>\n";
    if (map.weights.empty()) {
      out += "<p>Nothing to show: one side has no tokens.</p>\n</section>\n";
      continue;
    }
    add_chart(out, map);
    out += "<p class=\"readout\" role=\"status\" aria-live=\"polite\"></p>\n";
    add_table(out, map);
    out += "</section>\n";
  }
  out += kScript;
  out += "</body>\n</html>\n";
  return out;
}

}  // namespace heed::translate
