// Runs lessons and holds their traces to what every trace is held to.
#pragma once
#include <iosfwd>

#include "examples/microscope/lessons/print.h"

namespace heed::microscope {

/// What the lesson found, and one truth more where it has a trace: its numbers agree with each
/// other.
Findings run_lesson(const Lesson& lesson, const Settings& settings);

/// Runs lessons with their presets and prints every truth, as lines or as one line of JSON. Returns
/// 0 if all hold, else 1.
int test_lessons(const std::vector<const Lesson*>& chosen, Lang lang, bool json, std::ostream& out);

}  // namespace heed::microscope
