// Puts the page together.
#include "examples/microscope/page.h"

#include "core/error.h"

namespace heed::microscope {
namespace {

// `{{name}}` becomes `text`, once.
void put(std::string& page, const std::string& name, std::string_view text) {
  const std::string place = "{{" + name + "}}";
  const size_t at = page.find(place);
  if (at == std::string::npos) throw std::logic_error("page.html has no place for " + name);
  page.replace(at, place.size(), text);
}

// JSON that an HTML parser cannot leave: in JSON '<' stands within strings only.
std::string in_script(const std::string& json) {
  std::string text;
  text.reserve(json.size() + json.size() / 64);
  for (const char c : json) {
    if (c == '<')
      text += "\\u003c";
    else
      text += c;
  }
  return text;
}

}  // namespace

std::string html_page(std::span<const std::string> traces) {
  const std::span<const PageFile> files = page_files();
  std::string scripts, data;
  for (const PageFile& file : files.subspan(2)) scripts += file.text;
  for (const std::string& trace : traces)
    data += "<script type=\"application/json\">" + in_script(trace) + "</script>\n";
  std::string page(files[0].text);
  put(page, "script", scripts);  // from the end, so that no place is looked for in what was put
  put(page, "traces", data);
  put(page, "style", files[1].text);
  return page;
}

}  // namespace heed::microscope
