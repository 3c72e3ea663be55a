"""Goldens of sample-rate conversion: torchaudio's `sinc_interp_hann`, computed in float64.

Ran with torch 2.13.0 (CPU). The definition (torchaudio 2.11, functional/functional.py: `resample`)
is restated as a dense matrix, one row per output sample.
"""

import math

import torch

from common import normal, write

LOWPASS_FILTER_WIDTH = 6
ROLLOFF = 0.99
CASES = {
    "44100-16000": (44100, 16000, (2, 4411)),
    "48000-16000": (48000, 16000, (1, 1001)),
    "8000-16000": (8000, 16000, (1, 333)),
    "22050-16000": (22050, 16000, (1, 1)),
    "16000-44101": (16000, 44101, (1, 257)),
    "7-3": (7, 3, (2, 2, 50)),
}


def resample(wave, source, target):
    """Compute [..., T] at `source` Hz -> [..., ceil(T target / source)] in float64."""
    divisor = math.gcd(source, target)
    source, target = source // divisor, target // divisor
    count = math.ceil(wave.shape[-1] * target / source)
    base = min(source, target) * ROLLOFF
    places = torch.arange(count, dtype=torch.float64)[:, None] / target
    times = torch.arange(wave.shape[-1], dtype=torch.float64)[None] / source
    t = ((times - places) * base).clamp(-LOWPASS_FILTER_WIDTH, LOWPASS_FILTER_WIDTH)
    window = torch.cos(t * math.pi / LOWPASS_FILTER_WIDTH / 2) ** 2
    return wave.double() @ (torch.sinc(t) * window * base / source).T


def make():
    """Write `resample.safetensors`."""
    tensors = {}
    for seed, (name, (source, target, shape)) in enumerate(CASES.items()):
        wave = 0.3 * normal(6000 + seed, *shape)
        tensors[f"input.{name}"] = wave
        tensors[f"output.{name}"] = resample(wave, source, target).float()
    settings = {"lowpass_filter_width": LOWPASS_FILTER_WIDTH, "rolloff": ROLLOFF}
    write("resample", tensors, settings)
