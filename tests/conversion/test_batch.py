import re
import shutil
from dataclasses import replace

import pytest
import soundfile

from voxcycle.audio.io import AudioError
from voxcycle.conversion import task
from voxcycle.conversion.batch import Batch, convert_files
from voxcycle.conversion.options import Options
from voxcycle.conversion.plan import plan_file, plan_files, to_file_name
from voxcycle.voices.voice import Voice

RATE = 16_000


@pytest.fixture(scope="session")
def recording(tmp_path_factory, make_speech):
    """Half a second of speech."""
    path = tmp_path_factory.mktemp("recording") / "a.wav"
    soundfile.write(path, make_speech(0.5, RATE), RATE)
    return path


@pytest.fixture
def folder(tmp_path, recording):
    """Two good files, one bad, one hidden and one that is no audio, in two folders."""
    root = tmp_path / "in"
    (root / "deep er").mkdir(parents=True)
    for name in ("a.wav", "deep er/b é.wav", ".hidden.wav"):
        shutil.copy(recording, root / name)
    (root / "broken.wav").write_text("not audio")
    (root / "notes.txt").write_text("not audio either")
    return root


def list_files(root):
    """Return the files below a folder, but for the manifest and its lock."""
    files = (p for p in root.rglob("*") if p.is_file() and "manifest" not in p.name)
    return sorted(str(p.relative_to(root)) for p in files)


def test_one_failure_loses_nothing_else_and_jobs_do_not_change_the_bits(
    folder, voice_path, tmp_path
):
    for jobs in (1, 2):
        out = tmp_path / str(jobs)
        results = convert_files(folder, voice_path, out, jobs=jobs)
        assert [r.source.name for r in results] == ["a.wav", "broken.wav", "b é.wav"]
        assert [r.output is None for r in results] == [False, True, False]
        assert results[1].error is not None and "not an audio file" in results[1].error
        assert list_files(out) == ["a.wav", "deep er/b é.wav"]
        written = soundfile.info(str(results[2].output))
        assert (written.frames, written.samplerate) == (RATE // 2, RATE)
    for name in list_files(tmp_path / "1"):
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes()


def test_the_file_says_what_it_is(recording, voice_path, tmp_path):
    (result,) = convert_files(recording, voice_path, tmp_path, vocoder="griffin-lim", format="flac")
    assert result.output == tmp_path / "a.flac"
    with soundfile.SoundFile(result.output) as written:
        assert "converted to the voice unit by voxcycle" in written.comment
        assert "voxcycle 0." in written.copy_metadata()["software"]


def test_a_voice_trained_anew_is_read_anew(recording, voice_path, tmp_path):
    path = tmp_path / "mine.safetensors"
    shutil.copy(voice_path, path)
    (first,) = convert_files(recording, to=path, out_dir=tmp_path / "1", vocoder="griffin-lim")
    voice = Voice.load(path)
    louder = replace(voice.target_stats, mel_mean=voice.target_stats.mel_mean[::-1].copy())
    replace(voice, target_stats=louder).save(path)
    (second,) = convert_files(recording, to=path, out_dir=tmp_path / "2", vocoder="griffin-lim")
    assert first.output and second.output
    assert first.output.read_bytes() != second.output.read_bytes()


def test_a_fault_of_ours_stays_with_its_file(recording, voice_path, tmp_path, monkeypatch):
    def fail(*arguments, **options):
        raise KeyError("a bug")

    monkeypatch.setattr(task, "convert_file", fail)
    (result,) = convert_files(recording, voice_path, tmp_path, vocoder="griffin-lim")
    assert result.error is not None and "KeyError" in result.error and "report" in result.error


def test_outputs_that_would_meet_are_kept_apart(recording, tmp_path):
    (planned,) = plan_files([recording], "heart")
    assert planned.target == recording.with_name("a.heart.wav")
    shutil.copy(recording, tmp_path / "a.wav")
    soundfile.write(tmp_path / "a.mp3", soundfile.read(recording)[0], RATE)
    out = tmp_path / "out"
    plan = plan_files([tmp_path], "heart", out_dir=out)
    assert [p.target for p in plan] == [out / "a.mp3.wav", out / "a.wav"]
    plan = plan_files([tmp_path / "a.mp3", tmp_path / "a.wav"], "heart")
    assert [p.target and p.target.name for p in plan] == ["a.mp3.heart.wav", "a.heart.wav"]


def test_clashes_of_outputs_and_inputs_are_told(recording, folder, tmp_path):
    source = folder / "a.wav"
    first, second = plan_files([recording, source], "heart", out_dir=tmp_path / "out")
    assert first.error is None
    assert second.error is not None and "would both be written to it" in second.error
    (planned,) = plan_files([source], "heart", out_dir=folder, overwrite=True)
    for plan in (planned, plan_file(source, source, overwrite=True)):
        assert plan.error is not None and "is an input" in plan.error


def test_outputs_within_the_folder_are_not_inputs(folder, voice_path):
    out = folder / "out"
    for _ in range(2):
        results = convert_files(folder, voice_path, out, vocoder="griffin-lim", overwrite=True)
        assert [r.error is None for r in results] == [True, False, True]
    (kept,) = convert_files(folder / "a.wav", voice_path, out, vocoder="griffin-lim")
    assert kept.error is not None and "exists already" in kept.error


def test_outputs_may_lie_above_the_folder_but_not_in_its_place(folder):
    planned = plan_files([folder], "heart", out_dir=folder.parent)
    assert folder.parent / "a.wav" in [p.target for p in planned]
    with pytest.raises(AudioError, match=re.escape(str(folder))):
        plan_files([folder], "heart", out_dir=folder, overwrite=True)


def test_results_come_as_they_are_made(folder, voice_path, tmp_path):
    out = tmp_path / "out"
    batch = Batch([folder], voice_path, out, options=Options(), vocoder="griffin-lim")
    results = batch.run()
    is_new = ((index, result) for index, result in results if not result.error)
    index, first = next(is_new)
    assert first.source == batch.plan[index].source
    assert len(list((tmp_path / "out").rglob("*.wav"))) == 1
    assert sorted([index, *(i for i, _ in is_new)]) == [0, 2]


def test_folders_need_a_place_and_content(folder, tmp_path):
    with pytest.raises(AudioError, match="-o"):
        plan_files([folder], "heart")
    (tmp_path / "empty").mkdir()
    # an empty folder fails alone: the recordings beside it are planned
    inputs = [tmp_path / "empty", folder / "a.wav", folder]  # a file given twice counts once
    plan = plan_files(inputs, "heart", out_dir=tmp_path / "out")
    assert plan[0].error == f"{tmp_path / 'empty'}: no audio files in this folder"
    assert any(planned.error is None for planned in plan[1:])
    assert [p.source.name for p in plan[1:]] == ["a.wav", "broken.wav", "b é.wav"]


def test_the_name_says_the_format(recording, tmp_path):
    planned = plan_file(recording, tmp_path / "b.flac")
    assert planned.audio_format is not None and planned.audio_format.format == "FLAC"
    assert plan_file(recording, tmp_path / "b.flac", requested_format="flac").error is None
    for target, requested in (("b.flac", "wav"), ("b.xyz", None)):
        assert plan_file(recording, tmp_path / target, requested_format=requested).error is not None


def test_a_voice_cannot_name_another_folder():
    assert to_file_name("../../etc/x y") == "_etc_x_y"
    assert to_file_name("") == "voice"


def test_a_name_that_is_too_long_fails_alone(recording, voice_path, tmp_path):
    long = tmp_path / ("x" * 250 + ".wav")
    shutil.copy(recording, long)
    good = tmp_path / "good.wav"
    shutil.copy(recording, good)
    first, second = convert_files([long, good], voice_path, vocoder="griffin-lim")
    assert first.error and "too long" in first.error and second.output and second.output.exists()


def test_a_rate_that_the_format_lacks_becomes_the_next_one(recording, voice_path, tmp_path):
    (result,) = convert_files(
        recording,
        voice_path,
        tmp_path / "out",
        vocoder="griffin-lim",
        format="opus",
        output_rate=44_100,
    )
    assert result.output and soundfile.info(result.output).samplerate == 48_000
    assert "opus does not take 44100 Hz: written at 48000 Hz" in result.notes
