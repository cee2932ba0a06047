"""The length of mp3 files. A frame of MPEG 1 holds 1152 samples, one of MPEG 2 half as many."""

import numpy as np
import pytest
import soundfile

from voxcycle.audio.io import FileSource

RATE = 44_100
SECOND = 0.2 * np.sin(2 * np.pi * 1000 * np.arange(RATE) / RATE)


@pytest.fixture
def make(tmp_path):
    """Return the bytes of an mp3 of variable bit rate: two seconds of silence, one of a tone."""

    def make(rate=RATE, n_channels=1):
        samples = np.repeat(
            np.concatenate([np.zeros(2 * rate), SECOND[:rate]])[:, None], n_channels, 1
        )
        options = {"bitrate_mode": "VARIABLE", "compression_level": 0.5}
        soundfile.write(tmp_path / "made.mp3", samples, rate, **options)
        return (tmp_path / "made.mp3").read_bytes()

    return make


@pytest.fixture
def read(tmp_path):
    """Read bytes as an mp3; returns mono samples and notes."""

    def read(data):
        (tmp_path / "read.mp3").write_bytes(data)
        source = FileSource(tmp_path / "read.mp3")
        return np.concatenate(list(source.blocks()))[:, 0], source.notes

    return read


def strip_info(data):
    """Return an mp3 without its tag and its first frame, which holds the length."""
    start = max(data.find(b"Xing"), data.find(b"Info"))
    begin = data.rindex(b"\xff", 0, start)
    return data[data.index(data[begin : begin + 2], begin + 4) :]


def tone_s(samples, rate=RATE):
    """Return the seconds that are loud."""
    return (np.abs(samples).reshape(-1) > 0.1).mean() * len(samples) / rate * 1.5  # a sine: 2 of 3


@pytest.mark.parametrize(
    ("rate", "n_channels"), [(44_100, 1), (44_100, 2), (22_050, 1), (8_000, 2)]
)
def test_an_mp3_without_its_length_is_whole(make, read, rate, n_channels):
    data = make(rate, n_channels)
    known, _ = read(data)
    samples, notes = read(strip_info(data))
    assert len(known) == 3 * rate
    assert 0 <= len(samples) - 3 * rate < 4 * 1152  # the encoder's delay and filling
    assert tone_s(samples, rate) == pytest.approx(tone_s(known, rate), abs=0.01)
    assert notes == []


def test_a_good_mp3_is_read_as_before(make, tmp_path, read):
    data = make()
    samples, notes = read(data)
    expected, _ = soundfile.read(tmp_path / "read.mp3", dtype="float32")
    assert np.array_equal(samples, expected) and notes == []


def test_parts_tags_and_other_bytes_between_them(make, read, capfd):
    data = make()
    tag = b"ID3\x04\0\0\0\0\x01\0" + b"\xff\xfb\x90\0" * 32
    junk = np.random.default_rng(0).bytes(5000)
    samples, notes = read(tag + data + junk + tag + data + strip_info(data) + b"TAG" + bytes(125))
    assert 0 <= len(samples) - 9 * RATE < 4 * 1152
    assert tone_s(samples) == pytest.approx(3, abs=0.1)
    assert notes == []
    assert capfd.readouterr().err == ""  # mpg123 prints warnings of lengths


def test_an_mp3_that_was_cut_is_said(make, read, capfd):
    data = make()
    _, notes = read(data[: len(data) * 3 // 4])
    [note] = notes
    assert note.startswith("the file is cut short: ") and "of the 3.0 s" in note
    assert capfd.readouterr().err == ""
