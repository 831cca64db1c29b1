#include "examples/microscope/save.h"

#include "core/error.h"
#include "core/file_bytes.h"
#include "examples/microscope/diags.h"
#include "examples/microscope/sample.h"
#include "examples/microscope/trace.h"

namespace heed {

void save_trace(const std::string& path, const Recorded& recorded, const TraceOptions& options) {
  microscope::Trace t = microscope::trace_of(recorded);
  t.meta = microscope::meta_of(recorded.seed.dtype());
  if (!options.title.empty()) t.meta["title"] = options.title;
  t.run = microscope::Json::object();
  t.diags = microscope::diags_of(t);
  if (options.sample > 0) microscope::take_samples(t, options.sample);
  microscope::save(path, t);
}

}  // namespace heed
