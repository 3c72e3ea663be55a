"""laion_clap's audio encoders from mel features, under transformers' names.

Ran with laion_clap 1.1.7, torchlibrosa 0.1.0, torch 2.13.0 (CPU).
"""

import importlib
import sys
import types
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import nn

from seeded import draw_plan, plan

ENCODER = "audio_model.audio_encoder."
HTSAT_NAMES = {
    "bn0.": "batch_norm.",
    ".norm1.": ".layernorm_before.",
    ".norm2.": ".layernorm_after.",
    ".attn.proj.": ".attention.output.dense.",
    ".attn.relative_position_bias_table": ".attention.self.relative_position_bias_table",
    ".mlp.fc1.": ".intermediate.dense.",
    ".mlp.fc2.": ".output.dense.",
}


def load(name):
    """Import a module of laion_clap without the package around it, which needs much more."""
    if "laion_clap" not in sys.modules:
        folder = Path(find_spec("laion_clap").submodule_search_locations[0])
        _package("laion_clap", folder)
        _package("laion_clap.clap_module", folder / "clap_module")
    for stub in ("h5py", "torchvision", "torchvision.ops", "torchvision.ops.misc"):
        sys.modules.setdefault(stub, types.ModuleType(stub))
    sys.modules["torchvision.ops.misc"].FrozenBatchNorm2d = nn.Identity
    for module in ("utils", name):
        # laion.py has these replaced.
        if not isinstance(sys.modules.get(f"laion_clap.clap_module.{module}"), types.ModuleType):
            sys.modules.pop(f"laion_clap.clap_module.{module}", None)
    return importlib.import_module(f"laion_clap.clap_module.{name}")


def _package(name, folder):
    """Let modules of a package be imported without its __init__."""
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__path__ = [str(folder)]


class Tower(nn.Module):
    """An encoder and CLAP's projection, from mels [B, 1 or 4, T, 64] in dB."""

    def __init__(self, encoder, width, projection):
        super().__init__()
        encoder.spectrogram_extractor = nn.Identity()
        encoder.logmel_extractor = nn.Identity()
        self.audio_branch = encoder
        self.audio_projection = nn.Sequential(
            nn.Linear(width, projection), nn.ReLU(), nn.Linear(projection, projection)
        )

    def forward(self, mels, longer=None):
        """Return the embedding and its projection, not normalised."""
        name = type(self.audio_branch).__name__
        given = mels if name in ("Cnn6", "Cnn10") else {"waveform": mels}
        if longer is not None:
            given = {"mel_fusion": mels, "longer": torch.tensor(longer)}
        embedding = self.audio_branch(given, device="cpu")["embedding"]
        return embedding, self.audio_projection(embedding)


def settings():
    """Return what the encoders read of a model's JSON."""
    return types.SimpleNamespace(
        mel_bins=64, window_size=1024, hop_size=480, sample_rate=48000, fmin=50, fmax=14000
    )


def make_htsat(fusion_type, options, projection):
    """Build a small HTSAT with fusion: embed_dim, depths and num_heads are free."""
    model = load("htsat").HTSAT_Swin_Transformer(
        config=settings(), num_classes=5, enable_fusion=True, fusion_type=fusion_type, **options
    )
    return Tower(model, model.num_features, projection).eval()


def make_pann(arch, fusion_type, projection):
    """Build Cnn14, Cnn10 or Cnn6, with fusion where `fusion_type` is not None."""
    values = {**vars(settings()), "classes_num": 5}
    values["enable_fusion"] = fusion_type is not None
    values["fusion_type"] = fusion_type or "None"
    model = getattr(load("pann_model"), arch)(**values)
    return Tower(model, model.fc1.in_features, projection).eval()


def published(key, is_htsat):
    """Return our names of a tensor: three for queries, keys and values, else one."""
    if key.startswith("audio_projection."):
        return [key.replace(".0.", ".linear1.").replace(".2.", ".linear2.")]
    name = key.removeprefix("audio_branch.")
    if not is_htsat:
        return [ENCODER + name]
    for old, new in HTSAT_NAMES.items():
        name = new + name.removeprefix(old) if name.startswith(old) else name.replace(old, new)
    if ".attn.qkv." not in name:
        return [ENCODER + name]
    return [
        ENCODER + name.replace("attn.qkv", f"attention.self.{part}")
        for part in ("query", "key", "value")
    ]


def _is_kept(key, value):
    """Tell whether the embedding depends on a tensor."""
    heads = ("audio_branch.tscam_conv.", "audio_branch.head.", "audio_branch.fc_audioset.")
    return value.is_floating_point() and not key.startswith(heads) and "attn_mask" not in key


def fill(tower, seed):
    """Draw every tensor of a tower under our names; return the plan."""
    is_htsat = hasattr(tower.audio_branch, "layers")
    state = {key: value for key, value in tower.state_dict().items() if _is_kept(key, value)}
    names = {key: published(key, is_htsat) for key in state}
    shapes = {
        name: (value.shape[0] // len(names[key]), *value.shape[1:])
        for key, value in state.items()
        for name in names[key]
    }
    lines = plan(shapes, seed)
    drawn = draw_plan(lines)
    joined = {key: torch.cat([drawn[name] for name in names[key]]) for key in state}
    tower.load_state_dict(joined, strict=False)
    return lines
