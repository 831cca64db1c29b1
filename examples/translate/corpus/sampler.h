// Random derivations of micro en-fr, balanced so that each of the 19 phenomena is in about a third
// of the sentences: a sentence carries several at once ("i do not see the big red car of the
// teacher").
#pragma once
#include "core/rng.h"
#include "examples/translate/corpus/derivation.h"

namespace heed::translate {

/// A sentence for train, dev and test, or (`longer`) one of four to six clauses. Words are drawn
/// evenly within their kind. Lengths are not checked here.
Sentence sample_sentence(Rng& rng, bool longer = false);

}  // namespace heed::translate
