#!/usr/bin/env bash
# Sets a clone up, writes a model with random weights, and generates a WAV with it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
scripts/bootstrap.sh
folder=${1:-build/demo}
musicldm() { node dist/cli/main.js "$@"; }
[ -e "$folder/model/model_index.json" ] || musicldm init --preset debug "$folder/model" --seed 1
musicldm generate "a calm piano melody with soft strings" \
  --model "$folder/model" --seconds 2 --seed 1 --output "$folder/music.wav"
echo "Wrote $folder/music.wav; its weights are random, so it is noise."
