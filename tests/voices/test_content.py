"""What generators hear: features of a phonetic encoder, centred, and the level."""

import hashlib

import numpy as np
import pytest
import torch

from voxcycle.artifacts import ArtifactError
from voxcycle.audio.mel import LogMel, MelSpec
from voxcycle.models.weights import store_network
from voxcycle.models.whisper_encoder import WhisperEncoder
from voxcycle.runtime.weights import StoredNetwork
from voxcycle.voices import content
from voxcycle.voices.content import (
    PhoneticEncoder,
    centre_content,
    load_phonetic_encoder,
    whisper_mel,
)

SPEC = MelSpec()


@pytest.fixture(scope="module")
def encoder():
    """A small encoder: what is tested here does not depend on what it hears."""
    torch.manual_seed(0)
    network = store_network(WhisperEncoder(width=24, n_layers=1, n_heads=2))
    return PhoneticEncoder(network, np.full(24, 0.5, np.float32))


def draw_mel(n_frames, seed=0):
    return np.random.default_rng(seed).normal(-4, 1.5, (n_frames, SPEC.n_mels)).astype(np.float32)


def test_whispers_mel_has_its_rate_scale_and_range():
    mel = np.full((96, SPEC.n_mels), -4.0, np.float32)
    mel[:, 50] = 0.0
    mel[:, 60] = -20.0
    heard = whisper_mel(mel, SPEC)
    assert heard.shape == (int(96 * 100 / SPEC.frame_rate), SPEC.n_mels)
    # From band 40 on the offset is 0.61: ln 1 = 0 is 0.61, then (x + 4) / 4.
    np.testing.assert_allclose(heard[:, 50], (0.61 + 4) / 4, atol=1e-6)
    np.testing.assert_allclose(heard[:, 60], (0.61 - 8 + 4) / 4, atol=1e-6)  # clamped
    np.testing.assert_allclose(heard[:, 70], (0.61 - 8 / np.log(10) + 4) / 4, atol=1e-6)


def test_long_recordings_are_heard_in_pieces_with_context(encoder, monkeypatch):
    mel = draw_mel(1003)
    whole = encoder.listen(mel, SPEC)  # in two pieces
    assert whole.shape == (1003, 25)
    monkeypatch.setattr(content, "PIECE_FRAMES", 2000)
    np.testing.assert_allclose(encoder.listen(mel, SPEC)[:, -1], whole[:, -1], atol=1e-5)
    read = []

    def read_mels(start, stop):
        read.append((start, stop))
        return mel[start:stop]

    monkeypatch.setattr(content, "PIECE_FRAMES", 400)
    pieces = list(encoder.listen_in_pieces(read_mels, 1003, SPEC))
    assert [len(piece) for piece in pieces] == [334, 334, 335]
    assert read == [(0, 434), (234, 768), (568, 1003)]


def test_ten_decibels_are_one_unit_of_level(encoder):
    mel = draw_mel(50)
    louder = encoder.listen(mel + np.float32(np.log(10) / 2), SPEC)
    np.testing.assert_allclose(louder[:, -1] - encoder.listen(mel, SPEC)[:, -1], 1, atol=1e-5)


def test_the_centre_is_that_of_speech_and_shrunk_where_there_is_little(encoder):
    heard = np.random.default_rng(1).normal(2, 1, (300, 25)).astype(np.float32)
    speech = np.arange(300) >= 200
    centre = encoder.find_centre(heard, speech)
    by_hand = (heard[200:, :-1].sum(0) + 100 * encoder.mean) / 200
    np.testing.assert_allclose(centre[:-1], by_hand, rtol=1e-4)
    assert centre[-1] == pytest.approx(np.median(heard[200:, -1]))
    np.testing.assert_allclose(encoder.find_centre(heard, speech & False)[:-1], encoder.mean)
    centred = centre_content(heard, centre)
    np.testing.assert_allclose(centred[:, :-1], heard[:, :-1] - centre[:-1])
    assert centred[:, -1].max() <= 2 and centred[:, -1].min() >= -4


def test_a_file_gives_the_encoder_back(encoder, tmp_path):
    encoder.save(path := tmp_path / "encoder.safetensors")
    loaded = PhoneticEncoder.load(path)
    np.testing.assert_array_equal(loaded.mean, encoder.mean)
    mel = draw_mel(40)
    np.testing.assert_allclose(loaded.listen(mel, SPEC), encoder.listen(mel, SPEC), atol=1e-2)


def test_an_encoder_without_heads_is_refused(encoder, tmp_path):
    network = StoredNetwork(encoder.stored.arguments | {"n_heads": 0}, encoder.stored.weights)
    PhoneticEncoder(network, encoder.mean).save(path := tmp_path / "encoder.safetensors")
    with pytest.raises(ArtifactError, match="do not fit together"):
        PhoneticEncoder.load(path)


def test_the_packages_encoder_is_the_one_that_all_voices_were_trained_with():
    """Another one makes every voice useless, and what is cached (`features.FEATURE_VERSION`)."""
    digest = hashlib.sha256(content.PHONETIC_FILE.read_bytes()).hexdigest()
    assert digest.startswith("e0c1c45250744ce1")


def test_the_packages_encoder_hears_the_same_sound_in_two_voices(make_speech):
    """Frames of one syllable at two pitches are more alike than frames of two syllables."""
    encoder, log_mel = load_phonetic_encoder(), LogMel(SPEC)
    heard = []
    for f0_hz in (110.0, 210.0):
        waveform = make_speech(4.0, SPEC.sample_rate, f0_hz)
        listened = encoder.listen(log_mel(waveform), SPEC)
        centre = encoder.find_centre(listened, np.ones(len(listened), bool))
        heard.append(centre_content(listened, centre)[:, :-1])
    low, high = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in heard)
    likeness = low @ high.T
    same = np.diagonal(likeness).mean()
    other = np.diagonal(np.roll(likeness, 34, axis=1)).mean()  # two syllables later
    assert same > other + 0.2
