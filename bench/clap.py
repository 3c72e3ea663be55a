"""transformers' CLAP from waveform to embedding for clap.ts: `run` and `output`, a line each."""

import json
import sys
import time

import numpy as np
import torch
from transformers import ClapFeatureExtractor, ClapModel


def make_clips(count):
    """Make the clips of clap.ts: tones that rise with the number of the clip."""
    time_steps = np.arange(480_000, dtype=np.float64) * (2 * np.pi / 48_000)
    return [
        (0.5 * np.sin((200 + 100 * clip) * time_steps)).astype(np.float32) for clip in range(count)
    ]


def main(folder, threads, count):
    """Answer every line of standard input."""
    torch.set_num_threads(int(threads))
    model = ClapModel.from_pretrained(folder).eval()
    extractor = ClapFeatureExtractor.from_pretrained(folder)
    clips = make_clips(int(count))
    with torch.inference_mode():
        for line in sys.stdin:
            start, start_cpu = time.perf_counter(), time.process_time()
            features = extractor(clips, sampling_rate=48_000, return_tensors="pt")
            output = model.get_audio_features(**features).pooler_output
            embeds = torch.nn.functional.normalize(output, dim=-1)
            reply = {
                "wallSeconds": time.perf_counter() - start,
                "cpuSeconds": time.process_time() - start_cpu,
            }
            if line.strip() == "output":
                reply = embeds[0].tolist()
            print(json.dumps(reply), flush=True)


main(*sys.argv[1:])
