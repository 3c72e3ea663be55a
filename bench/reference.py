"""Time the reference implementation, on behalf of main.ts.

One JSON request per line on standard input, one JSON reply per line on standard output: `load`,
`run`, `output` and `peak`. Nothing is computed between requests.
Ran with torch 2.13.0 (CPU), diffusers 0.42.1, transformers 5.23.0, safetensors 0.8.0.
"""

import gc
import json
import os
import sys
import time
from importlib import metadata
from pathlib import Path

import diffusers
import torch
import transformers
from safetensors.torch import load_file, save_file

TIMESTEP = 501


def status_bytes(field):
    """Return a size field of /proc/self/status in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    raise KeyError(field)


class Reference:
    """The networks of a folder under PyTorch eager, and what the pipeline does with them."""

    def __init__(self, task, inputs, threads):
        torch.set_num_threads(threads)
        folder = Path(task["folder"])
        self.task = task
        self.inputs = load_file(inputs)
        self.unet = diffusers.UNet2DConditionModel.from_pretrained(folder / "unet")
        self.vae = diffusers.AutoencoderKL.from_pretrained(folder / "vae")
        self.vocoder = transformers.SpeechT5HifiGan.from_pretrained(folder / "vocoder")
        self.text = transformers.ClapTextModelWithProjection.from_pretrained(
            folder / "text_encoder", **text_config(folder)
        )
        self.scheduler = json.loads((folder / "scheduler/scheduler_config.json").read_text())
        self.outputs = {}
        for network in self.networks():
            network.eval()

    def networks(self):
        """Return every module that has weights."""
        return [self.text, self.unet, self.vae, self.vocoder]

    def forward(self, stage, steps):
        """Run a stage once."""
        given = self.inputs
        if stage == "text":
            return self.text(given["ids"]).text_embeds
        if stage == "unet":
            return self.denoise(torch.cat([given["latents"]] * 2), TIMESTEP, given["labels"])
        if stage == "vae":
            return self.vae.decode(given["latents"]).sample
        if stage == "vocoder":
            return self.vocoder(given["mel"])
        return self.generate(steps)

    def denoise(self, latents, timestep, labels):
        """Run the UNet."""
        return self.unet(latents, timestep, encoder_hidden_states=None, class_labels=labels).sample

    def embed(self, ids):
        """Return the unit-norm embedding of one text."""
        return torch.nn.functional.normalize(self.text(ids).text_embeds, dim=-1)

    def generate(self, steps):
        """Do what MusicLDMPipeline does, with the scheduler of the task."""
        kind, options = self.task["scheduler"]["name"], self.task["scheduler"]["options"]
        scheduler = getattr(diffusers, kind).from_config(self.scheduler, **options)
        scheduler.set_timesteps(steps)
        labels = torch.cat([self.embed(self.inputs[name]) for name in ("emptyIds", "ids")])
        state = self.inputs["latents"] * scheduler.init_noise_sigma
        for timestep in scheduler.timesteps:
            twice = scheduler.scale_model_input(torch.cat([state] * 2), timestep)
            free, guided = self.denoise(twice, timestep, labels).chunk(2)
            noise = free + self.task["guidanceScale"] * (guided - free)
            state = scheduler.step(noise, timestep, state).prev_sample
        mel = self.vae.decode(state / self.vae.config.scaling_factor).sample
        return self.vocoder(mel.squeeze(1))

    def run(self, stage, repeats, steps):
        """Time a stage; return the mean of the repeats."""
        wall, cpu = time.perf_counter(), time.process_time()
        for _ in range(repeats):
            self.outputs[stage] = self.forward(stage, steps)
        return {
            "wallSeconds": (time.perf_counter() - wall) / repeats,
            "cpuSeconds": (time.process_time() - cpu) / repeats,
        }

    def output(self, stage, path):
        """Write what the last run of a stage returned."""
        save_file({"output": self.outputs[stage].contiguous()}, path)
        return {}

    def peak(self, steps):
        """Generate once; return the peak of resident memory, and what was there before."""
        weights = 0
        for network in self.networks():
            for tensor in (*network.parameters(), *network.buffers()):
                # A copy of its own is resident before the run; a mapped file need not be.
                tensor.data = tensor.data.clone()
                weights += tensor.nbytes
        gc.collect()
        Path("/proc/self/clear_refs").write_text("5")
        loaded = status_bytes("VmRSS")
        self.generate(steps)
        return {"peakBytes": status_bytes("VmHWM"), "loadedBytes": loaded, "weightBytes": weights}


def text_config(folder):
    """Return the text half of a whole ClapModel's configuration, where the folder has that."""
    config = transformers.AutoConfig.from_pretrained(folder / "text_encoder")
    if not hasattr(config, "text_config"):
        return {}
    config.text_config.projection_dim = config.projection_dim
    return {"config": config.text_config}


def versions():
    """Return the versions of what is timed."""
    return {name: metadata.version(name) for name in ("torch", "diffusers", "transformers")}


def serve(requests, replies):
    """Answer requests until there are no more."""
    reference = None
    for line in requests:
        request = json.loads(line)
        action = request.pop("do")
        try:
            if action == "load":
                reference = Reference(**request)
                reply = versions()
            else:
                reply = getattr(reference, action)(**request)
        except Exception as error:
            reply = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(reply), file=replies, flush=True)


if __name__ == "__main__":
    # Libraries may print; only replies go to the pipe of standard output.
    pipe = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    for library in (diffusers, transformers):
        library.utils.logging.set_verbosity_error()
        library.utils.logging.disable_progress_bar()
    with torch.no_grad():
        serve(sys.stdin, pipe)
