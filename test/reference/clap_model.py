"""Goldens of CLAP from waveform to embedding: transformers' ClapModel behind its own front end.

laion_clap's own answers are there as well (clap_laion.py). The waveforms are a formula that the
tests compute too (test/helpers/waveform.ts). Clips beyond 10 s are cut where the library cuts them:
windows every 5 s, the last at the end, and for fusion the middle start of each third.

Ran with torch 2.13.0 (CPU), transformers 5.23.0.
"""

import json
import shutil

import numpy as np
import torch
from transformers import ClapConfig, ClapFeatureExtractor, ClapModel

from clap_laion import Ears
from common import GOLDENS, randomise, write
from tokenizer import PROMPTS, write_tokenizer

RATE = 48_000
WINDOW = 10 * RATE
HOP = 5 * RATE
SECONDS = (0.3, 1, 2.5, 5, 9.99, 10, 10.01, 37)
WIDTH = 20
TEXTS = [PROMPTS[2], PROMPTS[3], PROMPTS[5], ""]

AUDIO = {
    "patch_embeds_hidden_size": 4,
    "hidden_size": 32,
    "depths": [1, 1, 2, 1],
    "num_attention_heads": [1, 2, 2, 4],
    "num_classes": 8,
    "projection_dim": WIDTH,
}


def noise(count):
    """White noise in -1...1: a hash of the index, equal in every language."""
    mask = np.uint64(0xFFFFFFFF)
    value = (np.arange(1, count + 1, dtype=np.uint64) * np.uint64(2654435761)) & mask
    value ^= value >> np.uint64(15)
    value = (value * np.uint64(2246822519)) & mask
    value ^= value >> np.uint64(13)
    return value.astype(np.float64) / 2**31 - 1


def waveform(seconds):
    """A beating chord that grows brighter, with noise that comes and goes."""
    count = round(seconds * RATE)
    time = np.arange(count, dtype=np.float64) / RATE
    turn = 2 * np.pi
    chord = 0.3 * np.sin(turn * 220 * time) + 0.2 * np.sin(turn * (330 + 40 * time) * time)
    swell = 0.5 + 0.5 * np.sin(turn * 0.3 * time)
    return (chord + 0.2 * swell * noise(count)).astype(np.float32)


def text_config(vocabulary):
    """A two-layer RoBERTa."""
    return {
        "vocab_size": vocabulary,
        "hidden_size": 24,
        "num_hidden_layers": 2,
        "num_attention_heads": 3,
        "intermediate_size": 40,
        "max_position_embeddings": 80,
        "projection_dim": WIDTH,
        "layer_norm_eps": 1e-5,
    }


def build_extractor(fused):
    """The published front ends."""
    return ClapFeatureExtractor(
        frequency_min=50,
        frequency_max=14000,
        truncation="fusion" if fused else "rand_trunc",
        padding="repeatpad",
    )


def build_model(fused, seed, vocabulary):
    """A ClapModel whose first norm fits dB, so that the towers see numbers of unit size."""
    audio = {**AUDIO, "enable_fusion": fused}
    config = ClapConfig(
        text_config=text_config(vocabulary), audio_config=audio, projection_dim=WIDTH
    )
    model = randomise(ClapModel(config), seed)
    with torch.no_grad():
        norm = model.audio_model.audio_encoder.batch_norm
        norm.running_mean.mul_(10).sub_(20)
        norm.running_var.mul_(300)
    return model


def embed(model, features, is_longer):
    """Return rows of unit length for features [B, channels, 1001, 64]."""
    flags = torch.tensor(is_longer).reshape(-1, 1)
    output = model.get_audio_features(torch.from_numpy(features), is_longer=flags)
    rows = output.pooler_output
    return rows / rows.norm(dim=-1, keepdim=True)


def windows(wave):
    """Start samples of the windows that cover a wave."""
    last = len(wave) - WINDOW
    if last <= 0:
        return [0]
    starts = [*range(0, last + 1, HOP)]
    return starts if starts[-1] == last else [*starts, last]


def middle_choice(values):
    """Stand in for the random choice of a start."""
    return values[len(values) // 2]


def pieces(wave):
    """Cut a wave into its windows."""
    return [wave[start : start + WINDOW] for start in windows(wave)]


def embed_windows(model, extractor, wave):
    """Embed every window on its own, none of which is longer than a window."""
    mels = []
    for piece in pieces(wave):
        mel, _ = extractor._get_input_mel(piece, WINDOW, extractor.truncation, extractor.padding)
        mels.append(mel)
    return embed(model, np.stack(mels).astype(np.float32), [False] * len(mels))


def embed_whole(model, extractor, wave):
    """Embed a wave by fusion of its whole and the middle crop of each third."""
    choice, np.random.choice = np.random.choice, middle_choice
    try:
        mel, longer = extractor._get_input_mel(wave, WINDOW, "fusion", extractor.padding)
    finally:
        np.random.choice = choice
    return embed(model, mel[None].astype(np.float32), [longer])


def write_folder(name, model, extractor):
    """Write a CLAP folder as transformers saves it, with canonical weights beside it."""
    folder = GOLDENS / name
    shutil.rmtree(folder, ignore_errors=True)
    vocabulary = write_tokenizer(folder, with_fast_file=False)
    assert vocabulary == model.config.text_config.vocab_size
    config = model.config.to_dict()
    (folder / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    extractor.save_pretrained(folder)
    write(f"{name}/model", model.state_dict(), {}, format="pt")


def embed_texts(model, folder):
    """Embed texts one by one, without padding."""
    from transformers import RobertaTokenizer

    tokenizer = RobertaTokenizer.from_pretrained(folder)
    rows = []
    for text in TEXTS:
        ids = torch.tensor([tokenizer(text).input_ids])
        row = model.get_text_features(ids, attention_mask=torch.ones_like(ids)).pooler_output
        rows.append(row / row.norm(dim=-1, keepdim=True))
    return torch.cat(rows)


def make_case(name, fused, seed, vocabulary):
    """Write one folder and the embeddings of its model."""
    model = build_model(fused, seed, vocabulary)
    extractor = build_extractor(fused)
    write_folder(name, model, extractor)
    tensors = {"output.text": embed_texts(model, GOLDENS / name)}
    ears = Ears(model.state_dict(), AUDIO, fused)
    for seconds in SECONDS:
        wave = waveform(seconds)
        tensors[f"output.windows.{seconds}"] = embed_windows(model, extractor, wave)
        tensors[f"output.laion.windows.{seconds}"] = ears.embed(pieces(wave))
        if fused:
            tensors[f"output.whole.{seconds}"] = embed_whole(model, extractor, wave)
            tensors[f"output.laion.whole.{seconds}"] = ears.embed([wave])
    write(f"{name}-embeddings", tensors, {}, texts=TEXTS, seconds=SECONDS)


def make():
    """Write the goldens of a model without fusion and of a fused one."""
    folder = GOLDENS / "clap-tiny"
    vocabulary = write_tokenizer(folder, with_fast_file=False)
    with torch.no_grad():
        make_case("clap-tiny", False, 4200, vocabulary)
        make_case("clap-tiny-fused", True, 4300, vocabulary)
