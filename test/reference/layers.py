"""Goldens of single layers of the UNet, the VAE and HiFi-GAN.

Ran with torch 2.13.0 (CPU), diffusers 0.42.1, transformers 5.23.0.
"""

import torch
from diffusers.models.downsampling import Downsample2D
from diffusers.models.embeddings import TimestepEmbedding, Timesteps
from diffusers.models.resnet import ResnetBlock2D
from diffusers.models.transformers.transformer_2d import Transformer2DModel
from diffusers.models.unets.unet_2d_blocks import UNetMidBlock2D
from diffusers.models.upsampling import Upsample2D
from transformers.models.speecht5.modeling_speecht5 import HifiGanResidualBlock

from common import normal, randomise, weights, write


def make_resnet():
    """UNet blocks with a time embedding; a VAE block without one and with eps 1e-6."""
    configs = {
        "plain": {"in_channels": 16, "out_channels": 16, "temb_channels": 24, "groups": 8},
        "shortcut": {"in_channels": 20, "out_channels": 12, "temb_channels": 24, "groups": 4},
        "vae": {"in_channels": 8, "out_channels": 12, "temb_channels": None, "groups": 4},
    }
    tensors = {}
    for index, (name, config) in enumerate(configs.items()):
        config["eps"] = 1e-6 if name == "vae" else 1e-5
        block = randomise(ResnetBlock2D(**config), 100 + index)
        hidden = normal(110 + index, 2, config["in_channels"], 7, 5)
        embedding = None if name == "vae" else normal(120 + index, 2, 24)
        tensors.update(weights(block, f"{name}."))
        tensors[f"input.hidden.{name}"] = hidden
        if embedding is not None:
            tensors[f"input.emb.{name}"] = embedding
        tensors[f"output.hidden.{name}"] = block(hidden, embedding)
    write("layers-resnet", tensors, configs)


def make_transformer():
    """Transformer blocks whose attn2 attends to its own input (no text states)."""
    configs = {
        "heads4": {"num_attention_heads": 4, "in_channels": 16, "norm_num_groups": 8},
        "heads3": {"num_attention_heads": 3, "in_channels": 12, "norm_num_groups": 4},
    }
    tensors = {}
    for index, (name, config) in enumerate(configs.items()):
        channels = config["in_channels"]
        config["attention_head_dim"] = channels // config["num_attention_heads"]
        config["cross_attention_dim"] = channels
        block = randomise(Transformer2DModel(num_layers=1, **config), 200 + index)
        hidden = normal(210 + index, 2, channels, 6, 5)
        tensors.update(weights(block, f"{name}."))
        tensors[f"input.hidden.{name}"] = hidden
        tensors[f"output.hidden.{name}"] = block(hidden).sample
    write("layers-transformer", tensors, configs)


def make_sampling():
    """UNet (padding 1) and VAE (padding right and bottom) down; up by 2 and to a given size."""
    tensors = {}
    for padding in (0, 1):
        name = f"down{padding}"
        layer = Downsample2D(12, use_conv=True, out_channels=12, padding=padding, name="op")
        randomise(layer, 300 + padding)
        tensors.update(weights(layer, f"{name}."))
        for case, shape in {"even": (2, 12, 8, 6), "odd": (1, 12, 7, 5)}.items():
            hidden = normal(310 + padding, *shape)
            tensors[f"input.hidden.{name}.{case}"] = hidden
            tensors[f"output.hidden.{name}.{case}"] = layer(hidden)
    layer = randomise(Upsample2D(12, use_conv=True, out_channels=12), 320)
    tensors.update(weights(layer, "up."))
    hidden = normal(321, 2, 12, 4, 3)
    for case, size in {"double": None, "sized": (7, 5)}.items():
        tensors[f"input.hidden.up.{case}"] = hidden
        tensors[f"output.hidden.up.{case}"] = layer(hidden, size)
    config = {"down0": {"padding": 0}, "down1": {"padding": 1}, "up": {"sized": [7, 5]}}
    write("layers-sampling", tensors, config)


def make_timestep():
    """Sinusoids (cosines first, shift 0), whole and fractional times, then the two-layer MLP."""
    times = torch.tensor([0.0, 1.0, 37.0, 501.0, 999.0, 0.25, 684.3125, 998.999])
    tensors = {"input.timestep": times}
    configs = {}
    for index, width in enumerate((128, 12)):
        name = f"width{width}"
        sinusoid = Timesteps(width, flip_sin_to_cos=True, downscale_freq_shift=0)(times)
        layer = randomise(TimestepEmbedding(width, 24), 400 + index)
        tensors.update(weights(layer, f"{name}."))
        tensors[f"output.sinusoid.{name}"] = sinusoid
        tensors[f"output.embedding.{name}"] = layer(sinusoid)
        configs[name] = {"flip_sin_to_cos": True, "freq_shift": 0, "in_channels": width}
    write("layers-timestep", tensors, configs)


def make_attention():
    """The single-head attention in the middle of the VAE, eps 1e-6."""
    config = {"in_channels": 12, "resnet_groups": 4, "attention_head_dim": 12, "resnet_eps": 1e-6}
    middle = UNetMidBlock2D(temb_channels=None, **config)
    layer = randomise(middle.attentions[0], 500)
    tensors = weights(layer)
    tensors["input.hidden"] = normal(501, 2, 12, 7, 4)
    tensors["output.hidden"] = layer(tensors["input.hidden"])
    write("layers-attention", tensors, config)


def make_hifigan():
    """Residual stacks of type 1 with three kernel sizes."""
    tensors = {}
    configs = {}
    for index, (kernel, dilation) in enumerate(((3, [1, 3, 5]), (11, [1, 3, 5]), (5, [2, 6]))):
        name = f"kernel{kernel}"
        configs[name] = {"channels": 6, "kernel_size": kernel, "dilation": dilation}
        configs[name]["leaky_relu_slope"] = 0.1
        layer = randomise(HifiGanResidualBlock(**configs[name]), 600 + index)
        tensors.update(weights(layer, f"{name}."))
        tensors[f"input.hidden.{name}"] = normal(610 + index, 2, 6, 40)
        tensors[f"output.hidden.{name}"] = layer(tensors[f"input.hidden.{name}"].clone())
    write("layers-hifigan", tensors, configs)


def make():
    """Write all layer goldens."""
    with torch.no_grad():
        make_resnet()
        make_transformer()
        make_sampling()
        make_timestep()
        make_attention()
        make_hifigan()
