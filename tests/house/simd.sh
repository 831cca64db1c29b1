#!/usr/bin/env bash
# simd.sh NM OBJECT...: an object compiled for wide SIMD defines nothing that another file could
# define too. The linker keeps one copy of such a (weak) function for everybody: were it this one,
# the program would die with an illegal instruction on CPUs without wide SIMD.
set -euo pipefail
nm=$1
shift
if "$nm" --defined-only -C "$@" | grep -E ' [WVu] '; then
  echo "these functions of the wide SIMD objects are shared with the rest of the library"
  exit 1
fi
