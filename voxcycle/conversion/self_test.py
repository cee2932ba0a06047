"""The self-test of an installation: files by their hashes, networks by the sound that they make.

Every shipped voice converts two seconds of an artificial sound at its known F0, and the vocoder
`fast` renders them. The package has the hashes of its weights and every fourth sample of these
conversions, in one file that `write_self_test` makes.

F0 is given, because its tracker turns the last bit of a sample into an error of 1e-4, which shifts
the phases of the output. With F0 given, other versions and processors agree to -100 dB.
"""

import hashlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

import voxcycle
from voxcycle.artifacts import ArtifactError, read_artifact, write_artifact
from voxcycle.audio.mel import LogMel, MelSpec
from voxcycle.conversion.stages import convert_mels, render_mels
from voxcycle.vocoders.registry import load_vocoder
from voxcycle.voices.voice import Voice

PACKAGE = Path(voxcycle.__file__).parent
SELF_TEST, SELF_TEST_FILE = "self-test", "conversion/self_test.safetensors"
VOICES_DIR = "voices/embedded"
WEIGHTS = (".safetensors", ".npy", ".onnx")
REINSTALL = "install voxcycle again (`pip install --force-reinstall voxcycle`)"
MAX_ERROR_DB = -60.0  # half precision makes -73
DURATION_S = 2.0
SYLLABLE_S = 0.25
STEP = 4  # of the samples that are kept: 22 kB a voice instead of 88


class SelfTest(NamedTuple):
    """What a self-test found: voices that sound right, the largest error in dB, and problems."""

    voices: list[str]
    error_db: float
    problems: list[str]


def run_self_test(package: Path = PACKAGE) -> SelfTest:
    """Compare files and sounds with those that were shipped; each problem is one sentence."""
    try:
        stored = read_artifact(package / SELF_TEST_FILE, SELF_TEST)
    except ArtifactError as error:
        return SelfTest([], -np.inf, [f"{error}; {REINSTALL}"])
    shipped, found = stored.header["files"], _hash_weights(package)
    problems = []
    for name in sorted(shipped.keys() | found.keys()):
        if name not in found:
            problems.append(f"{package / name}: missing; {REINSTALL}")
        elif name not in shipped:
            problems.append(f"{package / name}: not a part of voxcycle; remove it")
        elif found[name] != shipped[name]:
            problems.append(f"{package / name}: not the file that was shipped; {REINSTALL}")
    if problems:
        return SelfTest([], -np.inf, problems)
    errors_db = {}
    for path in sorted((package / VOICES_DIR).glob("*.safetensors")):
        reference = stored.arrays[path.stem].astype(np.float64)
        distance = np.sum((_sound(path) - reference) ** 2) / np.sum(reference**2)
        errors_db[path.stem] = float(10 * np.log10(max(distance, 1e-30)))
    wrong = {name: value for name, value in errors_db.items() if not value <= MAX_ERROR_DB}
    problems = [
        f"the voice {name} sounds wrong ({value:.0f} dB from what was shipped, at most "
        f"{MAX_ERROR_DB:.0f}): the installed numpy or onnxruntime computes something else; "
        "install another version of them"
        for name, value in wrong.items()
    ]
    right = [name for name in errors_db if name not in wrong]
    return SelfTest(right, max(errors_db.values(), default=-np.inf), problems)


def write_self_test(package: Path = PACKAGE) -> Path:
    """Store hashes and sounds of the files that are in the package now; return where."""
    sounds = {
        path.stem: _sound(path) for path in sorted((package / VOICES_DIR).glob("*.safetensors"))
    }
    arrays = {name: sound.astype(np.float16) for name, sound in sounds.items()}
    path = package / SELF_TEST_FILE
    write_artifact(path, SELF_TEST, {"files": _hash_weights(package)}, arrays)
    return path


def _hash_weights(package: Path) -> dict[str, str]:
    """Return the SHA-256 of every file of weights by its path in the package."""
    hashes = {}
    for path in sorted(package.rglob("*")):
        name = path.relative_to(package).as_posix()
        if path.suffix in WEIGHTS and name != SELF_TEST_FILE:
            with path.open("rb") as file:
                hashes[name] = hashlib.file_digest(file, "sha256").hexdigest()
    return hashes


def _sound(path: Path) -> NDArray[np.float32]:
    """Return every fourth sample of the conversion of the artificial sound to a voice file."""
    voice = Voice.load(path)
    waveform, f0_hz = make_source(voice.spec)
    mel = convert_mels(
        voice.generator,
        LogMel(voice.spec)(waveform),
        f0_hz,
        np.ones(len(f0_hz), bool),
        spec=voice.spec,
        source=voice.source_stats,
        target=voice.target_stats,
        second_pass=voice.second_pass,
    )
    return render_mels(load_vocoder("fast", voice.spec), mel, f0_hz)[::STEP]


def make_source(spec: MelSpec) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return a sound like speech, (F * hop_length,), and its F0 in Hz, (F,), 0 where unvoiced.

    Of every four syllables of a quarter of a second two are vowels, one a pause and one a hiss. It
    draws no random numbers, whose sequence another numpy may change.
    """
    n_frames = int(DURATION_S * spec.frame_rate)
    times = np.arange(n_frames * spec.hop_length) / spec.sample_rate
    contour_hz = 150 * 2 ** (0.2 * np.sin(2 * np.pi * 0.7 * times))
    phase = 2 * np.pi * np.cumsum(contour_hz) / spec.sample_rate
    formant_hz = 600 + 250 * np.sin(2 * np.pi * 1.9 * times)
    vowel = np.zeros(len(times))
    for k in range(1, 25):
        gain = 1 / (1 + ((k * contour_hz - formant_hz) / 150) ** 2)
        gain += 0.3 / (1 + ((k * contour_hz - 1700) / 250) ** 2) + 0.02
        vowel += gain * np.sin(k * phase)
    hiss = 0.3 * np.sin(np.arange(len(times)) ** 2.0)
    syllable = (times / SYLLABLE_S).astype(int) % 4
    sound = np.select([syllable < 2, syllable == 3], [vowel, hiss])
    sound *= np.sqrt(np.sin(np.pi * (times / SYLLABLE_S % 1)))
    centres = np.arange(n_frames) * spec.hop_length + spec.hop_length // 2
    f0_hz = np.where(syllable < 2, contour_hz, 0.0)[centres]
    waveform = 0.05 * sound / np.sqrt(np.mean(sound**2))
    return waveform.astype(np.float32), f0_hz.astype(np.float32)
