#!/usr/bin/env bash
# format.sh CLANG_FORMAT: every source is as the formatter writes it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
wrong=$(find core autograd layers optim examples tests \( -name '*.h' -o -name '*.cpp' \) -print0 |
  xargs -0 "$1" --dry-run --Werror 2>&1 | grep -oE '^[^ :]+:[0-9]+' | sort -u -t: -k1,1) || true
if [[ -n $wrong ]]; then
  echo "$wrong"
  echo "these files differ (first line shown): $1 -i ${wrong//$'\n'/ }" | sed -E 's/:[0-9]+//g'
  exit 1
fi
