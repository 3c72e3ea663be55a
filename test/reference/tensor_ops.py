"""Write the golden of the tensor ops: what PyTorch answers for small inputs.

Each output `output.<op>` is compared with the op of that name in test/tensor-*.test.ts.
Ran with torch 2.13.0 (CPU).
"""

import torch
import torch.nn.functional as F
from common import generator, normal, write

SEEDS = (0, 1, 42, 2**32 + 7, 2**53 - 1)
DRAWS = {"row": (8, 4, 16), "odd": (37,), "short": (3, 5)}


def inputs():
    """Return the operands that the ops share."""
    source = generator(3)
    x = {
        "a": normal(1, 2, 3, 4),
        "b": normal(2, 3, 1),
        "vector": normal(3, 4),
        "matrix": normal(4, 2, 4, 5),
        "integers": torch.randint(-5, 6, (2, 3, 4), generator=source),
        "indices": torch.randint(0, 3, (2, 3, 4), generator=source),
        "order": torch.tensor([2, 0, 2]),
        "audio": normal(5, 2, 4, 9),
        "image": normal(6, 2, 4, 5, 6),
        "query": normal(7, 2, 2, 5, 8),
        "key": normal(8, 2, 2, 7, 8),
        "value": normal(9, 2, 2, 7, 3),
        "scores": normal(10, 5, 7),
    }
    shapes = {
        "conv1d": (6, 4, 3),
        "grouped": (6, 2, 3),
        "conv2d": (6, 4, 3, 2),
        "transposed": (4, 5, 4),
        "bias5": (5,),
        "bias6": (6,),
        "channel": (4,),
        "shift": (4,),
    }
    for i, (name, shape) in enumerate(shapes.items()):
        x[f"weight_{name}"] = normal(20 + i, *shape)
    x["positive"] = x["a"].abs() + 0.5
    x["mask"] = x["a"] > 0
    return x


def arithmetic(x):
    """Answer element-wise ops, comparisons and products of matrices."""
    a, b, positive, integers = x["a"], x["b"], x["positive"], x["integers"]
    half = a.half()
    unary = ("neg", "abs", "exp", "sin", "cos", "tanh", "sigmoid", "floor", "round")
    binary = ("add", "sub", "mul", "div", "minimum", "maximum", "eq", "lt", "le", "gt", "ge")
    result = {name: getattr(torch, name)(a) for name in unary}
    result |= {name: getattr(torch, name)(a, b) for name in binary}
    result |= {name: getattr(torch, name)(positive) for name in ("log", "sqrt", "rsqrt")}
    return result | {
        "add_number": a + 0.25,
        "add_integers": integers + 2,
        "add_fraction": integers + 0.5,
        "div_integers": integers / 2,
        "add_bool": x["mask"] + 1,
        "ne": integers != 3,
        "pow": positive**b,
        "pow_number": a**2,
        "pow_integers": integers**2,
        "add_half": half + 0.1,
        "add_mixed": a.bfloat16() + integers,
        "clamp": a.clamp(-0.5, 0.5),
        "clamp_minimum": a.clamp(min=0.1),
        "where": torch.where(x["mask"], a, 0.0),
        "logical_and": (a > 0) & (b > 0),
        "logical_or": (a > 0) | (b > 0),
        "logical_not": torch.logical_not(integers),
        "matmul": a @ x["matrix"],
        "matmul_vector": a @ x["vector"],
        "matmul_transposed": a.transpose(1, 2) @ a,
        "matmul_half": half @ x["matrix"].half(),
        "einsum": torch.einsum("bij,bjk->bki", a, x["matrix"]),
    }


def shape(x):
    """Answer ops that move or choose elements."""
    a = x["a"]
    return {
        "permute": a.permute(2, 0, 1),
        "expand": x["b"].expand(2, 3, 4),
        "repeat": x["b"].repeat(2, 1, 2),
        "flip": a.flip(0, 2),
        "roll": a.roll((1, -2), (1, 2)),
        "pad": F.pad(a, (1, 2, 0, 1), value=0.5),
        "pad_reflect": F.pad(a, (1, 2), mode="reflect"),
        "pad_replicate": F.pad(a, (1, 2), mode="replicate"),
        "pad_circular": F.pad(a, (3, 1), mode="circular"),
        "slice": a[:, 1:, :],
        "slice_step": a[:, :, -3::2],
        "select": a[:, -1],
        "index": a[torch.tensor([1, 0]), :, torch.tensor([2, 3])],
        "index_mask": a[x["mask"]],
        "index_select": a.index_select(1, x["order"]),
        "gather": a.gather(1, x["indices"]),
        "cat": torch.cat([a, x["b"].expand(2, 3, 1)], 2),
        "stack": torch.stack([x["vector"], x["vector"] * 2], 1),
    }


def reduction(x):
    """Answer reductions of one, several and all dimensions."""
    a, integers = x["a"], x["integers"]
    result = {name: getattr(a, name)() for name in ("sum", "mean", "std", "var", "norm")}
    return result | {
        "sum_dims": a.sum((0, -1)),
        "sum_keep": a.sum(1, keepdim=True),
        "sum_integers": integers.sum(2),
        "sum_bool": x["mask"].sum(),
        "mean_dims": a.mean((1, 2), keepdim=True),
        "std_dim": a.std(2),
        "var_biased": a.var((0, 2), correction=0),
        "min": a.amin(),
        "max_dim": a.amax(1),
        "max_integers": integers.amax((0, 1)),
        "argmax": a.argmax(),
        "argmax_dim": a.argmax(2),
        "argmin_keep": a.argmin(0, keepdim=True),
        "norm_dim": torch.linalg.vector_norm(a, 2, 2),
        "norm_one": torch.linalg.vector_norm(a, 1, (0, 1)),
        "norm_infinity": torch.linalg.vector_norm(a, float("inf"), 1),
        "all": x["mask"].all(2),
        "any": x["mask"].any(1),
        "cumsum": a.cumsum(2),
        "topk_values": a.topk(2, 2).values,
        "topk_indices": a.topk(2, 2).indices,
        "sort_values": a.sort(1, descending=True).values,
        "sort_indices": a.sort(1, descending=True).indices,
    }


def functional(x):
    """Answer convolutions, norms, activations and attention."""
    a, audio, image = x["a"], x["audio"], x["image"]
    w = {key.removeprefix("weight_"): value for key, value in x.items() if "weight_" in key}
    query, key, value = x["query"], x["key"], x["value"]
    attention = F.scaled_dot_product_attention
    return {
        "conv1d": F.conv1d(audio, w["conv1d"], w["bias6"], stride=2, padding=3, dilation=2),
        "conv1d_grouped": F.conv1d(audio, w["grouped"], groups=2),
        "conv2d": F.conv2d(image, w["conv2d"], w["bias6"], stride=(2, 1), padding=(1, 2)),
        "conv_transpose1d": F.conv_transpose1d(audio, w["transposed"], w["bias5"], 3, 1, 1),
        "layer_norm": F.layer_norm(a, (4,), w["channel"], w["shift"], 1e-3),
        "layer_norm_plain": F.layer_norm(a, (3, 4)),
        "group_norm": F.group_norm(audio, 2, w["channel"], w["shift"], 1e-6),
        "relu": F.relu(a),
        "silu": F.silu(a),
        "gelu": F.gelu(a),
        "gelu_tanh": F.gelu(a, approximate="tanh"),
        "leaky_relu": F.leaky_relu(a, 0.1),
        "softmax": a.softmax(1),
        "softmax_bfloat16": a.bfloat16().softmax(2),
        "log_softmax": a.log_softmax(2),
        "interpolate1d": F.interpolate(audio, 13),
        "interpolate2d": F.interpolate(image, scale_factor=2),
        "attention": attention(query, key, value),
        "attention_masked": attention(query, key, value, x["scores"], scale=0.5),
        "attention_causal": attention(query, key[:, :, :5], value[:, :, :5], is_causal=True),
    }


def random():
    """Draw from seeds, one item at a time."""
    result = {}
    for i, seed in enumerate(SEEDS):
        for name, item in DRAWS.items():
            result[f"randn_{name}.{i}"] = torch.randn((1, *item), generator=generator(seed))
    twice = generator(42)
    torch.randn((1, 37), generator=twice)
    result["randn_second"] = torch.randn((1, 37), generator=twice)
    result["rand"] = torch.rand((5, 7), generator=generator(42))
    result["randint"] = torch.randint(-3, 9, (5, 7), generator=generator(42))
    return result


def make():
    """Write tensor-ops.safetensors."""
    x = inputs()
    answers = arithmetic(x) | shape(x) | reduction(x) | functional(x) | random()
    tensors = {f"input.{name}": value for name, value in x.items()}
    tensors |= {f"output.{name}": value for name, value in answers.items()}
    write("tensor-ops", tensors, {"seeds": SEEDS, "draws": DRAWS})
