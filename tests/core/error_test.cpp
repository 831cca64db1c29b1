// The three kinds of error, and that their texts say where.
#include "core/error.h"

#include <gtest/gtest.h>

#include "core/scope.h"

namespace heed {
namespace {

template <class Error, class Body>
std::string text_of(Body body) {
  try {
    body();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(Error, RequireFormatsItsTextOnlyOnFailure) {
  EXPECT_NO_THROW(require(true, "never shown {}", 1));
  EXPECT_EQ(text_of<std::invalid_argument>([] { require(false, "add: got {} and {}", 2, "x"); }),
            "add: got 2 and x");
}

TEST(Error, MisuseIsALogicErrorButNotTheCallersArgument) {
  try {
    require_use(false, "backward: called twice");
    FAIL() << "expected an error";
  } catch (const std::invalid_argument&) {
    FAIL() << "expected std::logic_error itself";
  } catch (const std::logic_error& error) {
    EXPECT_STREQ(error.what(), "backward: called twice");
  }
}

TEST(Error, TextsNameTheScopeTheyCameFrom) {
  const Scope decoder("decoder");
  const auto fail = [] { require(false, "matmul: bad"); };
  {
    const Scope step("step", 3);
    const Scope attention("attention");
    EXPECT_EQ(text_of<std::invalid_argument>(fail), "matmul: bad (in decoder/step[3]/attention)");
    EXPECT_EQ(text_of<std::logic_error>([] { require_use(false, "twice"); }),
              "twice (in decoder/step[3]/attention)");
  }
  EXPECT_EQ(text_of<std::invalid_argument>(fail), "matmul: bad (in decoder)");
}

TEST(Error, AScopeLeftByAnErrorIsClosed) {
  EXPECT_THROW(
      {
        const Scope inner("inner");
        require(false, "x");
      },
      std::invalid_argument);
  EXPECT_EQ(current_scope(), 0u);
}

TEST(Error, AFileErrorBeginsWithTheFile) {
  EXPECT_EQ(text_of<FileError>([] { fail_file("a/b.tsv", "line {}: expected a tab", 7); }),
            "a/b.tsv: line 7: expected a tab");
}

TEST(Scope, APinnedPathOutlivesItsScopeUntilForgotten) {
  uint32_t id = 0;
  {
    const Scope encoder("encoder");
    const Scope step("step", 0);
    id = pin_scope();
  }
  { const Scope another("another"); }
  EXPECT_EQ(scope_path(id), "encoder/step[0]");
  EXPECT_EQ(scope_path(0), "");
  forget_scopes();
  EXPECT_EQ(scope_path(id), "?");
}

TEST(Scope, AClosedScopeNobodyPinnedLeavesNoTrace) {
  const Scope outer("outer");
  uint32_t first = 0;
  for (int i = 0; i < 100; ++i) {
    const Scope inner("inner", i);
    if (i == 0) first = current_scope();
    EXPECT_EQ(current_scope(), first);
  }
}

TEST(Scope, ForgettingKeepsTheOpenOnes) {
  const Scope outer("outer");
  {
    const Scope closed("closed");
    pin_scope();
  }
  const Scope inner("inner");
  forget_scopes();
  EXPECT_EQ(scope_path(current_scope()), "outer/inner");
}

TEST(Scope, WorkInAnOldScopeSpeaksOfThatPlace) {
  uint32_t id = 0;
  {
    const Scope encoder("encoder");
    id = pin_scope();
  }
  const Scope decoder("decoder");
  {
    const InScope back(id);
    EXPECT_EQ(text_of<std::invalid_argument>([] { require(false, "bad"); }), "bad (in encoder)");
  }
  EXPECT_EQ(scope_path(current_scope()), "decoder");
}

}  // namespace
}  // namespace heed
