"""Tiny tokenizers of BERT and CLIP in the published file layouts, and what they make of prompts.

Ran with transformers 5.23.0, laion_clap 1.1.7, ftfy 6.3.1.
"""

import gzip
import json
from collections import Counter

from transformers import BertTokenizer

from common import GOLDENS
from laion import laion_tokenizer as laion
from tokenizer import CORPUS, PROMPTS, join_pair

MERGES = 90

MORE = (
    "Bj\u00f6rk &amp; The Caf\u00e9's na\u00efve &lt;intro&gt; &quot;live&quot;",
    "&amp;amp;lt;b&amp;amp;gt; twice &#8217;quoted&#8217; &hellip; &copy 2020 &notit; P&EACUTE;REZ",
    "<b>markup &amp; more</b> &eacute;",
    "\u201ccurly\u201d \u2018quotes\u2019 \ufb01ne \ufb02ute \uff26\uff35\uff2c\uff2c\u3000width",
    "caf\u00c3\u00a9 d\u00c3\u00a9j\u00c3\u00a0 vu",
    "it\u00e2\u20ac\u2122s",
    "\x1b[31mred\x1b[0m tab\tand\x0bvertical \x85 next",
    "\u7d20\u6674\u3089\u3057\u3044 \u97f3\u697d \U00020000\U0002a6d6 \ud55c\uad6d\uc5b4",
    "\U0001f1e9\U0001f1ea flags \U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001f44d\U0001f3fd",
    "\u0130stanbul \u039f\u0394\u039f\u03a3 STRASSE stra\u00dfe \u01c5",
    "can't won't I'M they'RE 3'4 12,345.678 a.b.c e-mail@x.org",
    "unaffable-anti_dis(establishment)arian;ism!?",
    "a <start_of_text> in <END_OF_TEXT> text [SEP] [MASK] [cls]",
    "x" * 120,
    "piano " * 100,
    "\u200b\u200e\ufeffinvisible\u00ad marks\u2028line",
    "\u0e40\u0e1e\u0e25\u0e07 \u0939\u093f\u0928\u094d\u0926\u0940 \u05e9\u05b8\u05c1",
)


def byte_symbols():
    """Return the stand-ins of all bytes, in laion's order."""
    return list(laion.bytes_to_unicode().values())


def learn_merges():
    """Take the most frequent pair, smallest first among equals; words end in `</w>`."""
    text = " ".join((*CORPUS, *PROMPTS[3:8])).lower().split()
    table = laion.bytes_to_unicode()
    words = Counter()
    for word in text:
        symbols = [table[byte] for byte in word.encode()]
        words[(*symbols[:-1], f"{symbols[-1]}</w>")] += 1
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


def make_clip():
    """Write OpenAI's layout and transformers'; return laion's rows of ids."""
    merges = learn_merges()
    folder = GOLDENS / "tokenizer-clip"
    folder.mkdir(parents=True, exist_ok=True)
    lines = ["#version: 0.2", *(" ".join(pair) for pair in merges)]
    path = folder / "bpe_simple_vocab_16e6.txt.gz"
    path.write_bytes(gzip.compress("\n".join(lines).encode(), mtime=0))
    laion._tokenizer = laion.SimpleTokenizer(str(path))
    named = {"<start_of_text>": "<|startoftext|>", "<end_of_text>": "<|endoftext|>"}
    encoder = laion._tokenizer.encoder
    vocabulary = {named.get(key, key): number for key, number in encoder.items()}
    folder = GOLDENS / "tokenizer-clip-pairs"
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(vocabulary, ensure_ascii=False, indent=1)
    (folder / "vocab.json").write_text(text + "\n", encoding="utf-8")
    (folder / "merges.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    config = {"tokenizer_class": "CLIPTokenizer", "model_max_length": 77}
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=1) + "\n")
    start = encoder["<start_of_text>"]
    rows = []
    for text in (*PROMPTS, *MORE):
        row = laion.tokenize(text)[0].tolist()
        length = len(laion._tokenizer.encode(text)) + 2
        rows.append({"text": text, "ids": row[: min(length, 77)], "cut": length > 77})
        assert row[0] == start
    return rows


def word_pieces():
    """Return special tokens, letters, their continuations and some words."""
    letters = "abcdefghijklmnopqrstuvwxyz0123456789"
    marks = "!\"#&'(),-./:;<>?@_\u65e5\u672c\u00e9\u00df\u03c3\u03b4\u03bf"
    words = " ".join(CORPUS).lower().replace(",", "").replace(";", "").split()
    endings = ("ing", "s", "ism", "ed", "able", "anti", "tion")
    tokens = ["[PAD]", "[unused0]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokens += [*marks, *letters, *(f"##{x}" for x in letters), *dict.fromkeys(words)]
    return list(dict.fromkeys([*tokens, *(f"##{x}" for x in endings)]))


def make_bert(name, **settings):
    """Write `vocab.txt` and the settings; return the tokenizer's rows of ids."""
    folder = GOLDENS / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.txt").write_text("\n".join(word_pieces()) + "\n", encoding="utf-8")
    config = {"tokenizer_class": "BertTokenizer", "model_max_length": 512, **settings}
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=1) + "\n")
    tokenizer = BertTokenizer.from_pretrained(folder)
    rows = []
    for text in (*PROMPTS, *MORE):
        ids = tokenizer(text, truncation=True, max_length=77).input_ids
        rows.append({"text": text, "ids": ids, "cut": len(tokenizer(text).input_ids) > 77})
    return rows


def make():
    """Write the folders, and the rows of all of them."""
    rows = {
        "tokenizer-clip": make_clip(),
        "tokenizer-bert": make_bert("tokenizer-bert"),
        "tokenizer-bert-cased": make_bert("tokenizer-bert-cased", do_lower_case=False),
    }
    text = json.dumps(rows, ensure_ascii=True, separators=(",", ":"))
    (GOLDENS / "tokenizer-families.json").write_text(text + "\n")
    print(f"tokenizer-families.json: {len(text)} bytes")
