import librosa
import numpy as np
import pytest
import scipy.signal
from threadpoolctl import threadpool_info, threadpool_limits

from voxcycle.audio.mel import LogMel, MelSpec, mel_filterbank

SPEC = MelSpec()


def independent_log_mel(waveform):
    """Compute (n_mels, F) in float64 by numpy's FFT, scipy's window and librosa's filters."""
    pad = (SPEC.n_fft - SPEC.hop_length) // 2
    padded = np.pad(waveform.astype(np.float64), pad, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, SPEC.n_fft)[:: SPEC.hop_length]
    spectrum = np.fft.rfft(frames * scipy.signal.get_window("hann", SPEC.win_length), axis=1)
    filters = librosa.filters.mel(
        sr=SPEC.sample_rate,
        n_fft=SPEC.n_fft,
        n_mels=SPEC.n_mels,
        fmin=SPEC.f_min,
        fmax=SPEC.f_max,
        dtype=np.float64,
    )
    mel = filters @ np.sqrt(np.abs(spectrum) ** 2 + 1e-9).T
    return np.log(np.maximum(mel, SPEC.log_floor))


@pytest.mark.parametrize("n_samples", [22_050, 12_345, 256 * 40])
def test_log_mel_equals_a_float64_computation(make_speech, n_samples):
    waveform = make_speech(1.0, SPEC.sample_rate)[:n_samples]
    found = LogMel(SPEC)(waveform).T
    expected = independent_log_mel(waveform)[:, : n_samples // SPEC.hop_length]
    assert found.shape == expected.shape
    # Below 80 dB under the frame's maximum, float32's own rounding shows.
    heard = expected > expected.max(axis=0) - 80 * np.log(10) / 20
    np.testing.assert_allclose(found[heard], expected[heard], atol=1e-4)


def test_mels_do_not_depend_on_the_threads_of_numpy(make_speech):
    waveform = make_speech(4.0, SPEC.sample_rate)
    found = []
    for n_threads in (1, 2):
        with threadpool_limits(n_threads, user_api="blas"):
            found.append(LogMel(SPEC)(waveform))
            kept = {x["num_threads"] for x in threadpool_info() if x["user_api"] == "blas"}
        assert kept <= {n_threads}  # Accelerate on macOS has no such number
    np.testing.assert_array_equal(*found)


def test_silence_is_the_spectral_offset_or_the_floor():
    found = LogMel(SPEC)(np.zeros(4096, np.float32))
    # Each bin holds sqrt(1e-9); the filters' areas then decide, never below the floor.
    areas = mel_filterbank(SPEC).sum(1)
    expected = np.log(np.maximum(areas * 1e-9**0.5, SPEC.log_floor))
    np.testing.assert_allclose(found, np.tile(expected, (16, 1)), atol=1e-4)


def test_frames_are_centred_half_a_hop_on():
    for frame in (3, 10):
        click = np.zeros(256 * 16, np.float32)
        click[frame * SPEC.hop_length + SPEC.hop_length // 2] = 1.0
        assert LogMel(SPEC)(click).sum(1).argmax() == frame


def test_filters_of_a_warp_are_triangles_over_a_scaled_axis():
    for warp in (0.72, 1.0, 1.25):
        frequencies = np.arange(SPEC.n_fft // 2 + 1) * SPEC.sample_rate / SPEC.n_fft * warp
        corners = librosa.mel_frequencies(SPEC.n_mels + 2, fmin=SPEC.f_min, fmax=SPEC.f_max)
        triples = np.lib.stride_tricks.sliding_window_view(corners, 3)
        expected = [np.interp(frequencies, c, [0, 2 / (c[2] - c[0]), 0]) for c in triples]
        # Warped axes end at a whole number of Hz: a thousandth of the largest weight.
        tolerance = 1e-6 if warp == 1.0 else 1e-3 * np.max(expected)
        np.testing.assert_allclose(mel_filterbank(SPEC, warp), expected, atol=tolerance)


@pytest.mark.parametrize("warp", [0.8, 1.25])
def test_a_warp_moves_a_spectrum_up(warp):
    """The warped filters over S(f) read what the plain ones read over S(f / warp)."""
    # Fine bins: at the default n_fft a low filter has two or three, and how they fall shows.
    spec = MelSpec(n_fft=16_384, win_length=16_384)
    frequencies = np.arange(spec.n_fft // 2 + 1) * spec.sample_rate / spec.n_fft

    def spectrum(f):  # two formants on a floor, (1, n_freq)
        formants = np.exp(-(((f - 900) / 300) ** 2)) + np.exp(-(((f - 2400) / 500) ** 2))
        return (formants + 0.01)[None]

    log_mel = LogMel(spec)
    found = log_mel.project(spectrum(frequencies), mel_filterbank(spec, warp))
    expected = log_mel.project(spectrum(frequencies / warp))
    # Filters are normalised per Hz and the scaled axis has its bins further apart: a constant.
    np.testing.assert_allclose(found + np.log(warp), expected, atol=0.01)


@pytest.mark.parametrize("n_samples", [256, 300, 384, 385, 511])
def test_short_inputs_have_a_frame(n_samples):
    waveform = 0.1 * np.sin(np.arange(n_samples) * 0.1)
    found = LogMel(SPEC)(waveform)
    assert found.shape == (1, SPEC.n_mels)
    # What reflection lacks is silence: 385 samples are the first that reflect by themselves.
    silent = np.pad(waveform, (0, max(0, 385 - n_samples)))
    np.testing.assert_allclose(found[0], independent_log_mel(silent)[:, 0], atol=1e-3)


def test_too_short_input_is_refused():
    with pytest.raises(ValueError, match="255 samples are too short.*256"):
        LogMel(SPEC)(np.zeros(255, np.float32))


def test_different_specs_name_both_sides():
    SPEC.require_same(MelSpec(), "the voice", "the vocoder")
    with pytest.raises(
        ValueError, match="the voice and the vocoder .*sample_rate 22050 against 24000, n_mels 80"
    ):
        SPEC.require_same(MelSpec(sample_rate=24_000, n_mels=100), "the voice", "the vocoder")
