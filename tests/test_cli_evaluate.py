"""`voxcycle evaluate` as a user calls it."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from voxcycle.cli import main
from voxcycle.evaluation.extra import has_judges


def run(*arguments: str | Path) -> int:
    with pytest.raises(SystemExit) as left:
        main([str(a) for a in arguments])
    return int(left.value.code or 0)


@pytest.fixture
def recordings(
    tmp_path: Path, make_speech: Callable[..., np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> Path:
    """Two speakers with two clips each."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name, f0_hz in (("ann", 120.0), ("ben", 200.0)):
        (tmp_path / name).mkdir()
        for i in range(2):
            speech = make_speech(1.6, 16_000, f0_hz, seed=i)
            soundfile.write(tmp_path / name / f"{i}.wav", speech, 16_000)
    return tmp_path


@pytest.mark.skipif(not has_judges(), reason="needs the extra [eval]")
def test_report_and_comparison(recordings: Path, voice_path: Path, capsys):
    out = recordings / "report"
    common = ("evaluate", "--voice", voice_path, "--source", recordings / "ann")
    rest = ("--vocoder", "griffin-lim", "--sentences", "1")
    assert (
        run(
            *(*common, "--target", recordings / "ben", "--parallel", recordings / "ben"),
            *("-o", out, *rest),
        )
        == 0
    )
    shown = capsys.readouterr()
    assert "| unit | ann | 1 |" in shown.out
    document = json.loads((out / "metrics.json").read_text())
    rows = ["unconverted", "target", "copy synthesis", "DSP baseline", "unit"]
    assert [u["row"] for u in document["utterances"]] == rows
    voice_row = document["utterances"][-1]
    assert voice_row["mcd_db"] > 0 and voice_row["modulation_db"] > 0
    assert "<audio" in (out / "report.html").read_text(encoding="utf-8")

    assert run("evaluate", "--compare", out / "metrics.json", out / "metrics.json") == 0
    table = capsys.readouterr().out
    assert "| voice | DistillMOS | 1 |" in table and "better" not in table


def test_wrong_input_is_one_sentence(recordings: Path, voice_path: Path, capsys):
    cases = [
        (("--voice", voice_path), "--voice and --source are needed"),
        (("--voice", voice_path, "--source", recordings / "gone"), "gone: no such folder"),
        (("--voice", "nobody", "--source", recordings / "ann"), "nobody"),
        (
            ("--compare", recordings / "ann" / "0.wav", recordings / "x.json"),
            "0.wav: not a metrics",
        ),
    ]
    for arguments, message in cases:
        assert run("evaluate", *arguments, "-o", recordings / "report") == 2
        shown = capsys.readouterr().err
        assert message in shown and "Traceback" not in shown
    assert not (recordings / "report").exists()


@pytest.mark.skipif(not has_judges(), reason="needs the extra [eval]")
def test_recordings_that_cannot_be_read(recordings: Path, voice_path: Path, capsys):
    """Listed where some can, one sentence and exit code 2 where none can; a report either way."""
    (recordings / "ann" / "0.wav").write_text("no sound")
    common = ("evaluate", "--voice", voice_path, "--vocoder", "griffin-lim")
    out = recordings / "report"
    assert run(*common, "--source", recordings / "ann", "-o", out) == 0
    shown = capsys.readouterr().err
    assert "failed: unit, ann 0: rendering: " in shown and "0.wav" in shown
    (recordings / "ann" / "1.wav").write_bytes(b"")
    assert run(*common, "--source", recordings / "ann", "-o", out) == 2
    assert "ann: no recording could be converted and scored" in capsys.readouterr().err
    assert sorted(p.name for p in out.iterdir()) == ["metrics.json", "report.html"]


@pytest.mark.skipif(not has_judges(), reason="needs the extra [eval]")
def test_a_broken_parallel_recording_is_listed(recordings: Path, voice_path: Path, capsys):
    for i in range(2):
        (recordings / "ben" / f"{i}.wav").write_text("no sound")
    arguments = ("--source", recordings / "ann", "--parallel", recordings / "ben")
    common = ("evaluate", "--voice", voice_path, "--vocoder", "griffin-lim", "--sentences", "1")
    assert run(*common, *arguments, "-o", recordings / "report") == 0
    assert "failed: unit, ann 0: distance: " in capsys.readouterr().err
    assert (recordings / "report" / "report.html").exists()
