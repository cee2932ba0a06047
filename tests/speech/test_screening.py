"""Clips that do not belong among the others."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from voxcycle.audio.mel import MelSpec
from voxcycle.speech import screening as strangers
from voxcycle.speech.prepare import STRANGE, prepare_folder
from voxcycle.speech.screening import compare_clips, deviations, find_strangeness

RATE = 22_050
Speech = Callable[..., np.ndarray]


@pytest.fixture(scope="module")
def usual(make_speech: Speech) -> list[np.ndarray]:
    return [make_speech(2.4, RATE, 110 + index % 5, seed=index) for index in range(24)]


@pytest.fixture(scope="module")
def strange(make_speech: Speech) -> list[np.ndarray]:
    """A voice twice as high, and a chord."""
    t = np.arange(2 * RATE) / RATE
    chord = sum(np.sin(2 * np.pi * f * t) for f in (262, 330, 392, 1047)) * 0.05
    return [make_speech(2.4, RATE, 230.0, seed=50), chord.astype(np.float32)]


def test_strangers_stand_out(usual: list[np.ndarray], strange: list[np.ndarray]) -> None:
    scores = find_strangeness([*usual, *strange], MelSpec())
    totals = np.array([score.total for score in scores])
    assert totals[-2:].min() >= STRANGE
    assert np.mean(totals[:-2] >= STRANGE) <= 0.1
    again = find_strangeness([*usual, *strange], MelSpec())
    assert [s.total for s in again] == pytest.approx(totals.tolist())


def test_without_the_judges_pitch_tells_another_voice(
    usual: list[np.ndarray], strange: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(strangers, "has_metrics", lambda: False)
    monkeypatch.setattr(strangers, "voice_distances", None)  # would fail if called
    scores = find_strangeness([*usual, *strange], MelSpec())
    assert scores[-2].voice > STRANGE > np.median([score.voice for score in scores])


def test_few_clips_tell_nothing(strange: list[np.ndarray]) -> None:
    assert {score.total for score in find_strangeness(strange, MelSpec())} == {0.0}


def test_deviations_by_hand() -> None:
    values = [1.0, 2.0, 3.0, 4.0, np.nan]
    wanted = [0, 0, 0.5 / 1.4826, 1.5 / 1.4826, strangers.MAX_SCORE]
    assert deviations(values, 0.1) == pytest.approx(wanted)
    assert deviations(values, 3.0)[:4] == pytest.approx([0, 0, 0.5 / 3, 1.5 / 3])


@pytest.mark.parametrize("keeps", [False, True])
def test_prepare_leaves_strangers_out_unless_they_are_wanted(
    usual: list[np.ndarray], tmp_path: Path, make_speech: Speech, keeps: bool
) -> None:
    folder = tmp_path / "anna"
    folder.mkdir()
    for index, clip in enumerate(usual):
        soundfile.write(folder / f"{index:02}.wav", clip, RATE)
    soundfile.write(folder / "stranger.wav", make_speech(2.4, RATE, 230.0, seed=50), RATE)
    prepared = prepare_folder(
        folder, tmp_path / "clips", n_jobs=1, compare=compare_clips, keeps_strange=keeps
    )
    assert "stranger.wav" in {piece.source for piece in prepared.strange}
    kept = {piece.source for piece in prepared.kept}
    assert ("stranger.wav" in kept) == keeps
    assert len(kept) >= 21
    files = {path.name for path in (tmp_path / "clips").glob("*.flac")}
    assert files == {piece.file for piece in prepared.kept}


def test_many_strangers_are_none(usual: list[np.ndarray], tmp_path: Path) -> None:
    """Where a fifth is unlike the others, the folder is of that kind: nothing is left out."""
    folder = tmp_path / "anna"
    folder.mkdir()
    for index, clip in enumerate(usual):
        soundfile.write(folder / f"{index:02}.wav", clip, RATE)
    prepared = prepare_folder(
        folder,
        tmp_path / "clips",
        n_jobs=1,
        compare=lambda paths: [9.0 if i < 8 else 0.0 for i in range(len(paths))],
    )
    assert len(prepared.strange) == 8
    assert all(piece.file for piece in prepared.strange)
