"""What runs the reference's networks: PyTorch eager, torch.compile, or ONNX Runtime."""

import logging
import warnings
from pathlib import Path

import torch
from networks import open_network


class Eager:
    """PyTorch as it is."""

    def __init__(self, task):
        self.folder = Path(task["folder"])
        self.opened = {}

    def network(self, stage):
        """Return what runs a stage: a function of tensors."""
        if stage not in self.opened:
            self.opened[stage] = self.open(stage)
        return self.opened[stage]

    def open(self, stage):
        """Open the network of a stage."""
        return open_network(self.folder, stage)


class Compiled(Eager):
    """torch.compile with weights frozen, for one set of shapes at a time."""

    def __init__(self, task):
        super().__init__(task)
        torch._inductor.config.freezing = True

    def open(self, stage):
        return torch.compile(super().open(stage), dynamic=False)


class Onnx(Eager):
    """ONNX Runtime on files that are exported once."""

    def __init__(self, task):
        super().__init__(task)
        self.cache = Path(task["onnxFolder"])
        self.threads = task["threads"]

    def open(self, stage):
        sessions = {}

        def run(*tensors):
            shapes = "-".join("x".join(map(str, x.shape)) for x in tensors if x.dim() > 0)
            if shapes not in sessions:
                path = self.exported(stage, shapes, tensors)
                sessions[shapes] = open_session(path, self.threads)
            session = sessions[shapes]
            names = [entry.name for entry in session.get_inputs()]
            feed = {name: x.numpy() for name, x in zip(names, tensors, strict=True)}
            return torch.from_numpy(session.run(None, feed)[0])

        return run

    def exported(self, stage, shapes, tensors):
        """Return the file of a stage for inputs of these shapes; export it when it is not new."""
        path = self.cache / f"{stage}-{shapes}.onnx"
        weights = self.folder.glob("*/*.safetensors")
        newest = max(file.stat().st_mtime for file in weights)
        if path.exists() and path.stat().st_mtime > newest:
            return path
        self.cache.mkdir(parents=True, exist_ok=True)
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        warnings.simplefilter("ignore")
        network = open_network(self.folder, stage)
        partial = path.with_suffix(".partial.onnx")
        torch.onnx.export(network, tensors, partial, dynamo=True, external_data=True, verbose=False)
        partial.rename(path)
        return path


def open_session(path, threads):
    """Open an exported file."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


peers = {"eager": Eager, "compile": Compiled, "onnx": Onnx}
