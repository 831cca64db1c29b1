// microscope view.
#include <fmt/format.h>

#include <iostream>
#include <memory>
#include <optional>

#include "core/error.h"
#include "core/file_bytes.h"
#include "examples/microscope/commands.h"
#include "examples/microscope/page.h"
#include "examples/microscope/trace.h"

namespace heed::microscope {
namespace {

struct View {
  std::string file, output;
  std::optional<std::string> other;
  bool json = false;
};

constexpr size_t kLargePage = 8'000'000;  // bytes; a browser takes seconds to open more

int view(const View& c) {
  std::vector<std::string> traces;
  const auto take = [&](const std::string& file) {
    load_trace(file);  // nobody looks at a trace that is not valid
    traces.push_back(read_file(file, kMostBytes));
  };
  take(c.file);
  if (c.other) take(*c.other);
  const std::string page = html_page(traces);
  write_file(c.output, page);
  if (page.size() > kLargePage)
    std::cerr << fmt::format(
        "microscope: note: {} MB, for which a browser needs some time; a trace that keeps a sample "
        "of large tensors (trace --sample 1000) is smaller\n",
        page.size() / 1'000'000);
  if (c.json)
    std::cout << Json({{"page", c.output}, {"traces", traces.size()}, {"bytes", page.size()}})
              << "\n";
  else if (c.output != "/dev/stdout")
    std::cout << fmt::format("{}: {} bytes, {} to look at; open it in a browser\n", c.output,
                             page.size(), traces.size() == 1 ? "one trace" : "two traces");
  return 0;
}

}  // namespace

Run add_view(CommandLine& program) {
  const auto c = std::make_shared<View>();
  CommandLine sub = program.add_command("view", "Writes one HTML file that shows a trace, offline");
  sub.add_option("file", c->file, "The trace").required();
  sub.add_option("other", c->other, "Another one to compare it with");
  sub.add_option("-o,--out,--output", c->output, "The HTML file to write").required();
  sub.add_flag("--json", c->json, "One line of JSON for a program");
  return [c] { return view(*c); };
}

}  // namespace heed::microscope
