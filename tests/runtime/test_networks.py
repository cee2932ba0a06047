"""Graphs against the PyTorch modules whose weights they take, and against PyTorch's own export."""

import io

import numpy as np
import onnxruntime
import pytest
import torch

from voxcycle.audio.mel import MelSpec
from voxcycle.models.source_filter_networks import SourceFilterVocoder
from voxcycle.models.speaker_encoder import SpeakerEncoder
from voxcycle.models.voice_generator import VoiceGenerator
from voxcycle.models.weights import store_network
from voxcycle.models.whisper_encoder import WhisperEncoder
from voxcycle.runtime.session import Session
from voxcycle.runtime.source_filter import build_filters, build_pitch
from voxcycle.runtime.speaker_encoder import build_speaker_encoder, share_frames
from voxcycle.runtime.voice_generator import build_voice_generator
from voxcycle.runtime.whisper_encoder import build_whisper_encoder, encode_positions

SPEC = MelSpec()
TOLERANCE = 1e-4


def draw(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def randomise(module):
    """Give every weight a value, as training does."""
    torch.manual_seed(0)
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=parameter.shape[-1] ** -0.5)
    return module.eval()


def to_batch(frames):
    return torch.from_numpy(frames.T[None].copy())


GENERATORS = {
    "mels": {"width": 24, "n_blocks": 2, "n_excitation": 81},
    "mels without f0": {"width": 24, "n_blocks": 1, "n_excitation": 0, "kernel": 5},
    "content": {"width": 32, "n_blocks": 3, "has_skip": False, "n_content": 48},
}


@pytest.fixture(params=GENERATORS)
def generator(request):
    return randomise(VoiceGenerator(**GENERATORS[request.param]))


def generator_inputs(generator, n_frames):
    n_content = generator.arguments["n_content"]
    inputs = {"source": draw(n_frames, n_content + 1 if n_content else 80)}
    if n_excitation := generator.arguments["n_excitation"]:
        inputs["excitation"] = draw(n_frames, n_excitation, seed=1)
    return inputs


@pytest.mark.parametrize("n_frames", [1, 50])
def test_the_generator_is_the_modules(generator, n_frames):
    inputs = generator_inputs(generator, n_frames)
    stored = store_network(generator)
    session = Session(build_voice_generator(stored.weights, **stored.arguments))
    batch = {"excitation": torch.zeros(1, 81, n_frames)} | {
        name: to_batch(array) for name, array in inputs.items()
    }
    with torch.no_grad():
        wanted = generator(**batch)[0].T.numpy()
    assert wanted.std() > 0.1
    np.testing.assert_allclose(session.run(inputs)["mel"], wanted, atol=TOLERANCE)


def test_the_generator_is_what_pytorch_exports(generator):
    inputs = generator_inputs(generator, 40)
    stored = store_network(generator)
    ours = Session(build_voice_generator(stored.weights, **stored.arguments)).run(inputs)["mel"]
    batch = {"excitation": torch.zeros(1, 81, 40)} | {
        name: to_batch(array) for name, array in inputs.items()
    }
    stream = io.BytesIO()
    arguments = (batch["source"], batch["excitation"])
    torch.onnx.export(generator, arguments, stream, dynamo=False, opset_version=17)
    exported = onnxruntime.InferenceSession(stream.getvalue(), providers=["CPUExecutionProvider"])
    values = [x.numpy() for x in arguments]
    names = [x.name for x in exported.get_inputs()]
    theirs = exported.run(None, dict(zip(names, values, strict=False)))[0][0].T
    np.testing.assert_allclose(ours, theirs, atol=TOLERANCE)


@pytest.mark.parametrize("n_frames", [2, 61])
def test_the_whisper_encoder_is_the_modules(n_frames):
    module = randomise(WhisperEncoder(n_mels=8, width=24, n_layers=2, n_heads=3))
    stored, mel = store_network(module), draw(n_frames, 8)
    session = Session(build_whisper_encoder(stored.weights, **stored.arguments))
    positions = encode_positions(-(-n_frames // 2), 24)
    found = session.run({"mel": mel, "positions": positions})["features"]
    with torch.no_grad():
        wanted = module(to_batch(mel))[0].numpy()
    np.testing.assert_allclose(found, wanted, atol=TOLERANCE)


def test_a_position_is_told_from_every_other():
    codes = encode_positions(1500, 384)
    np.testing.assert_array_equal(codes[0, :192], 0)
    assert codes[7, 0] == pytest.approx(np.sin(7), abs=1e-6)
    assert codes[7, -1] == pytest.approx(np.cos(7e-4), abs=1e-6)  # the slowest
    likeness = codes @ codes.T / 192
    np.fill_diagonal(likeness, 0)
    assert likeness.max() < 0.999


def test_the_speaker_encoder_is_the_modules():
    module = randomise(SpeakerEncoder(n_mels=8, width=16, n_blocks=2, n_embedding=5))
    stored, mel = store_network(module), draw(60, 8) - 5
    speech = np.arange(60) % 7 > 2
    session = Session(build_speaker_encoder(stored.weights, **stored.arguments))
    found = session.run({"mel": mel, "weight": share_frames(speech)})["embedding"][0]
    with torch.no_grad():
        wanted = module(to_batch(mel), torch.from_numpy(speech.astype(np.float32))[None])[0]
    np.testing.assert_allclose(found / np.linalg.norm(found), wanted.numpy(), atol=TOLERANCE)


def test_f0_from_mels_is_the_modules():
    module = randomise(SourceFilterVocoder(SPEC, width=16, n_blocks=2))
    mel = draw(30, 80) * 2 - 5
    session = Session(build_pitch(store_network(module).weights, SPEC))
    with torch.no_grad():
        wanted = torch.stack(module.pitch(to_batch(mel)), -1)[0].numpy()
    np.testing.assert_allclose(session.run({"mel": mel})["pitch"], wanted, atol=TOLERANCE)


def test_weights_of_another_shape_are_named():
    stored = store_network(SourceFilterVocoder(SPEC, width=16, n_blocks=2))
    with pytest.raises(ValueError, match="embed.weight is of shape"):
        build_filters(stored.weights, SPEC, **stored.arguments | {"width": 8})
    with pytest.raises(ValueError, match="look_ahead=7 is not from 0 to 6"):
        build_filters(stored.weights, SPEC, **stored.arguments | {"look_ahead": 7})
    with pytest.raises(ValueError, match="blocks.1.* more are not its"):
        build_filters(stored.weights, SPEC, **stored.arguments | {"n_blocks": 1})
