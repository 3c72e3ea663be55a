"""Goldens of the text networks beside RoBERTa: BERT, BART and CLIP as laion_clap runs them.

Ran with laion_clap 1.1.7, transformers 5.23.0, torch 2.13.0 (CPU).
"""

import torch
from transformers import BartConfig, BartModel, BertConfig, BertModel

from common import generator, randomise, write
from laion import ClipBranch, TextBranch

JOINT = 20

BERT = {
    "vocab_size": 90,
    "hidden_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "intermediate_size": 40,
    "max_position_embeddings": 33,
}

BART = {
    "vocab_size": 90,
    "d_model": 24,
    "encoder_layers": 2,
    "encoder_attention_heads": 3,
    "encoder_ffn_dim": 40,
    "decoder_layers": 1,
    "decoder_attention_heads": 2,
    "decoder_ffn_dim": 16,
    "max_position_embeddings": 80,
}

CLIP = {"vocab_size": 90, "context_length": 30, "width": 24, "heads": 3, "layers": 2}

# name -> (real lengths of the rows, padded length)
BERT_CASES = {
    "single": ([11], 11),
    "padded": ([5], 30),
    "mixed": ([2, 17, 30], 30),
    "longest": ([33], 33),
}
BART_CASES = {
    "single": ([11], 11),
    "padded": ([5], 77),
    "mixed": ([2, 17, 77], 77),
    "longest": ([80], 80),
}
CLIP_CASES = {"single": ([11], 30), "mixed": ([2, 17, 29], 30), "longest": ([30], 30)}


def make_ids(seed, rows, vocabulary, special):
    """Draw rows of ids between a start and an end token, padded on the right."""
    lengths, total = rows
    start, end, pad = special
    low = max(x for x in (*special, 3) if x < 10) + 1
    ids = torch.randint(low, vocabulary - 2, (len(lengths), total), generator=generator(seed))
    mask = torch.zeros_like(ids)
    for row, seen, length in zip(ids, mask, lengths, strict=True):
        row[0] = start
        row[length - 1] = end
        row[length:] = pad
        seen[:length] = 1
    return ids, mask


def run(branch, ids, mask):
    """Return hidden states, what is projected, and the embedding by laion's own code."""
    seen = {}
    hooks = [branch.text_projection.register_forward_pre_hook(lambda _, x: seen.update(pool=x[0]))]
    if branch.text_branch_type == "transformer":
        hooks.append(branch.ln_final.register_forward_hook(lambda *x: seen.update(hidden=x[2])))
        embeds = branch.encode_text(ids, "cpu")
        hidden = seen["hidden"]
    else:
        text = {"input_ids": ids, "attention_mask": mask, "token_type_ids": torch.zeros_like(ids)}
        embeds = branch.encode_text(text, "cpu")
        bart = branch.text_branch_type == "bart"
        network = branch.text_branch.encoder if bart else branch.text_branch
        hidden = network(input_ids=ids, attention_mask=mask).last_hidden_state
    for hook in hooks:
        hook.remove()
    return hidden, seen["pool"], embeds


def add_gradients(tensors, branch, embeds):
    """Add the gradients of the mean of squares of the embeddings."""
    branch.zero_grad()
    embeds.square().mean().backward()
    named = branch.state_dict(keep_vars=True).items()
    for (name, value), key in zip(named, branch.published(), strict=True):
        if value.grad is not None and ".decoder." not in name and "embed_tokens" not in key:
            tensors[f"grad.{key}"] = value.grad.clone()


def make_case(name, branch, settings):
    """Write one network with its cases; gradients are those of the case `mixed`."""
    config, cases, special, seed = settings
    randomise(branch, seed)
    tensors = {f"weight.{key}": value.clone() for key, value in branch.published().items()}
    for index, (case, rows) in enumerate(cases.items()):
        ids, mask = make_ids(seed + 10 + index, rows, config["vocab_size"], special)
        if case == "longest" and branch.text_branch_type == "transformer":
            ids[:, -1] = special[0] - 5  # cut, without its end
        hidden, pooled, embeds = run(branch, ids, mask)
        if case == "mixed":
            add_gradients(tensors, branch, embeds)
        tensors[f"input.ids.{case}"] = ids
        tensors[f"input.mask.{case}"] = mask
        tensors[f"output.last_hidden_state.{case}"] = hidden
        tensors[f"output.pooler_output.{case}"] = pooled
        tensors[f"output.text_embeds.{case}"] = embeds
    write(name, tensors, config, gradient="mean of squares of text_embeds.mixed")


def make():
    """Write the four goldens."""
    shared = {"projection_dim": JOINT}
    bert = TextBranch("bert", BertModel(BertConfig(**BERT)), BERT["hidden_size"], JOINT)
    config = {"model_type": "bert", **shared, **BERT}
    make_case("clap-text-bert", bert, (config, BERT_CASES, (4, 5, 0), 4200))
    for name, scaled in (("clap-text-bart", False), ("clap-text-bart-scaled", True)):
        network = BartModel(BartConfig(**BART, scale_embedding=scaled))
        branch = TextBranch("bart", network, BART["d_model"], JOINT)
        config = {"model_type": "bart", **shared, **BART, "scale_embedding": scaled}
        make_case(name, branch, (config, BART_CASES, (0, 2, 1), 4300))
    for name, quick in (("clap-text-clip", False), ("clap-text-clip-quick", True)):
        branch = ClipBranch(CLIP, JOINT, quick)
        config = {"model_type": "clip_text_model", **shared, **CLIP, "quick_gelu": quick}
        make_case(name, branch, (config, CLIP_CASES, (88, 89, 0), 4400))
