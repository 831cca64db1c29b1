#!/usr/bin/env bash
# Who may include whom: core <- autograd <- {layers, optim} <- {examples, tests}.
# Reads the #include lines and fails on an arrow that points upwards or sideways. Before it trusts
# itself it plants such arrows in a scratch tree and demands that they are found.
set -euo pipefail

declare -A may_include=(
  [core]="core"
  [autograd]="core autograd"
  [layers]="core autograd layers"
  [optim]="core autograd optim"
)

sources=(--include='*.h' --include='*.cpp')
include='#[[:space:]]*include[[:space:]]*'

# check_tree ROOT: prints every forbidden include as file:line, succeeds when there is none.
check_tree() {
  local folder line target found=0
  cd "$1"
  for folder in core autograd layers optim; do
    while IFS= read -r line; do
      target=$(sed -E "s/.*${include}[\"<]([a-z]+)\/.*/\1/" <<< "$line")
      if [[ " ${may_include[$folder]} " != *" $target "* ]]; then
        echo "$line   ($folder/ may include only: ${may_include[$folder]})"
        found=1
      fi
    done < <(grep -rnE "${include}[\"<](core|autograd|layers|optim|examples|tests|heed)/" \
               "${sources[@]}" "$folder")
  done
  # A relative include would slip past the rule, and breaks once the headers are installed.
  if grep -rnE "${include}\"([^/\"]*|\.\.?/.*)\"" "${sources[@]}" core autograd layers optim \
       examples tests; then
    echo '(includes of this tree begin at its root: "core/tensor.h")'
    found=1
  fi
  return $found
}

plant() {  # plant FILE INCLUDE: this arrow must be refused
  local scratch
  scratch=$(mktemp -d)
  mkdir "$scratch"/{core,autograd,layers,optim,examples,tests}
  echo "#include $2" > "$scratch/$1"
  if (check_tree "$scratch" > /dev/null); then
    echo "this check is blind: it accepts #include $2 in $1"
    exit 1
  fi
  rm -r "$scratch"
}
plant core/a.cpp '"autograd/tape.h"'
plant autograd/a.h '"layers/linear.h"'
plant layers/a.cpp '"optim/adam.h"'
plant optim/a.cpp '<heed/heed.h>'
plant core/a.h '"tensor.h"'

check_tree "$(dirname "${BASH_SOURCE[0]}")/../.."
