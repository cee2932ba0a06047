"""Files whose headers give a wrong length or none, or that are joined: all of the sound is read."""

import struct

import numpy as np
import pytest
import soundfile

from voxcycle.audio.containers import find_sound
from voxcycle.audio.io import AudioError, FileSource

RATE = 16_000
SECOND = (0.1 * np.random.default_rng(0).standard_normal(RATE)).astype(np.float32)


@pytest.fixture
def save(tmp_path):
    """Write a second of noise in a format; returns its bytes."""

    def save(extension, **options):
        soundfile.write(tmp_path / f"whole.{extension}", SECOND, RATE, **options)
        return bytearray((tmp_path / f"whole.{extension}").read_bytes())

    return save


@pytest.fixture
def read(tmp_path):
    """Read bytes as a file; returns its samples (T,) and notes."""

    def read(data, extension="wav"):
        path = tmp_path / f"read.{extension}"
        path.write_bytes(data)
        source = FileSource(path)
        blocks = list(source.blocks())
        return np.concatenate(blocks)[:, 0] if blocks else np.zeros(0), source.notes

    return read


def put(data, place, number, form):
    """Return bytes with a number at a place."""
    return data[:place] + struct.pack(form, number) + data[place + struct.calcsize(form) :]


def is_second(samples):
    return samples == pytest.approx(SECOND, abs=1e-4)  # 16 bits


@pytest.mark.parametrize("riff_size", [0, 36, 2**32 - 1])
def test_a_recording_that_was_never_closed_is_read_to_its_end(save, read, riff_size):
    data = put(put(save("wav"), 40, 0, "<I"), 4, riff_size, "<I")
    samples, notes = read(data)
    assert is_second(samples)
    assert notes == ["the header gives no length: all 1.0 s to its end are read"]


def test_an_empty_recording_stays_empty(save, read):
    data = put(save("wav")[:44], 40, 0, "<I")
    assert len(read(data)[0]) == len(read(data + b"LIST\x04\0\0\0INFO")[0]) == 0


def test_a_header_that_promises_too_little_is_read_on(save, read):
    samples, notes = read(put(save("wav"), 40, RATE // 2, "<I"))  # a quarter of the bytes
    assert is_second(samples)
    [note] = notes
    assert note.startswith("the header promises 0.2 s, but the sound goes on: all 1.0 s")


def test_what_lies_behind_the_whole_of_a_header_is_left_out_and_said(save, read):
    samples, notes = read(save("wav") + bytes(RATE))
    assert is_second(samples)
    left = "what lies behind it, which would be 0.5 s of sound, is left out"
    assert notes == [f"the header ends the sound at 1.0 s: {left}"]


def test_chunks_behind_the_sound_are_none_of_it(save, read):
    samples, notes = read(
        save("wav") + b"LIST" + struct.pack("<I", RATE) + b"INFO" + bytes(RATE - 4)
    )
    assert is_second(samples) and notes == []


def test_a_few_bytes_behind_the_sound_are_no_sound(save, read):
    samples, notes = read(put(save("wav") + bytes(500), 4, 2**32 - 1, "<I"))
    assert is_second(samples) and notes == []


@pytest.mark.parametrize("declared", [0, 2**63 - 1, RATE])
def test_rf64_from_a_pipe_is_whole(save, read, declared):
    data = put(save("rf64", format="RF64"), 28, declared, "<Q")
    samples, notes = read(data)
    assert is_second(samples) and len(notes) <= 1


def test_a_wav_of_more_than_4_gib_is_read_as_rf64(tmp_path, save):
    """The file has a hole: it takes no room on the disk, and only its header is read here."""
    data = put(put(save("wav")[:44], 4, 2**32 - 1, "<I"), 40, 2**32 - 1, "<I")
    path = tmp_path / "long.wav"
    with path.open("wb") as file:
        file.write(data)
        file.truncate(2**33)
    source = FileSource(path)
    assert find_sound(path).n_read == 2**33 - 44
    assert next(source.blocks()).shape == (1 << 18, 1)
    assert source.n_declared == (2**33 - 44) // 2


@pytest.mark.parametrize("declared", [-1, 0, 1 << 61])
def test_caf_from_a_pipe_is_whole(save, read, declared):
    data = save("caf")
    samples, notes = read(put(data, data.index(b"data") + 4, declared, ">q"), "caf")
    assert is_second(samples) and notes == []


def test_a_caf_that_was_cut_is_said(save, read):
    samples, notes = read(save("caf")[: -RATE // 2 * 2], "caf")
    assert len(samples) == RATE // 2
    [note] = notes
    assert note.startswith("the file is cut short: 0.5 s of the 1.0 s")


@pytest.mark.parametrize(("declared", "n_notes"), [(2**32 - 1, 0), (0, 1), (2**31, 0), (RATE, 1)])
def test_au_is_read_to_its_end(save, read, declared, n_notes):
    samples, notes = read(put(save("au"), 8, declared, ">I"), "au")
    assert is_second(samples) and len(notes) == n_notes


def test_aiff_of_a_small_chunk_is_whole(save, read):
    data = save("aiff")
    samples, notes = read(put(data, data.index(b"SSND") + 4, RATE // 2 + 8, ">I"), "aiff")
    assert is_second(samples)
    assert len(notes) == 1 and "the sound goes on" in notes[0]


@pytest.mark.parametrize("n_samples", [0, 2**36 - 1])
def test_flac_of_unknown_length_is_whole(save, read, n_samples):
    data = save("flac")
    data[21] = data[21] & 0xF0 | n_samples >> 32
    data[22:26] = (n_samples & 0xFFFFFFFF).to_bytes(4, "big")
    samples, notes = read(data, "flac")
    assert is_second(samples) and notes == []


@pytest.mark.parametrize(
    ("extension", "options"),
    [
        ("wav", {}),
        ("flac", {}),
        ("ogg", {}),
        ("opus", {"format": "OGG", "subtype": "OPUS"}),
        ("mp3", {}),
    ],
)
def test_joined_files_are_read_one_after_the_other(save, read, extension, options):
    data = save(extension, **options)
    once, _ = read(data, extension)
    twice, notes = read(data + data, extension)
    assert len(once) == RATE and notes == []
    assert np.array_equal(twice, np.concatenate([once, once]))


def test_joined_files_of_two_rates_are_refused(tmp_path, save):
    soundfile.write(tmp_path / "other.flac", SECOND, 8_000)
    path = tmp_path / "joined.flac"
    path.write_bytes(save("flac") + (tmp_path / "other.flac").read_bytes())
    with pytest.raises(AudioError, match="joined from files with 16000 Hz, 1 .* 8000 Hz"):
        FileSource(path)


@pytest.mark.parametrize("extension", ["wav", "caf", "au", "aiff", "flac", "mp3", "ogg"])
def test_damaged_headers_are_read_or_refused_in_bounded_memory(save, read, extension):
    """No header may promise its way into the memory: each byte of the first 64 is put to 255."""
    data = save(extension)
    for place in range(64):
        damaged = data[:place] + b"\xff" + data[place + 1 :]
        try:
            samples, _ = read(damaged, extension)
        except AudioError:
            continue
        assert samples.nbytes < 100 * SECOND.nbytes
