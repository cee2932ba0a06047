import numpy as np
import pytest

from voxcycle.audio.mel import MelSpec
from voxcycle.audio.perturb import Corruption, corrupt_mel, draw_corruption

SPEC = MelSpec()
CLEAN = Corruption(
    seed=0, t60_s=None, direct_to_tail_db=0.0, noise_db=None, noise_snr_db=20.0, speaker_snr_db=None
)


def speech(n_frames=400, level=-3.0):
    return np.full((n_frames, SPEC.n_mels), level, np.float32)


def test_nothing_is_done_without_a_part():
    np.testing.assert_allclose(corrupt_mel(speech(), CLEAN, SPEC), speech(), atol=1e-5)


def test_noise_has_the_power_that_its_ratio_says():
    # Flat speech and flat noise: every band has the same ratio, 10 dB. Gamma noise of mean 1 over
    # 400 x 80 values deviates by less than 1 %.
    corruption = CLEAN._replace(noise_db=np.zeros(SPEC.n_mels), noise_snr_db=10.0)
    power = np.exp(2 * corrupt_mel(speech(), corruption, SPEC).astype(float)).mean()
    assert power / np.exp(-6.0) == pytest.approx(1.1, rel=0.01)


def test_the_tail_decays_by_60_db_in_its_time():
    mel = speech(200, -11.0)  # silence
    mel[20] = 3.0
    t60_s = 0.5
    corruption = CLEAN._replace(t60_s=np.full(SPEC.n_mels, t60_s), direct_to_tail_db=0.0)
    power = np.exp(2 * corrupt_mel(mel, corruption, SPEC).astype(float))
    tail = power[21:].sum(0) - np.exp(-22.0) * len(power[21:])
    # As much in the tail as direct: mean over bands, whose fluctuation is that of few frames.
    assert tail.mean() / np.exp(6.0) == pytest.approx(1.0, rel=0.1)
    early, late = power[22:30].mean(), power[22 + 22 : 30 + 22].mean()
    fall_db = 10 * np.log10(early / late)
    assert fall_db == pytest.approx(60 * 22 / SPEC.frame_rate / t60_s, abs=1.5)


def test_another_speaker_is_as_much_softer_and_is_repeated():
    corruption = CLEAN._replace(speaker_snr_db=20.0)
    out = corrupt_mel(speech(300), corruption, SPEC, speech(70, level=1.0))
    np.testing.assert_allclose(out, speech(300) + 0.5 * np.log(1.01), atol=1e-4)


def test_a_corruption_does_the_same_every_time():
    rng = np.random.default_rng(3)
    for _ in range(20):
        corruption = draw_corruption(SPEC, rng)
        parts = (corruption.t60_s, corruption.noise_db, corruption.speaker_snr_db)
        assert any(part is not None for part in parts)
        first, second = (corrupt_mel(speech(), corruption, SPEC, speech(50)) for _ in range(2))
        np.testing.assert_array_equal(first, second)
        assert (first >= speech() - 1e-4).all()  # powers only add
