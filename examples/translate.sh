#!/usr/bin/env bash
# Trains the toy translation and shows it. See --help.
set -euo pipefail
# shellcheck source=cmake/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/../cmake/setup.sh"

model=$heed_root/out/micro-en-fr

usage() {
  cat << END
usage: examples/translate.sh [--again] [options of translate train]

Installs missing packages (Debian, Ubuntu), builds the program into build/bin, trains English to
French on a made-up miniature language (about three minutes on two cores) and shows the result.
Run again, it shows the trained model without training it again.

  --again   train again
  --help    this text

Everything else goes to the training:
  examples/translate.sh --again --seed 7
The model is written to out/micro-en-fr; "build/bin/translate --help" says what else can be done.
END
}

again=no
arguments=()
for argument in "$@"; do
  case $argument in
    --again) again=yes ;;
    -h | --help) usage; exit ;;
    *) arguments+=("$argument") ;;
  esac
done

# shellcheck disable=SC2119  # no items of its own
need_to_build
heed_target=translate build release -DHEED_TESTS=OFF

translate=$heed_root/build/bin/translate
if [[ $again == no && ${#arguments[@]} -eq 0 && -e $model/config.json ]]; then
  echo "showing the model that is there; --again trains it again"
  exec "$translate" evaluate --model "$model"
fi
exec "$translate" train --task micro-en-fr --out "$model" "${arguments[@]}"
