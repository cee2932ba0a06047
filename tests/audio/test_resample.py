import numpy as np
import pytest
import scipy.signal

from voxcycle.audio.resample import resample, resample_blocks, resampled_length

RATES = [(48_000, 22_050), (22_050, 44_100), (8_000, 22_050), (44_099, 22_050), (192_000, 22_050)]


@pytest.mark.parametrize(("from_rate", "to_rate"), RATES)
def test_a_tone_keeps_time_and_height(from_rate, to_rate):
    n_samples = from_rate + 13
    window = np.hanning(n_samples)
    times = np.arange(n_samples) / from_rate
    tone = np.sin(2 * np.pi * 440 * times) * window
    resampled = resample(tone.astype(np.float32), from_rate, to_rate)
    # Independent: the same function of time, evaluated at the new sample times.
    new_times = np.arange(len(resampled)) / to_rate
    expected = np.sin(2 * np.pi * 440 * new_times) * np.interp(new_times, times, window)
    assert len(resampled) == round(n_samples * to_rate / from_rate)
    assert np.abs(resampled - expected).max() < 1e-5


@pytest.mark.parametrize(("from_rate", "to_rate"), RATES)
def test_blocks_equal_the_whole(from_rate, to_rate):
    noise = np.random.default_rng(0).standard_normal(from_rate).astype(np.float32)
    n_samples = resampled_length(len(noise), from_rate, to_rate)
    blocks = [noise[i : i + 5001] for i in range(0, len(noise), 5001)]
    joined = np.concatenate(list(resample_blocks(blocks, from_rate, to_rate, n_samples)))
    assert np.array_equal(joined, resample(noise, from_rate, to_rate))


def test_what_is_above_the_new_band_is_gone():
    times = np.arange(48_000) / 48_000
    tone = np.sin(2 * np.pi * 15_000 * times) * scipy.signal.windows.tukey(len(times), 0.2)
    assert np.abs(resample(tone.astype(np.float32), 48_000, 22_050)).max() < 1e-3
