import numpy as np
import pytest

from voxcycle.audio.linear_prediction import BLOCK, decode_samples, encode_samples


def to_samples(waveform):
    return np.rint(waveform * 32767).astype(np.int16)


def test_recordings_come_back_bit_for_bit(make_speech):
    rng = np.random.default_rng(0)
    recordings = [
        to_samples(make_speech(2.0, 22_050)),
        rng.integers(-32768, 32768, BLOCK + 1).astype(np.int16),  # noise at full scale
        np.zeros(3 * BLOCK, np.int16),
        np.full(2 * BLOCK, -32768, np.int16),
        np.array([5], np.int16),
        to_samples(0.9 * np.sin(np.arange(5000) * 0.1)),
    ]
    restored = decode_samples([encode_samples(samples) for samples in recordings])
    for samples, again in zip(recordings, restored, strict=True):
        assert again.dtype == np.int16
        np.testing.assert_array_equal(again, samples)


def test_speech_takes_about_half_and_less_when_rounded(make_speech, demo):
    for waveform in (make_speech(4.0, 22_050), demo):
        samples = to_samples(waveform)
        whole, rounded = encode_samples(samples), encode_samples(samples, 128)
        assert rounded.n_bytes < 0.8 * whole.n_bytes < 0.8 * 0.6 * samples.nbytes
        (again,) = decode_samples([rounded])
        error = np.abs(again.astype(int) - samples)
        steps = 1 << rounded.dropped_bits.astype(int)
        half = np.repeat(steps, BLOCK)[: len(samples)] / 2
        assert (error <= half).all() and (steps > 1).any()
        for start in range(0, len(samples) - BLOCK, BLOCK):
            block = samples[start : start + BLOCK].astype(float)
            # Half a step is at most 1/256 of the RMS; where a step is one, the samples are exact.
            bound = np.sqrt((block**2).mean()) / 256
            assert error[start : start + BLOCK].max() <= bound


def test_blocks_of_another_recording_are_refused():
    encoded = encode_samples(np.zeros(BLOCK, np.int16))
    with pytest.raises(ValueError, match="do not fit their number"):
        decode_samples([encoded._replace(predictors=np.zeros((3, 16), np.int16))])
