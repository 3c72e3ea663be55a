"""transformers' audio tower of CLAP for clap-audio.ts: `run` and `output`, a line each."""

import json
import sys
import time
from pathlib import Path

import torch
from safetensors import safe_open
from transformers import ClapAudioConfig, ClapAudioModelWithProjection


def numbers(config):
    """Make floats of the whole numbers that Python wants as such."""
    floats = ("hidden_dropout_prob", "drop_path_rate")
    return {key: float(value) if key in floats else value for key, value in config.items()}


def load(folder):
    """Return the model and the features of a file that holds both."""
    with safe_open(Path(folder) / "audio.safetensors", "pt") as file:
        names = file.keys()
        tensors = {name: file.get_tensor(name) for name in names}
        config = json.loads(file.metadata()["config"])
    features = tensors.pop("features")
    model = ClapAudioModelWithProjection(ClapAudioConfig(**numbers(config))).eval()
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
            start, start_cpu = time.perf_counter(), time.process_time()
            embeds = model(input_features=features).audio_embeds
            reply = {
                "wallSeconds": time.perf_counter() - start,
                "cpuSeconds": time.process_time() - start_cpu,
            }
            if line.strip() == "output":
                reply = embeds.flatten().tolist()
            print(json.dumps(reply), flush=True)


main(*sys.argv[1:])
