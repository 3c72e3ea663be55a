"""Run the reference implementation, on behalf of main.ts.

One JSON request per line on standard input, one JSON reply per line on standard output: `load`,
`run`, `convolve`, `output`, `profile` and `peak`. Nothing is computed between requests.
Ran with torch 2.13.0 (CPU), diffusers 0.42.1, transformers 5.23.0, safetensors 0.8.0,
onnxruntime 1.32.0, onnx 1.23.2, onnxscript 0.7.2.
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
from networks import networks
from operators import profile
from peers import peers
from safetensors.torch import load_file, save_file

TIMESTEP = torch.tensor(501.0)


def status_bytes(field):
    """Return a size field of /proc/self/status in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    raise KeyError(field)


class Reference:
    """The networks of a folder under one peer, and what the pipeline does with them."""

    def __init__(self, task, inputs, packages):
        torch.set_num_threads(task["threads"])
        self.task = task
        self.inputs = load_file(inputs)
        self.peer = peers[task["peer"]](task)
        self.scheduler = self.config("scheduler/scheduler_config.json")
        self.versions = {name: metadata.version(name) for name in packages}
        self.outputs = {}

    def forward(self, stage, steps):
        """Run a stage once."""
        given = self.inputs
        if stage == "text":
            return self.peer.network("text")(given["ids"])
        if stage == "unet":
            return self.denoise(torch.cat([given["latents"]] * 2), TIMESTEP, given["labels"])
        if stage == "vae":
            return self.peer.network("vae")(given["latents"])
        if stage == "vocoder":
            return self.peer.network("vocoder")(given["mel"])
        if stage == "generate":
            return self.generate(self.task["scheduler"], self.embed, steps)
        return self.generate(self.task["pipelineScheduler"], self.embed_padded, steps)

    def denoise(self, latents, timestep, labels):
        """Run the UNet."""
        return self.peer.network("unet")(latents, timestep, labels)

    def embed(self, ids):
        """Return the unit-norm embedding of one text."""
        embeds = self.peer.network("text")(ids)
        return torch.nn.functional.normalize(embeds, dim=-1)

    def embed_padded(self, ids):
        """Do the same as the pipeline does: padded to the longest text."""
        config = self.config("text_encoder/config.json")
        config = config.get("text_config", config)
        pad_token = config["pad_token_id"]
        longest = config["max_position_embeddings"] - pad_token - 1
        padding = torch.full((1, longest - ids.shape[1]), pad_token)
        mask = torch.cat([torch.ones_like(ids), torch.zeros_like(padding)], dim=1)
        embeds = self.peer.network("text")(torch.cat([ids, padding], dim=1), mask)
        return torch.nn.functional.normalize(embeds, dim=-1)

    def generate(self, choice, embed, steps):
        """Do what MusicLDMPipeline does, with a scheduler of choice."""
        scheduler = getattr(diffusers, choice["name"])
        scheduler = scheduler.from_config(self.scheduler, **choice["options"])
        scheduler.set_timesteps(steps)
        labels = torch.cat([embed(self.inputs[name]) for name in ("emptyIds", "ids")])
        state = self.inputs["latents"] * scheduler.init_noise_sigma
        for timestep in scheduler.timesteps:
            twice = scheduler.scale_model_input(torch.cat([state] * 2), timestep)
            free, guided = self.denoise(twice, timestep.float(), labels).chunk(2)
            noise = free + self.task["guidanceScale"] * (guided - free)
            state = scheduler.step(noise, timestep, state).prev_sample
        scale = self.config("vae/config.json")["scaling_factor"]
        mel = self.peer.network("vae")(state / scale)
        return self.peer.network("vocoder")(mel.squeeze(1))

    def config(self, path):
        """Return a configuration of the folder."""
        return json.loads((Path(self.task["folder"]) / path).read_text())

    def run(self, stage, repeats, steps):
        """Time a stage; return the mean of the repeats."""
        return self.timed(stage, lambda: self.forward(stage, steps), repeats)

    def convolve(self, path, stride, repeats):
        """Time a convolution alone, on the tensors of a file; return the mean of the repeats."""
        given = load_file(path)
        x, weight, bias = given["x"], given["weight"], given["bias"]
        padding = weight.shape[-1] // 2
        conv2d = torch.nn.functional.conv2d
        return self.timed("convolution", lambda: conv2d(x, weight, bias, stride, padding), repeats)

    def timed(self, name, function, repeats):
        """Time a function and keep its last output; return the mean of the repeats."""
        wall, cpu = time.perf_counter(), time.process_time()
        for _ in range(repeats):
            self.outputs[name] = function()
        return {
            "wallSeconds": (time.perf_counter() - wall) / repeats,
            "cpuSeconds": (time.process_time() - cpu) / repeats,
        }

    def output(self, stage, path):
        """Write what the last run of a stage returned."""
        save_file({"output": self.outputs[stage].contiguous()}, path)
        return {}

    def profile(self, stage):
        """Return the milliseconds of a run of a stage by kind of operator."""
        return profile(lambda: self.forward(stage, 1))

    def peak(self, steps):
        """Generate once; return the peak of resident memory, and what was there before."""
        weights = 0
        for stage in networks:
            network = self.peer.network(stage)
            for tensor in (*network.parameters(), *network.buffers()):
                # A copy of its own is resident before the run; a mapped file need not be.
                tensor.data = tensor.data.clone()
                weights += tensor.nbytes
        gc.collect()
        Path("/proc/self/clear_refs").write_text("5")
        loaded = status_bytes("VmRSS")
        self.forward("generate", steps)
        return {"peakBytes": status_bytes("VmHWM"), "loadedBytes": loaded, "weightBytes": weights}


def serve(requests, replies):
    """Answer requests until there are no more."""
    reference = None
    for line in requests:
        request = json.loads(line)
        action = request.pop("do")
        try:
            if action == "load":
                reference = Reference(**request)
                reply = reference.versions
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
