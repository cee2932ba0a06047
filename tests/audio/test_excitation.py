from dataclasses import replace

import librosa
import numpy as np
import pytest

from voxcycle.audio.excitation import clear_below_f0, comb_table, excitation_mel, make_comb_table
from voxcycle.audio.mel import LogMel, MelSpec

SPEC = MelSpec()
CENTRES_HZ = librosa.mel_frequencies(SPEC.n_mels + 2, fmin=SPEC.f_min, fmax=SPEC.f_max)[1:-1]


def comb_log_mel(f0_hz):
    """Return the log-mel (n_mels,) of a second of equal cosines, summed one by one."""
    t = np.arange(SPEC.sample_rate) / SPEC.sample_rate
    harmonics = np.arange(1, int(SPEC.sample_rate / 2 / f0_hz) + 1)
    comb = sum(np.cos(2 * np.pi * k * f0_hz * t) for k in harmonics) / np.sqrt(len(harmonics))
    log_mel = LogMel(SPEC)(comb.astype(np.float32))
    return log_mel[20:-20].mean(0)


@pytest.mark.parametrize("f0_hz", [75.0, 110.0, 180.0, 233.0, 400.0])
def test_rows_look_like_a_comb_does(f0_hz):
    row = excitation_mel(np.array([f0_hz], np.float32), SPEC)[0, : SPEC.n_mels]
    noise = np.random.default_rng(1).standard_normal(20 * SPEC.sample_rate).astype(np.float32)
    flat = LogMel(SPEC)(noise).mean(0)
    expected = comb_log_mel(f0_hz) - flat
    # Band 0 apart: the table's comb, a Dirichlet kernel, has a constant term there.
    assert np.corrcoef(row[1:], expected[1:])[0, 1] > 0.98


@pytest.mark.parametrize("f0_hz", [250.0, 330.0, 420.0])
def test_rows_peak_at_the_harmonics(f0_hz):
    row = excitation_mel(np.array([f0_hz], np.float32), SPEC)[0, : SPEC.n_mels]
    for k in (1, 2, 3):
        near = int(np.argmin(np.abs(CENTRES_HZ - k * f0_hz)))
        between = int(np.argmin(np.abs(CENTRES_HZ - (k + 0.5) * f0_hz)))
        assert row[near - 1 : near + 2].max() > row[between] + 0.5


def test_unvoiced_frames_are_zero_and_flags_tell():
    found = excitation_mel(np.array([0.0, 120.0, 0.0], np.float32), SPEC)
    assert found.shape == (3, SPEC.n_mels + 1) and found.dtype == np.float32
    assert not found[[0, 2]].any()
    assert found[1, -1] == 1 and np.abs(found[1, :-1]).max() > 0.5


def test_rows_are_normalised_over_the_table():
    f0_hz = np.exp(np.linspace(np.log(60), np.log(700), 2000)).astype(np.float32)
    rows = excitation_mel(f0_hz, SPEC)[:, :-1]
    # The floor, which comes after, takes a little of the deviation.
    assert rows.mean() == pytest.approx(0, abs=0.03) and rows.std() == pytest.approx(1, abs=0.06)
    assert rows.min() == pytest.approx(-2.5)


def test_neighbouring_pitches_change_rows_smoothly():
    semitone, cent = 2 ** (1 / 12), 2 ** (1 / 1200)
    base, near, far = excitation_mel(200 * np.array([1, cent, semitone], np.float32), SPEC)[:, :-1]
    assert np.abs(near - base).mean() < 0.1 * np.abs(far - base).mean()


def test_the_packaged_table_is_what_is_computed():
    """Made by `np.save(COMBS_FILE, np.column_stack(make_comb_table(MelSpec())))`."""
    for packaged, computed in zip(comb_table(SPEC), make_comb_table(SPEC), strict=True):
        np.testing.assert_allclose(packaged, computed, atol=1e-5)


def test_nothing_is_left_below_the_fundamental():
    """A fundamental and a murmur an octave below it; harmonics and unvoiced frames stay."""
    t = np.arange(40 * SPEC.hop_length) / SPEC.sample_rate
    voice = sum(np.sin(2 * np.pi * 400 * k * t) / k for k in (1, 2, 3))
    mel = LogMel(SPEC)((0.1 * (voice + np.sin(2 * np.pi * 200 * t))).astype(np.float32))
    f0_hz = np.where(np.arange(len(mel)) < 20, 400.0, 0.0).astype(np.float32)
    cleared = clear_below_f0(mel, f0_hz, SPEC)
    below, at = (int(np.abs(CENTRES_HZ - hertz).argmin()) for hertz in (200, 400))
    np.testing.assert_allclose(cleared[:20, below] - cleared[:20, at], -2.878, atol=1e-3)
    np.testing.assert_array_equal(
        cleared[:, CENTRES_HZ > 0.7 * 400], mel[:, CENTRES_HZ > 0.7 * 400]
    )
    np.testing.assert_array_equal(cleared[20:], mel[20:])
    few = clear_below_f0(mel[:, :3], f0_hz, replace(SPEC, n_mels=3))  # none near the fundamental
    np.testing.assert_array_equal(few, mel[:, :3])
