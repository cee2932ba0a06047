"""`voices.content` in PyTorch: with gradients while generators are trained, and on any device."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from voxcycle.audio.mel import MelSpec
from voxcycle.methods.batches import Domain
from voxcycle.models.weights import load_network
from voxcycle.models.whisper_encoder import WhisperEncoder
from voxcycle.voices.content import (
    LEVEL_RANGE,
    LEVEL_UNIT_DB,
    WHISPER_FRAME_RATE,
    PhoneticEncoder,
    band_offsets,
    read_phonetic_encoder,
)


def read_encoder_network(device: torch.device | None = None) -> WhisperEncoder:
    """Return the package's phonetic encoder, frozen."""
    stored = read_phonetic_encoder().stored
    encoder = load_network(lambda: WhisperEncoder(**stored.arguments), stored.weights)
    return encoder.eval().requires_grad_(False).to(device or "cpu")


def load_encoder_on(device: torch.device) -> PhoneticEncoder:
    """Return the package's phonetic encoder, which hears by PyTorch on a device."""
    return PhoneticEncoder(None, read_phonetic_encoder().mean, _TorchEncoder(device))


class _TorchEncoder:
    """Computes the features of `PhoneticEncoder` in place of a session of ONNX Runtime."""

    def __init__(self, device: torch.device) -> None:
        self.network, self.device = read_encoder_network(device), device

    @torch.no_grad()
    def run(self, inputs: Mapping[str, NDArray[np.floating[Any]]]) -> dict[str, NDArray[Any]]:
        """Compute the features (P, D) of `mel` (F, n_mels); the network has positions itself."""
        mel = torch.from_numpy(np.ascontiguousarray(inputs["mel"], np.float32)).to(self.device)
        return {"features": self.network(mel.T[None])[0].cpu().numpy()}


class Listener:
    """Hears conversions as generators take them.

    Its encoder is frozen and in no checkpoint.
    """

    def __init__(self, spec: MelSpec) -> None:
        self.encoder, self.spec = read_encoder_network(), spec
        self.offset = torch.from_numpy(band_offsets(spec))[:, None]  # (n_mels, 1)

    def __call__(self, converted: Tensor, domain: Domain) -> Tensor:
        """Return the content (B, D + 1, F) of normalised mels (B, n_mels, F) of a domain.

        Raises:
            ValueError: the batch lacks the domain's profiles or centres.
        """
        if domain.profile is None or domain.centre is None:
            raise ValueError("the way back needs profiles and centres in the batch")
        self.encoder.to(converted.device)
        mean, std = domain.profile[..., None].chunk(2, dim=1)
        heard = self.hear(converted * std + mean) - domain.centre[..., None]
        features, level = heard[:, :-1], heard[:, -1:].clamp(*LEVEL_RANGE)
        return torch.cat([features, level], 1)

    def hear(self, log_mel: Tensor) -> Tensor:
        """Return features and level (B, D + 1, F) of log-mels (B, n_mels, F); differentiable."""
        features = self.encoder(self._whisper_mel(log_mel)).transpose(1, 2)
        features = F.interpolate(features.float(), log_mel.shape[2], mode="linear")
        level = torch.logsumexp(2 * log_mel, 1, keepdim=True) * (10 / np.log(10) / LEVEL_UNIT_DB)
        return torch.cat([features, level], 1)

    def _whisper_mel(self, log_mel: Tensor) -> Tensor:
        self.offset = self.offset.to(log_mel.device)  # once; copying it would stall a GPU
        x = log_mel * (2 / np.log(10)) + self.offset
        rate = WHISPER_FRAME_RATE / self.spec.frame_rate
        x = F.interpolate(x, scale_factor=rate, mode="linear", recompute_scale_factor=False)
        return (torch.maximum(x, x.amax((1, 2), keepdim=True) - 8) + 4) / 4
