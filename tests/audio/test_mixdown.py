import numpy as np
import pytest
import soundfile

from voxcycle.audio.io import ArraySource, AudioError
from voxcycle.audio.mixdown import load_mono, plan_mixdown

RATE = 16_000
rng = np.random.default_rng(0)
VOICE = (0.1 * rng.standard_normal(RATE)).astype(np.float32)
VOICE -= VOICE.mean()


def mix(channels):
    source = ArraySource(np.stack(channels, 1), RATE)
    return np.concatenate(list(plan_mixdown(source).mono_blocks(source)))


@pytest.mark.parametrize(
    "channels",
    [
        [VOICE],
        [VOICE, VOICE],
        [np.zeros_like(VOICE), VOICE],  # a dead channel must not halve the other
        [VOICE, 1e-4 * VOICE],
        [VOICE, -VOICE],  # an inverted one must not cancel it
        [VOICE + 0.3],  # an offset is taken off
        [VOICE] * 32,
    ],
    ids=["mono", "same", "dead", "faint", "inverted", "offset", "32"],
)
def test_the_voice_survives_the_mix(channels):
    # 3e-7 is a few rounding errors of float32 at this level.
    assert np.abs(mix(channels) - VOICE).max() < 3e-7


def test_different_channels_are_averaged():
    other = (0.1 * rng.standard_normal(RATE)).astype(np.float32)
    other -= other.mean()
    assert np.abs(mix([VOICE, other]) - (VOICE + other) / 2).max() < 3e-7


@pytest.mark.parametrize("waveform", [np.full(RATE, 0.25), 5e-5 * np.sign(VOICE)])
def test_a_constant_and_dither_are_silent(waveform):
    """What else cannot be converted is held by the command line's tests of bad input."""
    with pytest.raises(AudioError, match="^the waveform: silent"):
        plan_mixdown(ArraySource(waveform.astype(np.float32), RATE))


def test_some_clipping_is_noted_and_allowed():
    clipped = np.clip(12 * VOICE, -1, 1)
    share = np.mean(np.abs(clipped) == 1)
    assert 0.1 < share < 0.5
    assert plan_mixdown(ArraySource(clipped, RATE)).notes == [
        f"{share:.0%} of the samples are clipped, which will be heard"
    ]


@pytest.mark.parametrize(
    ("waveform", "words"),
    [((VOICE * 32767).astype(np.int16), "int16"), (np.stack([VOICE, VOICE]), r"\(2, 16000\)")],
)
def test_integers_and_channels_before_samples_are_refused(waveform, words):
    with pytest.raises(AudioError, match=words):
        ArraySource(waveform, RATE)


def test_load_mono_resamples(tmp_path):
    soundfile.write(tmp_path / "a.flac", np.stack([VOICE, VOICE], 1), RATE)
    assert len(load_mono(tmp_path / "a.flac", 22_050)) == 22_050
