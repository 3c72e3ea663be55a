"""Weights and inputs that a test draws again from seeds, so that goldens hold outputs alone.

Ran with torch 2.13.0 (CPU).
"""

import math

import torch

from common import generator


def _distribution(key, shape):
    """Return the mean and deviation of a tensor, and whether its noise is squared."""
    if key.endswith("running_var"):
        return 0.6, 0.5, True
    if key.endswith("relative_position_bias_table"):
        return 0.0, 0.5, False
    if len(shape) >= 2:
        return 0.0, 1 / math.sqrt(math.prod(shape[1:])), False
    return (1.0 if key.endswith("weight") else 0.0), 0.2, False


def draw(seed, shape, mean, deviation, squared=False):
    """Draw one tensor, exactly as `drawSeeded` of test/helpers/seeded.ts does."""
    noise = torch.randn(shape, generator=generator(seed)) * deviation
    return (noise * noise if squared else noise) + mean


def plan(shapes, seed):
    """Give each key of {key: shape} its line: key, shape, seed, mean, deviation, squared."""
    return [
        [key, list(shapes[key]), seed + index, *_distribution(key, shapes[key])]
        for index, key in enumerate(sorted(shapes))
    ]


def draw_plan(lines):
    """Draw {key: tensor} of a plan."""
    return {key: draw(seed, shape, *rest) for key, shape, seed, *rest in lines}


def fill(module, seed):
    """Draw every float of a module's state; return the plan. Counters become zero."""
    state = module.state_dict()
    floats = {key: tuple(value.shape) for key, value in state.items() if value.is_floating_point()}
    lines = plan(floats, seed)
    module.load_state_dict(draw_plan(lines), strict=False)
    return lines


def features(seed, *shape):
    """Draw log-mels [B, C, T, F] in dB."""
    return draw(seed, shape, -20.0, 12.0)
