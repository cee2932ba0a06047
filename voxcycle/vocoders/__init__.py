"""Vocoders: log-mels to waveforms, behind one Protocol."""

from typing import NamedTuple, Protocol

from torch import Tensor

from voxcycle.audio.mel import MelSpec


class VocoderError(ValueError):
    """A vocoder that cannot be had; the message names it and the remedy."""


class ChunkPosition(NamedTuple):
    """Position of a call's frames in the file, for vocoders that make their own source.

    The first frame is negative in the context before the file; phases (B, F) are in turns, from
    `audio.source_signals.onset_phases` over the whole file.
    """

    first_frame: int
    phases: Tensor


class Vocoder(Protocol):
    """What renders log-mels.

    Attributes:
        name: as the user names it.
        spec: the mel analysis that the vocoder expects.
        context_frames: frames to either side that an output sample depends on.
        follows_f0: whether the output has the requested F0; if not, it is corrected.
    """

    name: str
    spec: MelSpec
    context_frames: int
    follows_f0: bool

    def decode(
        self, log_mel: Tensor, f0_hz: Tensor | None = None, position: ChunkPosition | None = None
    ) -> Tensor:
        """Render (B, n_mels, F) and F0 (B, F) to (B, F * hop_length), aligned to the analysis.

        Without a position, the call is a whole file.
        """
        ...
