"""From folders of recordings to the files of a training."""

import shutil

import numpy as np
import pytest
import soundfile
from rich.console import Console

from voxcycle.speech.config import VoiceTrainingConfig
from voxcycle.speech.corpus import CorpusError, list_recordings
from voxcycle.speech.domains import find_domains
from voxcycle.training.config import save_config


def split(folders, out, **changes):
    values = {"a": folders / "low", "b": folders / "high", "out": out, "seed": 3}
    console = Console(stderr=True, markup=False, highlight=False)
    return find_domains(VoiceTrainingConfig(**values | changes), console)


def test_runs_among_the_recordings_are_no_recordings(folders, tmp_path, own_cache):
    """A second training of a folder that holds the first one's run splits the same recordings."""
    ann, splits = tmp_path / "ann", []
    shutil.copytree(folders / "low", ann)
    for name in ("first", "second"):
        run = ann / "runs" / name
        config = VoiceTrainingConfig(a=ann, b=folders / "high", out=run, prepares=name == "first")
        domains = find_domains(config, Console(stderr=True))
        splits.append([path.name.removesuffix("-000.flac") for path in domains.a["ann"].train])
        assert set(domains.recordings["a"]) == {f"{i}.wav" for i in range(6)}
        save_config(config)
        domains.save(run)
    assert splits[0] == splits[1] and len(splits[0]) == 4
    with pytest.raises(CorpusError, match="first: the folder of a training"):
        list_recordings(ann / "runs" / "first")
    with pytest.raises(CorpusError, match="runs: only runs and prepared clips are in it"):
        list_recordings(ann / "runs")
    assert len(list_recordings(ann / "runs" / "first" / "clips" / "a" / "ann").files) == 6


def test_speakers_of_a_pool_share_no_recordings(folders, tmp_path):
    pool = tmp_path / "pool"
    for name, folder in (("one", "pool/one"), ("two", "pool/two"), ("three", "pool/one")):
        (pool / name).parent.mkdir(exist_ok=True)
        (pool / name).symlink_to(folders / folder)
    with pytest.raises(CorpusError, match="three: shares recordings with .*one, such as 0.wav"):
        split(tmp_path, tmp_path / "run", a=pool, any_to_one=True)
    (pool / "three").unlink()
    (pool / ".trash").symlink_to(folders / "low")  # hidden
    run = {"any_to_one": True, "prepares": False, "b": folders / "high"}
    assert list(split(tmp_path, tmp_path / "run", a=pool, **run).a) == ["one", "two"]


def test_recordings_are_cut_and_screened_first(tmp_path, make_speech, capfd):
    """One tape per speaker, with a clipped part, is enough."""
    pause = np.zeros(24_000, np.float32)
    for name, f0_hz in (("low", 110.0), ("high", 210.0)):
        spoken = [make_speech(10.5, 16_000, f0_hz, seed=index) for index in range(7)]
        spoken[0] = np.clip(20 * spoken[0], -0.9, 0.9)
        tape = np.concatenate([part for sentence in spoken for part in (sentence, pause)])
        (tmp_path / name).mkdir()
        soundfile.write(tmp_path / name / "tape.wav", tape, 16_000)
    domains = split(tmp_path, tmp_path / "run")
    assert len(domains.a["low"].train) >= 4
    assert (tmp_path / "run" / "clips" / "a" / "low" / "report.png").exists()
    err = capfd.readouterr().err
    assert f"{tmp_path / 'low'}: " in err and "clipped" in err
    # clips that are prepared already are not cut again
    clips = tmp_path / "run" / "clips"
    again = {"a": clips / "a" / "low", "b": clips / "b" / "high"}
    split(tmp_path, tmp_path / "again", **again)
    assert not (tmp_path / "again" / "clips").exists()
    short = tmp_path / "short"
    short.mkdir()
    soundfile.write(short / "one.wav", make_speech(5.0, 16_000), 16_000)
    with pytest.raises(CorpusError, match=r"short: \d s of 5 s kept in 1 clip.*: at least 60 s"):
        split(tmp_path, tmp_path / "third", a=short)
