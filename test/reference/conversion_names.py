"""Names and shapes of full-size models in laion_clap's layout and in the published one.

Ran with torch 2.13.0 (CPU), transformers 5.23.0, laion_clap 1.1.7.
"""

import json

import torch
from torch import nn
from transformers import (
    BartConfig,
    BartModel,
    BertConfig,
    BertModel,
    ClapConfig,
    ClapModel,
    RobertaConfig,
    RobertaModel,
)

from common import GOLDENS, versions
from conversions import audio_settings, clap, load_laion


def shapes(state):
    """Names and shapes of a state dict."""
    return {key: list(value.shape) for key, value in sorted(state.items())}


def full_text(kind):
    """A text tower of full size without values, and its width."""
    with torch.device("meta"):
        if kind == "bert":
            return BertModel(BertConfig()), 768
        if kind == "bart":
            sizes = {"d_model": 768, "encoder_ffn_dim": 3072, "decoder_ffn_dim": 3072}
            layers = {"encoder_layers": 6, "decoder_layers": 6}
            heads = {"encoder_attention_heads": 12, "decoder_attention_heads": 12}
            return BartModel(BartConfig(**sizes, **layers, **heads)), 768
        if kind == "transformer":
            return load_laion("model").Transformer(512, 12, 8), 512
        sizes = {"vocab_size": 50265, "max_position_embeddings": 514, "type_vocab_size": 1}
        return RobertaModel(RobertaConfig(**sizes)), 768


def full_audio(name, fusion):
    """An audio tower of full size, and its width."""
    settings = audio_settings(64, 1024)
    settings.class_num, settings.model_name = 527, name
    if name in ("tiny", "base"):
        model = load_laion("htsat").create_htsat_model(settings, fusion is not None, fusion)
        return model, model.num_features
    model = load_laion("pann_model").create_pann_model(settings, fusion is not None, fusion)
    return model, model.fc1.out_features


def full_names(audio, fusion, text):
    """Names and shapes of laion_clap's model with these towers."""
    tower, wide = full_audio(audio, fusion)
    branch, narrow = full_text(text)
    model = clap(tower, branch, (wide, narrow), 512)
    if text == "transformer":
        model.token_embedding = nn.Embedding(49408, 512, device="meta")
        model.positional_embedding = nn.Parameter(torch.empty(77, 512, device="meta"))
        model.ln_final = nn.LayerNorm(512)
    return shapes(model.state_dict())


def published_names(depths, width, fused):
    """Names and shapes of transformers' class of full size."""
    audio = {"depths": depths, "patch_embeds_hidden_size": width, "hidden_size": 8 * width}
    with torch.device("meta"):
        model = ClapModel(ClapConfig(audio_config={**audio, "enable_fusion": fused}))
    return shapes(model.state_dict())


def make():
    """Write names and shapes of the models as they are published."""
    full = {
        "htsat-tiny-roberta": ("tiny", None, "roberta"),
        "htsat-tiny-fused-roberta": ("tiny", "aff_2d", "roberta"),
        "htsat-base-roberta": ("base", None, "roberta"),
        "pann-14-bert": ("Cnn14", None, "bert"),
        "pann-10-bart": ("Cnn10", None, "bart"),
        "pann-6-transformer": ("Cnn6", None, "transformer"),
    }
    tiny, base = [2, 2, 6, 2], [2, 2, 12, 2]
    content = {
        "versions": versions(),
        "laion": {name: full_names(*choice) for name, choice in full.items()},
        "published": {
            "htsat-tiny-roberta": published_names(tiny, 96, False),
            "htsat-tiny-fused-roberta": published_names(tiny, 96, True),
            "htsat-base-roberta": published_names(base, 128, False),
        },
    }
    text = json.dumps(content, indent=None, separators=(",", ":"), sort_keys=True)
    (GOLDENS / "conversion-names.json").write_text(text + "\n")
    print(f"conversion-names.json: {len(text)} bytes")
