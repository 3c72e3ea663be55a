"""laion_clap's text branches on their own, without the audio half that its CLAP class builds.

Ran with laion_clap 1.1.7, transformers 5.23.0, torch 2.13.0 (CPU).
"""

import importlib
import importlib.util
import sys
import types
from collections import OrderedDict
from pathlib import Path
from unittest.mock import MagicMock

import torch
from torch import nn


def _package(name, folder):
    """Import modules of a package without its __init__, which would load far more."""
    module = types.ModuleType(name)
    module.__path__ = [str(folder)]
    sys.modules[name] = module


def _open():
    """Make laion_clap's model and tokenizer importable; they need none of the audio half."""
    spec = importlib.util.find_spec("laion_clap")
    folder = Path(spec.submodule_search_locations[0])
    _package("laion_clap", folder)
    _package("laion_clap.clap_module", folder / "clap_module")
    for name in ("timm_model", "utils", "htsat", "pann_model"):
        sys.modules[f"laion_clap.clap_module.{name}"] = MagicMock()


_open()
laion = importlib.import_module("laion_clap.clap_module.model")
laion_tokenizer = importlib.import_module("laion_clap.clap_module.tokenizer")


class TextBranch(nn.Module):
    """The text half of laion_clap's CLAP; `encode_text` is its own."""

    encode_text = laion.CLAP.encode_text

    def __init__(self, kind, network, width, joint):
        super().__init__()
        self.text_branch_type = kind
        self.text_branch = network
        self.text_projection = nn.Sequential(
            nn.Linear(width, joint), nn.ReLU(), nn.Linear(joint, joint)
        )

    def published(self):
        """Return the parameters under this library's names."""
        names = OrderedDict()
        for key, value in self.state_dict().items():
            key = key.replace("text_projection.0.", "text_projection.linear1.")
            key = key.replace("text_projection.2.", "text_projection.linear2.")
            key = key.replace("text_branch.", "text_model.")
            if not key.startswith(("text_projection", "text_model")):
                key = f"text_model.{key}"
            names[key] = value
        return names


class ClipBranch(TextBranch):
    """The CLIP transformer with the embeddings that CLAP keeps beside it."""

    build_attention_mask = laion.CLAP.build_attention_mask

    def __init__(self, config, joint, quick):
        act = laion.QuickGELU if quick else nn.GELU
        width = config["width"]
        network = laion.Transformer(width, config["layers"], config["heads"], act_layer=act)
        super().__init__("transformer", network, width, joint)
        self.context_length = config["context_length"]
        self.token_embedding = nn.Embedding(config["vocab_size"], width)
        self.positional_embedding = nn.Parameter(torch.empty(self.context_length, width))
        self.ln_final = laion.LayerNorm(width)
        self.register_buffer("attn_mask", self.build_attention_mask(), persistent=False)
