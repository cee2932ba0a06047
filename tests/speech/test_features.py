import numpy as np
import soundfile

from voxcycle.audio.io import FileSource
from voxcycle.audio.level import ANALYSIS_LEVEL_DB
from voxcycle.audio.mel import LogMel, MelSpec
from voxcycle.audio.mixdown import plan_mixdown
from voxcycle.conversion.analysis import analyze
from voxcycle.conversion.frames import SpooledFrames
from voxcycle.speech.features import extract_features, load_analysis_waveform


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
    assert features.mels.shape == (1, 22_050 // 256, 80)
    mel = LogMel(spec)(waveform)
    assert np.abs(features.mels[0] - mel).max() < 0.005  # fp16 steps between -16 and 16: 0.008
    assert np.abs(features.f0_hz[5:-5] / 200.0 - 1).max() < 0.01


def test_the_level_of_the_recording_does_not_matter(tmp_path):
    write_tone(tmp_path / "loud.wav", 150.0, gain=0.05)
    write_tone(tmp_path / "soft.wav", 150.0, gain=0.005)
    loud = extract_features(tmp_path / "loud.wav", MelSpec())
    soft = extract_features(tmp_path / "soft.wav", MelSpec())
    assert np.abs(loud.mels[0].astype(float) - soft.mels[0]).max() < 0.02  # two fp16 roundings


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
