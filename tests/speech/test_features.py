from pathlib import Path

import numpy as np
import soundfile

from voxcycle.audio.io import FileSource
from voxcycle.audio.level import ANALYSIS_LEVEL_DB
from voxcycle.audio.mel import LogMel, MelSpec
from voxcycle.audio.mixdown import plan_mixdown
from voxcycle.audio.perturb import WARPS, Perturbation
from voxcycle.conversion.analysis import analyze
from voxcycle.conversion.frames import SpooledFrames
from voxcycle.speech.features import cache_features, extract_features, load_analysis_waveform


def write_tone(path, f0_hz, seconds=1.0, gain=0.05):
    times = np.arange(round(seconds * 22_050)) / 22_050
    tone = sum(np.cos(2 * np.pi * f0_hz * k * times) for k in range(1, 20))
    soundfile.write(path, gain * tone, 22_050, subtype="FLOAT")


def test_features_are_the_log_mel_and_f0_of_the_levelled_recording(tmp_path):
    write_tone(tmp_path / "tone.wav", 200.0)
    spec = MelSpec()
    features = extract_features(tmp_path / "tone.wav", spec)
    waveform = load_analysis_waveform(tmp_path / "tone.wav", spec)
    level_db = 10 * np.log10(np.mean(waveform**2))
    assert abs(level_db - ANALYSIS_LEVEL_DB) < 0.1  # a steady tone is active throughout
    assert features.mels.shape == (len(WARPS), 22_050 // 256, 80)
    mel = LogMel(spec)(waveform)
    assert np.abs(features.mels[0] - mel).max() < 0.005  # fp16 steps between -16 and 16: 0.008
    assert np.abs(features.f0_hz[5:-5] / 200.0 - 1).max() < 0.01


def test_a_warp_moves_the_peak_by_its_factor(tmp_path):
    times = np.arange(22_050) / 22_050
    soundfile.write(tmp_path / "sine.wav", 0.3 * np.sin(2 * np.pi * 600 * times), 22_050)
    features = extract_features(tmp_path / "sine.wav", MelSpec())
    # below 1 kHz the Slaney bands are equally wide, so the peak's band scales with the warp
    bands = [int(mels[40].argmax()) + 1 for mels in features.mels]
    for band, warp in zip(bands, WARPS, strict=True):
        assert abs(band - bands[0] * warp.formant) <= 1


def test_the_level_of_the_recording_does_not_matter(tmp_path):
    write_tone(tmp_path / "loud.wav", 150.0, gain=0.05)
    write_tone(tmp_path / "soft.wav", 150.0, gain=0.005)
    loud = extract_features(tmp_path / "loud.wav", MelSpec())
    soft = extract_features(tmp_path / "soft.wav", MelSpec())
    assert np.abs(loud.mels[0].astype(float) - soft.mels[0]).max() < 0.02  # two fp16 roundings


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
    features = extract_features(tmp_path / "tone.wav", MelSpec(), perturbations)
    assert features.mels.shape == (2, 22_050 // 256, 80)
    # bands are 37.7 Hz wide here: the first harmonic falls from band 4-5 to band 2-3
    peaks = [int(mels[30:60, :7].astype(float).mean(0).argmax()) for mels in features.mels]
    assert [round((peak + 1) * 37.7 / 40) * 40 for peak in peaks] == [200, 120]


def test_training_and_conversion_find_the_same_level_speech_and_pitch(tmp_path, make_speech):
    rng = np.random.default_rng(0)
    speech = np.concatenate([np.zeros(22_050), make_speech(2.0, 22_050, 120.0), np.zeros(22_050)])
    noisy = (speech + 0.02 * rng.standard_normal(len(speech))).astype(np.float32)[: 300 * 256]
    soundfile.write(tmp_path / "noisy.wav", noisy, 22_050, subtype="FLOAT")
    features = extract_features(tmp_path / "noisy.wav", MelSpec())
    waveform, mels = SpooledFrames(1), SpooledFrames(80)
    source = FileSource(tmp_path / "noisy.wav")
    found = analyze(
        source,
        plan_mixdown(source),
        spec=MelSpec(),
        waveform=waveform,
        mels=mels,
        denoise="off",
        advance=lambda _: None,
    )
    assert np.array_equal(features.speech, found.speech)
    assert 0.2 < features.speech.mean() < 0.8
    assert np.array_equal(features.f0_hz, found.f0_hz)
    assert np.abs(features.mels[0] - mels.read(0, 300)).max() < 0.01
