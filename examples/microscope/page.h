// The microscope's page: one HTML file with its traces, styles and scripts inside, which opens
// without a server and asks nothing of anybody. What it shows is written in page/*.js; here they
// are put together.
#pragma once
#include <span>
#include <string>
#include <string_view>

namespace heed::microscope {

/// A file of the page, as the program carries it.
struct PageFile {
  std::string_view name, text;
};

/// page.html, then style.css, then the scripts in the order in which they run.
std::span<const PageFile> page_files();

/// The page over one trace, or over two to compare: the texts of trace files, which are JSON.
std::string html_page(std::span<const std::string> traces);

}  // namespace heed::microscope
