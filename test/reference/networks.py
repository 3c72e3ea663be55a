"""Goldens of whole networks: UNet2DConditionModel, AutoencoderKL, SpeechT5HifiGan.

Ran with torch 2.13.0 (CPU), diffusers 0.42.1, transformers 5.23.0.
"""

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import SpeechT5HifiGan, SpeechT5HifiGanConfig

from common import normal, plain_config, randomise, weights, write

FILM = {
    "in_channels": 8,
    "out_channels": 8,
    "class_embed_type": "simple_projection",
    "class_embeddings_concat": True,
    "use_linear_projection": False,
    "flip_sin_to_cos": True,
    "freq_shift": 0,
}


def unet_config(channels, attention, **fields):
    """Build a FiLM UNet configuration; `attention` tells which levels have transformers."""
    down = ["CrossAttnDownBlock2D" if used else "DownBlock2D" for used in attention]
    up = ["CrossAttnUpBlock2D" if used else "UpBlock2D" for used in reversed(attention)]
    return {
        **FILM,
        "block_out_channels": channels,
        "cross_attention_dim": channels,
        "down_block_types": down,
        "up_block_types": up,
        **fields,
    }


UNETS = {
    "unet-musicldm": unet_config(
        [8, 16, 24],
        [False, True, True],
        layers_per_block=2,
        norm_num_groups=4,
        attention_head_dim=4,
        projection_class_embeddings_input_dim=32,
        sample_size=64,
    ),
    "unet-head-list": unet_config(
        [12, 20, 28],
        [False, True, True],
        layers_per_block=1,
        norm_num_groups=2,
        attention_head_dim=[3, 5, 7],
        projection_class_embeddings_input_dim=20,
        sample_size=32,
    ),
    "unet-audioldm": unet_config(
        [8, 8, 16, 24],
        [False, True, True, True],
        layers_per_block=1,
        norm_num_groups=8,
        attention_head_dim=8,
        projection_class_embeddings_input_dim=32,
        sample_size=128,
    ),
}

# name -> (batch, latent frames, latent bins, timestep)
UNET_CASES = {
    "square": (1, 16, 16, 501),
    "batch3": (3, 12, 16, 37),
    "frames29": (1, 29, 16, 999),
    "frames3": (2, 3, 16, 1),
    "frames1": (1, 1, 16, 0),
    "narrow": (1, 10, 5, 250),
    "fractional": (1, 8, 16, 684.3125),
    "timesteps": (2, 4, 16, [801, 12]),
}

GRADIENTS = (
    "conv_in.weight",
    "time_embedding.linear_1.weight",
    "class_embedding.weight",
    "down_blocks.0.resnets.0.norm1.weight",
    "down_blocks.1.resnets.0.time_emb_proj.weight",
    "down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q.weight",
    "down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k.weight",
    "down_blocks.1.attentions.0.transformer_blocks.0.ff.net.0.proj.bias",
    "down_blocks.0.downsamplers.0.conv.weight",
    "mid_block.attentions.0.proj_out.weight",
    "up_blocks.0.upsamplers.0.conv.weight",
    "up_blocks.1.resnets.0.conv_shortcut.weight",
    "up_blocks.1.attentions.0.norm.bias",
    "conv_norm_out.weight",
    "conv_out.weight",
    "conv_out.bias",
)


def run_unet(unet, sample, timestep, labels):
    """Predict without text states: conditioning enters through the class embedding alone."""
    return unet(sample, timestep, encoder_hidden_states=None, class_labels=labels).sample


def unet_gradients(unet, tensors):
    """Gradients of mean(output^2) of case `batch3` for a choice of parameters and the inputs."""
    sample = tensors["input.sample.batch3"].clone().requires_grad_()
    labels = tensors["input.class_labels.batch3"].clone().requires_grad_()
    unet.zero_grad()
    run_unet(unet, sample, tensors["input.timestep.batch3"], labels).square().mean().backward()
    parameters = dict(unet.named_parameters())
    grads = {f"grad.{key}": parameters[key].grad for key in GRADIENTS}
    return {**grads, "grad.input.sample": sample.grad, "grad.input.class_labels": labels.grad}


def make_unet(name, seed):
    """Write one UNet with all input cases; the MusicLDM one also carries gradients."""
    unet = randomise(UNet2DConditionModel(**UNETS[name]), seed)
    width = UNETS[name]["projection_class_embeddings_input_dim"]
    tensors = weights(unet)
    for index, (case, (batch, frames, bins, timestep)) in enumerate(UNET_CASES.items()):
        sample = normal(seed + 10 + index, batch, 8, frames, bins)
        labels = torch.nn.functional.normalize(normal(seed + 50 + index, batch, width), dim=-1)
        time = torch.tensor(timestep, dtype=torch.float32)
        with torch.no_grad():
            output = run_unet(unet, sample, time, labels)
        tensors[f"input.sample.{case}"] = sample
        tensors[f"input.timestep.{case}"] = time
        tensors[f"input.class_labels.{case}"] = labels
        tensors[f"output.sample.{case}"] = output
    if name == "unet-musicldm":
        tensors.update(unet_gradients(unet, tensors))
    write(name, tensors, plain_config(unet.config), gradient="mean(output.sample.batch3 ** 2)")


VAES = {
    "vae-latent8": {
        "block_out_channels": [8, 16, 24],
        "layers_per_block": 2,
        "latent_channels": 8,
        "norm_num_groups": 4,
        "scaling_factor": 1.075324296951294,
    },
    "vae-latent4": {
        "block_out_channels": [12, 20],
        "layers_per_block": 1,
        "latent_channels": 4,
        "norm_num_groups": 2,
        "scaling_factor": 0.9227914214134216,
    },
}

# name -> (batch, mel frames, mel bins)
VAE_CASES = {
    "frames4": (1, 4, 64),
    "frames20": (1, 20, 64),
    "frames52": (1, 52, 64),
    "batch3": (3, 12, 16),
}


def make_vae(name, seed):
    """Write one autoencoder: moments (mean, clamped logvar) of mels and decodings of latents."""
    fields = VAES[name]
    levels = len(fields["block_out_channels"])
    blocks = {
        "down_block_types": ["DownEncoderBlock2D"] * levels,
        "up_block_types": ["UpDecoderBlock2D"] * levels,
    }
    vae = randomise(AutoencoderKL(in_channels=1, out_channels=1, **blocks, **fields), seed)
    factor = 2 ** (levels - 1)
    tensors = weights(vae)
    for index, (case, (batch, frames, bins)) in enumerate(VAE_CASES.items()):
        mel = 2 * normal(seed + 10 + index, batch, 1, frames, bins) - 4
        latent_shape = (batch, fields["latent_channels"], frames // factor, bins // factor)
        latents = normal(seed + 50 + index, *latent_shape)
        with torch.no_grad():
            moments = vae.encode(mel).latent_dist
            decoded = vae.decode(latents).sample
        tensors[f"input.mel.{case}"] = mel
        tensors[f"output.mean.{case}"] = moments.mean
        tensors[f"output.logvar.{case}"] = moments.logvar
        tensors[f"input.latents.{case}"] = latents
        tensors[f"output.mel.{case}"] = decoded
    write(name, tensors, plain_config(vae.config))


VOCODERS = {
    "vocoder-16k": {
        "model_in_dim": 64,
        "upsample_initial_channel": 64,
        "upsample_rates": [5, 4, 2, 2, 2],
        "upsample_kernel_sizes": [16, 16, 8, 4, 4],
        "resblock_kernel_sizes": [3, 7, 11],
        "resblock_dilation_sizes": [[1, 3, 5]] * 3,
        "sampling_rate": 16000,
        "normalize_before": False,
    },
    "vocoder-normalised": {
        "model_in_dim": 20,
        "upsample_initial_channel": 40,
        "upsample_rates": [4, 3, 2],
        "upsample_kernel_sizes": [9, 8, 5],
        "resblock_kernel_sizes": [3, 5],
        "resblock_dilation_sizes": [[1, 2], [2, 6]],
        "sampling_rate": 22050,
        "leaky_relu_slope": 0.2,
        "normalize_before": True,
    },
}


def make_vocoder(name, seed):
    """Write one HiFi-GAN with batched [B, T, M] and single [T, M] log-mels."""
    vocoder = randomise(SpeechT5HifiGan(SpeechT5HifiGanConfig(**VOCODERS[name])), seed, 1.15)
    bins = VOCODERS[name]["model_in_dim"]
    tensors = weights(vocoder)
    shapes = {"single": (9, bins), "frame1": (1, 1, bins), "batch3": (3, 7, bins)}
    for index, (case, shape) in enumerate(shapes.items()):
        mel = normal(seed + 10 + index, *shape)
        with torch.no_grad():
            tensors[f"output.wave.{case}"] = vocoder(mel)
        tensors[f"input.mel.{case}"] = mel
    write(name, tensors, vocoder.config.to_dict())


def make():
    """Write all network goldens."""
    for index, name in enumerate(UNETS):
        make_unet(name, 1000 + 100 * index)
    for index, name in enumerate(VAES):
        make_vae(name, 2000 + 100 * index)
    for index, name in enumerate(VOCODERS):
        make_vocoder(name, 3000 + 100 * index)
