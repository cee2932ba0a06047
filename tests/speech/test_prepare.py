import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from voxcycle import convert_files
from voxcycle.audio.io import AudioError
from voxcycle.audio.level import active_level_db
from voxcycle.cli import main
from voxcycle.speech import prepare
from voxcycle.speech.corpus import CorpusError, scan_folder, split_files
from voxcycle.speech.prepare import prepare_folder, working_beside

RATE = 16_000
Speech = Callable[..., np.ndarray]


@pytest.fixture
def folder(tmp_path, make_speech):
    """One long recording of five sentences with pauses, one clipped, one noise, one no audio."""
    root = tmp_path / "anna"
    (root / "old").mkdir(parents=True)
    pause = np.zeros(3 * RATE // 2, np.float32)
    sentences = [np.concatenate([make_speech(2.5, RATE, seed=i), pause]) for i in range(5)]
    stereo = np.stack([np.concatenate(sentences)] * 2, axis=1)
    soundfile.write(root / "long.wav", 0.3 * stereo, RATE)
    loud = make_speech(2.5, RATE, seed=7)
    soundfile.write(root / "old" / "clipped.wav", np.clip(20 * loud, -1, 1), RATE)
    noise = np.random.default_rng(0).standard_normal(3 * RATE) * 0.1
    soundfile.write(root / "noise.flac", noise, RATE)
    (root / "torn.wav").write_text("no audio")
    return root


def test_a_folder_becomes_clips_of_one_level(folder, tmp_path):
    out, misnamed = tmp_path / "clips", os.fsdecode(b"l\xe9ng.wav")
    (folder / misnamed).write_bytes((folder / "long.wav").read_bytes())
    prepared = prepare_folder(folder, out, n_jobs=1)
    names = [clip.file for clip in prepared.kept]
    assert names == [f"long.wav-{i:03}.flac" for i in range(5)]
    for name in names:
        samples, rate = soundfile.read(out / name, dtype="float32")
        assert (rate, samples.ndim) == (22_050, 1)
        assert 2.3 < len(samples) / rate < 2.8
        assert active_level_db(samples, rate) == pytest.approx(-23, abs=0.1)
    problems = {clip.source: clip.problem for clip in prepared.pieces if clip.problem}
    assert problems["old/clipped.wav"] == "clipped"
    assert "noise.flac" not in {clip.source for clip in prepared.kept}
    assert {name for name, _ in prepared.unreadable} == {"torn.wav", misnamed}
    assert prepared.minutes_kept() == pytest.approx(5 * 2.6 / 60, abs=0.02)
    report = json.loads((out / "report.json").read_text())
    assert report["minutes"] == prepared.minutes
    assert dict(report["unreadable"])[misnamed].startswith("the file's name is not valid text")
    assert len(split_files(scan_folder(out, min_total_s=1), 0).train) == 3  # it can be trained on


def test_headers_that_are_wrong_and_missing_ffmpeg_are_said(folder, tmp_path, monkeypatch, capsys):
    """Neither a training nor `voxcycle prepare` takes less than conversion does."""
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    (folder / "call.m4a").write_bytes(b"x")
    data = bytearray((folder / "long.wav").read_bytes())
    data[40:44] = bytes(4)  # a recorder that was cut off
    (folder / "long.wav").write_bytes(data)
    note = "the header gives no length: all 20.0 s to its end are read"
    main_arguments = ["prepare", str(folder), "-o", str(tmp_path / "clips"), "--keep-outliers"]
    with pytest.raises(SystemExit):
        main(main_arguments)
    said = " ".join(capsys.readouterr().out.split())
    assert f"note: long.wav {note}" in said
    assert "1 file (.m4a) passed over for want of ffmpeg" in said
    report = json.loads((tmp_path / "clips" / "report.json").read_text())
    assert report["notes"] == [["long.wav", note]]
    assert len([piece for piece in report["pieces"] if piece["source"] == "long.wav"]) == 5
    corpus = scan_folder(folder, min_total_s=1)
    assert corpus.notes == [(folder / "long.wav", note)]
    assert (folder, report["unreadable"][0][1]) in corpus.rejected


def test_only_its_own_clips_are_replaced(folder, tmp_path):
    out = tmp_path / "clips"
    prepare_folder(folder, out, n_jobs=1)
    with pytest.raises(CorpusError, match="holds clips already; .*--overwrite"):
        prepare_folder(folder, out, n_jobs=1)
    (out / "mine.txt").write_text("kept")
    (folder / "long.wav").rename(folder / "renamed.wav")
    prepare_folder(folder, out, overwrite=True, n_jobs=1)
    assert (out / "mine.txt").read_text() == "kept"
    assert [p.name for p in out.glob("*000.flac")] == ["renamed.wav-000.flac"]
    (folder / "renamed.wav").unlink()  # now nothing is usable: the former clips stay
    with pytest.raises(CorpusError, match="no clip is usable; torn.wav: "):
        prepare_folder(folder, out, overwrite=True, n_jobs=1)
    assert len(list(out.glob("*.flac"))) == 5 and (out / "report.json").exists()
    assert not list(tmp_path.glob(".*.part"))


def test_a_full_disk_leaves_the_former_clips(folder, tmp_path):
    resource = pytest.importorskip("resource")
    out = tmp_path / "clips"
    prepare_folder(folder, out, n_jobs=1)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    soundfile.write(folder / "long.wav", soundfile.read(folder / "long.wav")[0][::-1], RATE)
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, most))
    try:
        with pytest.raises(AudioError, match="File too large"):
            prepare_folder(folder, out, overwrite=True, n_jobs=1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    assert not [*tmp_path.glob(".*.part")]


def test_one_process_prepares_a_folder(folder, tmp_path):
    out = tmp_path / "clips"
    with working_beside(out), pytest.raises(CorpusError, match="another process is preparing"):
        prepare_folder(folder, out, n_jobs=1)
    assert not [*tmp_path.glob(".*.part")] and not out.exists()


@pytest.mark.parametrize("report", [None, "", "{}", '{"pieces": [{"file": "../tape.wav"}]}'])
def test_the_files_of_others_are_kept(folder, tmp_path, report):
    out = tmp_path / "full"
    out.mkdir()
    (out / "letter.txt").write_text("kept")
    (tmp_path / "tape.wav").write_text("kept")
    if report is not None:
        (out / "report.json").write_text(report)
    if report and "tape" in report:
        prepare_folder(folder, out, overwrite=True, n_jobs=1)
    else:
        with pytest.raises(CorpusError, match="holds files that no earlier call wrote"):
            prepare_folder(folder, out, overwrite=True)
    assert (out / "letter.txt").exists() and (tmp_path / "tape.wav").exists()


def test_clips_are_never_recordings(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(folder)
    (tmp_path / "other").symlink_to(folder)
    (folder / ".clips.part").mkdir()  # of a call that was killed
    (folder / ".clips.part" / "long.wav-000.flac").write_bytes(b"half a clip")
    for again, root in enumerate((Path("."), Path("../anna"), tmp_path / "other")):
        prepared = prepare_folder(root, Path("clips"), overwrite=again > 0, n_jobs=1)
        assert len(prepared.kept) == 5
        assert [name for name, _ in prepared.unreadable] == ["torn.wav"]


def test_a_failure_leaves_nothing(folder, tmp_path, monkeypatch):
    def fail(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(prepare, "find_slices", fail)
    with pytest.raises(KeyboardInterrupt):
        prepare_folder(folder, tmp_path / "clips", n_jobs=1)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["anna"]


@pytest.mark.parametrize(
    ("source", "out", "problem"),
    [
        ("none", "out", "no such folder"),
        ("anna", "anna", "among the recordings"),
        ("anna", "anna/torn.wav", "expected a folder, found a file"),
        ("anna/empty", "out", "no recordings found"),
    ],
)
def test_a_wrong_folder_is_refused(folder, source, out, problem):
    (folder / "empty").mkdir()
    with pytest.raises(CorpusError, match=problem):
        prepare_folder(folder.parent / source, folder.parent / out)


def test_little_speech_in_a_long_recording_is_found(tmp_path, make_speech):
    tape = 1e-3 * np.random.default_rng(0).standard_normal(90 * RATE).astype(np.float32)
    tape[40 * RATE :][: 3 * RATE] += make_speech(3.0, RATE)
    (tmp_path / "tape").mkdir()
    soundfile.write(tmp_path / "tape" / "tape.wav", tape, RATE)
    (piece,) = prepare_folder(tmp_path / "tape", tmp_path / "clips", n_jobs=1).pieces
    assert piece.file
    assert piece.start_s == pytest.approx(39.9, abs=0.1)
    assert piece.quality.duration_s == pytest.approx(3.2, abs=0.2)


def test_the_command_prints_and_draws(folder, tmp_path, capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["prepare", str(folder)])
    out = tmp_path / "anna-clips"
    printed = capsys.readouterr().out
    assert "in 5 clips" in printed and "dropped: clipped" in printed
    assert "left out: torn.wav" in printed
    assert (out / "report.png").read_bytes().startswith(b"\x89PNG")
    for wrong in ([tmp_path / "none"], [folder, "-o", folder / "clips"]):
        with pytest.raises(SystemExit, match="^2$"):
            main(["prepare", *map(str, wrong)])
    assert "anna/clips: lies inside" in capsys.readouterr().err and not (folder / "clips").exists()


def test_conversions_among_the_recordings_are_left_out(tmp_path, demo):
    """As `convert` writes them, beside a recording."""
    (tmp_path / "ann").mkdir()
    soundfile.write(tmp_path / "ann" / "talk.wav", demo, 22_050)
    talk, made = tmp_path / "ann" / "talk.wav", tmp_path / "ann" / "converted"
    (result,) = convert_files([talk], "heart", made, vocoder="griffin-lim")
    assert result.error is None
    prepared = prepare_folder(tmp_path / "ann", tmp_path / "clips", n_jobs=1)
    assert {piece.source for piece in prepared.pieces} == {"talk.wav"}
    assert prepared.unreadable == [("converted/talk.wav", "a conversion, not a recording")]
    rejected = scan_folder(tmp_path / "ann", min_total_s=1).rejected
    assert rejected == [(result.output, "a conversion, not a recording")]
