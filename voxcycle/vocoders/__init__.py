"""Vocoders: log-mels to waveforms, behind one Protocol."""

from typing import Protocol

from torch import Tensor

from voxcycle.audio.mel import MelSpec


class VocoderError(ValueError):
    """A vocoder that cannot be had; the message names it and the remedy."""


class Vocoder(Protocol):
    """What renders log-mels.

    Attributes:
        name: as the user names it.
        spec: the mel analysis that the vocoder expects.
        context_frames: frames to either side that an output sample depends on.
    """

    name: str
    spec: MelSpec
    context_frames: int

    def decode(self, log_mel: Tensor, f0_hz: Tensor | None = None) -> Tensor:
        """Render (B, n_mels, F) and F0 (B, F) to (B, F * hop_length), aligned to the analysis."""
        ...
