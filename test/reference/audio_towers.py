"""Goldens of CLAP's audio towers: transformers' HTSAT, and laion_clap's HTSAT and PANNs.

Weights and features are drawn from seeds (seeded.py), so that the files hold outputs alone.
Ran with torch 2.13.0 (CPU), transformers 5.23.0, laion_clap 1.1.7, torchlibrosa 0.1.0.
"""

import torch
from transformers import ClapAudioConfig, ClapAudioModelWithProjection
from transformers.models.clap import modeling_clap as clap

import laion_audio as laion
from common import normal, write
from seeded import features, fill

SMALL = {
    "patch_embeds_hidden_size": 16,
    "hidden_size": 64,
    "depths": [2, 1, 2],
    "num_attention_heads": [2, 4, 2],
    "projection_dim": 20,
    "num_classes": 5,
    "hidden_dropout_prob": 0.0,
}
OTHER = {
    **SMALL,
    "hidden_size": 32,
    "depths": [1, 3],
    "num_attention_heads": [1, 4],
    "window_size": 4,
    "mlp_ratio": 2.5,
    "layer_norm_eps": 1e-3,
    "projection_hidden_act": "gelu",
}
TINY = {"hidden_dropout_prob": 0.0}  # the published size
FUSED = {**SMALL, "enable_fusion": True}

TRAINED = {
    **FUSED,
    "patch_embeds_hidden_size": 8,
    "hidden_size": 16,
    "depths": [1, 2],
    "num_attention_heads": [2, 2],
}

LAION_HTSAT = {"embed_dim": 16, "depths": [2, 1], "num_heads": [2, 4]}
LAION_CONFIG = {
    "patch_embeds_hidden_size": 16,
    "hidden_size": 32,
    "depths": [2, 1],
    "num_attention_heads": [2, 4],
    "projection_dim": 12,
    "enable_fusion": True,
}
MIXES = {
    "none": [False] * 3,
    "some": [True, False, True],
    "one": [False, True, False],
    "all": [True] * 3,
}


def make_transformers(name, config, cases, seed):
    """Write a tower of transformers; `cases` maps names to (shape, which are longer)."""
    model = ClapAudioModelWithProjection(ClapAudioConfig(**config)).eval()
    extra = {"weights": fill(model, seed), "features": {}, "longer": {}}
    tensors = {}
    for index, (case, (shape, longer)) in enumerate(cases.items()):
        extra["features"][case] = [seed + 900 + index, list(shape)]
        extra["longer"][case] = longer
        flags = None if longer is None else torch.tensor(longer)[:, None]
        mels = features(seed + 900 + index, *shape)
        body = model.audio_model(input_features=mels, is_longer=flags)
        if case in ("whole", "some") and name != "audio-tiny":
            tensors[f"output.last_hidden_state.{case}"] = body.last_hidden_state
        tensors[f"output.pooler_output.{case}"] = body.pooler_output
        tensors[f"output.audio_embeds.{case}"] = model.audio_projection(body.pooler_output)
    write(name, tensors, {**config, "model_type": "clap_audio_model"}, **extra)


def make_laion(name, tower, config, cases, seed):
    """Write a tower of laion_clap, likewise."""
    extra = {"weights": laion.fill(tower, seed), "features": {}, "longer": {}}
    tensors = {}
    for index, (case, (shape, longer)) in enumerate(cases.items()):
        extra["features"][case] = [seed + 900 + index, list(shape)]
        extra["longer"][case] = longer
        embedding, projected = tower(features(seed + 900 + index, *shape), longer)
        tensors[f"output.pooler_output.{case}"] = embedding
        tensors[f"output.audio_embeds.{case}"] = projected
    write(name, tensors, config, **extra)


def make_gradients():
    """Write gradients of a weighted sum of embeddings, in training, and the new statistics."""
    model = ClapAudioModelWithProjection(ClapAudioConfig(**TRAINED)).train()
    extra = {"weights": fill(model, 14000), "features": {"all": [14900, [3, 4, 20, 64]]}}
    extra["longer"] = {"all": MIXES["some"]}
    mels = features(14900, 3, 4, 20, 64).requires_grad_()
    flags = torch.tensor(MIXES["some"])[:, None]
    factors = normal(14950, 3, SMALL["projection_dim"])
    embeds = model(input_features=mels, is_longer=flags).audio_embeds
    (embeds * factors).sum().backward()
    tensors = {
        "input.factors": factors,
        "output.audio_embeds.all": embeds,
        "grad.features": mels.grad,
    }
    for key, value in model.named_parameters():
        tensors[f"grad.{key}"] = value.grad
    for key, value in model.state_dict().items():
        if key.endswith(("running_mean", "running_var")):
            tensors[f"output.state.{key}"] = value
    write("audio-gradients", tensors, {**TRAINED, "model_type": "clap_audio_model"}, **extra)


def make_layers():
    """Write single blocks of transformers' encoder, with seeded weights each."""
    config = ClapAudioConfig(**{**FUSED, "spec_size": 64, "num_mel_bins": 16})
    blocks = {
        "plain": (clap.ClapAudioLayer(config, 16, (16, 24), 2), [(16, 24)]),
        "shifted": (clap.ClapAudioLayer(config, 16, (16, 24), 2, shift_size=4), [(16, 24)]),
        "merging": (clap.ClapAudioPatchMerging(16), [(16, 24)]),
        "fusion": (clap.ClapAudioAFFBlock(config), []),
        "patches": (clap.ClapAudioPatchEmbed(config), []),
    }
    tensors, extra = {}, {"weights": {}, "inputs": {}}
    for index, (name, (block, grid)) in enumerate(blocks.items()):
        seed = 15000 + 100 * index
        extra["weights"][name] = fill(block.eval(), seed)
        shape = [3, 4, 64, 64] if name == "patches" else [2, 16, 16, 24]
        if grid:
            shape = [2, 16 * 24, 16]
        extra["inputs"][name] = [[seed + 90, shape], [seed + 91, shape]]
        hidden, other = normal(seed + 90, *shape), normal(seed + 91, *shape)
        if grid:
            output = block(hidden, *grid)
            output = output if name == "merging" else output[0]
        else:
            output = block(hidden, torch.tensor([0, 2]) if name == "patches" else other)
        tensors[f"output.{name}"] = output
    write("audio-layers", tensors, config.to_dict(), **extra)


def make():
    """Write every golden of the audio towers."""
    frames = {"whole": 1001, "even": 1000, "short": 640, "odd": 37}
    plain = {case: ([3, 1, count, 64], None) for case, count in frames.items()}
    mixes = {case: ([3, 4, 1001, 64], longer) for case, longer in MIXES.items()}
    mixes["short"] = ([3, 4, 640, 64], MIXES["some"])
    with torch.no_grad():
        make_transformers("audio-plain", SMALL, plain, 10000)
        alone = {"whole": ([1, 1, 1001, 64], None), "odd": plain["odd"]}
        make_transformers("audio-other", OTHER, alone, 11000)
        make_transformers("audio-tiny", TINY, {"whole": ([1, 1, 1001, 64], None)}, 12000)
        make_transformers("audio-fused", FUSED, mixes, 13000)
        make_layers()
        for index, fusion in enumerate(("aff_2d", "daf_2d", "iaff_2d", "channel_map")):
            seed = 16000 + 1000 * index
            config = {**LAION_CONFIG, "fusion_type": fusion}
            tower = laion.make_htsat(fusion, LAION_HTSAT, 12)
            make_laion(f"audio-laion-{fusion}", tower, config, mixes, seed)
            config = {"model_type": "pann", "arch": "cnn14", "enable_fusion": True}
            config |= {"fusion_type": fusion, "projection_dim": 12}
            tower = laion.make_pann("Cnn14", fusion, 12)
            some = {"some": ([2, 4, 100, 64], [True, False]), "all": ([2, 4, 70, 64], [True, True])}
            make_laion(f"audio-cnn14-{fusion}", tower, config, some, seed + 500)
        for index, arch in enumerate(("Cnn14", "Cnn10", "Cnn6")):
            config = {"model_type": "pann", "arch": arch.lower(), "projection_dim": 12}
            cases = {"odd": ([2, 1, 101, 64], None), "short": ([1, 1, 32, 64], None)}
            tower = laion.make_pann(arch, None, 12)
            make_laion(f"audio-{arch.lower()}", tower, config, cases, 20000 + 1000 * index)
    make_gradients()
