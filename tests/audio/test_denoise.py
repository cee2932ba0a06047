import numpy as np
import pytest

from voxcycle.audio.denoise import denoise_blocks, speech_to_floor_db

RATE = 16_000


def denoise(waveform, n_block=None):
    n = n_block or len(waveform)
    blocks = [waveform[i : i + n] for i in range(0, len(waveform), n)]
    return np.concatenate(list(denoise_blocks(blocks)))[: len(waveform)]


def rms_db(x):
    return 10 * np.log10(np.mean(np.square(x, dtype=np.float64)) + 1e-12)


@pytest.fixture
def speech(demo):
    return np.interp(np.arange(0, len(demo), 22_050 / RATE), np.arange(len(demo)), demo).astype(
        np.float32
    )[: 4 * RATE]


def test_noise_goes_and_speech_stays_where_it_was(speech):
    noise = np.random.default_rng(0).standard_normal(len(speech)).astype(np.float32)
    noise *= 10 ** ((rms_db(speech) - 10) / 20)
    cleaned = denoise(speech + noise)
    assert rms_db(cleaned - speech) < rms_db(noise) - 4
    assert np.corrcoef(cleaned, speech)[0, 1] > 0.9  # nothing is delayed
    assert rms_db(denoise(noise)[RATE:]) < rms_db(noise) - 20


def test_clean_speech_is_hardly_changed(speech):
    assert rms_db(denoise(speech) - speech) < rms_db(speech) - 10


@pytest.mark.parametrize("n_block", [100, 256, 7001])
def test_blocks_change_nothing(speech, n_block):
    part = speech[:20_001]
    assert np.array_equal(denoise(part, n_block), denoise(part))


@pytest.mark.parametrize("n", [1, 255, 256, 512, 1000])
def test_the_end_is_there(n):
    x = np.full(n, 0.01, np.float32)
    assert len(np.concatenate(list(denoise_blocks([x])))) >= n


def test_the_floor_is_that_of_the_softest_frames():
    power, f0_hz = np.full(1000, 1e-3), np.full(1000, 120, np.float32)
    power[:50], f0_hz[:50] = 1e-6, 0  # -60 dB
    assert speech_to_floor_db(power, f0_hz, -25.0) == pytest.approx(35.0)
    power[:20] = 1e-9  # 2 % do not count
    assert speech_to_floor_db(power, f0_hz, -25.0) == pytest.approx(35.0)
    f0_hz[30:50] = 120  # 20 of the 50 softest frames: another voice, or a held note
    assert speech_to_floor_db(power, f0_hz, -25.0) == np.inf
