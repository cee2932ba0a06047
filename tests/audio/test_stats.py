import numpy as np
import pytest

from voxcycle.audio.stats import (
    MEL_MEAN_PRIOR,
    MIN_MEL_STD,
    DomainStats,
    FrameSums,
    active_frames,
    add_sums,
    average_stats,
    compute_stats,
    estimate_stats,
    frame_level_db,
    sum_frames,
)


def random_file(seed, n_frames):
    rng = np.random.default_rng(seed)
    mel = rng.normal(-4, 1.5, (n_frames, 80)).astype(np.float32)
    f0_hz = np.where(rng.random(n_frames) < 0.6, rng.uniform(80, 250, n_frames), 0)
    return mel, f0_hz.astype(np.float32)


PRIOR = DomainStats(
    np.linspace(-6, -3, 80).astype(np.float32), np.full(80, 1.2, np.float32), 5.0, 0.25
)


def test_level_of_a_frame():
    # 80 bands of magnitude 1 hold 80 times the power of one: 19.03 dB
    np.testing.assert_allclose(frame_level_db(np.zeros((1, 80))), [10 * np.log10(80)], rtol=1e-6)
    louder = frame_level_db(np.full((1, 80), np.log(10)))  # ten times the magnitude: 20 dB
    np.testing.assert_allclose(louder - 10 * np.log10(80), [20], rtol=1e-5)


def test_active_frames_lie_within_forty_db():
    levels_db = np.zeros(100)
    levels_db[[10, 20, 30]] = [-39, -41, -80]
    mel = np.repeat(levels_db[:, None] / 20 * np.log(10), 80, axis=1).astype(np.float32)
    assert list(np.flatnonzero(~active_frames(mel))) == [20, 30]


def test_statistics_by_hand():
    """The last frame is not active and does not count."""
    mel = np.array([[0.0, 1.0], [2.0, 1.0], [4.0, 1.0], [9.0, 9.0]], np.float32)
    f0_hz = np.array([100.0, 0.0, 400.0, 0.0], np.float32)
    stats = compute_stats(sum_frames(mel, f0_hz, np.array([True, True, True, False])))
    np.testing.assert_allclose(stats.mel_mean, [2.0, 1.0])
    np.testing.assert_allclose(stats.mel_std, [(8 / 3) ** 0.5, MIN_MEL_STD], rtol=1e-6)
    assert stats.log_f0_mean == pytest.approx(np.log(200))
    assert stats.log_f0_std == pytest.approx(np.log(2))


def test_sums_of_files_are_those_of_their_concatenation():
    files = [random_file(seed, 50 + 30 * seed) for seed in range(3)]
    active = [active_frames(mel) for mel, _ in files]
    added = add_sums([sum_frames(mel, f0, a) for (mel, f0), a in zip(files, active, strict=True)])
    mel, f0_hz = (np.concatenate(column) for column in zip(*files, strict=True))
    whole = sum_frames(mel, f0_hz, np.concatenate(active))
    for ours, theirs in zip(added, whole, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)
    frames = mel[np.concatenate(active)].astype(np.float64)
    stats = compute_stats(added)  # numpy's own mean and deviation
    np.testing.assert_allclose(stats.mel_mean, frames.mean(0), rtol=1e-5)
    np.testing.assert_allclose(stats.mel_std, frames.std(0), rtol=1e-5)
    assert stats.log_f0_std == pytest.approx(np.log(f0_hz[f0_hz > 0]).std(), rel=1e-5)


def test_no_speech_has_no_statistics():
    with pytest.raises(ValueError, match="no voiced speech"):
        compute_stats(sum_frames(np.zeros((5, 80), np.float32), np.zeros(5, np.float32)))


def check_same(found, wanted, atol):
    for name in ("mel_mean", "mel_std", "log_f0_mean", "log_f0_std"):
        np.testing.assert_allclose(getattr(found, name), getattr(wanted, name), rtol=0, atol=atol)


def test_much_data_outweighs_the_prior_and_no_data_leaves_it():
    sums = sum_frames(*random_file(0, 400))
    huge, nothing = (FrameSums(*(n * np.asarray(column) for column in sums)) for n in (1e6, 0))
    check_same(estimate_stats(huge, PRIOR), compute_stats(sums), atol=1e-3)
    left = estimate_stats(nothing, PRIOR)
    check_same(left, PRIOR, atol=5e-7)  # a last bit of float32
    assert (left.log_f0_mean, left.log_f0_std) == (PRIOR.log_f0_mean, PRIOR.log_f0_std)


def test_as_many_frames_as_the_prior_meet_half_way():
    n = int(MEL_MEAN_PRIOR)
    mel = np.full((n, 80), -2.0, np.float32)
    found = estimate_stats(sum_frames(mel, np.zeros(n, np.float32)), PRIOR)
    np.testing.assert_allclose(found.mel_mean, (PRIOR.mel_mean - 2) / 2, rtol=1e-5)


def test_normalization_and_dictionary_return():
    mel, _ = random_file(1, 20)
    np.testing.assert_allclose(PRIOR.denormalize(PRIOR.normalize(mel)), mel, atol=1e-5)
    np.testing.assert_allclose(PRIOR.normalize(PRIOR.mel_mean + PRIOR.mel_std), 1, rtol=1e-5)
    found = DomainStats.from_dict(PRIOR.to_dict(), len(PRIOR.mel_mean))
    check_same(found, PRIOR, atol=1e-5)  # five decimals
    assert (found.log_f0_mean, found.log_f0_std) == (PRIOR.log_f0_mean, PRIOR.log_f0_std)


def test_a_pools_prior_is_the_mean_of_its_speakers():
    second = DomainStats(np.zeros(80), np.full(80, 2.0), 4.0, 0.35)
    found = average_stats([PRIOR, second])
    np.testing.assert_allclose(found.mel_mean, PRIOR.mel_mean / 2, rtol=1e-5)
    np.testing.assert_allclose(found.mel_std, 1.6, rtol=1e-5)
    assert (found.log_f0_mean, found.log_f0_std) == pytest.approx((4.5, 0.3))
