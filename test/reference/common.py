"""Shared parts of the golden scripts: seeded random weights and canonical safetensors files.

Ran with torch 2.13.0 (CPU), diffusers 0.42.1, transformers 5.23.0, safetensors 0.8.0.
"""

import json
import math
import struct
from pathlib import Path

import diffusers
import safetensors
import tokenizers
import torch
import transformers
from safetensors.torch import save

GOLDENS = Path(__file__).resolve().parent.parent / "goldens"


def versions():
    """Return the versions of the packages that define the goldens."""
    packages = (torch, diffusers, transformers, tokenizers, safetensors)
    return {package.__name__: package.__version__ for package in packages}


def prepare():
    """Make CPU arithmetic independent of the number of cores."""
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)


def generator(seed):
    """Return a CPU generator of its own."""
    return torch.Generator().manual_seed(seed)


def normal(seed, *shape):
    """Draw a float32 standard normal tensor."""
    return torch.randn(shape, generator=generator(seed))


def _values(key, tensor, source, gain):
    """Draw values that keep activations near unit size yet leave no parameter trivial."""
    noise = torch.randn(tensor.shape, generator=source)
    if "logit_scale" in key:
        return tensor + 0.1 * noise
    if key.endswith(("running_var", "scale")):
        return 0.7 + 0.6 * torch.rand(tensor.shape, generator=source)
    if key.endswith("embeddings.weight"):
        return 0.5 * noise
    if tensor.ndim >= 2:
        return gain * noise / math.sqrt(tensor[0].numel())
    if key.endswith("weight"):
        return 1 + 0.2 * noise
    return 0.2 * noise


def randomise(module, seed, gain=1.0):
    """Fill every float parameter and buffer, norms, biases and statistics included."""
    source = generator(seed)
    state = module.state_dict()
    with torch.no_grad():
        for key in sorted(state):
            if state[key].is_floating_point():
                state[key].copy_(_values(key, state[key], source, gain))
    return module.eval()


def weights(module, prefix=""):
    """Return `weight.<prefix><published key>` for the whole state dict."""
    return {f"weight.{prefix}{key}": value for key, value in module.state_dict().items()}


def plain_config(config):
    """Return a JSON-able copy of a published configuration without private fields."""
    return {key: value for key, value in dict(config).items() if not key.startswith("_")}


def _canonical(data):
    """Sort the JSON header, whose order safetensors leaves to a hash map."""
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + size])
    text = json.dumps(header, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data[8 + size :]


def write(name, tensors, config, **extra):
    """Write one golden; integers stay int64, everything else becomes contiguous float32."""
    ready = {}
    for key, value in tensors.items():
        value = value.detach()
        ready[key] = (value.float() if value.is_floating_point() else value).clone().contiguous()
    metadata = {"config": json.dumps(config, sort_keys=True)}
    metadata["versions"] = json.dumps(versions(), sort_keys=True)
    for key, value in extra.items():
        metadata[key] = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    GOLDENS.mkdir(parents=True, exist_ok=True)
    data = _canonical(save(ready, metadata))
    (GOLDENS / f"{name}.safetensors").write_bytes(data)
    print(f"{name}.safetensors: {len(data)} bytes, {len(ready)} tensors")
    for key, value in ready.items():
        if key.startswith("output") and not torch.isfinite(value).all():
            raise ValueError(f"{name}: {key} is not finite")
