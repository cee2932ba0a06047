"""Vocoders: log-mels to waveforms, behind one Protocol."""

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from voxcycle.audio.mel import MelSpec


class VocoderError(ValueError):
    """A vocoder that cannot be had; the message names it and the remedy."""


class ChunkPosition(NamedTuple):
    """Position of a call's frames in the file, for vocoders that make their own source.

    The first frame is negative in the context before the file; phases (F,) are in turns, from
    `audio.source_signals.onset_phases` over the whole file.
    """

    first_frame: int
    phases: NDArray[np.float64]


class Vocoder(Protocol):
    """What renders log-mels.

    Attributes:
        name: as the user names it.
        spec: the mel analysis that the vocoder expects.
        context_frames: frames to either side that an output sample depends on, at most.
        look_ahead_frames: of these, the frames after the sample's own.
        follows_f0: whether the output has the requested F0; if not, it is corrected.
    """

    @property
    def name(self) -> str: ...  # noqa: D102

    @property
    def spec(self) -> MelSpec: ...  # noqa: D102

    @property
    def context_frames(self) -> int: ...  # noqa: D102

    @property
    def look_ahead_frames(self) -> int: ...  # noqa: D102

    @property
    def follows_f0(self) -> bool: ...  # noqa: D102

    def decode(
        self,
        log_mel: NDArray[np.float32],
        f0_hz: NDArray[np.float32] | None = None,
        position: ChunkPosition | None = None,
    ) -> NDArray[np.float32]:
        """Render (F, n_mels) and F0 (F,) to (F * hop_length,), aligned to the analysis.

        Without a position, the call is a whole file.
        """
        ...
