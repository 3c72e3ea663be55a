"""Goldens of whole sampling runs, made by the published pipeline classes.

Ran with torch 2.13.0 (CPU), diffusers 0.42.1, transformers 5.23.0. MusicLDMPipeline expects a
tensor from `get_text_features`, which returns an output object since transformers 5; an adapter
unwraps it. The re-ranking of candidates is left out: waveforms keep their order.
"""

import importlib
import math

import diffusers
import torch
import transformers

from common import generator, normal, write
from folders import load_folder, write_folder
from tokenizer import token_ids

PROMPT = "a relaxing jazz song with piano and drums"
SAMPLER = {"steps": 6, "guidance": 2.0}

# Fields left out: scheduler DDIMScheduler as stored in the folder, 10 steps, guidance 2,
# 0.4 seconds, eta 0, one waveform of PROMPT against the empty prompt.
CASES = {
    "ddim10": {},
    "unguided": {"guidance": 1.0},
    "negative": {"negative": "heavy metal, rain", "guidance": 3.5},
    "batch": {
        "prompt": ["techno music", "happy \U0001f600\U0001f3b5 song"],
        "negative": ["", "the drums"],
        "waveforms": 2,
        "steps": 4,
    },
    "eta1": {"eta": 1.0},
    "shortest": {"seconds": 0.04, "steps": 4},
    "truncated": {"seconds": 0.29, "steps": 4},
    "default": {"seconds": None, "steps": 3},
    "ddim50": {"steps": 50},
    "pndm": {"scheduler": "PNDMScheduler", "options": {"skip_prk_steps": True}, **SAMPLER},
    "lms": {"scheduler": "LMSDiscreteScheduler", **SAMPLER},
    "euler": {"scheduler": "EulerDiscreteScheduler", **SAMPLER},
    "euler-karras": {
        "scheduler": "EulerDiscreteScheduler",
        "options": {"use_karras_sigmas": True},
        **SAMPLER,
    },
    "euler-ancestral": {"scheduler": "EulerAncestralDiscreteScheduler", **SAMPLER},
    "heun": {"scheduler": "HeunDiscreteScheduler", **SAMPLER},
    "dpm": {"scheduler": "DPMSolverMultistepScheduler", **SAMPLER},
    "dpm25": {"scheduler": "DPMSolverMultistepScheduler", "steps": 25},
    "dpm-karras": {
        "scheduler": "DPMSolverMultistepScheduler",
        "options": {"use_karras_sigmas": True},
        **SAMPLER,
    },
    "dpm-sde": {
        "scheduler": "DPMSolverMultistepScheduler",
        "options": {"algorithm_type": "sde-dpmsolver++"},
        **SAMPLER,
    },
    "unipc": {"scheduler": "UniPCMultistepScheduler", **SAMPLER},
}
AUDIOLDM_CASES = ("ddim10", "unguided", "negative", "batch", "truncated", "euler", "dpm25")
DEFAULTS = {
    "prompt": PROMPT,
    "negative": None,
    "steps": 10,
    "guidance": 2.0,
    "seconds": 0.4,
    "eta": 0.0,
    "waveforms": 1,
    "scheduler": "DDIMScheduler",
    "options": {},
}


class NoiseRecorder:
    """Replace a scheduler module's `randn_tensor` and keep what it draws."""

    def __init__(self, scheduler, seed):
        self.module = importlib.import_module(type(scheduler).__module__)
        self.original = getattr(self.module, "randn_tensor", None)
        self.source = generator(seed)
        self.draws = []

    def draw(self, shape, **_):
        """Draw float32 noise of a generator of its own."""
        self.draws.append(torch.randn(tuple(shape), generator=self.source))
        return self.draws[-1]

    def __enter__(self):
        if self.original is not None:
            self.module.randn_tensor = self.draw
        return self

    def __exit__(self, *_):
        if self.original is not None:
            self.module.randn_tensor = self.original


def adapt(pipeline):
    """Let `get_text_features` return the embedding itself; keep candidates in their order."""
    encoder = pipeline.text_encoder
    if hasattr(encoder, "get_text_features"):
        published = encoder.get_text_features
        encoder.get_text_features = lambda *args, **named: published(*args, **named).pooler_output
        pipeline.score_waveforms = lambda audio, **_: audio
    return pipeline


def latent_frames(pipeline, seconds):
    """Return the latent frames the pipeline will ask for, by its own arithmetic."""
    config = pipeline.vocoder.config
    factor = math.prod(config.upsample_rates) / config.sampling_rate
    if seconds is None:
        seconds = pipeline.unet.config.sample_size * pipeline.vae_scale_factor * factor
    return -(-int(seconds / factor) // pipeline.vae_scale_factor)


def check_wave(uncut, wave, name):
    """Make sure that the stored mel is the one the pipeline has vocoded."""
    error = (uncut[:, : wave.shape[1]] - wave).abs().max().item()
    if error > 1e-6:
        raise ValueError(f"{name}: mel and waveform differ by {error}")


def sample(pipeline, case, unit_noise):
    """Run the published pipeline; return its last latents and its waveforms."""
    latents = []
    result = pipeline(
        prompt=case["prompt"],
        negative_prompt=case["negative"],
        audio_length_in_s=case["seconds"],
        num_inference_steps=case["steps"],
        guidance_scale=case["guidance"],
        num_waveforms_per_prompt=case["waveforms"],
        eta=case["eta"],
        latents=unit_noise,
        output_type="pt",
        callback=lambda step, timestep, value: latents.append(value),
    )
    return latents[-1], result.audios


def run_case(pipeline, config, name, seed):
    """Run one case; return its tensors."""
    case = {**DEFAULTS, **CASES[name]}
    scheduler = getattr(diffusers, case["scheduler"])
    pipeline.scheduler = scheduler.from_config(config, **case["options"])
    prompts = case["prompt"] if isinstance(case["prompt"], list) else [case["prompt"]]
    frames = latent_frames(pipeline, case["seconds"])
    unit_noise = normal(seed, len(prompts) * case["waveforms"], 8, frames, 16)
    with NoiseRecorder(pipeline.scheduler, seed + 1) as recorder:
        latents, wave = sample(pipeline, case, unit_noise.clone())
    mel = pipeline.vae.decode(1 / pipeline.vae.config.scaling_factor * latents).sample
    check_wave(pipeline.mel_spectrogram_to_waveform(mel), wave, name)
    tensors = {
        f"input.latents.{name}": unit_noise,
        f"output.latents.{name}": latents,
        f"output.mel.{name}": mel,
        f"output.wave.{name}": wave,
    }
    if recorder.draws:
        tensors[f"input.noise.{name}"] = torch.stack(recorder.draws)
    timesteps = pipeline.scheduler.timesteps.tolist()
    return tensors, {**case, "seed": seed + 1, "timesteps": timesteps}


def embeddings(pipeline, rows):
    """Embed each prompt by the pipeline's own encoder (padded to 512 tokens, unit length)."""
    return pipeline._encode_prompt([row["text"] for row in rows], "cpu", 1, False)


def make_pipeline(name, seed, cases):
    """Write a tiny folder and the golden of its runs."""
    pipeline = adapt(load_folder(write_folder(name, seed)))
    config = dict(pipeline.scheduler.config)
    rows = token_ids(pipeline.tokenizer)
    tensors = {"output.embeddings": embeddings(pipeline, rows)}
    records = {}
    for index, case in enumerate(cases):
        result, records[case] = run_case(pipeline, config, case, seed + 100 + 2 * index)
        tensors.update(result)
    folder = f"{name}-tiny"
    write(f"pipeline-{name}", tensors, config, folder=folder, cases=records, prompts=rows)


def make():
    """Write both folders and both pipeline goldens."""
    for library in (diffusers, transformers):
        library.utils.logging.set_verbosity_error()
        library.utils.logging.disable_progress_bar()
    with torch.no_grad():
        make_pipeline("musicldm", 6000, tuple(CASES))
        make_pipeline("audioldm", 7000, AUDIOLDM_CASES)
