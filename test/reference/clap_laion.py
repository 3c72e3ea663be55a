"""laion_clap's embeddings of the clips of clap_model.py, by the same weights.

Its own front end and HTSAT, from waveforms that go through 16-bit integers. Random choices are
replaced as in clap_features.py, and clips beyond 10 s cut where the library cuts them.

Ran with torch 2.13.0 (CPU), laion_clap 1.1.7, torchlibrosa 0.1.0.
"""

import torch
from torch import nn

from clap_features import AUDIO_CONFIG, fixed_choices, laion
from laion_audio import load, published, settings

WINDOW = 480_000


class Ears:
    """The audio half of a CLAP with or without fusion."""

    def __init__(self, state, audio, fused):
        self.code = laion()
        self.truncation = "fusion" if fused else "rand_trunc"
        self.encoder = (
            load("htsat")
            .HTSAT_Swin_Transformer(
                config=settings(),
                num_classes=audio["num_classes"],
                embed_dim=audio["patch_embeds_hidden_size"],
                depths=audio["depths"],
                num_heads=audio["num_attention_heads"],
                enable_fusion=fused,
                fusion_type="aff_2d" if fused else "None",
            )
            .eval()
        )
        width, inner = audio["hidden_size"], audio["projection_dim"]
        self.projection = nn.Sequential(nn.Linear(width, inner), nn.ReLU(), nn.Linear(inner, inner))
        self._fill(self.encoder, "audio_branch.", state)
        self._fill(self.projection, "audio_projection.", state)

    @staticmethod
    def _fill(module, prefix, state):
        """Load what has a counterpart; heads for classes and front ends have none."""
        known = {}
        for key in module.state_dict():
            names = published(prefix + key, True)
            if all(name in state for name in names):
                parts = [state[name] for name in names]
                known[key] = parts[0] if len(parts) == 1 else torch.cat(parts)
        module.load_state_dict(known, strict=False)

    def embed(self, waves):
        """Return rows of unit length, each wave on its own."""
        return torch.cat([self._embed(torch.from_numpy(wave)) for wave in waves])

    def _embed(self, wave):
        """Quantise, make features as the loader does, and run the tower."""
        quantised = self.code.int16_to_float32_torch(self.code.float32_to_int16_torch(wave))
        randint, choice = fixed_choices()
        with randint, choice:
            sample = self.code.get_audio_features(
                {}, quantised, WINDOW, self.truncation, "repeatpad", AUDIO_CONFIG
            )
        given = {key: value[None].to(_kind(value)) for key, value in sample.items()}
        embedding = self.encoder(given, mixup_lambda=None, device="cpu")["embedding"]
        return nn.functional.normalize(self.projection(embedding), dim=-1)


def _kind(value):
    """Return float32 for any floats, and flags as they are."""
    return torch.float32 if value.is_floating_point() else value.dtype
