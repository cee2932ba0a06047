from pathlib import Path

import numpy as np
import pytest
import soundfile

from voxcycle.speech.corpus import Clip, Corpus, CorpusError, scan_folder, split_files


def write_clip(path, seconds=2.0, sample_rate=16_000):
    path.parent.mkdir(parents=True, exist_ok=True)
    times = np.arange(round(seconds * sample_rate)) / sample_rate
    soundfile.write(path, 0.3 * np.sin(2 * np.pi * 220 * times), sample_rate)


def test_durations_add_up_and_subfolders_count(tmp_path):
    write_clip(tmp_path / "one.wav", 2.0)
    write_clip(tmp_path / "sub" / "two.flac", 3.0)
    corpus = scan_folder(tmp_path, min_total_s=4)
    assert corpus.duration_s == pytest.approx(5.0)
    assert corpus.name == tmp_path.name
    assert corpus.rejected == []


def test_every_unusable_file_is_named_with_its_reason(tmp_path):
    write_clip(tmp_path / "good.wav", 5)
    write_clip(tmp_path / "short.wav", 0.3)
    soundfile.write(tmp_path / "silent.wav", np.zeros(32_000), 16_000)
    noise = np.random.default_rng(0).normal(0, 5, 32_000)
    soundfile.write(tmp_path / "clipped.wav", np.clip(noise, -1, 1), 16_000)
    soundfile.write(tmp_path / "nan.wav", np.full(32_000, np.nan), 16_000, subtype="FLOAT")
    (tmp_path / "text.wav").write_text("not audio")
    corpus = scan_folder(tmp_path, min_total_s=4)
    assert [c.path.name for c in corpus.clips] == ["good.wav"]
    reasons = {path.name: reason for path, reason in corpus.rejected}
    assert reasons.keys() == {"short.wav", "silent.wav", "clipped.wav", "nan.wav", "text.wav"}
    assert "too short: 0.30 s" in reasons["short.wav"]
    assert reasons["silent.wav"] == "silent"
    assert "clipped" in reasons["clipped.wav"]
    assert "NaN" in reasons["nan.wav"]
    assert reasons["text.wav"].startswith("not an audio file that can be read")


def test_too_little_speech_says_how_much_there_is_and_what_was_left_out(tmp_path):
    write_clip(tmp_path / "good.wav", 5)
    write_clip(tmp_path / "short.wav", 0.3)
    with pytest.raises(CorpusError, match=r"5 s of usable speech in 1 files.*60 s are needed") as e:
        scan_folder(tmp_path)
    assert "short.wav: too short" in str(e.value)


def test_missing_and_empty_folders(tmp_path):
    with pytest.raises(CorpusError, match="no such folder"):
        scan_folder(tmp_path / "absent")
    with pytest.raises(CorpusError, match="no recordings found"):
        scan_folder(tmp_path)


def test_split_is_disjoint_complete_and_depends_on_the_seed_alone():
    clips = [Clip(Path(f"/{i}.wav"), 1.0) for i in range(100)]
    corpus = Corpus("hundred", clips, [])
    split = split_files(corpus, seed=3)
    assert (len(split.train), len(split.valid), len(split.held_out)) == (90, 5, 5)
    parts = split.train + split.valid + split.held_out
    assert sorted(parts) == sorted(c.path for c in clips)
    assert split == split_files(corpus, seed=3)
    assert split != split_files(corpus, seed=4)


def test_too_few_files_to_split():
    corpus = Corpus("few", [Clip(Path(f"{i}.wav"), 30.0) for i in range(4)], [])
    with pytest.raises(CorpusError, match="few: 4 usable recordings are too few"):
        split_files(corpus, seed=0)
