#!/usr/bin/env bash
# flags.sh COMPILE_COMMANDS [NATIVE]: no compiler command may change arithmetic, nor tie the program
# to one CPU, except the SIMD kernels, which are chosen at run time. NATIVE=ON allows -march=native.
set -euo pipefail
commands=$1
native=${2:-OFF}

arithmetic='-(Ofast|ffast-math|ffinite-math-only|funsafe-math-optimizations|fassociative-math|freciprocal-math|fno-signed-zeros|fno-honor-(nans|infinities)|ffp-model=fast|mrecip)'
found=0
refuse() {
  if grep -oE -e "$1" <<<"$2" | sort | uniq -c | grep .; then
    echo "$3"
    found=1
  fi
}

if [[ ! -s $commands ]]; then
  echo "$commands: expected the compile commands of this build, found nothing"
  exit 1
fi
all=$(grep '"command":' "$commands")
others=$(grep -v 'core/simd/' <<<"$all")
refuse " ${arithmetic}[^ ]*" "$all" "these flags let the compiler change results; heed never uses them"
refuse ' -ffp-contract=(fast|on)' "$others" "only core/simd may fuse a*b+c"
if [[ $native != ON ]]; then
  refuse ' -m(arch|cpu|tune)=[^ ]*' "$all" "heed's programs run on any CPU of the architecture"
  refuse ' -m(avx|fma|sse|bmi|prefer)[^ ]*' "$others" "only core/simd is compiled for wider SIMD"
fi
exit $found
