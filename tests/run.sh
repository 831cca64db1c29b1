#!/usr/bin/env bash
# Builds everything and runs every test; the last lines are ctest's summary. See --help.
set -euo pipefail
# shellcheck source=cmake/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/../cmake/setup.sh"

usage() {
  cat << END
usage: tests/run.sh [options] [ctest options]

Installs missing packages (Debian, Ubuntu), builds into build/, runs every test.

  --preset NAME   release (default), debug, asan, tsan; each has its own build folder
  --asan, --tsan  short for --preset asan (built by clang++), --preset tsan
  --werror        warnings are errors
  --build-only    stop before the tests
  --help          this text

Everything else goes to ctest:
  tests/run.sh -R Softmax      only tests whose name matches
  tests/run.sh -L core         only the tests of core/
  tests/run.sh --rerun-failed  those that failed last time
END
}

preset=release
run=yes
configure=()
arguments=()
while [[ $# -gt 0 ]]; do
  case $1 in
    --preset)
      [[ $# -ge 2 ]] || { echo "--preset expects a name; see tests/run.sh --help" >&2; exit 2; }
      preset=$2
      shift
      ;;
    --asan | --tsan) preset=${1#--} ;;
    --werror) configure+=(-DHEED_WERROR=ON) ;;
    --build-only) run=no ;;
    -h | --help) usage; exit ;;
    *) arguments+=("$1") ;;
  esac
  shift
done

need_to_build libgtest-dev
if [[ $preset == asan ]]; then need_clang_sanitizers; fi

# A sanitizer needs a quarter of a second to begin; but who names cases wants them one by one.
shards=OFF
if [[ $preset == ?san && " ${arguments[*]} " != *\ -[RE]\ * ]]; then shards=ON; fi

build "$preset" -DHEED_TESTS=ON -DHEED_TEST_SHARDS=$shards "${configure[@]}"
if [[ $run == yes ]]; then
  # A sanitizer needs memory where address-space randomisation may put something else.
  launcher=()
  if [[ $preset == ?san ]] && setarch -R true 2> /dev/null; then launcher=(setarch -R); fi
  exec "${launcher[@]}" ctest --preset "$preset" --parallel "$(nproc)" "${arguments[@]}"
fi
