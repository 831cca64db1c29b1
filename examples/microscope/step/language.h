// English and Chinese, side by side where they are used, so that neither is forgotten.
#pragma once
#include <string>

namespace heed::microscope::stepper {

enum class Lang { en, zh };

inline std::string pick(Lang lang, std::string en, std::string zh) {
  return lang == Lang::zh ? zh : en;
}

}  // namespace heed::microscope::stepper
