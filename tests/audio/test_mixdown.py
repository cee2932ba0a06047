import numpy as np
import pytest
import soundfile

from voxcycle.audio.io import ArraySource, AudioError
from voxcycle.audio.mixdown import load_mono, plan_mixdown

RATE = 16_000
rng = np.random.default_rng(0)
VOICE = (0.1 * rng.standard_normal(RATE)).astype(np.float32)
VOICE -= VOICE.mean()


def mix(channels: list[np.ndarray]) -> np.ndarray:
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


def test_a_dead_channel_is_named():
    assert plan_mixdown(ArraySource(np.stack([VOICE, 0 * VOICE], 1), RATE)).notes == [
        "channel 2 is silent and was left out"
    ]


@pytest.mark.parametrize(
    ("waveform", "words"),
    [
        (np.zeros(0, np.float32), "no samples"),
        (VOICE[:80], "too short (5 ms)"),
        (np.zeros(RATE, np.float32), "silent"),
        (np.full(RATE, 0.25, np.float32), "silent"),
        (5e-5 * np.sign(VOICE), "silent"),
        (np.sign(VOICE), "100% of the samples are at full scale"),
        (np.where(np.arange(RATE) == 8000, np.nan, VOICE), "sample 8000 (0.50 s) is not a finite"),
        (np.where(np.arange(RATE) == 8000, np.inf, VOICE), "sample 8000 (0.50 s) is not a finite"),
    ],
    ids=["none", "5ms", "zeros", "constant", "dither", "clipped", "nan", "inf"],
)
def test_what_cannot_be_converted_is_told(waveform, words):
    with pytest.raises(AudioError) as caught:
        plan_mixdown(ArraySource(waveform.astype(np.float32), RATE))
    assert words in str(caught.value)
    assert str(caught.value).startswith("the waveform: ")


def test_some_clipping_is_noted_and_allowed():
    clipped = np.clip(12 * VOICE, -1, 1)
    share = np.mean(np.abs(clipped) == 1)
    assert 0.1 < share < 0.5
    assert plan_mixdown(ArraySource(clipped, RATE)).notes == [
        f"{share:.0%} of the samples are clipped, which will be heard"
    ]


def test_integers_are_refused():
    with pytest.raises(AudioError, match="int16"):
        ArraySource((VOICE * 32767).astype(np.int16), RATE)


def test_channels_before_samples_are_refused():
    with pytest.raises(AudioError, match=r"shape \(2, 16000\)"):
        ArraySource(np.stack([VOICE, VOICE]), RATE)


def test_load_mono_resamples(tmp_path):
    soundfile.write(tmp_path / "a.flac", np.stack([VOICE, VOICE], 1), RATE)
    assert len(load_mono(tmp_path / "a.flac", 22_050)) == 22_050
