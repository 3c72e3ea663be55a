"""Goldens of spectra: torch.stft, librosa, torchlibrosa, and VGGish's formulas restated.

Ran with torch 2.13.0 (CPU), librosa 0.11.0, torchlibrosa 0.1.0, transformers 5.23.0. Signals come
from integers, so that tests make the same ones. Everything is computed in float64, so that the
goldens carry no rounding of their own but that of torchlibrosa's float32 weights.
"""

import librosa
import numpy as np
import torch
from torchlibrosa.stft import LogmelFilterBank, Spectrogram
from transformers.audio_utils import mel_filter_bank

from common import write

# name -> batch, samples, and arguments of torch.stft
STFT_CASES = {
    "centred": (3, 501, {"n_fft": 64, "hop": 16, "win": 64, "window": "hann"}),
    "odd": (1, 487, {"n_fft": 45, "hop": 11, "win": 45, "window": "hamming"}),
    "prime": (2, 300, {"n_fft": 74, "hop": 20, "win": 51, "window": "blackman"}),
    "short-window": (1, 400, {"n_fft": 100, "hop": 25, "win": 60, "window": "hann"}),
    "zeros": (1, 333, {"n_fft": 96, "hop": 24, "win": 96, "window": "hann", "mode": "constant"}),
    "rectangular": (1, 333, {"n_fft": 30, "hop": 30, "win": 30, "window": "rectangular"}),
    "uncentred": (1, 400, {"n_fft": 64, "hop": 16, "win": 64, "window": "hann", "center": False}),
}
WINDOWS = {
    "hann": torch.hann_window,
    "hamming": torch.hamming_window,
    "blackman": torch.blackman_window,
    "rectangular": lambda size, dtype: torch.ones(size, dtype=dtype),
}
# name -> samples, and arguments of librosa.feature.melspectrogram
MEL_CASES = {
    "clap": (24000, {"sr": 48000, "hop_length": 480, "fmin": 50, "fmax": 14000}),
    "clap-fused": (
        24000,
        {"sr": 48000, "hop_length": 480, "fmin": 50, "fmax": 14000, "htk": True, "norm": None},
    ),
    "cnn14-16k": (8000, {"sr": 16000, "n_fft": 512, "hop_length": 160, "fmin": 50, "fmax": 8000}),
    "cnn14-32k": (16000, {"sr": 32000, "hop_length": 320, "fmin": 50, "fmax": 14000}),
    "win-1536": (20001, {"sr": 48000, "n_fft": 1536, "hop_length": 480, "fmin": 50, "fmax": 14000}),
    "many": (9000, {"sr": 22050, "n_fft": 2000, "hop_length": 441, "n_mels": 229, "fmin": 30}),
    "short-window": (8000, {"sr": 16000, "n_fft": 480, "win_length": 400, "hop_length": 160}),
    "area-htk": (8001, {"sr": 16000, "n_fft": 600, "hop_length": 150, "htk": True}),
    "factor-7": (8000, {"sr": 16000, "n_fft": 448, "hop_length": 160, "n_mels": 40}),
}


def noise(count, seed):
    """Hash 0, 1, … to float32 in ±0.5, fading in over and over (murmur3's finaliser)."""
    n = np.arange(count, dtype=np.uint32)
    h = n + np.uint32(seed * 0x9E3779B1 % 2**32)
    h ^= h >> np.uint32(16)
    h *= np.uint32(0x85EBCA6B)
    h ^= h >> np.uint32(13)
    h *= np.uint32(0xC2B2AE35)
    h ^= h >> np.uint32(16)
    unit = (h >> np.uint32(8)).astype(np.float64) / 2**24 - 0.5
    return (unit * ((n % 4801) / 4800)).astype(np.float32)


def batch(items, count):
    """Stack noise of seeds 1, 2, …"""
    return torch.from_numpy(np.stack([noise(count, 1 + i) for i in range(items)]))


def stft(wave, case):
    """Return real and imaginary parts, float64."""
    window = WINDOWS[case["window"]](case["win"], dtype=torch.float64)
    spectrum = torch.stft(
        wave.double(),
        case["n_fft"],
        case["hop"],
        case["win"],
        window,
        center=case.get("center", True),
        pad_mode=case.get("mode", "reflect"),
        return_complex=True,
    )
    return torch.view_as_real(spectrum)


def librosa_db(count, case):
    """Return librosa's power mel spectrogram of noise in decibels, time first."""
    case = {"n_fft": 1024, "n_mels": 64, **case}
    mel = librosa.feature.melspectrogram(y=noise(count, 1).astype(np.float64), **mode(case))
    return torch.from_numpy(librosa.power_to_db(mel, amin=1e-10, top_db=None).T)


def mode(case):
    """Centre with reflection; librosa's default is zeros."""
    return {"power": 2.0, "center": True, "pad_mode": "reflect", **case}


def amplitude_db(count):
    """Return librosa's magnitudes in decibels."""
    mel = librosa.feature.melspectrogram(
        y=noise(count, 1).astype(np.float64), sr=16000, n_fft=512, hop_length=128, n_mels=32,
        power=1.0, pad_mode="reflect",
    )  # fmt: skip
    return torch.from_numpy(librosa.amplitude_to_db(mel, amin=1e-5, top_db=None).T)


def torchlibrosa_db(wave):
    """Return what laion_clap's non-fused model makes of a wave [T] (htsat.py)."""
    spectrogram = Spectrogram(n_fft=1024, hop_length=480, win_length=1024).double()
    filters = LogmelFilterBank(
        sr=48000, n_fft=1024, n_mels=64, fmin=50, fmax=14000, amin=1e-10, top_db=None
    ).double()
    with torch.no_grad():
        return filters(spectrogram(wave.double()[None]))[0, 0]


def vggish(count):
    """Restate mel_features.log_mel_spectrogram of torchvggish with its vggish_params."""
    wave = noise(count, 1).astype(np.float64)
    frames = np.lib.stride_tricks.sliding_window_view(wave, 400)[::160]
    window = 0.5 - 0.5 * np.cos(2 * np.pi / 400 * np.arange(400))
    magnitudes = np.abs(np.fft.rfft(frames * window, 512))
    mel = 1127 * np.log(1 + np.linspace(0, 8000, 257) / 700)
    low, high = 1127 * np.log(1 + np.array([125, 7500]) / 700)
    edges = np.linspace(low, high, 66)
    bank = np.empty((257, 64))
    for i in range(64):
        start, middle, end = edges[i : i + 3]
        bank[:, i] = np.maximum(
            0, np.minimum((mel - start) / (middle - start), (end - mel) / (end - middle))
        )
    bank[0] = 0
    return torch.from_numpy(np.log(magnitudes @ bank + 0.01))


def bank_check(**settings):
    """Return the sums of filters, and their products with noise."""
    bank = mel_filter_bank(513, 64, 50, 14000, 48000, **settings)
    return torch.from_numpy(np.stack([bank.sum(0), noise(513, 3).astype(np.float64) @ bank]))


def make():
    """Write `spectra.safetensors`."""
    tensors = {}
    for name, (items, count, case) in STFT_CASES.items():
        tensors[f"output.stft.{name}"] = stft(batch(items, count), case)
    for name, (count, case) in MEL_CASES.items():
        tensors[f"output.mel.{name}"] = librosa_db(count, case)
    tensors["output.mel.amplitude"] = amplitude_db(6000)
    tensors["output.mel.torchlibrosa"] = torchlibrosa_db(batch(1, 24000)[0])
    tensors["output.mel.vggish"] = vggish(8000)
    tensors["output.bank.slaney"] = bank_check(norm="slaney", mel_scale="slaney")
    tensors["output.bank.htk"] = bank_check(norm=None, mel_scale="htk")
    write("spectra", tensors, {}, librosa=librosa.__version__)
