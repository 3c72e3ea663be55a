"""Write small files of torch.save in the forms that checkpoints of this model family have.

Usage: python test/reference/torch_files.py
Ran with torch 2.13.0 (CPU), numpy 2.4.6, safetensors 0.8.0.
"""

import argparse
import io
import sys
import types
from collections import OrderedDict

import numpy
import torch
from safetensors.torch import save

from common import GOLDENS
from safetensors_file import tensors as dtype_tensors

FOLDER = GOLDENS / "torch"


def state_dict():
    """Return every readable dtype, the odd shapes, strides and a storage that two tensors share."""
    state = OrderedDict(dtype_tensors())
    base = torch.arange(12, dtype=torch.float32)
    state["transposed"] = base.reshape(3, 4).t()
    state["steps"] = torch.arange(20, dtype=torch.float16)[3:18:5]
    state["shared.head"] = base[:5]
    state["shared.tail"] = base[5:]
    state["repeated"] = torch.tensor([1.0, -2.0]).expand(3, 2)
    state["parameter"] = torch.nn.Parameter(torch.tensor([0.25, -0.5]))
    return state


def trained():
    """Return what laion_clap saves: data-parallel keys, a learning rate of numpy."""
    layer = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
    with torch.no_grad():
        for index, value in enumerate(layer.state_dict().values()):
            value.copy_(torch.arange(value.numel()).reshape(value.shape) + index)
    optimizer = torch.optim.Adam(layer.parameters(), lr=1e-4)
    optimizer.param_groups[0]["lr"] = numpy.float64(2.5e-5)
    layer(torch.arange(12.0).reshape(4, 3)).sum().backward()
    optimizer.step()
    state = layer.state_dict(prefix="module.")
    state["module.text_branch.embeddings.position_ids"] = torch.arange(4).expand((1, -1))
    counts = {"steps": numpy.int64(7), "done": numpy.bool_(True), "seen": numpy.arange(3)}
    return {
        "epoch": 15,
        "name": "2022_12_11-lr_0.0001",
        "state_dict": state,
        "optimizer": {**optimizer.state_dict(), "counts": counts},
    }


def _stand_in(module, name, base=object):
    """Make a class that pickles as if it came from a package which is not installed."""
    made = type(name, (base,), {"__module__": module})
    parts = module.split(".")
    for end in range(1, len(parts) + 1):
        package = ".".join(parts[:end])
        sys.modules.setdefault(package, types.ModuleType(package))
    setattr(sys.modules[module], name, made)
    return made


def lightning():
    """Return what Lightning saves: hyper-parameters as objects, callbacks by class."""
    config = _stand_in("omegaconf.dictconfig", "DictConfig")()
    config.__dict__["_content"] = {"sampling_rate": 16000, "any": int}
    attributes = _stand_in("pytorch_lightning.utilities.parsing", "AttributeDict", dict)(lr=0.5)
    callback = _stand_in("pytorch_lightning.callbacks.model_checkpoint", "ModelCheckpoint")
    return {
        "epoch": 3,
        "global_step": 2**40,
        "pytorch-lightning_version": "1.9.0",
        "state_dict": OrderedDict({"first_stage_model.weight": torch.tensor([[1.0, 2.0]])}),
        "callbacks": {callback: {"best": None, "scores": {1, 2}}},
        "hyper_parameters": {
            "config": config,
            "attributes": attributes,
            "arguments": argparse.Namespace(batch=4, name="naïve", path=(1, 2.5, True)),
        },
        "huge": 2**70,
        "raw": b"\x00\xff",
    }


def files():
    """Return the content of each file and how it is written."""
    legacy = {"_use_new_zipfile_serialization": False}
    small = OrderedDict({"a": torch.tensor([1.0, 2.0]), "b": torch.tensor([[3], [4]])})
    odd = {"u16": torch.tensor([0, 1, 2], dtype=torch.uint16), "c64": torch.tensor([1 + 2j])}
    odd["f8"] = torch.tensor([1.0, -2.0]).to(torch.float8_e4m3fn)
    odd["ok"] = torch.tensor([5.0])
    return {
        "plain.pt": (state_dict(), {}),
        "plain-legacy.pt": (state_dict(), legacy),
        "laion.pt": (trained(), {}),
        "laion-legacy.pt": (trained(), legacy),
        "lightning.ckpt": (lightning(), {}),
        "hifigan.pt": ({"generator": {"conv.weight_g": torch.ones(2, 1, 1)}}, {}),
        "small.bin": (small, {}),
        "small-legacy.bin": (small, legacy),
        "protocol-4.pt": (small, {"pickle_protocol": 4}),
        "protocol-5-legacy.pt": (small, {"pickle_protocol": 5, **legacy}),
        "protocol-1-legacy.pt": (small, {"pickle_protocol": 1, **legacy}),
        "odd-dtypes.pt": (odd, {}),
        "tensor.pt": (torch.tensor([7.0, 8.0]), {}),
    }


def make():
    """Write the files, and the tensors of `plain.pt` as safetensors to compare with."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, (content, options) in files().items():
        stream = io.BytesIO()
        torch.save(content, stream, **options)
        data = stream.getvalue()
        if name == "laion-legacy.pt":  # as numpy 1 calls it
            data = data.replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
        (FOLDER / name).write_bytes(data)
        print(f"torch/{name}: {len(data)} bytes")
    plain = {name: tensor.detach().clone().contiguous() for name, tensor in state_dict().items()}
    (FOLDER / "plain.safetensors").write_bytes(save(plain))


if __name__ == "__main__":
    make()
