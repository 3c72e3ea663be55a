"""Compute mel spectrograms with librosa or PyTorch, on behalf of mel.ts.

One JSON request per line on standard input, one JSON reply per line on standard output: `load`,
`run`, `peak` and `output`. Ran with torch 2.13.0 (CPU), librosa 0.11.0, numpy 2.4.6.
"""

import json
import os
import sys
import time
from pathlib import Path

import librosa
import numpy as np
import torch

FLOOR = 1e-10


def status_bytes(field):
    """Return a size field of /proc/self/status in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    raise KeyError(field)


class Librosa:
    """librosa.feature.melspectrogram and power_to_db."""

    def __init__(self, task):
        self.settings = {
            "sr": task["sampleRate"],
            "n_fft": task["fftSize"],
            "hop_length": task["hopSamples"],
            "n_mels": task["melBins"],
            "fmin": task["fMin"],
            "fmax": task["fMax"],
            "pad_mode": "reflect",
        }

    def __call__(self, wave):
        mel = librosa.feature.melspectrogram(y=wave, power=2.0, **self.settings)
        return librosa.power_to_db(mel, amin=FLOOR, top_db=None).T


class Torch:
    """torch.stft and a dense filter bank."""

    def __init__(self, task):
        torch.set_num_threads(task["threads"])
        size = task["fftSize"]
        self.sizes = (size, task["hopSamples"], size, torch.hann_window(size))
        bank = librosa.filters.mel(
            sr=task["sampleRate"],
            n_fft=size,
            n_mels=task["melBins"],
            fmin=task["fMin"],
            fmax=task["fMax"],
        )
        self.bank = torch.from_numpy(bank)

    @torch.no_grad()
    def __call__(self, wave):
        spectrum = torch.stft(torch.from_numpy(wave), *self.sizes, return_complex=True)
        power = torch.view_as_real(spectrum).square().sum(-1)
        return (self.bank @ power).clamp_(min=FLOOR).log10_().mul_(10).T.contiguous().numpy()


class Peer:
    """One of them, with a wave."""

    def __init__(self, task):
        self.compute = {"librosa": Librosa, "torch": Torch}[task["peer"]](task)
        block = np.fromfile(task["file"], dtype=np.float32)
        self.wave = np.tile(block, task["blocks"])

    def run(self, samples):
        """Compute all clips of so many samples; return the seconds."""
        wall, cpu = time.perf_counter(), time.process_time()
        for start in range(0, len(self.wave), samples):
            self.compute(self.wave[start : start + samples])
        return {
            "wallSeconds": time.perf_counter() - wall,
            "cpuSeconds": time.process_time() - cpu,
        }

    def peak(self, samples):
        """Return the growth of resident memory at its peak in such a run."""
        Path("/proc/self/clear_refs").write_text("5")
        before = status_bytes("VmRSS")
        self.run(samples)
        return {"bytes": status_bytes("VmHWM") - before}

    def output(self, samples, path):
        """Write what the first clip gives."""
        self.compute(self.wave[:samples]).tofile(path)
        return {}


def serve(requests, replies):
    """Answer requests until there are no more."""
    peer = None
    for line in requests:
        request = json.loads(line)
        action = request.pop("do")
        try:
            if action == "load":
                peer = Peer(**request)
                reply = {"librosa": librosa.__version__, "torch": torch.__version__}
            else:
                reply = getattr(peer, action)(**request)
        except Exception as error:
            reply = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(reply), file=replies, flush=True)


if __name__ == "__main__":
    # Libraries may print; only replies go to the pipe of standard output.
    pipe = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    serve(sys.stdin, pipe)
