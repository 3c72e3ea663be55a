"""Original networks of latent diffusion as their checkpoints name them, small and without forward.

Structure after `ldm/modules/diffusionmodules/{openaimodel,model}.py` (CompVis/latent-diffusion, as
copied by AudioLDM and MusicLDM) and `models.py` of jik876/hifi-gan, whose generator runs.
Ran with torch 2.13.0 (CPU).
"""

import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils import weight_norm


def modules(**named):
    """A module with these children."""
    return nn.ModuleDict(named)


def listed(*layers):
    """Layers counted from 0; None leaves a number out, as an activation does."""
    result = nn.Module()
    for index, layer in enumerate(layers):
        if layer is not None:
            result.add_module(str(index), layer)
    return result


def resnet(inner, outer, emb, groups):
    """A residual block of the UNet with its embedding."""
    block = modules(
        in_layers=listed(nn.GroupNorm(groups, inner), None, nn.Conv2d(inner, outer, 3)),
        emb_layers=listed(None, nn.Linear(emb, outer)),
        out_layers=listed(nn.GroupNorm(groups, outer), None, None, nn.Conv2d(outer, outer, 3)),
    )
    if inner != outer:
        block["skip_connection"] = nn.Conv2d(inner, outer, 1)
    return block


def attention(width):
    """Queries, keys and values without bias, an output with one."""
    parts = {f"to_{name}": nn.Linear(width, width, bias=False) for name in "qkv"}
    return modules(**parts, to_out=listed(nn.Linear(width, width)))


def transformer(width, groups):
    """A spatial transformer of depth 1 whose second attention attends to its own input."""
    feed = listed(modules(proj=nn.Linear(width, 8 * width)), None, nn.Linear(4 * width, width))
    block = modules(
        attn1=attention(width),
        attn2=attention(width),
        ff=modules(net=feed),
        norm1=nn.LayerNorm(width),
        norm2=nn.LayerNorm(width),
        norm3=nn.LayerNorm(width),
    )
    return modules(
        norm=nn.GroupNorm(groups, width),
        proj_in=nn.Conv2d(width, width, 1),
        proj_out=nn.Conv2d(width, width, 1),
        transformer_blocks=listed(block),
    )


def unet(widths, attends, layers, film, groups):
    """`UNetModel` with FiLM: widths of the levels, and which of them have transformers."""
    time = 4 * widths[0]
    emb = 2 * time
    inputs = [listed(nn.Conv2d(8, widths[0], 3))]
    skips = [widths[0]]
    now = widths[0]
    for level, width in enumerate(widths):
        for _ in range(layers):
            more = [transformer(width, groups)] if attends[level] else []
            inputs.append(listed(resnet(now, width, emb, groups), *more))
            now = width
            skips.append(now)
        if level < len(widths) - 1:
            inputs.append(listed(modules(op=nn.Conv2d(now, now, 3))))
            skips.append(now)
    first, second = (resnet(now, now, emb, groups) for _ in range(2))
    center = listed(first, transformer(now, groups), second)
    outputs = []
    for level in reversed(range(len(widths))):
        width = widths[level]
        for layer in range(layers + 1):
            parts = [resnet(now + skips.pop(), width, emb, groups)]
            now = width
            if attends[level]:
                parts.append(transformer(width, groups))
            if level > 0 and layer == layers:
                parts.append(modules(conv=nn.Conv2d(now, now, 3)))
            outputs.append(listed(*parts))
    return modules(
        time_embed=listed(nn.Linear(widths[0], time), None, nn.Linear(time, time)),
        film_emb=nn.Linear(film, time),
        input_blocks=listed(*inputs),
        middle_block=center,
        output_blocks=listed(*outputs),
        out=listed(nn.GroupNorm(groups, now), None, nn.Conv2d(now, 8, 3)),
    )


def plain_resnet(inner, outer, groups):
    """A residual block of the autoencoder."""
    block = modules(
        norm1=nn.GroupNorm(groups, inner),
        conv1=nn.Conv2d(inner, outer, 3),
        norm2=nn.GroupNorm(groups, outer),
        conv2=nn.Conv2d(outer, outer, 3),
    )
    if inner != outer:
        block["nin_shortcut"] = nn.Conv2d(inner, outer, 1)
    return block


def middle(width, groups):
    """Residual blocks around attention by 1 x 1 convolutions."""
    parts = {name: nn.Conv2d(width, width, 1) for name in ("q", "k", "v", "proj_out")}
    return modules(
        block_1=plain_resnet(width, width, groups),
        attn_1=modules(norm=nn.GroupNorm(groups, width), **parts),
        block_2=plain_resnet(width, width, groups),
    )


def encoder(widths, layers, latents, groups):
    """From one channel to means and log-variances."""
    down, now = [], widths[0]
    for level, width in enumerate(widths):
        blocks = []
        for _ in range(layers):
            blocks.append(plain_resnet(now, width, groups))
            now = width
        parts = {"block": listed(*blocks)}
        if level < len(widths) - 1:
            parts["downsample"] = modules(conv=nn.Conv2d(now, now, 3))
        down.append(modules(**parts))
    return modules(
        conv_in=nn.Conv2d(1, widths[0], 3),
        down=listed(*down),
        mid=middle(now, groups),
        norm_out=nn.GroupNorm(groups, now),
        conv_out=nn.Conv2d(now, 2 * latents, 3),
    )


def decoder(widths, layers, latents, groups):
    """From latents to one channel; levels are counted from the top and built from below."""
    up, now = {}, widths[-1]
    for level in reversed(range(len(widths))):
        blocks = []
        for _ in range(layers + 1):
            blocks.append(plain_resnet(now, widths[level], groups))
            now = widths[level]
        parts = {"block": listed(*blocks)}
        if level > 0:
            parts["upsample"] = modules(conv=nn.Conv2d(now, now, 3))
        up[level] = modules(**parts)
    return modules(
        conv_in=nn.Conv2d(latents, widths[-1], 3),
        mid=middle(widths[-1], groups),
        up=listed(*(up[level] for level in range(len(widths)))),
        norm_out=nn.GroupNorm(groups, now),
        conv_out=nn.Conv2d(now, 1, 3),
    )


def autoencoder(widths, layers, latents, groups):
    """`AutoencoderKL` with the convolutions around its latents."""
    return modules(
        encoder=encoder(widths, layers, latents, groups),
        decoder=decoder(widths, layers, latents, groups),
        quant_conv=nn.Conv2d(2 * latents, 2 * latents, 1),
        post_quant_conv=nn.Conv2d(latents, latents, 1),
    )


class Stack(nn.Module):
    """`ResBlock1`: pairs of a dilated and a plain convolution."""

    def __init__(self, width, size, norm):
        super().__init__()
        dilated = [nn.Conv1d(width, width, size, dilation=d, padding="same") for d in (1, 3, 5)]
        plain = [nn.Conv1d(width, width, size, padding="same") for _ in range(3)]
        self.convs1 = nn.ModuleList(norm(layer) for layer in dilated)
        self.convs2 = nn.ModuleList(norm(layer) for layer in plain)

    def forward(self, x):
        """Add what each pair makes."""
        for first, second in zip(self.convs1, self.convs2, strict=True):
            y = second(functional.leaky_relu(first(functional.leaky_relu(x, 0.1)), 0.1))
            x = x + y
        return x


class Generator(nn.Module):
    """The generator of HiFi-GAN; `norm` is a weight norm or the identity."""

    def __init__(self, bins, width, rates, kernels, norm=weight_norm):
        super().__init__()
        self.sizes = (3, 7, 11)
        self.conv_pre = norm(nn.Conv1d(bins, width, 7, padding=3))
        self.ups, self.resblocks = nn.ModuleList(), nn.ModuleList()
        for rate, size in zip(rates, kernels, strict=True):
            pad = (size - rate) // 2
            layer = nn.ConvTranspose1d(width, width // 2, size, stride=rate, padding=pad)
            self.ups.append(norm(layer))
            width //= 2
            self.resblocks.extend(Stack(width, size, norm) for size in self.sizes)
        self.conv_post = norm(nn.Conv1d(width, 1, 7, padding=3))

    def forward(self, mel):
        """Turn log-mels [B, M, T] into waveforms [B, 1, N]."""
        x, count = self.conv_pre(mel), len(self.sizes)
        for index, up in enumerate(self.ups):
            x = up(functional.leaky_relu(x, 0.1))
            stacks = self.resblocks[index * count : (index + 1) * count]
            x = sum(stack(x) for stack in stacks) / count
        return torch.tanh(self.conv_post(functional.leaky_relu(x)))
