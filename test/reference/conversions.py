"""Checkpoints in the originals' own layouts beside the same weights in the published one.

Each pair is made without this library: laion_clap's modules and their renaming in the manner of
transformers' `convert_clap_original_pytorch_to_hf.py`; diffusers' `convert_ldm_*_checkpoint`;
HiFi-GAN's weight norm folded by torch. Where both sides run, their outputs are compared here.
Ran with torch 2.13.0 (CPU), transformers 5.23.0, diffusers 0.42.1, laion_clap 1.1.7.
"""

import importlib
import re
import sys
import types
from importlib.util import find_spec
from pathlib import Path

import numpy
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from diffusers.loaders import single_file_utils
from torch import nn
from torch.nn.utils import remove_weight_norm
from transformers import (
    ClapConfig,
    ClapModel,
    RobertaConfig,
    RobertaModel,
    SpeechT5HifiGan,
    SpeechT5HifiGanConfig,
)

import original_networks as original
from common import GOLDENS, generator, normal, randomise, write
from networks import unet_config

WIDTH = 16  # of the embedding
TEXT = {
    "vocab_size": 280,
    "hidden_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "intermediate_size": 40,
    "max_position_embeddings": 80,
    "type_vocab_size": 1,
    "pad_token_id": 1,
    "layer_norm_eps": 1e-5,
}
AUDIO = {"embed_dim": 4, "depths": [2, 1], "num_heads": [1, 2], "window_size": 4, "spec_size": 64}
RENAMES = {
    "text_branch": "text_model",
    "audio_branch": "audio_model.audio_encoder",
    "attn": "attention.self",
    "self.proj": "output.dense",
    "attention.self_mask": "attn_mask",
    "mlp.fc1": "intermediate.dense",
    "mlp.fc2": "output.dense",
    "norm1": "layernorm_before",
    "norm2": "layernorm_after",
    "bn0": "batch_norm",
}


def load_laion(name):
    """Import a module of laion_clap without the packages around its networks."""
    root = "laion_clap"
    if root not in sys.modules:
        folder = Path(find_spec(root).submodule_search_locations[0])
        inner = {root: folder, f"{root}.clap_module": folder / "clap_module"}
        for package, path in inner.items():
            sys.modules[package] = types.ModuleType(package)
            sys.modules[package].__path__ = [str(path)]
    for stub in ("h5py", "torchvision", "torchvision.ops", "torchvision.ops.misc"):
        sys.modules.setdefault(stub, types.ModuleType(stub))
    sys.modules["torchvision.ops.misc"].FrozenBatchNorm2d = nn.Identity
    return importlib.import_module(f"{root}.clap_module.{name}")


def projection(inner, outer):
    """The two layers between a tower and the joint space."""
    return nn.Sequential(nn.Linear(inner, outer), nn.ReLU(), nn.Linear(outer, outer))


def clap(audio, text, widths, joint):
    """laion_clap's `CLAP` around its towers, whose widths are (audio, text)."""
    model = nn.Module()
    model.audio_branch, model.text_branch = audio, text
    mlp = load_laion("model").MLPLayers
    model.text_transform = mlp(units=[joint, joint, joint])
    model.audio_transform = mlp(units=[joint, joint, joint])
    model.text_projection = projection(widths[1], joint)
    model.audio_projection = projection(widths[0], joint)
    model.logit_scale_a = nn.Parameter(torch.tensor(2.6592))
    model.logit_scale_t = nn.Parameter(torch.tensor(2.6592))
    return model


def audio_settings(bins, size):
    """What the audio towers read of a model's JSON."""
    rates = {"hop_size": 480, "sample_rate": 48000, "fmin": 50, "fmax": 14000}
    return types.SimpleNamespace(mel_bins=bins, window_size=size, **rates)


def tiny_laion(fusion, seed):
    """A laion_clap model of two stages with windows of 4 patches."""
    audio = load_laion("htsat").HTSAT_Swin_Transformer(
        config=audio_settings(16, 64),
        num_classes=6,
        enable_fusion=fusion is not None,
        fusion_type=fusion or "None",
        **AUDIO,
    )
    text = RobertaModel(RobertaConfig(**TEXT))
    model = clap(audio, text, (8, TEXT["hidden_size"]), WIDTH)
    masks = {key: value.clone() for key, value in model.state_dict().items() if "attn_mask" in key}
    randomise(model, seed).load_state_dict(masks, strict=False)
    return model


def rename_clap(state):
    """Rename as transformers' script does, by replacing parts of names."""
    result = {}
    for key, value in state.items():
        for old, new in RENAMES.items():
            key = key.replace(old, new)
        layer = re.match(r".*_projection.(\d+).*", key)
        if layer:
            number = int(layer.group(1))
            key = key.replace(f"projection.{number}.", f"projection.linear{number // 2 + 1}.")
        if "audio" in key and "qkv" in key:
            for name, part in zip(("query", "key", "value"), value.chunk(3), strict=True):
                result[key.replace("qkv", name)] = part
        else:
            result[key] = value
    return result


def published_clap(state, fusion):
    """Load renamed weights into transformers' class."""
    audio = {
        "patch_embeds_hidden_size": AUDIO["embed_dim"],
        "hidden_size": 8,
        "depths": AUDIO["depths"],
        "num_attention_heads": AUDIO["num_heads"],
        "window_size": AUDIO["window_size"],
        "spec_size": AUDIO["spec_size"],
        "num_mel_bins": 16,
        "num_hidden_layers": 2,
        "enable_fusion": fusion is not None,
        "projection_dim": WIDTH,
    }
    text = {**TEXT, "projection_dim": WIDTH}
    model = ClapModel(ClapConfig(text_config=text, audio_config=audio, projection_dim=WIDTH))
    missing, _ = model.load_state_dict(rename_clap(state), strict=False)
    if set(missing) - {f"text_model.embeddings.{name}_ids" for name in ("position", "token_type")}:
        raise ValueError(f"not renamed: {missing}")
    return model.eval()


def agree(name, left, right):
    """Print and check the relative norm of a difference."""
    norm = ((left - right).norm() / right.norm()).item()
    print(f"  {name}: {norm:.1e}")
    if not norm <= 1e-5:
        raise ValueError(f"{name}: {norm}")


def compare_clap(ours, theirs, fusion):
    """Both stacks embed the same mels and the same text; return what went in and came out."""
    mel = 10 * normal(7, 2, 4 if fusion else 1, 60, 16)
    branch = ours.audio_branch
    if fusion:
        given = {"mel_fusion": mel, "longer": torch.tensor([True, True])}
        audio = branch(given, device="cpu")["embedding"]
    else:
        image = branch.reshape_wav2img(branch.bn0(mel.transpose(1, 3)).transpose(1, 3))
        audio = branch.forward_features(image)["embedding"]
    longer = torch.ones(2, 1, dtype=torch.bool) if fusion else None
    pooled = theirs.audio_model(mel, is_longer=longer).pooler_output
    audio = ours.audio_projection(audio)
    agree("audio", theirs.audio_projection(pooled), audio)
    ids = torch.randint(4, 280, (2, 9), generator=generator(8))
    pooled = theirs.text_model(ids).pooler_output
    text = ours.text_projection(ours.text_branch(ids).pooler_output)
    agree("text", theirs.text_projection(pooled), text)
    return {"input.mel": mel, "input.ids": ids, "output.audio": audio, "output.text": text}


def both(ours, theirs):
    """Name the two sides of a pair."""
    return {
        **{f"original.{key}": value for key, value in ours.items()},
        **{f"published.{key}": value for key, value in theirs.items()},
    }


def make_clap():
    """Write the unfused and the fused laion_clap model."""
    for name, fusion in (("unfused", None), ("fused", "aff_2d")):
        ours = tiny_laion(fusion, 9000 + len(name))
        theirs = published_clap(ours.state_dict(), fusion)
        tensors = compare_clap(ours, theirs, fusion)
        tensors |= both(ours.state_dict(), theirs.state_dict())
        write(f"conversion-clap-{name}", tensors, {"fusion": fusion})
        if not fusion:
            save_as_trained("conversion-laion.pt", ours.state_dict())


def save_as_trained(name, state):
    """Save a state dict as laion_clap's training does, with numpy numbers in the optimiser."""
    content = {
        "epoch": 15,
        "name": "tiny",
        "state_dict": {f"module.{key}": value for key, value in state.items()},
        "optimizer": {"state": {0: {"exp_avg": torch.zeros(2)}}, "lr": numpy.float64(1e-4)},
    }
    torch.save(content, GOLDENS / name)


UNET = {"widths": [4, 4, 8], "attends": [False, True, True], "layers": 1, "film": WIDTH}
VAE = {"widths": [4, 4, 8], "layers": 1, "latents": 8, "groups": 2}
GENERATOR = {"bins": 20, "width": 16, "rates": [8, 8, 4], "kernels": [16, 16, 8]}
VOCODER = {"bins": 64, "width": 16, "rates": [16, 10], "kernels": [32, 20]}


def published_unet(state):
    """diffusers' own conversion; the condition's layer is the one that it does not know."""
    config = unet_config(
        UNET["widths"],
        UNET["attends"],
        layers_per_block=UNET["layers"],
        norm_num_groups=2,
        attention_head_dim=2,
        projection_class_embeddings_input_dim=WIDTH,
        sample_size=16,
    )
    stored = {f"model.diffusion_model.{key}": value for key, value in state.items()}
    converted = single_file_utils.convert_ldm_unet_checkpoint(stored, config)
    converted["class_embedding.weight"] = state["film_emb.weight"]
    converted["class_embedding.bias"] = state["film_emb.bias"]
    module = UNet2DConditionModel(**config)
    module.load_state_dict(converted)
    return module.state_dict()


def published_vae(state):
    """diffusers' own conversion."""
    config = {
        "down_block_types": ["DownEncoderBlock2D"] * 3,
        "up_block_types": ["UpDecoderBlock2D"] * 3,
        "block_out_channels": VAE["widths"],
        "layers_per_block": VAE["layers"],
        "latent_channels": VAE["latents"],
        "norm_num_groups": VAE["groups"],
    }
    stored = {f"first_stage_model.{key}": value for key, value in state.items()}
    converted = single_file_utils.convert_ldm_vae_checkpoint(stored, config)
    module = AutoencoderKL(in_channels=1, out_channels=1, **config)
    module.load_state_dict(converted)
    return module.state_dict()


def published_vocoder(generator_module, sizes):
    """Fold the weight norm with torch and let transformers' class make the same waveform."""
    mel = normal(11, 2, sizes["bins"], 6)
    wave = generator_module(mel)
    for layer in generator_module.modules():
        if hasattr(layer, "weight_g"):
            remove_weight_norm(layer)
    folded = generator_module.state_dict()
    state = {key.replace("ups.", "upsampler."): value for key, value in folded.items()}
    config = SpeechT5HifiGanConfig(
        model_in_dim=sizes["bins"],
        upsample_initial_channel=sizes["width"],
        upsample_rates=sizes["rates"],
        upsample_kernel_sizes=sizes["kernels"],
        normalize_before=False,
    )
    module = SpeechT5HifiGan(config).eval()
    state |= {"mean": torch.zeros(sizes["bins"]), "scale": torch.ones(sizes["bins"])}
    module.load_state_dict(state)
    agree("waveform", module(mel.transpose(1, 2)), wave[:, 0])
    return module.state_dict()


def make_vocoder():
    """Write a generator with weight norm."""
    ours = randomise(original.Generator(**GENERATOR), 9300)
    before = {key: value.clone() for key, value in ours.state_dict().items()}
    write("conversion-hifigan", both(before, published_vocoder(ours, GENERATOR)), GENERATOR)
    torch.save({"generator": before}, GOLDENS / "conversion-hifigan.pt")


def make_ldm():
    """Write a whole latent-diffusion checkpoint, its averages and schedule included."""
    unet = randomise(original.unet(**UNET, groups=2), 9100).state_dict()
    vae = randomise(original.autoencoder(**VAE), 9200).state_dict()
    vocoder = original.Generator(**VOCODER, norm=lambda layer: layer)
    vocoder = randomise(vocoder, 9301)
    text = tiny_laion(None, 9400)
    parts = {
        "model.diffusion_model.": unet,
        "first_stage_model.": vae,
        "first_stage_model.vocoder.": vocoder.state_dict(),
        "cond_stage_model.model.": text.state_dict(),
    }
    ours = {prefix + key: value for prefix, state in parts.items() for key, value in state.items()}
    for key, value in unet.items():
        ours["model_ema.diffusion_model" + key.replace(".", "")] = value + 1
    ours |= {"scale_factor": torch.tensor(0.75), "betas": torch.linspace(0.1, 0.2, 4)}
    ours["model_ema.decay"] = torch.tensor(0.9999)
    ours["first_stage_model.loss.logvar"] = torch.zeros([])
    sides = {
        "unet.": published_unet(unet),
        "vae.": published_vae(vae),
        "vocoder.": published_vocoder(vocoder, VOCODER),
        "text_encoder.": published_clap(text.state_dict(), None).state_dict(),
    }
    theirs = {part + key: value for part, state in sides.items() for key, value in state.items()}
    write("conversion-ldm-original", ours, {})
    write("conversion-ldm-published", theirs, {})


def make():
    """Write all pairs."""
    with torch.no_grad():
        make_clap()
        make_vocoder()
        make_ldm()
