"""Who speaks, as a vector: embeddings of log-mels by the encoder that a file holds."""

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voxcycle.runtime.session import Session
from voxcycle.runtime.speaker_encoder import build_speaker_encoder, share_frames
from voxcycle.runtime.weights import StoredNetwork


@dataclass(frozen=True)
class SpeakerEncoder(StoredNetwork):
    """Arguments and weights of `models.speaker_encoder.SpeakerEncoder`."""

    def check(self) -> None:
        """Raise ValueError unless arguments and weights fit together."""
        _ = self._session  # whose graph is made here, once

    def embed(
        self, mel: NDArray[np.floating[Any]], speech: NDArray[np.bool_]
    ) -> NDArray[np.float32]:
        """Return the unit vector (D,) of log-mels (F, n_mels), of which frames (F,) are speech."""
        found = self._session.run({"mel": mel, "weight": share_frames(speech)})["embedding"][0]
        return found / max(float(np.linalg.norm(found)), 1e-12)

    @functools.cached_property
    def _session(self) -> Session:
        return Session(build_speaker_encoder(self.weights, **self.arguments))
