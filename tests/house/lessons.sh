#!/usr/bin/env bash
# Runs every numbered lesson and compares its last line with the one its header promises.
#   lessons.sh BIN_DIR
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
faults=0 lessons=0
for source in examples/[0-9]*.cpp; do
  name=$(basename "$source" .cpp)
  expected=$(sed -n 's|^//   last line  *||p' "$source")
  status=0
  output=$("$1/$name") || status=$?
  got=$(tail -n 1 <<< "$output")
  lessons=$((lessons + 1))
  if [[ -z $expected || $status -ne 0 || $got != "$expected" ]]; then
    printf '%s: expected the last line "%s" and exit code 0, got "%s" and %d\n' \
      "$source" "$expected" "$got" "$status"
    faults=$((faults + 1))
  fi
done
[[ $lessons -ge 3 ]] || { echo "expected at least 3 lessons, found $lessons"; exit 1; }
exit "$((faults > 0))"
