"""The reference's networks as modules from tensors to one tensor, so that each can be exported."""

import diffusers
import torch
import transformers


class Text(torch.nn.Module):
    """Token ids [B, N], with a mask or without -> embeddings [B, W], not normalised."""

    def __init__(self, folder):
        super().__init__()
        config = transformers.AutoConfig.from_pretrained(folder / "text_encoder")
        options = {}
        if hasattr(config, "text_config"):
            # The folder has a whole ClapModel.
            config.text_config.projection_dim = config.projection_dim
            options["config"] = config.text_config
        self.network = transformers.ClapTextModelWithProjection.from_pretrained(
            folder / "text_encoder", **options
        )

    def forward(self, ids, mask=None):
        return self.network(ids, attention_mask=mask).text_embeds


class UNet(torch.nn.Module):
    """Latents [B, C, T, F], a timestep and embeddings [B, W] -> a prediction [B, C, T, F]."""

    def __init__(self, folder):
        super().__init__()
        self.network = diffusers.UNet2DConditionModel.from_pretrained(folder / "unet")

    def forward(self, latents, timestep, labels):
        network = self.network
        return network(latents, timestep, encoder_hidden_states=None, class_labels=labels).sample


class Decoder(torch.nn.Module):
    """Latents [B, C, T, F] -> log-mels [B, 1, 4 T, 4 F]."""

    def __init__(self, folder):
        super().__init__()
        self.network = diffusers.AutoencoderKL.from_pretrained(folder / "vae")

    def forward(self, latents):
        return self.network.decode(latents).sample


class Vocoder(torch.nn.Module):
    """Log-mels [B, T, M] -> waveforms [B, N]."""

    def __init__(self, folder):
        super().__init__()
        self.network = transformers.SpeechT5HifiGan.from_pretrained(folder / "vocoder")

    def forward(self, mel):
        return self.network(mel)


networks = {"text": Text, "unet": UNet, "vae": Decoder, "vocoder": Vocoder}


def open_network(folder, stage):
    """Open the network of a stage, for inference."""
    return networks[stage](folder).eval()
