"""Goldens of shallow UNet passes: a pass whose way up resumes with a feature of an earlier pass.

The feature that comes from below into one residual block of the way up is recorded in the first
pass and put in its place in the second; all that lies deeper has then no part in the result.
The weights are those of `unet-musicldm`.
Ran with torch 2.13.0 (CPU), diffusers 0.42.1.
"""

import torch
from diffusers import UNet2DConditionModel

from common import normal, randomise, write
from networks import UNETS, run_unet

NAME = "unet-musicldm"
SEED = 1000
TIMESTEPS = (501, 451)


def skip_channels(config):
    """List the channels of the skips in the order in which the way down makes them."""
    channels, layers = config["block_out_channels"], config["layers_per_block"]
    result = channels[:1]
    for level, width in enumerate(channels):
        is_last = level + 1 == len(channels)
        result = result + [width] * (layers + (0 if is_last else 1))
    return result


def predict(unet, inputs, branch, replacement):
    """Run a pass; return its output and what came from below into the block of skip `branch`."""
    block = [resnet for stage in unet.up_blocks for resnet in stage.resnets][::-1][branch]
    skip = skip_channels(UNETS[NAME])[branch]
    seen = []

    def exchange(_, args):
        below = args[0][:, : args[0].shape[1] - skip]
        seen.append(below.clone())
        if replacement is None:
            return None
        return (torch.cat([replacement, args[0][:, -skip:]], 1), *args[1:])

    handle = block.register_forward_pre_hook(exchange)
    with torch.no_grad():
        output = run_unet(unet, *inputs)
    handle.remove()
    return output, seen[0]


def make():
    """Write one shallow pass for every branch."""
    unet = randomise(UNet2DConditionModel(**UNETS[NAME]), SEED)
    width = UNETS[NAME]["projection_class_embeddings_input_dim"]
    labels = torch.nn.functional.normalize(normal(SEED + 90, 2, width), dim=-1)
    samples = [normal(SEED + 91 + i, 2, 8, 6, 16) for i in range(2)]
    times = [torch.tensor(value, dtype=torch.float32) for value in TIMESTEPS]
    tensors = {"input.class_labels": labels}
    for index, (sample, time) in enumerate(zip(samples, times, strict=True)):
        tensors[f"input.sample.{index}"] = sample
        tensors[f"input.timestep.{index}"] = time
    first, second = ((sample, time, labels) for sample, time in zip(samples, times, strict=True))
    for branch in range(len(skip_channels(UNETS[NAME]))):
        _, feature = predict(unet, first, branch, None)
        output, _ = predict(unet, second, branch, feature)
        tensors[f"output.feature.{branch}"] = feature
        tensors[f"output.sample.{branch}"] = output
    write("unet-deepcache", tensors, {})
