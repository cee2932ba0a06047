"""egs/real/score_vocoders.py: what is rendered, and a row per vocoder and group."""

import json
import sys
from collections import Counter

import numpy as np
import pytest
import soundfile

RATE = 22_050


@pytest.fixture
def folders(tmp_path, make_speech):
    """Return a folder of conditions and a corpus, all of one artificial voice."""
    speech = make_speech(1.5, RATE, 140.0)
    conditions, corpus = tmp_path / "conditions", tmp_path / "corpus"
    clips = [conditions / "clean" / s / f"{i}.flac" for s in ("arabic-1", "b", "c") for i in "0123"]
    for speaker in ("af_heart", "am_michael", "bf_emma", "bm_george"):
        clips += [corpus / "wavs" / speaker / "valid" / f"{i:03d}.flac" for i in range(13)]
    for path in clips:
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, speech, RATE)
    return conditions, corpus


def test_every_voice_gets_the_same_clips(load_script, folders):
    items = load_script("score_vocoders").list_items(*folders)
    counts = Counter(group for *_, group in items)
    assert counts["heart, real"] == counts["george, real"] == 6  # three of each, none in Arabic
    assert counts["emma, synthetic"] == 12
    assert counts["copies"] == 16
    assert all("bf_emma" not in path.parts for path, voice, _ in items if voice == "emma")


def test_a_row_per_vocoder_and_group(load_script, folders, monkeypatch, capsys):
    script = load_script("score_vocoders")
    conditions, corpus = map(str, folders)
    given = ["--conditions", conditions, "--corpus", corpus, "--every", "43", "griffin-lim", "fast"]
    monkeypatch.setattr(sys, "argv", ["score_vocoders.py", *given])
    script.main()
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["row"] for row in rows] == ["griffin-lim"] * 3 + ["fast"] * 3
    assert {row["group"] for row in rows} == {"heart, real", "emma, synthetic", "copies"}
    assert all(1 < row["distillmos"] < 5 for row in rows)


def test_the_tap_keeps_what_the_voice_made(load_script, folders):
    script = load_script("score_vocoders")
    path = folders[1] / "wavs" / "af_heart" / "valid" / "000.flac"
    item = script.convert(path, "michael", "michael, synthetic")
    assert item.log_mel.shape == (len(item.f0_hz), 80)
    voiced = item.f0_hz[item.f0_hz > 0]
    assert 70 < np.median(voiced) < 160  # michael's, not the source's
