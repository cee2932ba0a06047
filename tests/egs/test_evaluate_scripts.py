import json
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile

from voxcycle.evaluation.optional_deps import has_metrics

EGS = Path(__file__).parents[2] / "egs"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not has_metrics(), reason="needs the extra [eval]"),
]


def write_sentences(folder: Path, make_speech, f0_hz: float, n_sentences: int = 2) -> None:
    folder.mkdir(parents=True)
    for i in range(n_sentences):
        speech = make_speech(2.0, 24_000, f0_hz, seed=i)
        soundfile.write(folder / f"{i:03d}.flac", speech, 24_000)
        (folder / f"{i:03d}.txt").write_text("A sentence of sorts.\n", encoding="utf-8")


@pytest.fixture
def corpus(tmp_path: Path, make_speech) -> Path:
    for name, f0_hz in (("af_heart", 200.0), ("af_nova", 220.0), ("am_eric", 110.0)):
        write_sentences(tmp_path / "corpus/wavs" / name / "valid", make_speech, f0_hz)
    write_sentences(tmp_path / "corpus/wavs/af_heart/eval", make_speech, 200.0)
    return tmp_path / "corpus"


def run(script: str, *arguments: str | Path) -> str:
    command = [sys.executable, str(EGS / script), *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_kokoro_scores_every_row(corpus: Path, voice_path: Path, tmp_path: Path):
    table = run(
        "kokoro/evaluate_kokoro.py",
        *("--voice", voice_path, "--target", "af_heart", "--corpus", corpus, "--limit", "1"),
        *("--quick", "--json", tmp_path / "out.json", "--cache", tmp_path / "cache"),
    )
    lines = [line.split(" | ") for line in table.splitlines()]
    assert [cells[0].removeprefix("| ") for cells in lines[2:]] == (
        ["unconverted"] * 3 + ["target", "copy synthesis"] + ["DSP baseline"] * 3 + ["unit"] * 3
    )
    document = json.loads((tmp_path / "out.json").read_text())
    assert len(document["about"]["voice_sha256"]) == 64
    assert len(document["utterances"]) == 8
    assert {u["sentence"] for u in document["utterances"]} == {"valid/000"}


def test_real_speech_counts_words_against_the_source(
    corpus: Path, voice_path: Path, tmp_path: Path, make_speech
):
    for name in ("allison", "carlo", "dutch_woman", "dutch_man"):
        write_sentences(tmp_path / "real/wavs" / name, make_speech, 150.0, 21)
    run(
        "real/evaluate_real.py",
        *("--voice", voice_path, "--target", "af_heart", "--real", tmp_path / "real"),
        *("--corpus", corpus, "--limit", "1", "--json", tmp_path / "out.json"),
        *("--cache", tmp_path / "cache", "--vocoder", "griffin-lim"),
    )
    rows = json.loads((tmp_path / "out.json").read_text())["utterances"]
    unconverted = [r for r in rows if r["row"] == "unconverted"]
    assert len(unconverted) == 4 and all(r["words"] is None for r in unconverted)
