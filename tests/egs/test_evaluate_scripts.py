import json
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile

from voxcycle.evaluation.optional_deps import has_metrics
from voxcycle.evaluation.report.results import read_result

MEAN = ("unit", "mean")
EGS = Path(__file__).parents[2] / "egs"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not has_metrics(), reason="needs the extra [eval]"),
]


def write_sentences(folder, make_speech, f0_hz, n_sentences=2):
    folder.mkdir(parents=True)
    for i in range(n_sentences):
        speech = make_speech(2.0, 24_000, f0_hz, seed=i)
        soundfile.write(folder / f"{i:03d}.flac", speech, 24_000)
        (folder / f"{i:03d}.txt").write_text("A sentence of sorts.\n", encoding="utf-8")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory, make_speech):
    folder = tmp_path_factory.mktemp("corpus")
    for name, f0_hz in (("af_heart", 200.0), ("af_nova", 220.0), ("am_eric", 110.0)):
        write_sentences(folder / "wavs" / name / "valid", make_speech, f0_hz)
    write_sentences(folder / "wavs/af_heart/eval", make_speech, 200.0)
    return folder


def run(script, *arguments):
    command = [sys.executable, str(EGS / script), *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_kokoro_scores_every_row(corpus, voice_path, tmp_path):
    table = run(
        "kokoro/evaluate_kokoro.py",
        *("--voice", voice_path, "--target", "af_heart", "--corpus", corpus, "--limit", "1"),
        *("--quick", "--json", tmp_path / "out.json", "--cache", tmp_path / "cache"),
        *("--result", tmp_path / "kokoro-unit.json"),
    )
    lines = [line.split(" | ") for line in table.splitlines()]
    assert [cells[0].removeprefix("| ") for cells in lines[2:]] == (
        ["unconverted"] * 3 + ["target", "copy synthesis"] + ["DSP baseline"] * 3 + ["unit"] * 3
    )
    document = json.loads((tmp_path / "out.json").read_text())
    assert len(document["about"]["voice_sha256"]) == 64
    assert len(document["utterances"]) == 8
    assert {u["sentence"] for u in document["utterances"]} == {"valid/000"}
    result = read_result(tmp_path / "kokoro-unit.json")
    assert result.recorded == "automatic" and len(result.corpus_sha256) == 64
    assert result.command.startswith("python egs/kokoro/evaluate_kokoro.py --voice ")
    mean = next(line for line in document["summary"] if (line["row"], line["speaker"]) == MEAN)
    row = result.row(row="unit", speaker="mean")
    assert row["distillmos"] == pytest.approx(mean["distillmos"], abs=1e-5)
    assert row["wer"] == pytest.approx(mean["wer"], abs=1e-5)


def test_real_speech_counts_words_against_the_source(corpus, voice_path, tmp_path, make_speech):
    for name in ("allison", "carlo", "dutch_woman", "dutch_man"):
        write_sentences(tmp_path / "real/wavs" / name, make_speech, 150.0, 21)
    run(
        "kokoro/evaluate_kokoro.py",
        *("--voice", voice_path, "--target", "af_heart", "--real", tmp_path / "real"),
        *("--corpus", corpus, "--limit", "1", "--json", tmp_path / "out.json"),
        *("--cache", tmp_path / "cache", "--vocoder", "griffin-lim"),
        *("--result", tmp_path / "real-unit.json"),
    )
    rows = json.loads((tmp_path / "out.json").read_text())["utterances"]
    unconverted = [r for r in rows if r["row"] == "unconverted"]
    result = read_result(tmp_path / "real-unit.json")
    assert result.row(row="unit", speaker="mean")["n_sentences"] == 4
    assert len(unconverted) == 4 and all(r["words"] is None for r in unconverted)


def test_copy_synthesis_has_distances_in_its_result(corpus, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    table = run(
        "kokoro/copy_synthesis.py",
        *("griffin-lim", "--corpus", corpus, "--limit", "1", "--metrics", "pitch"),
        *("--result", tmp_path / "copies.json"),
    )
    assert table.splitlines()[0].endswith("| mel L1 | log STFT |")
    result = read_result(tmp_path / "copies.json")
    assert result.row(row="recording", speaker="mean")["mel L1"] < 0.01
    assert result.row(row="griffin-lim", speaker="mean")["log STFT"] > 0.1
