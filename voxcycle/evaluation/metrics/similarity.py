"""Speaker similarity: cosines between speaker embeddings (SECS).

The embedder is Resemblyzer's, a GE2E network (Wan et al., "Generalized End-to-End Loss for Speaker
Verification", 2018). Reading: a speaker's other sentences score about 0.95 against its centroid,
a similar speaker of the same sex up to 0.8, one of the other sex about 0.5.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from voxcycle.evaluation.optional_deps import METRIC_RATE, import_metric

MIN_SPEECH_S = 0.3


class ResemblyzerEmbedder:
    """Resemblyzer's GE2E encoder, 256 dimensions."""

    def __init__(self) -> None:
        self._package = import_metric("resemblyzer")
        self._encoder = self._package.VoiceEncoder("cpu", verbose=False)

    def embed(self, speech: NDArray[np.float32]) -> NDArray[np.float32]:
        """Map 16 kHz speech (T,) to a unit vector (256,); ValueError without speech.

        Runs the package's own preparation (quiet files raised to -30 dBFS, long pauses cut): the
        network reads mels that are not logarithmic, so 20 dB less level alone would cost 0.27.
        """
        if not np.any(speech):
            raise ValueError("digital silence has no speaker")
        prepared = self._package.preprocess_wav(speech)
        if len(prepared) < MIN_SPEECH_S * METRIC_RATE:
            raise ValueError(f"less than {MIN_SPEECH_S} s of speech found")
        return self._encoder.embed_utterance(prepared).astype(np.float32)


def centroid(embeddings: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Return the normalised mean (D,) of unit vectors (D,)."""
    if not len(embeddings):
        raise ValueError("a centroid needs at least one embedding")
    mean = np.mean(embeddings, axis=0)
    return (mean / np.linalg.norm(mean)).astype(np.float32)


def cosine(x: NDArray[np.float32], y: NDArray[np.float32]) -> float:
    """Return the cosine of the angle between two vectors (D,)."""
    return float(np.dot(x, y) / (np.linalg.norm(x) * np.linalg.norm(y)))


Scores = Sequence[float] | NDArray[np.float64]


def equal_error_rate(genuine: Scores, impostors: Scores) -> float:
    """Return the equal error rate of separating two sets of scores by a threshold, 0 to 1.

    0.5: impostors (converted speech) score like genuine recordings of the target, and no threshold
    separates them. 0: every impostor scores below every genuine recording. Above 0.5 impostors
    score higher than genuine speech. A score at the threshold is accepted; where no threshold makes
    both errors equal, the crossing is interpolated between the two nearest thresholds.
    """
    own, others = np.sort(genuine), np.sort(impostors)
    # From above all scores (none accepted) down to the lowest (all accepted).
    thresholds = np.append(np.inf, np.unique([*own, *others])[::-1])
    rejected = np.searchsorted(own, thresholds) / len(own)
    accepted = 1 - np.searchsorted(others, thresholds) / len(others)
    excess = accepted - rejected  # rises from -1 to 1
    after = int(np.argmax(excess >= 0))
    share = excess[after] / (excess[after] - excess[after - 1])
    return float(rejected[after] + share * (rejected[after - 1] - rejected[after]))
