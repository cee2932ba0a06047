from pathlib import Path

import numpy as np
import pytest
import torch

from voxcycle.audio.activity import find_activity
from voxcycle.audio.mel import LogMel, MelSpec
from voxcycle.speech.config import VocoderTrainingConfig
from voxcycle.speech.vocoder_crops import Recording, VocoderCrops, corrupt_f0

SPEC = MelSpec()


@pytest.fixture(scope="module")
def recording(make_speech):
    samples = (make_speech(4.0, SPEC.sample_rate) * 32768).astype(np.int16)
    waveform = samples.astype(np.float32) / 32768
    mel = LogMel(SPEC)(waveform)
    found = find_activity(waveform, SPEC)
    return Recording(samples, mel.astype(np.float16), found.f0_hz, found.speech)


def make_crops(*recordings, converted=(), **changes):
    values = {"out": Path("run"), "batch_size": 3, "n_frames": 40, "error_share": 0.0}
    return VocoderCrops(VocoderTrainingConfig(**values | changes), recordings, SPEC, converted)


def test_a_batch_is_a_function_of_seed_and_index(recording):
    first, again, other = (
        make_crops(recording, error_share=0.5, seed=seed)[7] for seed in (0, 0, 1)
    )
    assert first.step == again.step == 7
    for a, b, c in zip(first[:-1], again[:-1], other[:-1], strict=True):
        assert torch.equal(a, b) and not torch.equal(a, c)


def test_the_mel_is_that_of_the_waveform(recording):
    batch = make_crops(recording)[0]
    mel = LogMel(SPEC)(batch.waveform.numpy())[:, 3:-3]  # the edges of a crop are reflected
    loud = mel > mel.max() - 6  # the floor does not follow the gain
    difference = (batch.log_mel.transpose(1, 2).numpy()[:, 3:-3] - mel)[loud]
    assert np.abs(difference).max() < 0.02  # fp16 of values to 11
    assert batch.sources.shape == (3, 4, batch.waveform.shape[1])


def test_errors_are_what_trackers_do(recording):
    plain, wrong = make_crops(recording), make_crops(recording, error_share=1.0)
    for i in range(3):
        assert torch.equal(plain[i].f0_hz, plain[i].spoken_f0_hz)
        assert not torch.equal(wrong[i].f0_hz, wrong[i].spoken_f0_hz)
    f0 = np.full(40, 200, np.float32)
    seen = set()
    for seed in range(60):
        out = corrupt_f0(f0, np.random.default_rng(seed))
        changed = out[out != f0]
        assert len(changed) <= 12
        seen |= set(np.unique(changed).tolist())
    assert seen == {400.0, 100.0, 0.0}
    invented = [
        corrupt_f0(np.zeros(40, np.float32), np.random.default_rng(s)).max() for s in range(60)
    ]
    assert 0 < sum(value > 0 for value in invented) < 40
    assert max(invented) <= 300


def test_too_short_recordings_are_refused(recording):
    with pytest.raises(ValueError, match="as long as a crop of 4000 frames"):
        make_crops(recording, n_frames=4000)


def test_converted_recordings_have_their_share(recording):
    converted = recording._replace(mel=np.full_like(recording.mel, -3))
    recordings = [recording] * 3
    crops = make_crops(*recordings, converted=[converted], batch_size=8, converted_share=0.25)
    flat = torch.stack([crops[i].log_mel.std((1, 2)) == 0 for i in range(40)])
    assert flat.float().mean().item() == pytest.approx(0.25, abs=0.07)
    assert make_crops(recording).shares.sum() == pytest.approx(1)
