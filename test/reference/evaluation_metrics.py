"""Goldens of retrieval and classification metrics: scikit-learn, and LAION-CLAP's own arithmetic.

Ran with scikit-learn 1.9.1, numpy 2.4.6, torch 2.13.0 (CPU). The ranking metrics restate
LAION-AI/CLAP, training/train.py in numpy: sort, then look where the right ones came to lie.
"""

import numpy as np
import sklearn
import torch
from sklearn.metrics import average_precision_score, roc_auc_score

from common import normal, write

PLACES = 10
RETRIEVAL = {"single": (40, 1, 40), "five": (24, 5, 120), "mixed": (30, 0, 95), "ties": (12, 5, 60)}


def ranks_of(scores, relevant):
    """Return where a stable descending sort puts each relevant column of one row."""
    order = np.argsort(-scores, kind="stable")
    return [int(np.flatnonzero(order == column)[0]) for column in relevant]


def average_precision(ranks):
    """AP@10 with the ranks in ascending order."""
    found = sorted(rank for rank in ranks if rank < PLACES)
    return sum((j + 1) / (rank + 1) for j, rank in enumerate(found)) / min(len(ranks), PLACES)


def unsorted_precision(ranks):
    """The same as the training code has it: ranks in the order of the captions."""
    found = np.array([rank for rank in ranks if rank < PLACES], dtype=np.float64)
    return float(np.sum(np.arange(1, len(found) + 1) / (found + 1)) / len(ranks))


def summary(ranks):
    """Return R@1, R@5, R@10, mAP@10, median and mean rank."""
    best = np.array([min(row) for row in ranks])
    recalls = [float(np.mean(best < k)) for k in (1, 5, 10)]
    precision = float(np.mean([average_precision(row) for row in ranks]))
    return [*recalls, precision, float(np.floor(np.median(best)) + 1), float(best.mean() + 1)]


def clip_numbers(name, clips, each, captions):
    """Say which clip a caption belongs to; `mixed` has 1 to 7 captions a clip, shuffled."""
    if each > 0:
        return np.repeat(np.arange(clips), each)
    source = np.random.default_rng(sum(map(ord, name)))
    owners = np.concatenate([np.arange(clips), source.integers(0, clips, captions - clips)])
    return source.permutation(owners)


def retrieval(tensors, seed, name, shape):
    """Add one retrieval set with the metrics of both directions."""
    clips, each, captions = shape
    owners = clip_numbers(name, clips, each, captions)
    text = normal(seed, captions, 16)
    audio = normal(seed + 1, clips, 16)
    # Captions resemble their clips somewhat, so that ranks spread over the whole range.
    text = text + 0.6 * audio[torch.from_numpy(owners)]
    if name == "ties":
        text, audio = text.sign(), audio.sign()
    scores = (text @ audio.T).double().numpy()
    if name == "ties":
        scores = np.round(scores / 8)
    to_audio = [ranks_of(scores[row], [owner]) for row, owner in enumerate(owners)]
    to_text = [ranks_of(scores[:, clip], np.flatnonzero(owners == clip)) for clip in range(clips)]
    tensors[f"input.scores.{name}"] = torch.from_numpy(scores)
    tensors[f"input.clip_of.{name}"] = torch.from_numpy(owners.astype(np.int64))
    tensors[f"output.text_to_audio.{name}"] = torch.tensor(summary(to_audio))
    tensors[f"output.audio_to_text.{name}"] = torch.tensor(summary(to_text))
    unsorted = float(np.mean([unsorted_precision(row) for row in to_text]))
    tensors[f"output.unsorted.{name}"] = torch.tensor([unsorted])


def multi_label(tensors, seed, name, levels):
    """Add one multi-label set; `levels` > 0 makes equal scores."""
    scores = normal(seed, 60, 9)
    labels = (torch.sigmoid(normal(seed + 1, 60, 9) + 0.5 * scores) > 0.7).long()
    if levels > 0:
        scores = torch.round(scores * levels)
    precisions = average_precision_score(labels.numpy(), scores.numpy(), average=None)
    areas = roc_auc_score(labels.numpy(), scores.numpy(), average=None)
    tensors[f"input.scores.{name}"] = scores
    tensors[f"input.labels.{name}"] = labels
    tensors[f"output.average_precision.{name}"] = torch.from_numpy(precisions)
    tensors[f"output.roc_auc.{name}"] = torch.from_numpy(areas)


def single_label(tensors, seed):
    """Add one classification with a single right class per clip."""
    scores = normal(seed, 80, 12)
    targets = np.random.default_rng(seed).integers(0, 12, 80)
    scores[torch.arange(80), torch.from_numpy(targets)] += 1.0
    ranks = [ranks_of(scores[row].numpy(), [target]) for row, target in enumerate(targets)]
    tensors["input.scores.classes"] = scores
    tensors["input.targets.classes"] = torch.from_numpy(targets)
    tensors["output.ranking.classes"] = torch.tensor(summary(ranks))
    accuracy = float(np.mean(scores.argmax(1).numpy() == targets))
    tensors["output.accuracy.classes"] = torch.tensor([accuracy])


def make():
    """Write `evaluation-metrics.safetensors`."""
    tensors = {}
    for index, (name, shape) in enumerate(RETRIEVAL.items()):
        retrieval(tensors, 7000 + 10 * index, name, shape)
    multi_label(tensors, 7100, "smooth", 0)
    multi_label(tensors, 7110, "stepped", 2)
    single_label(tensors, 7120)
    write("evaluation-metrics", tensors, {"places": PLACES}, scikit_learn=sklearn.__version__)
