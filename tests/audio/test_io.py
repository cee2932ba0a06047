import errno
import os
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from voxcycle.audio.io import AudioError, FileSource, check_sample_rate
from voxcycle.audio.mixdown import plan_mixdown
from voxcycle.audio.output import AudioFormat, check_target, choose_format, write_audio

RATE = 16_000
NOISE = (0.1 * np.random.default_rng(0).standard_normal(RATE)).astype(np.float32)


def save(path, samples=NOISE, **options):
    soundfile.write(path, samples, RATE, **options)
    return FileSource(path)


def write(target, blocks, audio_format, sample_rate=RATE):
    tags = {"comment": "converted to the voice unit", "software": "voxcycle"}
    write_audio(target, blocks, sample_rate=sample_rate, audio_format=audio_format, tags=tags)


@pytest.mark.parametrize(
    ("name", "subtype", "requested", "expected"),
    [
        ("a.wav", "PCM_16", None, ("wav", "PCM_16")),
        ("a.wav", "PCM_24", None, ("wav", "PCM_24")),
        ("a.wav", "PCM_32", None, ("wav", "PCM_32")),
        ("a.wav", "FLOAT", None, ("wav", "FLOAT")),
        ("a.wav", "DOUBLE", None, ("wav", "DOUBLE")),
        ("a.wav", "ULAW", None, ("wav", "PCM_16")),
        ("a.flac", "PCM_24", None, ("flac", "PCM_24")),
        ("a.ogg", None, None, ("ogg", "VORBIS")),
        ("a.opus", "OPUS", None, ("opus", "OPUS")),
        ("a.aiff", None, None, ("aiff", "PCM_16")),
        ("a.mp3", None, None, ("wav", "PCM_16")),
        ("a.au", None, None, ("wav", "PCM_16")),
        ("a.wav", "PCM_24", "flac", ("flac", "PCM_24")),
        ("a.wav", "FLOAT", "flac", ("flac", "PCM_24")),
        ("a.wav", "FLOAT", ".WAV", ("wav", "FLOAT")),
        ("a.wav", "PCM_24", "ogg", ("ogg", "VORBIS")),
        ("a.wav", "PCM_16", "mp3", ("mp3", "MPEG_LAYER_III")),
    ],
)
def test_the_output_follows_the_request_or_the_input(tmp_path, name, subtype, requested, expected):
    container = "OGG" if name == "a.opus" else None
    source = save(tmp_path / name, subtype=subtype, format=container)
    chosen = choose_format(source, requested)
    assert (chosen.extension, chosen.subtype) == expected


def test_an_unknown_format_lists_the_known(tmp_path):
    with pytest.raises(AudioError, match="xyz.*wav, flac, ogg, opus, aiff, mp3"):
        choose_format(save(tmp_path / "a.wav"), "xyz")


@pytest.mark.parametrize("extension", ["wav", "flac", "ogg", "opus", "aiff", "mp3"])
def test_length_and_tags_survive_writing(tmp_path, extension):
    audio_format = choose_format(save(tmp_path / "a.wav"), extension)
    target = tmp_path / f"b.{extension}"
    write(target, [NOISE[:7000], NOISE[7000:]], audio_format)
    with soundfile.SoundFile(target) as written:
        assert (written.frames, written.samplerate, written.channels) == (RATE, RATE, 1)
        assert written.comment == "converted to the voice unit"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.wav", target.name]


def test_float_samples_pass_unchanged(tmp_path):
    write(tmp_path / "a.wav", [NOISE], AudioFormat("wav", "WAV", "FLOAT"))
    assert np.array_equal(soundfile.read(tmp_path / "a.wav", dtype="float32")[0], NOISE)
    assert b"PEAK" not in (tmp_path / "a.wav").read_bytes()  # it would hold the time of day


def failing_blocks(error):
    yield NOISE
    raise error


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (KeyboardInterrupt(), KeyboardInterrupt),
        (AudioError("the input broke"), AudioError),
        (OSError(errno.ENOSPC, "No space left on device"), AudioError),
    ],
    ids=["interrupt", "input", "disk-full"],
)
def test_nothing_is_left_of_a_failed_file(tmp_path, error, raised):
    (tmp_path / "old.wav").write_bytes(b"what was there")
    for name in ("new.wav", "old.wav"):
        with pytest.raises(raised):
            write(tmp_path / name, failing_blocks(error), AudioFormat("wav", "WAV", "PCM_16"))
    assert [p.name for p in tmp_path.iterdir()] == ["old.wav"]
    assert (tmp_path / "old.wav").read_bytes() == b"what was there"


def test_a_rate_that_the_format_lacks_is_told(tmp_path):
    audio_format = AudioFormat("mp3", "MP3", "MPEG_LAYER_III")
    with pytest.raises(AudioError, match="96000 Hz"):
        write(tmp_path / "a.mp3", [NOISE], audio_format, 96_000)
    assert list(tmp_path.iterdir()) == []


def test_targets_are_checked_beforehand(tmp_path):
    with pytest.raises(AudioError, match="a folder"):
        check_target(tmp_path)
    with pytest.raises(AudioError, match="does not exist"):
        check_target(tmp_path / "no" / "a.wav")
    if os.geteuid() != 0:  # root may write anywhere
        tmp_path.chmod(0o500)
        with pytest.raises(AudioError, match="its folder is read-only"):
            check_target(tmp_path / "a.wav")
        tmp_path.chmod(0o700)


def test_a_folder_and_a_low_rate_are_refused(tmp_path):
    with pytest.raises(AudioError, match="found a folder"):
        FileSource(tmp_path)
    soundfile.write(tmp_path / "a.wav", NOISE, 4000)
    with pytest.raises(AudioError, match="4000 Hz; whole numbers from 8000 to 384000 Hz"):
        FileSource(tmp_path / "a.wav")


@pytest.mark.skipif(sys.platform != "linux", reason="names are bytes on Linux only")
def test_a_name_that_is_no_text_is_told(tmp_path):
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/a\xff.wav"))
    path.write_bytes(b"RIFF")
    with pytest.raises(AudioError, match="rename it"):
        FileSource(path)


def test_a_wav_of_unknown_length_is_whole(tmp_path):
    """A program that writes into a pipe leaves the largest number where the length belongs."""
    save(tmp_path / "a.wav")
    data = bytearray((tmp_path / "a.wav").read_bytes())
    data[4:8] = data[40:44] = b"\xff" * 4
    (tmp_path / "a.wav").write_bytes(data)
    mixdown = plan_mixdown(FileSource(tmp_path / "a.wav"))
    assert (mixdown.n_samples, mixdown.notes) == (RATE, [])


def test_a_truncated_flac_is_told(tmp_path):
    save(tmp_path / "a.flac")
    data = (tmp_path / "a.flac").read_bytes()
    (tmp_path / "a.flac").write_bytes(data[: len(data) // 2])
    with pytest.raises(AudioError, match=r"a.flac: the file is damaged or cut short between 0.0 "):
        plan_mixdown(FileSource(tmp_path / "a.flac"))


@pytest.mark.parametrize(
    ("subtype", "rate", "expected"),
    [
        ("PCM_16", 384_000, 384_000),
        ("VORBIS", 384_000, 192_000),
        ("VORBIS", 44_100, 44_100),
        ("OPUS", 44_100, 48_000),
        ("OPUS", 12_000, 12_000),
        ("MPEG_LAYER_III", 96_000, 48_000),
        ("MPEG_LAYER_III", 15_000, 16_000),
        ("AAC", 192_000, 96_000),
    ],
)
def test_a_format_takes_the_next_rate_that_it_has(subtype, rate, expected):
    assert AudioFormat("x", "X", subtype).fit_rate(rate) == expected


def test_a_long_block_of_vorbis_is_written(tmp_path):
    noise = np.resize(NOISE, 300_000)
    write(tmp_path / "a.ogg", [noise], AudioFormat("ogg", "OGG", "VORBIS"), 48_000)
    assert soundfile.info(tmp_path / "a.ogg").frames == 300_000


def test_a_pipe_is_no_target_and_a_link_is_followed(tmp_path):
    os.mkfifo(tmp_path / "pipe.wav")
    with pytest.raises(AudioError, match="not a regular file"):
        check_target(tmp_path / "pipe.wav")
    (tmp_path / "there").mkdir()
    (tmp_path / "link.wav").symlink_to(tmp_path / "there" / "real.wav")
    write(tmp_path / "link.wav", [NOISE], AudioFormat("wav", "WAV", "PCM_16"))
    assert (tmp_path / "link.wav").is_symlink()
    assert soundfile.info(tmp_path / "there" / "real.wav").frames == len(NOISE)


def test_a_name_of_255_bytes_is_written(tmp_path):
    path = tmp_path / ("\U0001f600" * 62 + ".wav")  # 252 bytes
    write(path, [NOISE], AudioFormat("wav", "WAV", "PCM_16"))
    assert path.exists()


def test_a_rate_may_be_a_whole_float_and_nothing_else():
    assert check_sample_rate(16_000.0, "x") == 16_000
    for rate in (16_000.5, float("nan"), float("inf"), "16000"):
        with pytest.raises(AudioError, match="whole numbers from 8000"):
            check_sample_rate(rate, "x")
