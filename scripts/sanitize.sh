#!/usr/bin/env bash
# Builds the addon with AddressSanitizer into build-address/, and runs the tests of kernels and of
# hostile checkpoints, and generations of 0.1 s to 60 s on every instruction set of this machine.
# Arguments are presets, each with its own lengths in seconds, as debug:0.1,60 or musicldm:1;
# default: all of debug.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
npx --no-install cmake-js build --out build-address -G Ninja --CDMUSICLDM_SANITIZE=address

# libtorch is not instrumented. The runtime has to come before all other libraries, and V8 and
# libtorch keep what they have at exit.
run() {
  LD_PRELOAD="$(realpath "$(g++ -print-file-name=libasan.so)")" \
    ASAN_OPTIONS=detect_leaks=0:abort_on_error=1 MUSICLDM_ADDON="$PWD/build-address/Release" "$@"
}

run npx --no-install ava test/kernels-{layers,networks,packing}.test.ts \
  test/latent-vocoder*.test.ts test/audio-{mel,stft,load-resample}.test.ts \
  test/clap-audio{,-layers}.test.ts test/checkpoint-{hostile,torch-hostile}.test.ts
run node --import tsx scripts/sanitize.ts "$@"
