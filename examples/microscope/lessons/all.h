// The lessons, one function per file.
#pragma once
#include "examples/microscope/lessons/lesson.h"

namespace heed::microscope {

Lesson sqrt_d_lesson();
Lesson saturate_lesson();
Lesson mask_lesson();
Lesson score_fns_lesson();
Lesson hard_lesson();
Lesson local_p_lesson();
Lesson heads_lesson();
Lesson paths_lesson();
Lesson forcing_lesson();
Lesson padding_lesson();
Lesson smoothing_lesson();
Lesson clip_lesson();
Lesson blind_query_lesson();
Lesson bug_museum_lesson();
Lesson not_importance_lesson();

}  // namespace heed::microscope
