"""Embed texts with transformers in PyTorch eager, on behalf of clap-text.ts.

One JSON request per line on standard input, one JSON reply per line on standard output: `load`,
`embed` and `output`.
Ran with torch 2.13.0 (CPU), transformers 5.23.0, safetensors 0.8.0.
"""

import json
import sys
import time
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from transformers import ClapTextConfig, ClapTextModelWithProjection, RobertaTokenizer


class Peer:
    """The text tower of a folder."""

    def __init__(self, folder, threads, texts):
        torch.set_num_threads(threads)
        config = ClapTextConfig(**json.loads((Path(folder) / "config.json").read_text()))
        self.model = ClapTextModelWithProjection(config).eval()
        weights = load_file(Path(folder) / "model.safetensors")
        wrong = self.model.load_state_dict(weights, strict=False)
        assert not wrong.unexpected_keys, wrong.unexpected_keys
        assert all("ids" in key for key in wrong.missing_keys), wrong.missing_keys
        self.tokenizer = RobertaTokenizer.from_pretrained(folder)
        self.texts = texts

    @torch.inference_mode()
    def embed(self):
        """Tokenise and embed all texts, padded to the longest; return the times."""
        wall, cpu = time.perf_counter(), time.process_time()
        tokens = self.tokenizer(self.texts, padding=True, truncation=True, return_tensors="pt")
        embeds = self.model(**tokens).text_embeds
        self.output = torch.nn.functional.normalize(embeds, dim=-1)
        return {
            "wallSeconds": time.perf_counter() - wall,
            "cpuSeconds": time.process_time() - cpu,
        }


def main():
    """Answer requests until standard input ends."""
    peer = None
    for line in sys.stdin:
        request = json.loads(line)
        action = request.pop("do")
        reply = {}
        if action == "load":
            peer = Peer(**request)
        elif action == "embed":
            reply = peer.embed()
        else:
            save_file({"output": peer.output.contiguous()}, request["path"])
        print(json.dumps(reply), flush=True)


if __name__ == "__main__":
    main()
