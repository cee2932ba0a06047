"""Perturbed features of recordings, and the cache that trainings keep them in."""

from pathlib import Path

import numpy as np
import soundfile

from voxcycle.audio.mel import MelSpec
from voxcycle.audio.perturb import WARPS, Perturbation
from voxcycle.speech.feature_cache import cache_features, extract_perturbed
from voxcycle.speech.features import extract_features


def write_tone(path, f0_hz, seconds=1.0, gain=0.05):
    times = np.arange(round(seconds * 22_050)) / 22_050
    tone = sum(np.cos(2 * np.pi * f0_hz * k * times) for k in range(1, 20))
    soundfile.write(path, gain * tone, 22_050, subtype="FLOAT")


def test_the_first_mel_is_that_of_the_recording(tmp_path):
    write_tone(tmp_path / "tone.wav", 200.0)
    perturbed = extract_perturbed(tmp_path / "tone.wav", MelSpec())
    plain = extract_features(tmp_path / "tone.wav", MelSpec())
    assert perturbed.mels.shape == (len(WARPS), 22_050 // 256, 80)
    for one, other in zip(perturbed._replace(mels=perturbed.mels[:1]), plain, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_warp_moves_the_peak_by_its_factor(tmp_path):
    times = np.arange(22_050) / 22_050
    soundfile.write(tmp_path / "sine.wav", 0.3 * np.sin(2 * np.pi * 600 * times), 22_050)
    features = extract_perturbed(tmp_path / "sine.wav", MelSpec())
    # below 1 kHz the Slaney bands are equally wide, so the peak's band scales with the warp
    bands = [int(mels[40].argmax()) + 1 for mels in features.mels]
    for band, warp in zip(bands, WARPS, strict=True):
        assert abs(band - bands[0] * warp.formant) <= 1


def test_cache_is_keyed_by_content_and_read_from_disk(tmp_path):
    write_tone(tmp_path / "a.wav", 150.0)
    (tmp_path / "copy.wav").write_bytes((tmp_path / "a.wav").read_bytes())
    cache = tmp_path / "cache"
    done = []
    paths = [tmp_path / "a.wav", tmp_path / "copy.wav"]
    first = cache_features(paths, MelSpec(), cache, n_jobs=1, advance=lambda: done.append(1))
    assert len(done) == 2
    assert len(list(cache.glob("*.f0.npy"))) == 1  # same content, one entry
    assert isinstance(first[0].mels, np.memmap)
    written = {p: p.stat().st_mtime_ns for p in cache.iterdir()}
    second = cache_features(paths, MelSpec(), cache, n_jobs=1)
    assert written == {p: p.stat().st_mtime_ns for p in cache.iterdir()}
    assert np.array_equal(first[0].mels, second[1].mels)
    write_tone(tmp_path / "a.wav", 170.0)
    changed = cache_features([tmp_path / "a.wav"], MelSpec(), cache, n_jobs=1)
    assert len(list(cache.glob("*.f0.npy"))) == 2
    assert abs(np.median(changed[0].f0_hz) - 170) < 2


def test_parallel_extraction_equals_serial(tmp_path, monkeypatch):
    paths = [tmp_path / f"{i}.wav" for i in range(3)]
    for i, path in enumerate(paths):
        write_tone(path, 120.0 + 20 * i)
    serial = cache_features(paths, MelSpec(), tmp_path / "serial", n_jobs=1)
    cache_features(paths[:2], MelSpec(), tmp_path / "other", n_jobs=2)  # workers start here
    monkeypatch.chdir(tmp_path)  # and are asked for relative paths there
    relative = [Path(path.name) for path in paths]
    parallel = cache_features(relative, MelSpec(), Path("parallel"), n_jobs=2)
    for one, two in zip(serial, parallel, strict=True):
        assert np.array_equal(one.mels, two.mels)
        assert np.array_equal(one.f0_hz, two.f0_hz)


def test_a_resynthesis_moves_pitch_and_leaves_the_length(tmp_path):
    write_tone(tmp_path / "tone.wav", 200.0)
    perturbations = (Perturbation(1.0, 1.0), Perturbation(1.0, 0.6))
    features = extract_perturbed(tmp_path / "tone.wav", MelSpec(), perturbations)
    assert features.mels.shape == (2, 22_050 // 256, 80)
    # bands are 37.7 Hz wide here: the first harmonic falls from band 4-5 to band 2-3
    peaks = [int(mels[30:60, :7].astype(float).mean(0).argmax()) for mels in features.mels]
    assert [round((peak + 1) * 37.7 / 40) * 40 for peak in peaks] == [200, 120]
