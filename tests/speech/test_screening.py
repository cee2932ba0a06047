"""Clips that do not belong with the others, and how their voices and sounds are compared."""

from collections.abc import Callable

import numpy as np
import pytest
import soundfile
import torch

from voxcycle.audio.mel import MelSpec
from voxcycle.speech import screening
from voxcycle.speech.features import analyse_waveform
from voxcycle.speech.prepare import MIN_OUTLIER_SCORE, prepare_folder
from voxcycle.speech.screening import (
    OutlierScore,
    compare_clips,
    cut_patches,
    deviations,
    divergence,
    fit_components,
    score_clips,
    sound_distances,
    voice_distances,
    voice_weights,
)

SPEC = MelSpec()
RATE = 22_050
Speech = Callable[..., np.ndarray]


@pytest.fixture(scope="module")
def usual(make_speech):
    return [make_speech(2.4, RATE, 110 + index % 5, seed=index) for index in range(24)]


@pytest.fixture(scope="module")
def strange(make_speech):
    """A voice twice as high, and a chord."""
    t = np.arange(2 * RATE) / RATE
    chord = sum(np.sin(2 * np.pi * f * t) for f in (262, 330, 392, 1047)) * 0.05
    return [make_speech(2.4, RATE, 230.0, seed=50), chord.astype(np.float32)]


def analyse(waves):
    return [analyse_waveform(wave, SPEC) for wave in waves]


def test_outliers_stand_out(usual, strange):
    clips = analyse([*usual, *strange])
    totals = np.array([score.total for score in score_clips(clips, SPEC)])
    assert totals[-2:].min() >= MIN_OUTLIER_SCORE
    assert np.mean(totals[:-2] >= MIN_OUTLIER_SCORE) <= 0.1
    again = score_clips(clips, SPEC)
    assert [score.total for score in again] == totals.tolist()
    # few clips do not show what is usual
    assert {score.total for score in score_clips(clips[-2:], SPEC)} == {0.0}


def test_the_level_of_a_clip_does_not_matter(usual):
    loud, soft = (sound_distances(analyse([g * usual[0], *usual[1:8]]))[0] for g in (1.0, 0.1))
    assert soft == pytest.approx(loud, abs=0.02)  # fp16 mels


def test_voice_distances_by_hand():
    """Squared distances of a pitch of 200 Hz and of a vector at 60 degrees; weights of a second."""
    f0_hz, speech = np.zeros(86, np.float32), np.ones(86, bool)  # a second
    f0_hz[:40] = 100.0
    usual = screening.Features(np.zeros((1, 86, 80), np.float16), f0_hz, speech)
    high, silent = usual._replace(f0_hz=2 * f0_hz), usual._replace(f0_hz=0 * f0_hz)
    clips = [usual, usual, silent, high, usual]
    angles = np.array([0.0, 0.0, 0.0, 0.0, np.pi / 3])
    embeddings = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    wanted = [0, 0, 0, (0.7 * np.log(2)) ** 2, 1.0]
    assert voice_distances(clips, embeddings) == pytest.approx(wanted, abs=1e-6)
    seconds = 86 * 256 / RATE
    assert voice_weights(clips, SPEC) == pytest.approx(5 * [seconds / (seconds + 1)])


def test_embeddings_tell_voices_apart(usual, strange):
    """The packaged encoder's: unit vectors, alike for the same voice."""
    same, again, other = (screening.embed_clip(clip) for clip in analyse([*usual[:2], strange[0]]))
    assert np.linalg.norm(same) == pytest.approx(1, abs=1e-5)
    assert same @ again > same @ other


def test_deviations_by_hand():
    values = [1.0, 2.0, 3.0, 4.0, np.nan]
    wanted = [0, 0, 0.5 / 1.4826, 1.5 / 1.4826, screening.MAX_SCORE]
    assert deviations(values, 0.1) == pytest.approx(wanted)
    assert deviations(values, 3.0)[:4] == pytest.approx([0, 0, 0.5 / 3, 1.5 / 3])


@pytest.fixture
def folder(usual, tmp_path):
    """The usual clips as recordings."""
    folder = tmp_path / "anna"
    folder.mkdir()
    for index, clip in enumerate(usual):
        soundfile.write(folder / f"{index:02}.wav", clip, RATE)
    return folder


@pytest.mark.parametrize("keeps", [False, True])
def test_prepare_drops_outliers_unless_asked_to_keep_them(folder, tmp_path, strange, keeps):
    soundfile.write(folder / "stranger.wav", strange[0], RATE)
    prepared = prepare_folder(
        folder, tmp_path / "clips", n_jobs=1, compare=compare_clips, keeps_outliers=keeps
    )
    assert "stranger.wav" in {piece.source for piece in prepared.outliers}
    kept = {piece.source for piece in prepared.kept}
    assert ("stranger.wav" in kept) == keeps
    assert len(kept) >= 21
    files = {path.name for path in (tmp_path / "clips").glob("*.flac")}
    assert files == {piece.file for piece in prepared.kept}


def test_many_outliers_are_kept(folder, tmp_path):
    """Where a fifth is unlike the others, the folder is mixed: nothing is dropped."""

    def compare(paths):
        return [OutlierScore(9.0 if i < 8 else 0.0, 0.0) for i in range(len(paths))]

    prepared = prepare_folder(folder, tmp_path / "clips", n_jobs=1, compare=compare)
    assert len(prepared.outliers) == 8
    assert all(piece.file for piece in prepared.outliers)


def test_a_folder_of_two_people_is_noticed(folder, tmp_path, make_speech):
    """A third of the clips is of another voice: they are kept, and said in one sentence."""
    alone = prepare_folder(folder, tmp_path / "alone", n_jobs=1, compare=compare_clips)
    assert not alone.describe_others() and not any(piece.is_other for piece in alone.pieces)
    for index in range(12):
        other = make_speech(2.4, RATE, 230.0, seed=50 + index)
        soundfile.write(folder / f"other-{index:02}.wav", other, RATE)
    prepared = prepare_folder(folder, tmp_path / "clips", n_jobs=1, compare=compare_clips)
    others = {piece.source for piece in prepared.kept if piece.is_other}
    assert others == {f"other-{index:02}.wav" for index in range(12)}
    assert prepared.describe_others() == (
        f"{folder}: about 12 of 36 clips sound like another person (other-00.wav, other-01.wav, "
        "other-02.wav, ...); give each speaker a folder"
    )


def test_patches_leave_pauses_out():
    mel = np.random.default_rng(0).normal(0, 0.1, (120, 80)).astype(np.float32)
    mel[80:] -= 3.0  # a pause
    (patches,) = cut_patches([mel])
    assert patches.shape[1] == 400
    normal = ((mel - mel.mean(0)) / mel.std(0)).reshape(120, 20, 4).mean(2).T
    # they begin every 5 frames; from frame 80 on none is loud in the mean
    assert 13 <= len(patches) <= 16
    for index, patch in enumerate(patches):
        wanted = normal[:, 5 * index : 5 * index + 20]
        np.testing.assert_allclose(patch.reshape(20, 20) * 3, wanted.clip(-3, 3), atol=1e-5)
    # a clip that is shorter than a patch, or a pause, has none
    short, pause, _ = cut_patches([mel[:10], mel[80:], mel[:80]])
    assert short.shape == pause.shape == (0, 400)


def test_components_are_those_of_a_singular_value_decomposition():
    rng = np.random.default_rng(0)
    parts = [
        rng.normal(1, 1, (n, 400)).astype(np.float32) * np.linspace(1, 3, 400) for n in (9, 700)
    ]
    components = fit_components(parts)
    every = np.concatenate(parts)
    left, sizes, _ = np.linalg.svd(every - every.mean(0), full_matrices=False)
    wanted = left[:, :16] * np.sqrt(len(every))  # of unit deviation, the largest first
    found = components.project(every)[:, ::-1]
    np.testing.assert_allclose(components.std[::-1], sizes[:16] / np.sqrt(len(every)), rtol=1e-4)
    np.testing.assert_allclose(np.abs(found), np.abs(wanted), atol=1e-3)  # sums in float32


def test_divergence_is_that_of_torch():
    rng = np.random.default_rng(0)
    latents = rng.normal(0.3, 2.0, (50, 4))
    # as if 30 latents of mean 0 and covariance I were among them
    square = (latents.T @ latents + 30 * np.eye(4)) / 80
    mean = latents.sum(0) / 80
    own = torch.distributions.MultivariateNormal(
        torch.from_numpy(mean), torch.from_numpy(square - np.outer(mean, mean))
    )
    usual = torch.distributions.MultivariateNormal(
        torch.zeros(4, dtype=torch.float64), torch.eye(4, dtype=torch.float64)
    )
    wanted = torch.distributions.kl_divergence(own, usual).item()
    assert divergence(latents) == pytest.approx(wanted)
    assert divergence(np.zeros((0, 4))) == 0


def test_outliers_do_not_shape_the_components(usual, make_speech):
    """Five clips of another voice among 24: with one fit the others would move by 2.1."""
    others = [make_speech(2.4, RATE, 230.0, seed=50 + index) for index in range(5)]
    alone, mixed = sound_distances(analyse(usual)), sound_distances(analyse([*usual, *others]))
    assert np.abs(np.array(mixed[:24]) - alone).max() < 0.6
    assert min(mixed[24:]) > max(mixed[:24]) + 2
