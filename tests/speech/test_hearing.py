"""What trainings let generators hear: disguises and corruptions, heard once and kept."""

from typing import Any

import numpy as np
import pytest
import torch

from voxcycle.audio.mel import MelSpec
from voxcycle.audio.perturb import WARPS
from voxcycle.methods.batches import Domain
from voxcycle.speech import feature_cache
from voxcycle.speech.feature_cache import cache_features
from voxcycle.speech.hearing import find_variant, hear_variants
from voxcycle.speech.listener import Listener, load_encoder_on
from voxcycle.voices.content import centre_content, load_phonetic_encoder

SPEC = MelSpec()


@pytest.fixture(scope="module")
def recording(folders, tmp_path_factory):
    """Features of one clip with content."""
    path = folders / "low" / "0.wav"
    cache = tmp_path_factory.mktemp("cache")
    (found,) = cache_features([path], SPEC, cache, perturbations=WARPS, hears=True, n_jobs=1)
    assert found.content is not None and found.centre is not None
    return found


def correlate(one, other):
    return np.corrcoef(one.astype(float).ravel(), other.astype(float).ravel())[0, 1]


def test_the_first_variant_is_what_a_conversion_hears(recording):
    encoder = load_phonetic_encoder()
    heard = encoder.listen(recording.mels[0], SPEC)
    centre = encoder.find_centre(heard, recording.speech)
    np.testing.assert_allclose(recording.centre, centre, atol=1e-5)
    np.testing.assert_allclose(recording.content[0], centre_content(heard, centre), atol=5e-3)


def test_disguises_and_corruptions_are_heard_and_say_the_same(recording):
    content = recording.content[:, recording.speech, :-1]
    assert content.shape[0] == 4 and content.dtype == np.float16
    plain = content[find_variant(False, False)]
    for variant in ((False, True), (True, False), (True, True)):
        likeness = correlate(plain, content[find_variant(*variant)])
        assert 0.2 < likeness < 0.99, variant
    assert np.abs(content.astype(float).mean(1)).max() < 1.0  # centred, each by itself


def test_what_is_heard_is_kept_and_is_the_same_every_time(
    folders, recording, tmp_path, monkeypatch
):
    path = folders / "low" / "0.wav"
    listen: dict[str, Any] = {"perturbations": WARPS, "hears": True, "n_jobs": 1}
    (without,) = cache_features([path], SPEC, tmp_path, perturbations=WARPS, n_jobs=1)
    assert without.content is None
    (again,) = cache_features([path], SPEC, tmp_path, **listen)
    np.testing.assert_array_equal(again.content, recording.content)
    assert again.mels.shape[0] == 1 and without.mels.shape[0] == len(WARPS)
    np.testing.assert_array_equal(again.mels[0], without.mels[0])
    names = {file.name for file in tmp_path.iterdir()}
    assert sum("content" in name for name in names) == 1
    monkeypatch.setattr(feature_cache, "hear_variants", None)
    (kept,) = cache_features([path], SPEC, tmp_path, **listen)
    np.testing.assert_array_equal(kept.content, again.content)
    assert {file.name for file in tmp_path.iterdir()} == names


def test_a_recording_without_disguises_is_heard_as_it_is(recording):
    rng = np.random.default_rng(0)
    content, _ = hear_variants(load_phonetic_encoder(), recording.mels, recording.speech, SPEC, rng)
    np.testing.assert_array_equal(content[0], content[2])
    assert not np.array_equal(content[1], content[3])  # two corruptions


def test_training_hears_what_conversion_hears(recording):
    mel = recording.mels[0, :300].astype(np.float32)
    batch = torch.from_numpy(mel.T[None]).requires_grad_()
    heard = Listener(SPEC).hear(batch)
    # PyTorch and ONNX Runtime sum in other orders: 3e-5 of features whose deviation is 0.6.
    expected = load_phonetic_encoder().listen(mel, SPEC)
    np.testing.assert_allclose(heard[0].T.detach(), expected, atol=1e-4)
    heard[:, :-1].sum().backward()
    assert batch.grad is not None and batch.grad.abs().sum() > 0


def test_a_listener_draws_no_random_numbers():
    """Else the first training of a process would begin with other weights than the second."""
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    load_phonetic_encoder.cache_clear()
    Listener(SPEC)
    assert torch.equal(torch.rand(3), expected)


def test_the_way_back_hears_normalised_mels_as_content(recording):
    """Those of the target itself are heard as the target was, but for what is around the crop."""
    part = slice(0, 256)
    mel = recording.mels[0][part].astype(np.float32)
    mean, std = mel.mean(0), mel.std(0) + 0.1
    normalised = torch.from_numpy(((mel - mean) / std).T[None])
    profile = torch.from_numpy(np.concatenate([mean, std])[None])
    domain = Domain(normalised, normalised, normalised, profile=profile)
    listen = Listener(SPEC)
    with pytest.raises(ValueError, match="profiles and centres"):
        listen(normalised, domain)
    heard = listen(normalised, domain._replace(centre=torch.from_numpy(recording.centre)[None]))
    assert heard.shape == (1, 385, 256)
    content = recording.content[0, part].astype(np.float32)
    np.testing.assert_allclose(heard[0, -1], content[:, -1], atol=2e-2)  # the level is local
    assert correlate(heard[0, :-1].T.numpy(), content[:, :-1]) > 0.8


def test_pytorch_hears_what_onnx_runtime_hears(recording):
    mel = recording.mels[0]
    wanted = load_phonetic_encoder().listen(mel, SPEC)
    found = load_encoder_on(torch.device("cpu")).listen(mel, SPEC)
    # They sum in other orders, in float32; features have deviations near 1.
    np.testing.assert_allclose(found, wanted, atol=2e-3)
