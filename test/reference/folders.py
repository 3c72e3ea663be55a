"""Tiny MusicLDM and AudioLDM checkpoint folders in the published diffusers layout.

Ran with torch 2.13.0 (CPU), diffusers 0.42.1, transformers 5.23.0.
"""

import json
import shutil

import torch
from diffusers import (
    AudioLDMPipeline,
    AutoencoderKL,
    DDIMScheduler,
    MusicLDMPipeline,
    UNet2DConditionModel,
)
from transformers import (
    ClapConfig,
    ClapFeatureExtractor,
    ClapModel,
    ClapTextConfig,
    ClapTextModelWithProjection,
    RobertaTokenizer,
    SpeechT5HifiGan,
    SpeechT5HifiGanConfig,
)

from common import GOLDENS, randomise
from networks import unet_config
from text import TINY_AUDIO
from tokenizer import write_tokenizer

WIDTH = 64  # of the embedding; negative prompts are cut at this many tokens by the pipelines

# Gain of the vocoder weights: most of a waveform of these tiny generators lies within +-0.5.
VOCODER_GAIN = {"musicldm": 1.25, "audioldm": 1.15}

SCHEDULER = {
    "beta_start": 0.0015,
    "beta_end": 0.0195,
    "beta_schedule": "scaled_linear",
    "num_train_timesteps": 1000,
    "clip_sample": False,
    "set_alpha_to_one": False,
    "steps_offset": 1,
    "prediction_type": "epsilon",
    "timestep_spacing": "leading",
    "thresholding": False,
    "rescale_betas_zero_snr": False,
}

UNETS = {
    "musicldm": unet_config(
        [8, 8, 12, 16],
        [False, True, True, True],
        layers_per_block=2,
        norm_num_groups=4,
        attention_head_dim=4,
        projection_class_embeddings_input_dim=WIDTH,
        sample_size=16,
    ),
    "audioldm": unet_config(
        [8, 16, 24],
        [False, True, True],
        layers_per_block=1,
        norm_num_groups=4,
        attention_head_dim=8,
        projection_class_embeddings_input_dim=WIDTH,
        sample_size=16,
    ),
}


def text_config(vocabulary, eps):
    """A two-layer RoBERTa with the full range of positions."""
    return {
        "vocab_size": vocabulary,
        "hidden_size": 24,
        "num_hidden_layers": 2,
        "num_attention_heads": 3,
        "intermediate_size": 40,
        "max_position_embeddings": 514,
        "projection_dim": WIDTH,
        "layer_norm_eps": eps,
    }


def build_text(name, vocabulary, seed):
    """MusicLDM holds a whole ClapModel, AudioLDM the text tower alone."""
    if name == "audioldm":
        config = ClapTextConfig(**text_config(vocabulary, 1e-12))
        return randomise(ClapTextModelWithProjection(config), seed)
    audio = {**TINY_AUDIO, "projection_dim": WIDTH}
    text = text_config(vocabulary, 1e-5)
    config = ClapConfig(text_config=text, audio_config=audio, projection_dim=WIDTH)
    return randomise(ClapModel(config), seed)


def build_unet(name, seed):
    """Random UNet that leans towards its input and feels its condition.

    Identity paths (conv_in, the skip half of the last shortcut, conv_out behind a shifted silu)
    keep sampling in range; stronger embeddings let time and prompt change the prediction by
    a tenth of its size.
    """
    unet = randomise(UNet2DConditionModel(**UNETS[name]), seed)
    channels = unet.config.in_channels
    identity = torch.eye(channels)
    with torch.no_grad():
        unet.class_embedding.weight.mul_(8)
        unet.time_embedding.linear_2.weight.mul_(4)
        unet.conv_in.weight[:, :, 1, 1] += identity
        unet.up_blocks[-1].resnets[-1].conv_shortcut.weight[:, channels:, 0, 0] += 2 * identity
        unet.conv_norm_out.bias += 2
        unet.conv_out.weight.mul_(0.4)
        unet.conv_out.weight[:, :, 1, 1] += identity
        unet.conv_out.bias -= 2 * unet.conv_out.weight.sum((1, 2, 3))
    return unet


def build_vae(seed):
    """Three levels, factor 4 in both axes; decoded values have the range of log-mels."""
    fields = {
        "down_block_types": ["DownEncoderBlock2D"] * 3,
        "up_block_types": ["UpDecoderBlock2D"] * 3,
        "block_out_channels": [8, 12, 16],
        "layers_per_block": 2,
        "latent_channels": 8,
        "norm_num_groups": 4,
        "sample_size": 64,
        "scaling_factor": 1.075324296951294,
    }
    vae = randomise(AutoencoderKL(in_channels=1, out_channels=1, **fields), seed)
    with torch.no_grad():
        vae.decoder.conv_out.weight.mul_(4)
        vae.decoder.conv_out.bias.fill_(-4)
    return vae


def build_vocoder(name, seed):
    """160 samples a frame at 16 kHz."""
    config = SpeechT5HifiGanConfig(
        model_in_dim=64,
        upsample_initial_channel=32,
        upsample_rates=[5, 4, 2, 2, 2],
        upsample_kernel_sizes=[16, 16, 8, 4, 4],
        resblock_kernel_sizes=[3, 7, 11],
        resblock_dilation_sizes=[[1, 3, 5]] * 3,
        sampling_rate=16000,
        normalize_before=False,
    )
    vocoder = randomise(SpeechT5HifiGan(config), seed, VOCODER_GAIN[name])
    with torch.no_grad():
        vocoder.conv_post.bias.fill_(0.02)
    return vocoder


def build_extractor():
    """The unfused CLAP front end as published."""
    return ClapFeatureExtractor(
        feature_size=64,
        sampling_rate=48000,
        hop_length=480,
        fft_window_size=1024,
        frequency_min=50,
        frequency_max=14000,
        truncation="rand_trunc",
        padding="repeatpad",
    )


def write_folder(name, seed):
    """Write `<name>-tiny` and return its path."""
    folder = GOLDENS / f"{name}-tiny"
    shutil.rmtree(folder, ignore_errors=True)
    vocabulary = write_tokenizer(folder / "tokenizer", with_fast_file=False)
    parts = {
        "vae": build_vae(seed),
        "text_encoder": build_text(name, vocabulary, seed + 1),
        "tokenizer": RobertaTokenizer.from_pretrained(folder / "tokenizer"),
        "unet": build_unet(name, seed + 2),
        "scheduler": DDIMScheduler(**SCHEDULER),
        "vocoder": build_vocoder(name, seed + 3),
    }
    if name == "musicldm":
        MusicLDMPipeline(**parts, feature_extractor=build_extractor()).save_pretrained(folder)
    else:
        AudioLDMPipeline(**parts).save_pretrained(folder)
    shutil.rmtree(folder / "tokenizer")
    write_tokenizer(folder / "tokenizer", with_fast_file=name == "musicldm")
    return folder


def load_folder(folder):
    """Load a tiny folder with its published pipeline class."""
    index = json.loads((folder / "model_index.json").read_text())
    kind = {"MusicLDMPipeline": MusicLDMPipeline, "AudioLDMPipeline": AudioLDMPipeline}
    pipeline = kind[index["_class_name"]].from_pretrained(folder)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline
