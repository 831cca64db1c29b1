# Sourced by tests/run.sh, examples/translate.sh and .ci/run: what a fresh machine needs. Not a
# program. Installs only what is missing, only with apt-get, and says the line when it may not.
# shellcheck shell=bash

heed_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# need ITEM...: installs those that are not there. An item is a Debian package, or command:package
# where any program of that name will do.
need() {
  local item missing=() sudo=()
  if ! command -v dpkg-query > /dev/null; then
    return 0  # not Debian: CMake names what it does not find
  fi
  for item in "$@"; do
    [[ $item == *:* ]] && command -v "${item%:*}" > /dev/null && continue
    item=${item#*:}
    dpkg-query -W -f '${Status}' "$item" 2> /dev/null | grep -q 'ok installed' || missing+=("$item")
  done
  if [[ ${#missing[@]} -eq 0 ]]; then
    return 0
  fi
  local install=(apt-get install -y --no-install-recommends "${missing[@]}")
  local by_hand="apt-get update && ${install[*]}"
  if [[ $(id -u) -ne 0 ]]; then
    # sudo asks for a password only where somebody can type one.
    if ! command -v sudo > /dev/null || { ! sudo -n true 2> /dev/null && [[ ! -t 0 ]]; }; then
      echo "These packages are missing: ${missing[*]}" >&2
      echo "This is not root and sudo is not usable. Run this as root, then try again:" >&2
      echo "  $by_hand" >&2
      exit 1
    fi
    sudo=(sudo)
  fi
  echo "installing (about a minute): ${missing[*]}"
  sudo+=(env DEBIAN_FRONTEND=noninteractive)
  if ! "${sudo[@]}" apt-get update -qq; then
    "${sudo[@]}" apt-get update -qq || true  # a mirror may be in the middle of a change
  fi
  if ! "${sudo[@]}" "${install[@]}" -qq < /dev/null > /dev/null; then
    echo "Installing did not work. Run this as root, then try again:" >&2
    echo "  $by_hand" >&2
    exit 1
  fi
}

# need_to_build [ITEM...]: compiler, build tools, the libraries of the programs, and what else.
need_to_build() {
  need g++:g++ cmake:cmake ninja:ninja-build libopenblas-dev libfmt-dev nlohmann-json3-dev \
    libcli11-dev "$@"
}

# need_clang_sanitizers: clang++, and what a program links with for its sanitizers: in some
# distributions a part of clang's own packages, in others one that these only recommend.
need_clang_sanitizers() {
  need clang++:clang
  local sanitizers=-fsanitize=address,undefined version
  if clang++ $sanitizers -x c++ - -o /dev/null <<< 'int main() {}' 2> /dev/null; then
    return 0
  fi
  version=$(clang++ -dumpversion)
  need "libclang-rt-${version%%.*}-dev"
}

# build PRESET [-D...]: configures and builds $heed_target, or everything; what is up to date is left
# alone.
build() {
  local preset=$1
  shift
  cd "$heed_root" || return
  cmake --preset "$preset" "$@"
  cmake --build --preset "$preset" --parallel "$(nproc)" ${heed_target:+--target "$heed_target"}
}
