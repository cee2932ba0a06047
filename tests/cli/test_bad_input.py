"""What users give by mistake: outcome, message, exit code, and nothing half-written."""

import resource
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

RATE = 16_000


@pytest.fixture(scope="session")
def speech(make_speech):
    """Half a second."""
    return make_speech(0.5, RATE)


def list_names(folder):
    return sorted(p.name for p in folder.iterdir())


TIMES = np.arange(RATE)
BAD: dict[str, tuple[np.ndarray | bytes | None, str]] = {
    "no-samples": (np.zeros(0), "no samples in it"),
    "silent": (np.zeros(RATE), "silent, there is nothing above -80 dBFS"),
    "clipped": (np.sign(np.sin(TIMES)), "100% of the samples are at full scale"),
    "nan": (np.where(TIMES == 8000, np.nan, 0.1), "sample 8000 (0.50 s) is not a finite"),
    "inf": (np.where(TIMES == 8000, np.inf, 0.1), "sample 8000 (0.50 s) is not a finite"),
    "5ms": (0.1 * np.sin(TIMES[:80]), "too short (5 ms); at least 100 ms"),
    "missing": (None, "no such file; check the path"),
    "empty": (b"", "the file is empty (0 bytes)"),
    "text": (b"Dear recorder,\n" * 100, "not an audio file that can be read"),
    "header-only": (b"RIFF\x24\x00\x00\x00WAVEfmt ", "cut short"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_files_are_one_sentence(convert, tmp_path, case):
    (content, words), path = BAD[case], tmp_path / "a.wav"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        soundfile.write(path, content, RATE, subtype="FLOAT")
    before = list_names(tmp_path)
    code, _, err = convert(path)
    assert code == 2 and err.startswith(f"error: {path}: ") and words in err
    assert len(err.splitlines()) == 1 and list_names(tmp_path) == before


def test_a_directory(convert, tmp_path):
    code, _, err = convert(tmp_path)
    assert code == 2 and "this is a folder; name one for the outputs with -o" in err
    code, _, err = convert(tmp_path, "-o", tmp_path / "out")
    assert code == 2 and "no audio files in this folder" in err
    assert list_names(tmp_path) == []


def test_a_truncated_wav_is_converted_as_far_as_it_goes(convert, tmp_path, speech):
    path = tmp_path / "a.wav"
    soundfile.write(path, speech, RATE)
    path.write_bytes(path.read_bytes()[: 44 + RATE // 2])  # a quarter of a second
    lengths = "0.2 s of the 0.5 s that its header promises are there"
    assert convert(path)[::2] == (0, f"note: {path}: the file is cut short: {lengths}\n")
    assert soundfile.info(tmp_path / "a.unit.wav").frames == RATE // 4


@pytest.mark.parametrize(
    ("name", "rate", "n_channels", "subtype", "expected"),
    [
        ("a.wav", 8_000, 1, "PCM_16", "PCM_16"),
        ("a.wav", 192_000, 1, "PCM_24", "PCM_24"),
        ("a.wav", 44_100, 32, "FLOAT", "FLOAT"),
        ("a.flac", 11_127, 2, "PCM_24", "PCM_24"),
        ("a.mp3", 44_100, 2, "MPEG_LAYER_III", "PCM_16"),
        ("päth with späces.ogg", 48_000, 1, "VORBIS", "VORBIS"),
    ],
)
def test_unusual_but_good(
    convert, tmp_path, make_speech, name, rate, n_channels, subtype, expected
):
    samples = np.repeat(make_speech(0.4, rate)[:, None], n_channels, axis=1)
    soundfile.write(tmp_path / name, samples, rate, subtype=subtype)
    code, _, err = convert(tmp_path / name, "-o", tmp_path / "out")
    assert (code, "error" in err) == (0, False)
    (output,) = (tmp_path / "out").iterdir()
    written = soundfile.info(output)
    assert (written.samplerate, written.channels, written.subtype) == (rate, 1, expected)
    assert written.frames == soundfile.info(tmp_path / name).frames


def test_a_dead_channel(convert, tmp_path, speech):
    soundfile.write(tmp_path / "mono.wav", speech, RATE)
    soundfile.write(tmp_path / "dead.wav", np.stack([speech, 0 * speech], 1), RATE)
    code, _, err = convert(tmp_path / "mono.wav", tmp_path / "dead.wav")
    assert code == 0
    assert err == f"note: {tmp_path / 'dead.wav'}: channel 2 is silent and was left out\n"
    mono, dead = (soundfile.read(tmp_path / f"{name}.unit.wav")[0] for name in ("mono", "dead"))
    assert dead == pytest.approx(mono, abs=1e-3)


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a folder that nobody may write")
def test_a_read_only_target(convert, tmp_path, speech):
    soundfile.write(tmp_path / "a.wav", speech, RATE)
    code, _, err = convert(tmp_path / "a.wav", "-o", "/proc/voxcycle.wav")
    assert code == 2
    assert "/proc/voxcycle.wav: " in err and ("read-only" in err or "cannot be written" in err)


@pytest.mark.parametrize("extension", ["wav", "flac", "ogg"])
def test_a_full_disk(convert, tmp_path, speech, extension):
    """A limit on the size of files stands for the end of the disk."""
    soundfile.write(tmp_path / "a.wav", np.tile(speech, 8), RATE)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, limits[1]))
        code, _, err = convert(tmp_path / "a.wav", "--format", extension)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert code == 2 and len(err.splitlines()) == 1
    assert f"a.unit.{extension}: cannot be written" in err and "disk has room" in err
    assert list_names(tmp_path) == ["a.wav"]


# Python ends by the signal itself if Ctrl-C comes while an import evaluates a string; a shell calls
# both 130.
@pytest.mark.parametrize(
    ("number", "expected"),
    [(signal.SIGINT, (130, -signal.SIGINT)), (signal.SIGKILL, (-signal.SIGKILL,))],
)
def test_an_end_mid_way_leaves_nothing(tmp_path, voice_path, make_speech, number, expected):
    speech = make_speech(5.0, RATE)
    soundfile.write(tmp_path / "a.wav", np.tile(speech, 60), RATE)  # five minutes: seconds of work
    command = [sys.executable, "-m", "voxcycle", "convert", "a.wav", "--to", str(voice_path)]
    process = subprocess.Popen(
        [*command, "--vocoder", "griffin-lim"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline().startswith("voice unit")  # all is loaded, work begins
    process.send_signal(number)
    _, err = process.communicate()
    assert process.returncode in expected
    assert "Traceback" not in err
    assert list_names(tmp_path) == ["a.wav"]
