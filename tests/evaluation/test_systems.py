import numpy as np
import pytest

from voxcycle.audio.mel import MelSpec
from voxcycle.evaluation.systems import copy_synthesis


def test_copy_synthesis_keeps_length_and_speech(make_speech):
    from voxcycle.vocoders.griffin_lim import GriffinLim

    speech = make_speech(1.0, 24_000)[:23_456]
    copied = copy_synthesis(speech, 24_000, GriffinLim(MelSpec()))
    assert copied.shape == speech.shape
    speech_envelope, copied_envelope = (
        np.abs(w[: len(w) // 240 * 240]).reshape(-1, 240).mean(1) for w in (speech, copied)
    )
    shifts = range(-5, 6)  # of 10 ms
    correlations = [np.corrcoef(speech_envelope, np.roll(copied_envelope, s))[0, 1] for s in shifts]
    assert shifts[int(np.argmax(correlations))] == 0
    assert max(correlations) > 0.8  # Griffin-Lim's phases beat a little


def test_copy_synthesis_stays_within_full_scale(make_speech):
    """Audio that passes it would count as lost."""
    from voxcycle.vocoders.griffin_lim import GriffinLim

    class Loud(GriffinLim):
        def decode(self, log_mel, f0_hz=None):
            return self.gain * super().decode(log_mel, f0_hz)

    speech, vocoder = make_speech(1.0, 24_000), Loud(MelSpec())
    vocoder.gain = 1.0
    plain = copy_synthesis(speech, 24_000, vocoder)
    vocoder.gain = 3.0 / float(np.abs(plain).max())
    copied = copy_synthesis(speech, 24_000, vocoder)
    assert np.abs(copied).max() == pytest.approx(10 ** (-0.1 / 20), rel=1e-4)
    assert np.allclose(copied / np.abs(copied).max(), plain / np.abs(plain).max(), atol=1e-4)
