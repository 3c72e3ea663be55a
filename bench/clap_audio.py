"""transformers' audio tower of CLAP for clap-audio.ts: `run` and `output`, a line each."""

import json
import sys
import time
from pathlib import Path

import torch
from safetensors import safe_open
from transformers import ClapAudioConfig, ClapAudioModelWithProjection


def load(folder):
    """Return the model and the features of a file that holds both."""
    with safe_open(Path(folder) / "audio.safetensors", "pt") as file:
        names = file.keys()
        tensors = {name: file.get_tensor(name) for name in names}
        config = json.loads(file.metadata()["config"])
    features = tensors.pop("features")
    model = ClapAudioModelWithProjection(ClapAudioConfig(**config)).eval()
    missing = model.load_state_dict(tensors, strict=False).missing_keys
    if any(not key.endswith("relative_position_index") for key in missing):
        raise SystemExit(f"The file lacks {missing}")
    return model, features


def main(folder, threads):
    """Answer every line of standard input."""
    torch.set_num_threads(int(threads))
    model, features = load(folder)
    with torch.inference_mode():
        for line in sys.stdin:
            start = time.perf_counter()
            embeds = model(input_features=features).audio_embeds
            seconds = time.perf_counter() - start
            reply = embeds.flatten().tolist() if line.strip() == "output" else seconds
            print(json.dumps(reply), flush=True)


main(*sys.argv[1:])
