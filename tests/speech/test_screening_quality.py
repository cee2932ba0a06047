from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from scipy.signal import welch

from voxcycle.audio.mel import MelSpec
from voxcycle.speech.prepare import prepare_folder
from voxcycle.speech.screening_quality import (
    MAX_CLIPPED_SHARE,
    clipped_share,
    clipped_shares,
    mean_power_spectrum,
    measure_quality,
)

DEMO = Path(__file__).parents[2] / "recipes" / "demo.flac"


@pytest.fixture(scope="module")
def speech():
    """Real speech, its peak at full scale."""
    samples, rate = soundfile.read(DEMO, dtype="float32")
    return samples / np.abs(samples).max(), rate


def share_of(path):
    return clipped_share(soundfile.read(path, always_2d=True)[0])


def test_what_is_cut_off_is_counted(speech):
    samples, _ = speech
    assert clipped_share(samples[:, None]) < 0.001
    clipped = np.clip(4 * samples, -1, 1)
    true_share = float(np.mean(np.abs(clipped) == 1))
    assert clipped_share(0.3 * clipped[:, None]) == pytest.approx(true_share, rel=0.01)
    # of two channels, the one that is clipped; their mean has hardly a sample at its peak
    stereo = np.stack([clipped, 0.5 * samples], axis=1)
    assert clipped_share(stereo) == pytest.approx(true_share, rel=0.01)
    assert clipped_share(np.full((1000, 1), 1e-3, np.float32)) == 0


@pytest.mark.parametrize("gain", [3.0, 8.0])
def test_a_codec_does_not_hide_it(speech, tmp_path, gain):
    samples, rate = speech
    for name, wave in (("clean", samples), ("clipped", np.clip(gain * samples, -1, 1))):
        soundfile.write(tmp_path / f"{name}.ogg", 0.7 * wave, rate, format="OGG")
    shares = [share_of(tmp_path / f"{name}.ogg") for name in ("clean", "clipped")]
    assert shares[0] < MAX_CLIPPED_SHARE / 2 < MAX_CLIPPED_SHARE < shares[1]


def test_the_steps_of_eight_bits_are_not_clipping(speech, tmp_path):
    samples, rate = speech
    for peak in (0.1, 0.2, 0.4):
        path = tmp_path / f"{peak}.wav"
        soundfile.write(path, peak * samples, rate, subtype="PCM_U8")
        assert share_of(path) < MAX_CLIPPED_SHARE
    soundfile.write(path, np.clip(4 * samples, -0.9, 0.9), rate, subtype="PCM_U8")
    assert share_of(path) > MAX_CLIPPED_SHARE


def test_stretches_are_those_of_the_whole(speech):
    samples, rate = speech
    loud = samples.copy()
    loud[rate : 2 * rate] = np.clip(5 * loud[rate : 2 * rate], -1, 1)
    end, half = len(loud), rate // 2
    spans = [(0, rate - half), (rate, 2 * rate), (2 * rate, 2 * rate + half), (end - 9000, end + 9)]
    blocks = np.array_split(loud[:, None], len(loud) // 777)  # which cut stretches anywhere
    shares = list(clipped_shares(blocks, spans))
    wanted = [clipped_share(loud[start:stop, None]) for start, stop in spans]
    assert shares == pytest.approx(wanted)
    assert shares[1] > MAX_CLIPPED_SHARE > max(shares[0], shares[2], shares[3])


def test_a_clipped_channel_is_left_out_by_prepare(speech, tmp_path):
    samples, rate = speech
    (tmp_path / "ann").mkdir()
    for name, gain in (("clean", 1.0), ("clipped", 5.0)):
        stereo = np.stack([np.clip(gain * samples, -1, 1), 0.8 * samples], axis=1)
        soundfile.write(tmp_path / "ann" / f"{name}.ogg", 0.7 * stereo, rate, format="OGG")
    pieces = prepare_folder(tmp_path / "ann", tmp_path / "clips", n_jobs=1).pieces
    wanted = {("clean.ogg", ""), ("clipped.ogg", "clipped")}
    assert {(piece.source, piece.problem) for piece in pieces} == wanted


def test_an_offset_is_not_clipping(speech, tmp_path):
    """Around it, magnitudes pile up as well."""
    samples, rate = speech
    (tmp_path / "ann").mkdir()
    pause = np.zeros(rate // 4, np.float32)
    words = np.concatenate([part for word in np.array_split(samples, 8) for part in (word, pause)])
    shifted = 0.1 * words + 0.3
    assert clipped_share(shifted[:, None]) > MAX_CLIPPED_SHARE
    soundfile.write(tmp_path / "ann" / "offset.wav", shifted, rate)
    pieces = prepare_folder(tmp_path / "ann", tmp_path / "clips", n_jobs=1).pieces
    assert pieces and {piece.problem for piece in pieces} == {""}


def test_measures_of_a_clip(make_speech):
    spec = MelSpec()
    speech = np.concatenate([make_speech(3.0, spec.sample_rate, 140.0), np.zeros(11_025)])
    quality = measure_quality(speech.astype(np.float32), spec, 0.0)
    assert quality.duration_s == pytest.approx(3.5)
    assert quality.f0_hz[1] == pytest.approx(140, rel=0.1)
    assert quality.problem() == ""
    assert replace(quality, clipped_share=0.02).problem() == "clipped"
    random = np.random.default_rng(0)
    spectrum = np.fft.rfft(random.standard_normal(3 * spec.sample_rate))
    spectrum[3 * 4000 :] = 0  # nothing above 4 kHz
    narrow = measure_quality(np.fft.irfft(spectrum).astype(np.float32), spec, 0.0)
    assert narrow.bandwidth_hz == pytest.approx(4000, abs=200)  # a window's leak
    assert narrow.problem().startswith("noisy")


def test_the_mean_spectrum_is_that_of_scipy(speech):
    samples, _ = speech
    for n in (1024, 5000, len(samples)):  # the last frame that does not fit is left out
        wave = samples[:n].astype(np.float64)
        _, wanted = welch(wave, window="hann", nperseg=1024, scaling="spectrum", detrend=False)
        np.testing.assert_allclose(mean_power_spectrum(wave), wanted, rtol=1e-9, atol=1e-18)
    sine = 0.6 * np.sin(2 * np.pi * 100 / 1024 * np.arange(4096))  # in the middle of a bin
    assert mean_power_spectrum(sine)[100] == pytest.approx(0.6**2 / 2)
