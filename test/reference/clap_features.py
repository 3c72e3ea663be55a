"""Goldens of CLAP's input: transformers' ClapFeatureExtractor and laion_clap's get_audio_features.

Ran with torch 2.13.0 (CPU), transformers 5.23.0, laion_clap 1.1.7, torchlibrosa 0.1.0. Random
choices are replaced by fixed ones: the first window of a waveform, the middle of each third of mel
frames. laion_clap runs without torchaudio and torchvision: its mel is torch.stft with
transformers' copy of torchaudio's filters, its resize torch's without antialiasing, which is what
torchvision did when the published weights were trained.
"""

import ast
from contextlib import suppress
from importlib.metadata import distribution
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import numpy as np
import torch
from transformers import ClapFeatureExtractor
from transformers.audio_utils import mel_filter_bank

from common import write
from spectra import noise, torchlibrosa_db

RATE = 48000
MAX_LENGTH = 480000
MODES = ("rand_trunc", "fusion")
SECONDS = (0.3, 1, 2.5, 5, 9.99, 10, 10.01, 37)
# Where the number of frames of a long clip changes.
LENGTHS = (480001, 480479, 480480, 480960)
AUDIO_CONFIG = {
    "sample_rate": 48000,
    "window_size": 1024,
    "hop_size": 480,
    "mel_bins": 64,
    "fmin": 50,
    "fmax": 14000,
}
FUNCTIONS = (
    "float32_to_int16_torch",
    "int16_to_float32_torch",
    "get_mel",
    "get_audio_features",
)


class MelSpectrogram:
    """torchaudio.transforms.MelSpectrogram as laion_clap asks for it, in float64."""

    def __init__(self, **given):
        wanted = {"center": True, "pad_mode": "reflect", "power": 2.0, "norm": None}
        if any(given[key] != value for key, value in wanted.items()):
            raise ValueError(f"Expected {wanted} but received {given}")
        size = given["n_fft"]
        bands = (given["n_mels"], given["f_min"], given["f_max"], given["sample_rate"])
        bank = mel_filter_bank(size // 2 + 1, *bands, mel_scale="htk")
        self.bank = torch.from_numpy(bank).T
        self.sizes = (size, given["hop_length"], size)

    def to(self, _device):
        """Stay."""
        return self

    def __call__(self, wave):
        """Compute [T] -> [n_mels, frames]."""
        window = torch.hann_window(self.sizes[0], dtype=torch.float64)
        spectrum = torch.stft(wave.double(), *self.sizes, window, return_complex=True)
        return self.bank @ (spectrum.real**2 + spectrum.imag**2)


def resize(size):
    """Return torchvision.transforms.Resize without antialiasing."""
    interpolate = torch.nn.functional.interpolate
    return lambda mel: interpolate(mel[None], size, mode="bilinear", align_corners=False)[0]


def to_decibels(top_db):
    """Return torchaudio.transforms.AmplitudeToDB of powers."""
    if top_db is not None:
        raise ValueError(f"Expected None for top_db but received {top_db}")
    return lambda mel: (10 * mel.clamp_min(1e-10).log10()).float()


def laion():
    """Return functions of laion_clap's loader, which cannot be imported without its libraries."""
    path = Path(distribution("laion_clap").locate_file("laion_clap/training/data.py"))
    tree = ast.parse(path.read_text())
    tree.body = [node for node in tree.body if getattr(node, "name", None) in FUNCTIONS]
    transforms = SimpleNamespace(MelSpectrogram=MelSpectrogram, AmplitudeToDB=to_decibels)
    names = {
        "np": np,
        "torch": torch,
        "F": torch.nn.functional,
        "suppress": suppress,
        "torchaudio": SimpleNamespace(transforms=transforms),
        "torchvision": SimpleNamespace(transforms=SimpleNamespace(Resize=resize)),
    }
    exec(compile(tree, str(path), "exec"), names)
    return SimpleNamespace(**{name: names[name] for name in FUNCTIONS})


def laion_features(code, truncation, filling, count):
    """Return features [1 or 4, 1001, 64] and the flag of one clip."""
    wave = code.int16_to_float32_torch(code.float32_to_int16_torch(torch.from_numpy(signal(count))))
    sample = code.get_audio_features({}, wave, MAX_LENGTH, truncation, filling, AUDIO_CONFIG)
    longer = bool(sample["longer"][0])
    if truncation == "fusion":
        return sample["mel_fusion"], longer
    return torchlibrosa_db(sample["waveform"])[None], longer


def transformers_features(truncation, padding, wave):
    """Return features [1 or 4, 1001, 64] and the flag of a lone clip."""
    extractor = ClapFeatureExtractor(frequency_min=50, truncation=truncation, padding=padding)
    result = extractor(wave, sampling_rate=RATE, return_tensors="np")
    return result["input_features"][0], bool(result["is_longer"][0][0])


def signal(count):
    """Return noise that exceeds the range of 16-bit integers now and then."""
    return noise(count, 1) * np.float32(2.5)


def tone(count):
    """Return a sine of 440 Hz, beside which most bins are silent."""
    return (0.5 * np.sin(2 * np.pi * 440 * np.arange(count) / RATE)).astype(np.float32)


def digest(features):
    """Return some frames and bins of every channel, and the norm of each channel."""
    features = torch.as_tensor(np.asarray(features)).double()
    return features[:, 3::83, 1::7].flatten(1), features.flatten(1).norm(dim=1)


def fixed_choices():
    """Replace NumPy's random choices."""
    return (
        mock.patch("numpy.random.randint", lambda low, high: low),
        mock.patch("numpy.random.choice", lambda values: values[len(values) // 2]),
    )


def cases():
    """List truncation, filling and length of all cases."""
    counts = [round(RATE * seconds) for seconds in SECONDS] + list(LENGTHS)
    short = [(mode, filling, 14400) for mode in MODES for filling in ("repeat", "pad")]
    return [(mode, "repeatpad", count) for mode in MODES for count in counts] + short


def make():
    """Write `clap-features.safetensors` and `clap-tone.safetensors`."""
    tones = {}
    for mode in MODES:
        features, _ = transformers_features(mode, "repeatpad", tone(MAX_LENGTH))
        tones[f"output.{mode}"], tones[f"norm.{mode}"] = digest(features)
    write("clap-tone", tones, AUDIO_CONFIG)
    code = laion()
    tensors = {}
    randint, choice = fixed_choices()
    with randint, choice:
        for mode, filling, count in cases():
            for name, (features, longer) in {
                "transformers": transformers_features(mode, filling, signal(count)),
                "laion": laion_features(code, mode, filling, count),
            }.items():
                case = f"{name}.{mode}.{filling}.{count}"
                tensors[f"output.{case}"], tensors[f"norm.{case}"] = digest(features)
                tensors[f"longer.{case}"] = torch.tensor([int(longer)])
    write("clap-features", tensors, AUDIO_CONFIG)
