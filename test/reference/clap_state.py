"""Write the names, shapes and dtypes of a small ClapModel's state dict, as JSON.

Usage: python test/reference/clap_state.py
Ran with transformers 5.23.0, torch 2.13.0 (CPU).
"""

import json

from transformers import ClapConfig, ClapModel

from common import GOLDENS

TEXT = {
    "vocab_size": 264,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
}
AUDIO = {
    "hidden_size": 32,
    "patch_embeds_hidden_size": 4,
    "depths": [1, 1, 2, 1],
    "num_attention_heads": [1, 1, 2, 2],
}


def make():
    """Write one line per tensor."""
    config = ClapConfig(text_config=TEXT, audio_config=AUDIO, projection_dim=64)
    names = {"torch.float32": "F32", "torch.int64": "I64"}
    state = {
        key: [names[str(value.dtype)], list(value.shape)]
        for key, value in ClapModel(config).state_dict().items()
    }
    lines = [f"{json.dumps(key)}: {json.dumps(state[key])}" for key in sorted(state)]
    (GOLDENS / "clap-state.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")
    print(f"clap-state.json: {len(lines)} tensors")


if __name__ == "__main__":
    make()
