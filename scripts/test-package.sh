#!/usr/bin/env bash
# Packs the package, installs it into an empty project with install scripts disabled, and generates
# from the command line and from code.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
npm run --silent prebuild
npm run --silent build:ts
project=$(mktemp -d)
trap 'rm -rf "$project"' EXIT
npm pack --silent --pack-destination "$project" >/dev/null
cd "$project"
npm init --yes >/dev/null
npm install --ignore-scripts --no-audit --no-fund --silent ./musicldm-native-*.tgz
npx --no-install musicldm doctor
npx --no-install musicldm init --preset debug model --seed 1
npx --no-install musicldm generate "a calm piano" --model model --seconds 0.5 --output music.flac
npx --no-install musicldm inspect music.flac
node --input-type=module --eval '
  import { MusicLDM } from "musicldm-native";
  const model = await MusicLDM.fromPretrained("model");
  const { waveforms } = await model.generate({ prompt: "techno", seconds: 0.5, steps: 2 });
  if (waveforms[0].length !== 8000) throw new Error(`${waveforms[0].length} samples`);
'
echo "The packed package generates."
