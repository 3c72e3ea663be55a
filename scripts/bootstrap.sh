#!/usr/bin/env bash
# Sets a clone up: system packages, npm packages, libtorch, the native and the TypeScript build.
# Each step leaves a stamp with a hash of what it read, and is skipped while that hash is the same.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    echo "Expected root or sudo to run: $*" >&2
    exit 1
  fi
}

missing_packages() {
  command -v cmake >/dev/null || echo cmake
  command -v ninja >/dev/null || echo ninja-build
  command -v g++ >/dev/null || echo g++
  command -v ccache >/dev/null || echo ccache
  command -v clang-format >/dev/null || echo clang-format
  [ -e /usr/include/nlohmann/json.hpp ] || echo nlohmann-json3-dev
  command -v python3 >/dev/null || echo python3
  python3 -m pip --version >/dev/null 2>&1 || echo python3-pip python3-venv
}

install_system_packages() {
  local missing
  missing=$(missing_packages | tr '\n' ' ')
  [ -n "$missing" ] || return 0
  echo "== system packages: $missing"
  if ! command -v apt-get >/dev/null; then
    echo "Expected apt-get; install these with your package manager: $missing" >&2
    exit 1
  fi
  as_root apt-get update -qq
  # shellcheck disable=SC2086
  as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends $missing >/dev/null
}

require_node() {
  if ! node -e 'const [a, b] = process.versions.node.split(".").map(Number);
    process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' 2>/dev/null; then
    echo "Expected Node 20.19 or newer on PATH" >&2
    exit 1
  fi
}

fingerprint() {
  {
    node --version
    find "$@" -type f -print0 | sort -z | xargs -0 sha256sum
  } | sha256sum | cut -d ' ' -f 1
}

# once STAMP FINGERPRINT COMMAND...
once() {
  local stamp=$1 hash=$2
  shift 2
  [ "$(cat "$stamp" 2>/dev/null)" != "$hash" ] || return 0
  echo "== $*"
  "$@"
  mkdir -p "$(dirname "$stamp")"
  echo "$hash" >"$stamp"
}

build_native() {
  # A libtorch in another place than that of the last build needs a new configuration.
  [ "$(cut -d ' ' -f 2- build/.stamp 2>/dev/null)" = "$libtorch" ] || rm -f build/CMakeCache.txt
  npm run --silent build:native
}

# forget_without STAMP OUTPUT: a stamp whose output is gone must not count.
forget_without() {
  [ -e "$2" ] || rm -f "$1"
}

require_node
install_system_packages
once node_modules/.stamp "$(fingerprint package-lock.json)" \
  npm ci --ignore-scripts --no-audit --no-fund
node --import tsx scripts/setup.ts
libtorch=$(node --import tsx scripts/print-libtorch.ts)
forget_without build/.stamp build/Release/musicldm.node
native_inputs=$(fingerprint CMakeLists.txt native package-lock.json)
once build/.stamp "$native_inputs $libtorch" build_native
forget_without build/.stamp-dist dist/index.js
once build/.stamp-dist "$(fingerprint lib tsconfig.json tsconfig.build.json)" \
  npm run --silent build:ts
