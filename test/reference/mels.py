"""Goldens of the 16 kHz log-mel front ends: A (reflect 512) and B (reflect 432).

Ran with torch 2.13.0 (CPU), librosa 0.11.0. The spectra are computed in float64, so that the
goldens carry no rounding of their own; the filter bank is librosa's float32 one.
"""

import librosa
import torch

from common import normal, write

SETTINGS = {
    "sample_rate": 16000,
    "n_fft": 1024,
    "win_length": 1024,
    "hop_length": 160,
    "n_mels": 64,
    "fmin": 0,
    "fmax": 8000,
    "floor": 1e-5,
}
# name -> (reflect padding, eps under the square root)
VARIANTS = {"tacotron": (512, 0.0), "audioldm": (432, 0.0), "hifigan": (432, 1e-9)}


def log_mel(wave, bank, padding, eps):
    """Compute [B, samples] -> [B, frames, 64]: natural log of mel magnitudes, floor 1e-5."""
    padded = torch.nn.functional.pad(wave.double()[:, None], (padding, padding), mode="reflect")
    window = torch.hann_window(1024, periodic=True, dtype=torch.float64)
    spectrum = torch.stft(padded[:, 0], 1024, 160, 1024, window, center=False, return_complex=True)
    magnitude = torch.sqrt(spectrum.real**2 + spectrum.imag**2 + eps)
    mel = bank.double() @ magnitude
    return mel.clamp(min=SETTINGS["floor"]).log().transpose(1, 2)


def waves():
    """Noise of odd length in a batch, a sine of 440 Hz, and a decaying sweep with silence."""
    index = torch.arange(8192, dtype=torch.float64)
    sine = 0.5 * torch.sin(2 * torch.pi * 440 * index / 16000)
    sweep = 0.4 * torch.sin(1e-4 * index**2) * torch.exp(-index / 900)
    sweep[6000:] = 0
    noise = (0.2 * normal(5000, 3, 5003)).clamp(-1, 1)
    return {"noise": noise, "sine": sine[None].float(), "sweep": sweep[None, :7001].float()}


def make():
    """Write `mel-front-end.safetensors`."""
    bank = librosa.filters.mel(sr=16000, n_fft=1024, n_mels=64, fmin=0, fmax=8000)
    bank = torch.from_numpy(bank)
    tensors = {"output.filter_bank": bank}
    for case, wave in waves().items():
        tensors[f"input.wave.{case}"] = wave
        for variant, (padding, eps) in VARIANTS.items():
            tensors[f"output.log_mel.{variant}.{case}"] = log_mel(wave, bank, padding, eps)
    write("mel-front-end", tensors, SETTINGS, librosa=librosa.__version__, variants=VARIANTS)
