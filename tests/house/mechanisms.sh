#!/usr/bin/env bash
# mechanisms.sh TRANSLATE [PAGE]: docs/mechanisms.md speaks of every mechanism that the program
# accepts, by the name it has there, and every test that the page cites exists.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
help=$("$1" train --help)
page=${2:-docs/mechanisms.md}
faults=0

# What `--help` lists for an option: the words after it, up to the next option.
names_of() {
  awk -v option="$1" '
    $1 ~ /^-/ { inside = ($1 == option); if (inside) $1 = $2 = "" }
    inside { sub(/^.*:/, ""); gsub(/,/, " "); print }' <<< "$help"
}

for option in --cell --score --window --hard --bridge --forcing-schedule; do
  count=0
  for name in $(names_of "$option"); do
    count=$((count + 1))
    grep -qE "^\| \`$name\` \|" "$page" || {
      echo "$page: expected a table row that begins with \`$name\` ($option)"
      faults=$((faults + 1))
    }
  done
  [[ $count -ge 3 ]] || { echo "expected at least 3 names of $option in --help, found $count"; exit 1; }
done
while IFS=. read -r suite test; do
  grep -rqE "^TEST(_F|_P)?\($suite, $test\)" tests/*/*.cpp || {
    echo "$page: there is no test $suite.$test"
    faults=$((faults + 1))
  }
done < <(grep -oE '`[A-Z][A-Za-z0-9]+\.[A-Z][A-Za-z0-9]+`' "$page" | tr -d '`' | sort -u)
exit "$((faults > 0))"
