"""A tiny RoBERTa byte-level BPE tokenizer in the published file layouts.

Ran with transformers 5.23.0, tokenizers 0.23.3.
"""

import json
from collections import Counter

from transformers import RobertaTokenizer

CORPUS = (
    "relaxing jazz with a smooth piano and a soft saxophone melody over the drums",
    "an energetic techno track with the heavy bass and the synthesizer at 128 bpm",
    "a calm ambient song with piano strings and the sound of rain and thunder",
    "Heavy metal guitar solo, don't stop the drums; they're the best we've heard",
    "a happy ukulele song about the summer with hand claps and whistling",
)
MERGES = 90

PROMPTS = (
    "",
    " ",
    "techno music",
    "a relaxing jazz song with piano and drums",
    "  two  leading and\ttab,\nnewline and trailing   ",
    "Heavy metal at 140bpm, don't stop; we've 3/4 time!",
    "caf\u00e9 m\u00fasica \u00e9l\u00e9ctrica \u2014 "
    "\u65e5\u672c\u306e\u97f3\u697d \u0645\u0648\u0633\u064a\u0642\u0649",
    "happy \U0001f600\U0001f3b5 song \U0001f469\u200d\U0001f3a4",
    "e\u0301 combining, nbsp\u00a0here, ideographic\u3000space, zero\u200bwidth",
    "it's IT'S I'll they'd \u00b2\u00bd \u2167 x_y __ #1",
    "a <mask> between <s> marks </s> and <pad>",
    "line\r\nbreak \x01 control",
    "the drums " * 300,
    "\U0001f3b5" * 200,
)


def byte_symbols():
    """List the printable stand-ins of bytes 0...255 of byte-level BPE."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    symbols = {byte: chr(byte) for byte in printable}
    for byte in range(256):
        if byte not in symbols:
            symbols[byte] = chr(256 + len(symbols) - len(printable))
    return [symbols[byte] for byte in range(256)]


def join_pair(word, pair):
    """Join each occurrence of a pair in a tuple of symbols."""
    joined = []
    for symbol in word:
        if joined and (joined[-1], symbol) == pair:
            joined[-1] += symbol
        else:
            joined.append(symbol)
    return tuple(joined)


def learn_merges(symbols):
    """Take the most frequent pair, smallest first among equals, until there are enough."""
    text = " ".join(CORPUS).split(" ")
    words = Counter(tuple(symbols[byte] for byte in f" {word}".encode()) for word in text)
    merges = []
    while len(merges) < MERGES:
        pairs = Counter()
        for word, count in words.items():
            for pair in zip(word, word[1:], strict=False):
                pairs[pair] += count
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        joined = Counter()
        for word, count in words.items():
            joined[join_pair(word, best)] += count
        words = joined
    return merges


def _dump(path, value):
    """Write JSON as UTF-8 with a final newline."""
    path.write_text(json.dumps(value, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def write_tokenizer(folder, with_fast_file):
    """Write vocab.json, merges.txt, both config files and, if wanted, tokenizer.json."""
    folder.mkdir(parents=True, exist_ok=True)
    symbols = byte_symbols()
    merges = learn_merges(symbols)
    tokens = ["<s>", "<pad>", "</s>", "<unk>", *symbols, *("".join(pair) for pair in merges)]
    vocabulary = {token: index for index, token in enumerate(dict.fromkeys([*tokens, "<mask>"]))}
    _dump(folder / "vocab.json", vocabulary)
    lines = ["#version: 0.2", *(" ".join(pair) for pair in merges)]
    (folder / "merges.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    special = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}
    special = {**special, "sep_token": "</s>", "cls_token": "<s>"}
    mask = {"content": "<mask>", "lstrip": True, "normalized": False}
    mask = {**mask, "rstrip": False, "single_word": False}
    _dump(folder / "special_tokens_map.json", {**special, "mask_token": mask})
    config = {**special, "mask_token": {"__type": "AddedToken", **mask}, "errors": "replace"}
    config = {**config, "add_prefix_space": False, "trim_offsets": True, "model_max_length": 512}
    _dump(folder / "tokenizer_config.json", {**config, "tokenizer_class": "RobertaTokenizer"})
    if with_fast_file:
        fast = RobertaTokenizer.from_pretrained(folder)
        fast.backend_tokenizer.save(str(folder / "tokenizer.json"))
    return len(vocabulary)


def token_ids(tokenizer):
    """Tokenise the prompts alone: specials included, cut at 512, no padding."""
    rows = []
    for prompt in PROMPTS:
        ids = tokenizer(prompt, truncation=True, max_length=512).input_ids
        rows.append({"text": prompt, "ids": ids})
    return rows
