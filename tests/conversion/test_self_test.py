"""The self-test of an installation: it passes as shipped, and finds what was altered."""

import shutil

import numpy as np
import pytest

from voxcycle.artifacts import read_artifact, write_artifact
from voxcycle.audio.f0 import extract_f0
from voxcycle.audio.mel import MelSpec
from voxcycle.conversion.self_test import (
    PACKAGE,
    SELF_TEST,
    SELF_TEST_FILE,
    VOICES_DIR,
    make_source,
    run_self_test,
    write_self_test,
)

RENEW = "after other weights are shipped, run egs/kokoro/ship_self_test.py and commit its file"
VOICE_FILE = f"{VOICES_DIR}/emma.safetensors"


@pytest.fixture
def package(tmp_path):
    """A package with one voice and its self-test."""
    for name in (SELF_TEST_FILE, VOICE_FILE):
        (tmp_path / name).parent.mkdir(parents=True)
    shutil.copy(PACKAGE / VOICE_FILE, tmp_path / VOICE_FILE)
    write_self_test(tmp_path)
    return tmp_path


def test_the_package_passes():
    found = run_self_test()
    assert found.problems == [], RENEW
    shipped = sorted(path.stem for path in (PACKAGE / VOICES_DIR).iterdir())
    assert found.voices == shipped
    assert found.error_db < -70, RENEW  # half precision: 2 ** -12 at most, -72 dB
    assert (PACKAGE / SELF_TEST_FILE).stat().st_size < 200_000


def test_files_that_were_altered_lost_or_added_are_named(package):
    assert run_self_test(package).problems == []
    content = bytearray((package / VOICE_FILE).read_bytes())
    content[-1] ^= 1
    (package / VOICE_FILE).write_bytes(content)
    shutil.copy(package / VOICE_FILE, package / VOICES_DIR / "eve.safetensors")
    altered, added = run_self_test(package).problems
    assert "emma.safetensors: not the file that was shipped; install" in altered
    assert "eve.safetensors: not a part of voxcycle; remove it" in added
    for name in ("emma", "eve"):
        (package / VOICES_DIR / f"{name}.safetensors").unlink()
    (missing,) = run_self_test(package).problems
    assert "emma.safetensors: missing; install" in missing
    (package / SELF_TEST_FILE).unlink()
    (nothing,) = run_self_test(package).problems
    assert "self_test.safetensors: no such file; install" in nothing


@pytest.mark.parametrize(("gain", "passes"), [(1.0, True), (1.0008, True), (1.002, False)])
def test_a_sound_may_differ_by_60_db(package, gain, passes):
    """A gain of 1 + x is an error of 20 log10(x) dB: -62 and -54."""
    stored = read_artifact(package / SELF_TEST_FILE, SELF_TEST)
    louder = {name: array.astype(np.float32) * gain for name, array in stored.arrays.items()}
    files = {"files": stored.header["files"]}
    write_artifact(package / SELF_TEST_FILE, SELF_TEST, files, louder)
    found = run_self_test(package)
    assert found.voices == (["emma"] if passes else [])
    assert (found.problems == []) == passes
    if not passes:
        assert "emma sounds wrong (-54 dB" in found.problems[0]


def test_the_sound_has_the_f0_that_it_claims():
    """Against the tracker of conversions, which knows nothing of it."""
    spec = MelSpec()
    waveform, f0_hz = make_source(spec)
    assert len(waveform) == len(f0_hz) * spec.hop_length
    tracked = extract_f0(waveform, spec)
    both = (f0_hz > 0) & (tracked[: len(f0_hz)] > 0)
    assert both.sum() > 0.9 * (f0_hz > 0).sum()
    cents = 1200 * np.log2(tracked[: len(f0_hz)][both] / f0_hz[both])
    assert np.median(np.abs(cents)) < 20
