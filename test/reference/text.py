"""Goldens of CLAP's text tower in both published wrappings.

Ran with torch 2.13.0 (CPU), transformers 5.23.0.
"""

import torch
from transformers import ClapConfig, ClapModel, ClapTextConfig, ClapTextModelWithProjection

from common import generator, randomise, weights, write

TEXT = {
    "vocab_size": 90,
    "hidden_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "intermediate_size": 40,
    "max_position_embeddings": 40,
    "projection_dim": 20,
}

TINY_AUDIO = {
    "patch_embeds_hidden_size": 4,
    "hidden_size": 32,
    "depths": [1, 1, 1, 1],
    "num_attention_heads": [1, 1, 2, 2],
    "num_classes": 8,
    "projection_dim": 20,
}

# name -> (real lengths of the rows, padded length)
CASES = {
    "unpadded": ([11], 11),
    "padded": ([5], 30),
    "mixed": ([2, 17, 30], 30),
    "longest": ([38], 38),
}


def make_ids(seed, lengths, total, vocabulary):
    """Draw `<s> ... </s>` rows (ids 0 and 2) padded on the right with id 1."""
    source = generator(seed)
    ids = torch.randint(4, vocabulary, (len(lengths), total), generator=source)
    for row, length in zip(ids, lengths, strict=True):
        row[0] = 0
        row[length - 1] = 2
        row[length:] = 1
    return ids, (ids != 1).long()


def embed(model, ids, mask):
    """Return hidden states, tanh-pooled state and the wrapper's own embedding."""
    body = model.text_model(input_ids=ids, attention_mask=mask)
    if isinstance(model, ClapModel):
        features = model.get_text_features(ids, attention_mask=mask).pooler_output
    else:
        features = model(ids, attention_mask=mask).text_embeds
    return body.last_hidden_state, body.pooler_output, features


def text_weights(model):
    """Return the tensors of the text half alone."""
    return {key: value for key, value in weights(model).items() if key.startswith("weight.text_")}


def make_case(name, model, seed, config):
    """Write one tower: `text_embeds` is unit length for ClapModel and raw otherwise."""
    randomise(model, seed)
    tensors = text_weights(model)
    for index, (case, (lengths, total)) in enumerate(CASES.items()):
        ids, mask = make_ids(seed + 10 + index, lengths, total, TEXT["vocab_size"])
        hidden, pooled, features = embed(model, ids, mask)
        tensors[f"input.ids.{case}"] = ids
        tensors[f"input.mask.{case}"] = mask
        tensors[f"output.last_hidden_state.{case}"] = hidden
        tensors[f"output.pooler_output.{case}"] = pooled
        tensors[f"output.text_embeds.{case}"] = features
    write(name, tensors, config)


def make():
    """Write the text goldens, one with eps 1e-12 and one with eps 1e-5."""
    with torch.no_grad():
        raw = ClapTextConfig(**TEXT, layer_norm_eps=1e-12)
        make_case("clap-text-raw", ClapTextModelWithProjection(raw), 4000, raw.to_dict())
        unit = ClapConfig(
            text_config={**TEXT, "layer_norm_eps": 1e-5},
            audio_config=TINY_AUDIO,
            projection_dim=TEXT["projection_dim"],
        )
        make_case("clap-text-unit", ClapModel(unit), 4100, unit.to_dict())
