"""What generators hear of a conversion while they are trained: `voices.content` with gradients."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from voxcycle.audio.mel import MelSpec
from voxcycle.methods.batches import Domain
from voxcycle.models.weights import load_network
from voxcycle.models.whisper_encoder import WhisperEncoder
from voxcycle.voices.content import (
    LEVEL_RANGE,
    LEVEL_UNIT_DB,
    WHISPER_FRAME_RATE,
    band_offsets,
    read_phonetic_encoder,
)


class Listener:
    """Hears conversions as generators take them.

    Its encoder is frozen and in no checkpoint.
    """

    def __init__(self, spec: MelSpec) -> None:
        stored = read_phonetic_encoder().stored
        encoder = load_network(lambda: WhisperEncoder(**stored.arguments), stored.weights)
        self.encoder, self.spec = encoder.eval().requires_grad_(False), spec

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
        offset = torch.from_numpy(band_offsets(self.spec)).to(log_mel)
        x = log_mel * (2 / np.log(10)) + offset[:, None]
        rate = WHISPER_FRAME_RATE / self.spec.frame_rate
        x = F.interpolate(x, scale_factor=rate, mode="linear", recompute_scale_factor=False)
        return (torch.maximum(x, x.amax((1, 2), keepdim=True) - 8) + 4) / 4
