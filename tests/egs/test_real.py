"""egs/real: the folder from archives, and its difficult conditions."""

import csv
import io
import json
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from voxcycle.audio.mel import MelSpec
from voxcycle.evaluation.optional_deps import has_metrics
from voxcycle.models import speaker_encoder
from voxcycle.models.weights import store_network
from voxcycle.speech.embedding import save_encoder
from voxcycle.vocoders.registry import load_vocoder
from voxcycle.voices.pretrained import PRETRAINED_FILE
from voxcycle.voices.speaker_encoder import SpeakerEncoder

REAL = Path(__file__).parents[2] / "egs" / "real"
RATE = 22_050
CLIPS = (  # utterance, corpus, speaker, role
    ("1272-1-0001", "librispeech-testother", "1272", "valid"),
    ("1272-1-0002", "librispeech-testother", "1272", "valid"),
    ("000010002", "speechocean762", "so0001", "valid"),
    ("08d043b2", "picovoice-s2i", "pico001", "valid"),
    ("1272-9-0001", "librispeech-devclean-mp3", "9", "valid"),
)


def run(script, *arguments):
    command = [sys.executable, str(REAL / script), *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stderr


def encode(make_speech, seconds, file_format, seed):
    """Return speech with half a second of silence in its middle and on either side."""
    halves = np.array_split(make_speech(seconds, 16_000, 110.0 + 20 * seed, seed=seed), 2)
    silence = np.zeros(8_000)
    speech = np.concatenate([silence, halves[0], silence, halves[1], silence])
    file = io.BytesIO()
    soundfile.write(file, speech, 16_000, format=file_format)
    return file.getvalue()


@pytest.fixture(scope="module")
def real(tmp_path_factory, make_speech):
    """Archives as they are published, and the folder that build.py makes of them."""
    folder = tmp_path_factory.mktemp("real")
    archives = folder / "archives"
    archives.mkdir()
    with tarfile.open(archives / "test-other.tar.gz", "w:gz") as packed:
        for i, name in enumerate(("1272-1-0001", "1272-1-0002", "1272-9-0001", "77-7-0007")):
            content = encode(make_speech, 2.0 + i / 2, "FLAC", i)
            member = tarfile.TarInfo(f"LibriSpeech/test-other/1272/1/{name}.flac")
            member.size = len(content)
            packed.addfile(member, io.BytesIO(content))
    with zipfile.ZipFile(archives / "others.zip", "w") as packed:
        packed.writestr("WAVE/SPEAKER0001/000010002.WAV", encode(make_speech, 2.0, "WAV", 5))
        packed.writestr("clean/08d043b2-11ee-4c7f.wav", encode(make_speech, 2.0, "WAV", 6))
        packed.writestr("README.txt", "nothing")
    with (folder / "clips.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        names = "utterance corpus speaker role sex language licence text".split()
        writer.writerow(names)
        for clip in CLIPS:
            writer.writerow([*clip, "m", "en", "CC0-1.0", "a text"])
    out = folder / "out"
    run("build.py", "--archives", archives, "--out", out, "--clips", folder / "clips.csv")
    return out


def test_the_folder_is_made_from_archives(real):
    with (real / "manifest.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [Path(row["path"]).stem for row in rows] == [clip[0] for clip in CLIPS]
    for row in rows:
        speech, rate = soundfile.read(real / row["path"])
        assert rate == RATE
        assert len(speech) / rate == pytest.approx(float(row["seconds"]), abs=0.01)
        # half a second of silence on either side is trimmed to a tenth
        assert 0.5 < np.flatnonzero(np.abs(speech) > 1e-3)[0] / rate / 0.1 < 1.6
        assert row["text"] == "a text"
    with (real / "speakers.csv").open() as file:
        speakers = {row["speaker"]: row for row in csv.DictReader(file)}
    assert set(speakers) == {"1272", "so0001", "pico001", "9"}
    own = [float(row["seconds"]) for row in rows if row["speaker"] == "1272"]
    assert float(speakers["1272"]["seconds"]) == pytest.approx(sum(own), abs=0.1)
    run("link.py", real, real / "linked")  # what trainings take
    assert len(list((real / "linked/valid/librispeech-testother_1272").iterdir())) == 2


def test_conditions_are_as_bad_as_they_say(real, load_script):
    pytest.importorskip("pyroomacoustics")
    conditions = load_script("conditions")
    clips = conditions.read_clips(real, "valid")
    speech = soundfile.read(clips[0].path)[0]

    def make(name):
        rng = np.random.default_rng(0)
        others = [clips[2].path, clips[3].path] * 3
        return conditions.CONDITIONS[name](conditions.Material(speech, rng, others))

    def level(x):
        return conditions.active_level_db(x.astype(np.float32), RATE)

    def rms_db(x):
        return 10 * np.log10(np.mean(x**2))

    for name, below_db in (("pink20", 20), ("pink10", 10), ("babble15", 15), ("hum", 25)):
        assert level(speech) - rms_db(make(name) - speech) == pytest.approx(below_db, abs=0.01)
    pink = np.abs(np.fft.rfft(make("pink10") - speech)) ** 2
    hertz = np.fft.rfftfreq(len(speech), 1 / RATE)
    octaves = [pink[(hertz >= f) & (hertz < 2 * f)].sum() for f in (500, 1000, 2000)]
    assert np.ptp(10 * np.log10(octaves)) < 1.0  # pink: as much power in every octave
    assert level(make("soft")) == pytest.approx(level(speech) - 30, abs=0.01)
    uneven = make("uneven")
    half = len(speech) // 2 + RATE // 5
    assert np.allclose(uneven[half:], speech[half:] * 10 ** (-15 / 20))
    narrow = np.abs(np.fft.rfft(make("telephone"))) ** 2
    assert narrow[hertz > 4200].sum() < 1e-4 * narrow.sum()
    assert np.mean(np.abs(make("clipped")) > 0.99) > 0.001
    sparse = make("sparse")
    assert len(sparse) == 10 * len(speech)
    assert rms_db(sparse[:RATE]) == pytest.approx(-55, abs=0.3)
    room = make("room06")
    assert level(room) == pytest.approx(level(speech), abs=0.01)
    assert np.corrcoef(make("mp3"), speech)[0, 1] > 0.95  # nothing is delayed


def test_a_second_call_makes_nothing(real, tmp_path):
    pytest.importorskip("pyroomacoustics")
    arguments = ("conditions.py", "--real", real, "--role", "valid", "--out", tmp_path)
    run(*arguments)
    files = {path: path.lstat().st_mtime_ns for path in tmp_path.rglob("*.flac")}
    with (tmp_path / "conditions.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["condition"] for row in rows} >= {"clean", "pink10", "room06", "sparse", "events"}
    assert {tmp_path / row["path"] for row in rows} == set(files)
    assert not any("devclean" in row["speaker"] for row in rows if row["condition"] != "mp3")
    run(*arguments)
    assert {path: path.lstat().st_mtime_ns for path in files} == files


def test_levels_by_hand(load_script):
    measure_levels = load_script("yardstick").measure_levels
    speech = np.arange(860) < 430  # five seconds of speech, five of pause
    tone = np.sqrt(2) * np.sin(2 * np.pi * 500 * np.arange(860 * 256) / RATE)
    source = (tone * np.repeat(np.where(speech, 0.1, 1e-4), 256)).astype(np.float32)
    scores = measure_levels(source, 2 * source, speech)
    assert scores["level_rms_db"] == pytest.approx(6.02, abs=0.01)
    # RMS is 0.1 and 1e-4: the pause is at -74 dBFS and may be at -60.
    assert scores["pause_excess_db"] == pytest.approx(-74 + 60, abs=0.3)
    assert scores["pause_below_speech_db"] == pytest.approx(60, abs=0.1)
    uneven = source * np.repeat(np.where(np.arange(860) < 215, 1.0, 0.5), 256)
    assert measure_levels(source, uneven, speech)["level_rms_db"] == pytest.approx(
        6.02 / 2**0.5, rel=0.05
    )  # half of the speech is 6 dB too soft


@pytest.mark.slow
@pytest.mark.skipif(not has_metrics(), reason="needs the extra [eval]")
def test_a_voice_is_measured_by_condition(real, tmp_path):
    run("conditions.py", "--real", real, "--role", "valid", "--out", tmp_path)
    arguments = ["--conditions", tmp_path, "--real", real, "--only", "clean,soft", "--every", 3]
    arguments += ["--voice", "heart", "--references", real / "valid/speechocean762/so0001"]
    command = [sys.executable, str(REAL / "evaluate.py"), *map(str, arguments)]
    command += ["--scores", str(tmp_path / "scores.jsonl")]
    outputs = [
        subprocess.run(command, check=True, capture_output=True, text=True).stdout for _ in range(2)
    ]
    assert outputs[0] == outputs[1]  # the second call scores nothing again
    rows = {row["row"]: row for row in map(json.loads, outputs[0].splitlines())}
    assert set(rows) == {"clean", "soft"}
    for row in rows.values():
        assert row["level_rms_db"] < 1.5 and row["pause_excess_db"] <= 0.5
        assert 0 <= row["nearer"] <= 1 and 1 <= row["distillmos"] <= 5


def test_networks_speak_like_their_target(load_script, make_speech, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (target := tmp_path / "anna").mkdir()
    for i in range(4):
        soundfile.write(target / f"{i}.flac", make_speech(16.0, RATE, 210.0, seed=i), RATE)
    systems, vocoder = load_script("systems"), load_vocoder("fast", MelSpec())
    source = make_speech(3.0, RATE, 110.0, seed=9).astype(np.float32)
    made, f0_hz = systems.load_system(str(PRETRAINED_FILE), target, vocoder)(source)
    assert made.shape == source.shape and np.abs(made).max() > 1e-3
    assert 180 < np.median(f0_hz[f0_hz > 0]) < 240
    copied, f0_hz = systems.load_system("copy", None, vocoder)(source)
    assert copied.shape == source.shape and 90 < np.median(f0_hz[f0_hz > 0]) < 130


def test_an_encoder_is_verified(make_speech, tmp_path):
    """Every clip is compared with the other clips of its speaker, not with itself."""
    real, encoder = tmp_path / "real", tmp_path / "encoder.safetensors"
    real.mkdir()
    torch.manual_seed(0)
    about = {"config": {"seed": 0}, "steps": 0}
    stored = store_network(speaker_encoder.SpeakerEncoder(80, 16, 1, 6))
    save_encoder(SpeakerEncoder(stored.arguments, stored.weights), encoder, about)
    lines = ["condition,path,clean,speaker,language,start_s,text"]
    for speaker, f0_hz, n_clips in (("low", 100.0, 3), ("high", 220.0, 2), ("single", 160.0, 1)):
        for i in range(n_clips):
            wave = make_speech(4.0, RATE, f0_hz, seed=i)
            soundfile.write(real / f"{speaker}{i}.flac", wave, RATE)
            place = real / f"{speaker}{i}.flac"
            lines.append(f"clean,{place},{place.name},{speaker},en,0,")
    (tmp_path / "conditions.csv").write_text("\n".join(lines))
    command = [sys.executable, str(REAL / "verify.py"), str(encoder)]
    command += ["--conditions", str(tmp_path), "--real", str(real)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    (row,) = map(json.loads, output.splitlines())
    assert (row["row"], row["n_clips"]) == ("clean", 5)  # the single clip has none to meet
    assert 0 <= row["eer_encoder"] <= 1
    assert row["eer_statistics"] == 0  # an octave apart


def make_clips(load_script, seconds, speaker="a", language="en"):
    clip = load_script("clones").Clip
    return [
        clip(Path(f"{speaker}{i}.flac"), speaker, language, s, "") for i, s in enumerate(seconds)
    ]


def test_clones_hear_twenty_seconds_and_are_compared_with_the_rest(load_script):
    clones = load_script("clones")
    speakers = {
        "enough": make_clips(load_script, [8, 7, 6, 9, 10]),
        "too little": make_clips(load_script, [15, 15]),
        "one clip": make_clips(load_script, [60]),
    }
    (target,) = clones.choose_targets(speakers)
    assert target.name == "enough"
    assert [clip.seconds for clip in target.reference] == [8, 7, 6]
    assert [clip.seconds for clip in target.rest] == [9, 10]


def test_sources_of_clones_are_other_speakers(load_script):
    clones = load_script("clones")
    speakers = {name: make_clips(load_script, [3, 5, 4], name) for name in "abcde"}
    speakers["f"] = make_clips(load_script, [9], "f", "ar")
    chosen = clones.choose_sources(speakers, "c", 3)
    assert [clip.path.name for clip in chosen] == ["a1.flac", "d1.flac", "e1.flac"]
    assert len(clones.choose_sources(speakers, "c", 9)) == 4


@pytest.mark.slow
@pytest.mark.skipif(not has_metrics(), reason="needs the extra [eval]")
def test_clones_are_measured(make_speech, tmp_path):
    with (tmp_path / "manifest.csv").open("w") as file:
        file.write("path,split,corpus,speaker,lang,seconds,text\n")
        for name, f0_hz in (("one", 110.0), ("two", 190.0)):
            for i in range(5):
                wave = make_speech(8.0, 16_000, f0_hz, seed=i)
                soundfile.write(tmp_path / f"{name}{i}.flac", wave, 16_000)
                file.write(f"{name}{i}.flac,valid,made,{name},en,8.0,a text\n")
    command = [sys.executable, str(REAL / "clones.py"), "--real", str(tmp_path), "--sources", "1"]
    command += ["--work", str(tmp_path / "work"), "--scores", str(tmp_path / "scores.jsonl")]
    outputs = [
        subprocess.run(command, check=True, capture_output=True, text=True).stdout for _ in range(2)
    ]
    assert outputs[0] == outputs[1]  # the second call scores nothing again
    rows = [json.loads(line) for line in outputs[0].splitlines()]
    assert [row["row"] for row in rows] == ["all", "made_one", "made_two"]
    assert rows[0]["n_clips"] == 2
    assert all(0 < row[name] <= 1 for row in rows for name in ("secs", "secs_copy"))
