"""Where the time of a run goes, by kind of operator."""

from torch.profiler import ProfilerActivity, profile as record

# The first kind with a part that the operator's name contains takes it.
KINDS = {
    "convolution": ("conv", "slow_conv", "thnn"),
    "attention": ("scaled_dot_product", "softmax"),
    "linear": ("addmm", "::mm", "bmm", "linear", "matmul", "baddbmm", "embedding"),
    "norm + activation": (
        "group_norm",
        "layer_norm",
        "silu",
        "gelu",
        "relu",
        "tanh",
        "batch_norm",
    ),
    "copies": ("copy", "cat", "clone", "contiguous", "upsample", "pad", "to_dense", "reorder"),
}


def kind_of(name):
    """Return the kind of an operator."""
    for kind, parts in KINDS.items():
        if any(part in name for part in parts):
            return kind
    return "other"


def profile(forward):
    """Run once; return the milliseconds that each kind of operator took on the calling thread."""
    with record(activities=[ProfilerActivity.CPU]) as recorded:
        forward()
    milliseconds = dict.fromkeys([*KINDS, "other"], 0.0)
    for event in recorded.key_averages():
        milliseconds[kind_of(event.key)] += event.self_cpu_time_total / 1000
    return milliseconds
