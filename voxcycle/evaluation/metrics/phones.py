"""Phone error rate of a recogniser that is unrelated to the one that counts words.

PocketSphinx (Gaussian mixtures, US English) with a loop over all phones and a phone bigram. Its
own errors are large; a change of the rate confirms, or does not, a change of the word error rate.
"""

import numpy as np
from numpy.typing import NDArray

from voxcycle.evaluation.metrics.asr import ErrorCount, count_edits
from voxcycle.evaluation.optional_deps import import_metric

MIN_SAMPLES = 3_200  # 0.2 s
SILENCES = frozenset(("SIL", "+SPN+", "+NSN+"))


class PhoneRecogniser:
    """PocketSphinx's phone loop, from the model in its package."""

    def __init__(self) -> None:
        package = import_metric("pocketsphinx")
        self._decoder = package.Decoder(
            allphone=package.get_model_path("en-us/en-us-phone.lm.bin"),
            lm=None,
            dict=None,
            beam=1e-20,
            pbeam=1e-20,
            lw=2.0,
            loglevel="FATAL",
        )

    def recognise(self, speech: NDArray[np.float32]) -> list[str]:
        """Return the phones of 16 kHz speech (T,), without silences."""
        if len(speech) < MIN_SAMPLES:
            return []
        peak = max(float(np.abs(speech).max(initial=0.0)), 1e-6)
        samples = (speech / peak * 0.9 * 32767).astype(np.int16)
        self._decoder.reinit()  # else its noise estimate comes from the utterance before
        self._decoder.start_utt()
        self._decoder.process_raw(samples.tobytes(), full_utt=True)
        self._decoder.end_utt()
        return [s.word for s in self._decoder.seg() or [] if s.word not in SILENCES]


def phone_errors(reference: list[str], hypothesis: list[str]) -> ErrorCount:
    """Count phone edits."""
    return count_edits(reference, hypothesis)
