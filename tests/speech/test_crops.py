from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from voxcycle.audio.mel import MelSpec
from voxcycle.audio.perturb import WARPS
from voxcycle.audio.stats import average_stats, compute_stats, sum_frames
from voxcycle.speech.config import MelCycleGANConfig
from voxcycle.speech.crops import UnpairedCrops
from voxcycle.speech.features import Features
from voxcycle.speech.speakers import build_speaker, draw_stats, shrink_stats
from voxcycle.voices.pretrained import speaker_condition

SPEC = MelSpec()


def make_speaker(name, level, f0_hz, n_files=3):
    """Return a speaker whose content says its variant: first feature, in all frames."""
    rng = np.random.default_rng(len(name))
    recordings = []
    content = np.ones((4, 400, 5), np.float16) * np.arange(4)[:, None, None]
    centre = np.full(5, level, np.float32)
    for _ in range(n_files):
        mels = rng.normal(level, 1.0, (len(WARPS), 400, 80)).astype(np.float16)
        f0 = f0_hz * np.exp(rng.normal(0, 0.1, 400))
        contour = np.where(rng.random(400) < 0.7, f0, 0).astype(np.float32)
        recordings.append(Features(mels, contour, np.ones(400, bool), content, centre))
    return build_speaker(name, recordings, SPEC)


def make_crops(is_pool=True, **settings):
    speakers = [make_speaker("low", -6, 110.0), make_speaker("higher", -4, 220.0)]
    target = make_speaker("target", -5, 180.0)
    prior = average_stats([s.stats for s in speakers]) if is_pool else None
    config = MelCycleGANConfig(out=Path("run"), **settings)
    speakers_a = speakers if is_pool else speakers[:1]
    return UnpairedCrops(config, speakers_a, [target], spec=SPEC, prior=prior)


def test_speaker_statistics_are_those_of_all_files_together():
    speaker = make_speaker("solo", -5, 150.0)
    mel = np.concatenate([r.mels[0] for r in speaker.recordings]).astype(np.float32)
    f0 = np.concatenate([r.f0_hz for r in speaker.recordings])
    whole = compute_stats(sum_frames(mel, f0, np.ones(len(mel), bool)))
    assert np.abs(speaker.stats.mel_mean - whole.mel_mean).max() < 1e-3
    assert speaker.stats.log_f0_mean == pytest.approx(whole.log_f0_mean, abs=1e-6)


def test_a_batch_is_a_function_of_seed_and_index():
    one, two = make_crops(seed=5), make_crops(seed=5)
    one[0], one[1]  # what was drawn before does not matter
    for crops, others in zip(one[7], two[7], strict=True):
        assert all(map(torch.equal, crops, others))
    assert not torch.equal(one[7].a.real, one[8].a.real)
    assert not torch.equal(one[7].a.real, make_crops(seed=6)[7].a.real)


def test_crops_are_normalised_by_their_own_speaker():
    crops = make_crops()
    real = torch.cat([crops[i].a.real for i in range(8)])
    assert abs(real.mean().item()) < 0.05
    assert abs(real.std().item() - 1) < 0.05


def test_excitations_hold_the_right_contours():
    """The voicing row is the same before and after the transform; the comb moves with F0."""
    batch = make_crops()[0]
    assert torch.equal(batch.a.excitation[:, -1], batch.a.excitation_to_other[:, -1])
    assert torch.equal(batch.b.excitation[:, -1], batch.b.excitation_to_other[:, -1])
    assert not torch.equal(batch.a.excitation, batch.a.excitation_to_other)


def test_masks_hide_at_most_the_stated_frames_in_one_piece():
    crops = make_crops()
    masks = torch.cat([crops[i].a.mask for i in range(16)])
    hidden = (1 - masks).sum(-1)
    assert hidden.max() <= 20 and hidden.max() > 10
    edges = (masks[..., 1:] != masks[..., :-1]).sum(-1)
    assert edges.max() <= 2
    assert make_crops(max_masked_frames=0)[0].b.mask.min() == 1


def heard(content):
    """Return the variant of each crop of a batch, (B,)."""
    return content[:, 0, 0]


def test_sources_are_heard_as_they_are_and_identities_in_disguise():
    batch = make_crops(perturbed_identity=1.0)[0]
    for crops in batch:
        assert crops.source.shape == crops.perturbed.shape == (4, 5, 64)
        assert (heard(crops.source) == 0).all() and (heard(crops.perturbed) == 2).all()
    plain = make_crops(perturbed_identity=0.0)[0]
    assert (heard(plain.b.perturbed) == 0).all()
    np.testing.assert_allclose(batch.b.centre, -5)


def test_what_is_shorter_than_a_crop_ends_in_silence():
    short = make_speaker("short", -5, 150.0)
    recordings = [
        Features(r.mels[:, :40], r.f0_hz[:40], r.speech[:40], r.content[:, :40], r.centre)
        for r in short.recordings
    ]
    short = build_speaker("short", recordings, SPEC)
    config = MelCycleGANConfig(out=Path("run"))
    batch = UnpairedCrops(config, [short], [short], spec=SPEC, prior=None)[0]
    for content in (batch.a.source, batch.a.perturbed):
        assert (content[:, -1, 40:] == -4).all() and (content[:, -1, :40] >= 0).all()
        np.testing.assert_array_equal(content[:, 0, 40:], content[:, 0, 39:40].expand(-1, 24))
    silence = (np.log(SPEC.log_floor) - short.stats.mel_mean) / short.stats.mel_std
    np.testing.assert_allclose(batch.a.real[0, :, 50], silence, rtol=1e-5)


def test_a_share_of_the_sources_is_in_disguise():
    assert (heard(make_crops(perturbed_source=1.0)[0].a.source) == 2).all()
    half = make_crops(perturbed_source=0.5)
    drawn = torch.cat([heard(half[index].a.source) for index in range(25)])
    assert 30 < (drawn == 2).sum() < 70 and set(drawn.tolist()) == {0, 2}  # of 100
    # a known target is no stranger
    assert (heard(half[0].b.source) == 0).all()


def test_a_share_of_the_crops_is_corrupted_and_targets_stay_clean():
    half, none = make_crops(corrupted=0.5), make_crops()
    drawn = torch.cat([heard(half[index].a.source) for index in range(25)])
    assert 30 < (drawn == 1).sum() < 70 and set(drawn.tolist()) == {0, 1}  # of 100
    identities = torch.cat([heard(half[index].a.perturbed) for index in range(25)])
    assert torch.equal(identities % 2, drawn)  # both, or neither
    assert 60 < (identities >= 2).sum() < 90  # 75 of 100 are in disguise
    assert torch.equal(half[0].a.real, none[0].a.real)


def test_favourites_are_drawn_more_often():
    speakers = [make_speaker(name, -5, 150.0 + i) for i, name in enumerate(("b", "cc", "ddd"))]
    prior = average_stats([s.stats for s in speakers])
    config = MelCycleGANConfig(out=Path("run"), batch_size=50)
    crops = UnpairedCrops(
        config,
        speakers,
        speakers,
        spec=SPEC,
        prior=prior,
        favourites=speakers[2:],
        favourite_share=0.7,
    )
    own = torch.from_numpy(speaker_condition(speakers[2].stats, prior))
    drawn = [(crops[i].b.condition == own).all(1).float().mean() for i in range(6)]
    # By hand: 0.7 + 0.3 / 3 = 0.8; the deviation of 300 draws is 0.023.
    assert np.mean(drawn) == pytest.approx(0.8, abs=0.07)
    assert (crops[0].a.condition == own).all(1).float().mean() < 0.6


def test_workers_of_a_spawned_process_draw_the_same_batches():
    crops = make_crops(seed=4)
    workers = {"num_workers": 2, "multiprocessing_context": "spawn"}
    drawn = list(DataLoader(crops, batch_size=None, sampler=range(5), **workers))
    assert len(drawn) == 5
    for index, batch in enumerate(drawn):
        for half, own in zip(batch, crops[index], strict=True):
            assert all(map(torch.equal, half, own))


def test_estimates_from_longer_stretches_are_closer():
    speaker = make_speaker("stretch", -5, 150.0, n_files=10)
    prior = average_stats([make_speaker("low", -8, 100.0).stats])
    rng = np.random.default_rng(0)
    errors = [
        np.abs(draw_stats(speaker, prior, rng).mel_mean - speaker.stats.mel_mean).mean()
        for _ in range(50)
    ]
    assert max(errors) < 1.0  # the prior is 3 nats away: two seconds already outweigh it
    assert min(errors) < 0.1


def test_condition_of_the_prior_is_zero():
    stats = make_speaker("low", -6, 110.0).stats
    assert np.abs(speaker_condition(stats, stats)).max() == 0


def test_statistics_of_a_few_seconds_are_shrunk():
    short = make_speaker("short", -7, 100.0, n_files=1)  # 400 frames
    prior = make_speaker("prior", -5, 200.0).stats
    shrunk = shrink_stats(short, prior, SPEC).stats
    by_hand = (400 * short.stats.mel_mean + 20 * prior.mel_mean) / 420
    np.testing.assert_allclose(shrunk.mel_mean, by_hand, atol=1e-3)
    long = make_speaker("long", -7, 100.0, n_files=7)  # 33 s
    assert shrink_stats(long, prior, SPEC) is long
