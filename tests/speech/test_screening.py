"""Clips that do not belong with the others, and the patches that a VAE sees of them."""

from collections.abc import Callable

import numpy as np
import pytest
import soundfile
import torch

from voxcycle.audio.mel import MelSpec
from voxcycle.methods.outliers import outlier_scores
from voxcycle.speech import screening
from voxcycle.speech.prepare import MIN_OUTLIER_SCORE, prepare_folder
from voxcycle.speech.screening import (
    compare_clips,
    cut_patches,
    deviations,
    latent_norms,
    score_clips,
    train_vae,
)

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


def test_outliers_stand_out(usual, strange):
    scores = score_clips([*usual, *strange], MelSpec())
    totals = np.array([score.total for score in scores])
    assert totals[-2:].min() >= MIN_OUTLIER_SCORE
    assert np.mean(totals[:-2] >= MIN_OUTLIER_SCORE) <= 0.1
    again = score_clips([*usual, *strange], MelSpec())
    assert [s.total for s in again] == pytest.approx(totals.tolist())
    # few clips do not show what is usual
    assert {score.total for score in score_clips(strange, MelSpec())} == {0.0}


def test_without_the_metrics_pitch_finds_another_voice(usual, strange, monkeypatch):
    monkeypatch.setattr(screening, "has_metrics", lambda: False)
    monkeypatch.setattr(screening, "voice_distances", None)  # would fail if called
    scores = score_clips([*usual, *strange], MelSpec())
    assert scores[-2].voice > MIN_OUTLIER_SCORE > np.median([score.voice for score in scores])


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
        return [9.0 if i < 8 else 0.0 for i in range(len(paths))]

    prepared = prepare_folder(folder, tmp_path / "clips", n_jobs=1, compare=compare)
    assert len(prepared.outliers) == 8
    assert all(piece.file for piece in prepared.outliers)


def test_patches_leave_pauses_out():
    noise = torch.Generator().manual_seed(0)
    mel = torch.randn(120, 80, generator=noise) * 0.1
    mel[80:] -= 3.0  # a pause
    (patches,) = cut_patches([mel])
    assert patches.shape[1:] == (1, 20, 20)
    normal = ((mel - mel.mean(0)) / mel.std(0)).unflatten(1, (20, 4)).mean(2).T
    # they begin every 5 frames; from frame 80 on none is loud in the mean
    assert 13 <= len(patches) <= 16
    for index, patch in enumerate(patches):
        wanted = normal[:, 5 * index : 5 * index + 20]
        assert torch.allclose(patch[0] * 3, wanted.clamp(-3, 3), atol=1e-5)
    # a clip that is shorter than a patch has none
    assert cut_patches([mel[:10], mel])[0].shape == (0, 1, 20, 20)


def test_latent_norms_are_the_means_of_the_score_of_that_name(usual):
    spec = MelSpec()
    mels = [torch.from_numpy(screening.LogMel(spec)(clip)) for clip in usual[:6]]
    patches = cut_patches(mels)
    vae = train_vae(torch.cat(patches))
    wanted = [outlier_scores(vae, part)["latent norm"].mean().item() for part in patches]
    assert latent_norms(usual[:6], spec) == wanted
