"""Formats that libsndfile lacks; skipped where ffmpeg is not installed."""

import shutil
import subprocess

import numpy as np
import pytest
import soundfile

from voxcycle.audio.io import AudioError, FileSource
from voxcycle.audio.mixdown import plan_mixdown
from voxcycle.audio.output import choose_format, write_audio

RATE = 44_100
TIMES = np.arange(2 * RATE) / RATE
TONE = (0.2 * np.sin(2 * np.pi * 440 * TIMES) * (TIMES > 1)).astype(np.float32)  # after a second
FILM = ("-f", "lavfi", "-i", "testsrc=d=2:s=64x48:r=10")


def ffmpeg(*arguments):
    subprocess.run(["ffmpeg", "-v", "error", "-y", *arguments], check=True)


@pytest.fixture
def make(tmp_path):
    """Encode a second of silence and one of a tone; returns the file."""
    if shutil.which("ffmpeg") is None:
        pytest.skip("ffmpeg is not installed")
    soundfile.write(tmp_path / "tone.wav", TONE, RATE)

    def make(name, *options):
        ffmpeg("-i", tmp_path / "tone.wav", *options, tmp_path / name)
        return tmp_path / name

    return make


def begin_s(path):
    """Return when the tone begins."""
    source = FileSource(path)
    samples = np.concatenate(list(source.blocks()))[:, 0]
    return float(np.argmax(np.abs(samples) > 0.1)) / source.sample_rate


@pytest.mark.parametrize("name", ["a.m4a", "a.mka", "-a.wma", "a b%d.aac", "ä.MP4"])
def test_sound_is_decoded_where_it_lies(make, name):
    source = FileSource(make(name))
    mixdown = plan_mixdown(source)
    assert (source.sample_rate, source.n_channels, mixdown.notes) == (RATE, 1, [])
    assert mixdown.n_samples / RATE == pytest.approx(2, abs=0.1)  # whole blocks of the codec
    assert begin_s(source.path) == pytest.approx(1, abs=0.06)


def test_the_sound_comes_back_under_its_picture(make, tmp_path):
    film = make("film.mp4", *FILM, "-map", "1:v", "-map", "0:a")
    source = FileSource(film)
    for extension in ("mp4", "mkv"):
        target = tmp_path / f"new.{extension}"
        tags = {"comment": "converted"}
        audio_format = choose_format(source, extension)
        write_audio(target, [TONE[::-1]], RATE, audio_format=audio_format, tags=tags)
        pictures = [tmp_path / "old.h264", tmp_path / "new.h264"]
        for path, picture in zip((film, target), pictures, strict=True):
            ffmpeg("-i", path, "-map", "0:v", "-c", "copy", "-bsf:v", "h264_mp4toannexb", picture)
        assert pictures[0].read_bytes() == pictures[1].read_bytes()
        assert begin_s(target) == pytest.approx(0, abs=0.06)
        assert b"converted" in target.read_bytes()
    assert not list(tmp_path.glob(".*"))


def test_sound_that_begins_late_stays_late(make, tmp_path):
    late = make("late.mkv", *FILM, "-map", "1:v", "-map", "0:a")
    shifted = tmp_path / "shifted.mkv"
    ffmpeg(
        "-i",
        late,
        "-itsoffset",
        "0.5",
        "-i",
        late,
        "-map",
        "0:v",
        "-map",
        "1:a",
        "-c",
        "copy",
        shifted,
    )
    assert begin_s(shifted) == pytest.approx(begin_s(late) + 0.5, abs=0.02)


def test_what_ffmpeg_cannot_do_is_one_sentence(make, tmp_path):
    film = make("film.mp4", *FILM, "-map", "1:v", "-map", "0:a")
    with pytest.raises(AudioError, match="film.mp4: its picture does not fit into webm .*VP8"):
        choose_format(FileSource(film), "webm")
    ffmpeg("-i", film, "-an", "-c", "copy", tmp_path / "mute.mp4")
    with pytest.raises(AudioError, match="mute.mp4: ffmpeg cannot .*there is no sound track"):
        FileSource(tmp_path / "mute.mp4")
    (tmp_path / "cut.m4a").write_bytes(film.read_bytes()[:2000])
    with pytest.raises(AudioError, match="cut.m4a: ffmpeg cannot read its sound"):
        FileSource(tmp_path / "cut.m4a")


def test_damage_is_a_note(make, tmp_path):
    data = make("a.mka").read_bytes()
    (tmp_path / "cut.mka").write_bytes(data[: len(data) * 9 // 10])
    [note] = plan_mixdown(FileSource(tmp_path / "cut.mka")).notes
    assert note.startswith("ffmpeg found damage (")


def test_a_playlist_opens_no_other_file(make, tmp_path):
    sound = make("a.aac")
    lines = [
        "#EXTM3U",
        "#EXT-X-TARGETDURATION:3",
        "#EXTINF:2,",
        f"file://{sound}",
        "#EXT-X-ENDLIST",
    ]
    (tmp_path / "list.m4a").write_text("\n".join(lines))
    with pytest.raises(AudioError, match="list.m4a: ffmpeg cannot read its sound"):
        FileSource(tmp_path / "list.m4a")


def test_its_absence_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "a.m4a").write_bytes(b"x")
    with pytest.raises(AudioError, match="a.m4a: this format needs ffmpeg, which is not installed"):
        FileSource(tmp_path / "a.m4a")
    soundfile.write(tmp_path / "a.wav", TONE, RATE)
    with pytest.raises(AudioError, match="mp4: this format needs ffmpeg, .*wav, flac"):
        choose_format(FileSource(tmp_path / "a.wav"), "mp4")
