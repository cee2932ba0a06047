"""Voices and speech-like signals that the tests share."""

import multiprocessing
import os
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from voxcycle.audio.mel import MelSpec
from voxcycle.audio.mixdown import load_mono
from voxcycle.audio.stats import DomainStats
from voxcycle.models.voice_generator import VoiceGenerator
from voxcycle.models.weights import store_network
from voxcycle.runtime.session import use_threads
from voxcycle.voices.generator import Generator
from voxcycle.voices.voice import Voice, VoiceCard


def pytest_configure():
    """Let the children of the tests hear Ctrl-C, which a run in the background would ignore."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    multiprocessing.set_start_method("spawn", force=True)  # as on Windows and macOS


def make_speech(duration_s, sample_rate, f0_hz=120.0, seed=0):
    """Return speech-like sound (T,): gliding harmonics under formants, hiss, and true pauses."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(duration_s * sample_rate)) / sample_rate
    contour = f0_hz * 2 ** (0.25 * np.sin(2 * np.pi * 0.7 * t) + 0.08 * np.sin(2 * np.pi * 2.3 * t))
    phase = 2 * np.pi * np.cumsum(contour) / sample_rate
    first = 500 + 250 * np.sin(2 * np.pi * 1.9 * t)  # two moving formants
    second = 1500 + 500 * np.sin(2 * np.pi * 1.3 * t + 1)
    voiced = np.zeros(len(t))
    for k in range(1, int(min(5000, 0.45 * sample_rate) / (1.4 * f0_hz))):
        frequency = k * contour
        weight = 1 / (1 + ((frequency - first) / 120) ** 2)
        weight += 0.5 / (1 + ((frequency - second) / 180) ** 2) + 0.02
        voiced += weight * np.sin(k * phase)
    hiss = np.diff(rng.standard_normal(len(t) + 1)) * 0.3
    # Syllables of 0.2 s; the fourth of every ten is hiss, the ninth and tenth a pause.
    syllable = (t / 0.2).astype(int) % 10
    envelope = np.sin(np.pi * ((t / 0.2) % 1)) ** 0.5
    sound = np.where(syllable == 3, hiss, voiced) * envelope
    sound = np.where(syllable >= 8, 0.0, sound)
    sound *= 0.07 / np.sqrt(np.mean(sound**2) + 1e-12)
    sound += 1e-5 * rng.standard_normal(len(t))  # a room at -100 dBFS
    return np.clip(sound, -0.99, 0.99).astype(np.float32)


def make_stats(log_f0_mean, tilt):
    """Return statistics like those of speech at -23 dBFS, by mel band."""
    bands = np.linspace(0, 1, MelSpec().n_mels)
    return DomainStats(
        (-4.0 - tilt * bands).astype(np.float32),
        np.full(MelSpec().n_mels, 1.8, np.float32),
        log_f0_mean,
        0.22,
    )


def make_voice(is_any_to_one=True, name="unit", hears=False):
    """Return a voice with a small untrained generator.

    One of an older file exchanges statistics and little more; one that `hears` takes content.
    """
    with torch.random.fork_rng():
        torch.manual_seed(0)
        generator = VoiceGenerator(width=32, n_blocks=3)
        torch.nn.init.normal_(generator.out.weight, std=0.02)
        if hears:
            generator = VoiceGenerator(width=32, n_blocks=3, has_skip=False, n_content=384)
        stored = store_network(generator)
    return Voice(
        card=VoiceCard(name, language="en", sex="woman"),
        spec=MelSpec(),
        source_stats=make_stats(float(np.log(130.0)), 3.5),
        target_stats=make_stats(float(np.log(210.0)), 4.5),
        is_any_to_one=is_any_to_one,
        generator=Generator(stored.arguments, stored.weights),
    )


@pytest.fixture(scope="session", name="make_speech")
def speech_maker():
    """Give `make_speech`: tests cannot import this file."""
    return make_speech


@pytest.fixture(scope="session")
def write_clips():
    """Write clips of a speaker at 16 kHz, as 0.wav and so on, into a new folder."""

    def write(folder, n_clips, duration_s, f0_hz=120.0):
        folder.mkdir(parents=True)
        for seed in range(n_clips):
            speech = make_speech(duration_s, 16_000, f0_hz, seed)
            soundfile.write(folder / f"{seed}.wav", speech, 16_000)

    return write


@pytest.fixture(scope="session", name="make_voice")
def voice_maker():
    """Give `make_voice`."""
    return make_voice


@pytest.fixture(scope="session")
def voice():
    """An any-to-one voice."""
    return make_voice()


@pytest.fixture(scope="session")
def voice_path(tmp_path_factory):
    """The any-to-one voice as a file."""
    path = tmp_path_factory.mktemp("voice") / "unit.safetensors"
    make_voice().save(path)
    return path


class Exploit:
    """Writes a file when unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


@pytest.fixture
def exploit(tmp_path):
    """An object that makes the file `exploit.path` when it is unpickled."""
    return Exploit(tmp_path / "executed")


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """Run on one thread: results repeat, and tests do not compete for cores."""
    torch.set_num_threads(1)
    use_threads(1)


@pytest.fixture(scope="session")
def launch_chromium():
    """Start the system's Chromium, headless, with more arguments.

    Skipped without it unless VOXCYCLE_REQUIRE_BROWSER=1.
    """
    chromium, is_required = shutil.which("chromium"), "VOXCYCLE_REQUIRE_BROWSER" in os.environ
    if chromium is None:
        (pytest.fail if is_required else pytest.skip)("chromium is not installed")
    if not is_required:
        pytest.importorskip("playwright")
    from playwright.sync_api import sync_playwright

    arguments = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
    with sync_playwright() as playwright:
        launch = playwright.chromium.launch
        yield lambda *more: launch(executable_path=chromium, args=[*arguments, *more])


@pytest.fixture(scope="session")
def browser(launch_chromium):
    """Chromium, headless."""
    launched = launch_chromium()
    yield launched
    launched.close()


@pytest.fixture(scope="session")
def demo():
    """Six seconds of a real recording, (T,) at 22,050 Hz."""
    return load_mono(Path(__file__).parents[1] / "recipes/demo.flac", 22_050)[: 6 * 22_050]
