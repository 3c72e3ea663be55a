"""Write a safetensors file with every dtype, an empty and a 0-d tensor, and text beyond ASCII.

Usage: python test/reference/safetensors_file.py
Ran with safetensors 0.8.0, torch 2.13.0 (CPU).
"""

import torch
from safetensors.torch import save

from common import GOLDENS

DTYPES = {
    "f64": torch.float64,
    "f32": torch.float32,
    "f16": torch.float16,
    "bf16": torch.bfloat16,
    "i64": torch.int64,
    "i32": torch.int32,
    "i16": torch.int16,
    "i8": torch.int8,
    "u8": torch.uint8,
    "bool": torch.bool,
}


def tensors():
    """Return one [2, 3] tensor per dtype and the odd shapes."""
    values = torch.tensor([[0.0, 1.0, 2.5], [3.0, 100.0, 7.25]], dtype=torch.float64)
    result = {name: values.to(dtype) for name, dtype in DTYPES.items()}
    result["signed"] = torch.tensor([-(2**62), -1, 2**62], dtype=torch.int64)
    result["scalar"] = torch.tensor(-0.5)
    result["empty"] = torch.zeros(0, 4)
    result['naïve 音 "quoted"'] = torch.tensor([1.0, -2.0])
    return result


def make():
    """Write the golden; a single metadata entry keeps the header's order fixed."""
    data = save(tensors(), {"prompt": "naïve 音楽 🎵"})
    (GOLDENS / "safetensors-dtypes.safetensors").write_bytes(data)
    print(f"safetensors-dtypes.safetensors: {len(data)} bytes")


if __name__ == "__main__":
    make()
