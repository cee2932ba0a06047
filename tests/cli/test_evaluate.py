"""`voxcycle evaluate` as a user calls it."""

import hashlib
import json
import re
import sys
from typing import Any

import pytest

from voxcycle.evaluation.optional_deps import has_metrics
from voxcycle.evaluation.report import terminal
from voxcycle.evaluation.report.results import read_result

needs_metrics = pytest.mark.skipif(not has_metrics(), reason="needs the extra [eval]")


@pytest.fixture
def run(run_cli):
    """Run `voxcycle evaluate ...`; returns (exit code, stdout, stderr)."""

    def evaluate(*arguments):
        code, out, err = run_cli("evaluate", *arguments)
        return code, out.decode(), err

    return evaluate


@pytest.fixture
def recordings(tmp_path, write_clips, monkeypatch):
    """Two speakers with two clips each."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name, f0_hz in (("ann", 120.0), ("ben", 200.0)):
        write_clips(tmp_path / name, 2, 1.6, f0_hz)
    return tmp_path


def check_result(path, document):
    """Compare a result file with the metrics.json of the same evaluation."""
    result = read_result(path)
    assert result.recorded == "automatic" and result.command == "voxcycle evaluate --voice unit"
    assert re.fullmatch(r"[0-9a-f]{7,40}(-dirty)?|voxcycle [0-9.]+", result.commit or "")
    assert result.machine.startswith(document["about"]["machine"]["cpu"])
    assert str(result.date) == document["about"]["date"][:10]
    # One clip of each speaker was scored: the hash is that of their sorted hashes.
    hashes = sorted({u["recording_sha256"] for u in document["utterances"]})
    assert result.corpus_sha256 == hashlib.sha256("\n".join(hashes).encode()).hexdigest()
    for row, line in zip(result.rows, document["summary"], strict=True):
        assert (row["row"], row["speaker"]) == (line["row"], line["speaker"])
        for metric in ("secs_target", "wer", "distillmos", "mcd_db"):
            assert row[metric] == (line[metric] and pytest.approx(line[metric], abs=1e-5))


@needs_metrics
def test_report_and_comparison(run, recordings, voice_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/usr/bin/voxcycle", "evaluate", "--voice", "unit"])
    out, ben = recordings / "report", recordings / "ben"
    folders = ("--source", recordings / "ann", "--target", ben, "--parallel", ben, "-o", out)
    options = ("--vocoder", "griffin-lim", "--sentences", "1", "--second-pass", "0.5")
    code, shown, _ = run("--voice", voice_path, *folders, *options)
    assert code == 0 and "| unit | ann | 1 |" in shown
    document = json.loads((out / "metrics.json").read_text())
    rows = ["unconverted", "target", "copy synthesis", "DSP baseline", "unit"]
    assert [u["row"] for u in document["utterances"]] == rows
    converted = document["utterances"][-1]
    assert converted["mcd_db"] > 0 and converted["modulation_db"] > 0
    assert converted["words_reference"] == "source" and converted["recording_sha256"]
    copied = document["utterances"][2]
    assert copied["mcd_db"] > 0  # the column's ceiling
    assert document["about"]["second_pass"] == 0.5
    inputs = {"source": "ann", "target": "ben", "parallel": "ben", "sentences": 1}
    assert document["about"]["inputs"] == inputs
    assert "<audio" in (out / "report.html").read_text(encoding="utf-8")
    check_result(out / "evaluation-unit.json", document)
    table, notes = (out / "summary.md").read_text(encoding="utf-8").split("\n\n")
    assert table + "\n" == shown
    assert "- words are compared with the recogniser's transcript of the recording: " in notes

    code, table, _ = run("--compare", out / "metrics.json", out / "metrics.json")
    assert code == 0 and "| voice | DistillMOS | 1 |" in table and "better" not in table


def check_refusals(run, cases, *common):
    """Each of the options is refused in one sentence that holds the message."""
    for options, message in cases:
        code, _, shown = run(*common, *options)
        assert code == 2 and message in shown
        assert shown.lower().count("error: ") == 1 and "Traceback" not in shown


def test_wrong_input_is_one_sentence(run, recordings, voice_path):
    ann = recordings / "ann"
    cases = [
        (("--voice", voice_path), "--voice and --source are needed"),
        (("--voice", voice_path, "--source", recordings / "gone"), "gone: "),
        (("--voice", "nobody", "--source", ann), "nobody"),
        (("--compare", ann / "0.wav", recordings / "x.json"), "0.wav: "),
        (("--compare", ann / "x.json", ann / "0.wav"), "x.json: no such file or directory; name"),
        (("--compare", ann, ann), "ann: is a directory; name the metrics.json of an evaluation"),
    ]
    check_refusals(run, cases, "-o", recordings / "report")
    assert not (recordings / "report").exists()


@needs_metrics
def test_wrong_options_leave_nothing_behind(run, recordings, voice_path):
    out = recordings / "report"
    taken = recordings / "taken"
    taken.write_text("a file")
    (recordings / "full" / "report.html").mkdir(parents=True)
    cases = [
        (("--asr", recordings / "gone", "-o", out), "gone: "),
        (("--asr", recordings / "ann", "-o", out), "model.bin"),
        (("--vocoder", "gone", "-o", out), "'gone'"),
        (("--language", "english", "-o", out), "language 'english': "),
        (("--target", recordings / "ben", "--target-language", "x", "-o", out), "language 'x': "),
        (("-o", taken), "taken: "),
        (("-o", taken / "report"), "taken: "),
        (("-o", recordings / "full"), "report.html: "),
        (("--result", recordings / "My Result.json", "-o", out), "My Result.json: "),
    ]
    check_refusals(run, cases, "--voice", voice_path, "--source", recordings / "ann")
    assert not out.exists()


@needs_metrics
def test_options_arrive(run, recordings, voice_path, monkeypatch):
    asked: list[dict[str, Any]] = []

    def stop(voice, sources, target, **options):
        asked.append({"sources": sources, "target": target} | options)
        raise KeyboardInterrupt

    monkeypatch.setattr(terminal, "evaluate_with_progress", stop)
    texts, ben = recordings / "texts", recordings / "ben"
    (texts / "ben").mkdir(parents=True)
    (texts / "0.txt").write_text("Buongiorno.")
    (texts / "ben" / "1.txt").write_text("Good day.")
    common = ("--voice", voice_path, "--source", recordings / "ann", "--target", ben)
    languages = ("--language", "IT", "--target-language", "en")
    others = ("--asr", "models/small", "--sentences", "7", "-o", recordings / "report")
    run(*common, "--texts", texts, *languages, *others)
    run(*common)
    given, plain = asked
    (ann,), ben = given["sources"], given["target"]
    assert (ann.language, ben.language) == ("it", "en")
    assert [s.text for s in ann.sentences] == ["Buongiorno.", None]
    assert [s.text for s in ben.sentences] == [None, "Good day."]
    assert given["asr"] == "models/small"
    inputs = {"source": "ann", "target": "ben", "texts": "texts", "sentences": 7}
    assert given["inputs"] == inputs
    # the language is the voice's, the target's the same, and texts are beside recordings
    assert plain["sources"][0].language == plain["target"].language == "en"
    assert plain["asr"] == "base" and plain["sources"][0].sentences[0].text is None


@needs_metrics
def test_recordings_that_cannot_be_read(run, recordings, voice_path):
    """Listed where some can, one sentence and exit code 2 where none can; a report either way."""
    ann, ben, out = (recordings / name for name in ("ann", "ben", "report"))
    for broken in (ann / "0.wav", ben / "0.wav", ben / "1.wav"):
        broken.write_text("no sound")
    common = ("--voice", voice_path, "--vocoder", "griffin-lim", "--source", ann, "-o", out)
    code, _, shown = run(*common, "--parallel", ben)
    assert code == 0 and "failed: unit, ann 0: rendering: " in shown and "0.wav" in shown
    assert "failed: unit, ann 1: distance: " in shown
    (ann / "1.wav").write_bytes(b"")
    code, _, shown = run(*common)
    assert code == 2 and "ann: no recording" in shown
    names = ["evaluation-unit.json", "metrics.json", "report.html", "summary.md"]
    assert sorted(p.name for p in out.iterdir()) == names
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "rendering: 0.wav: " in page and str(recordings) not in page
