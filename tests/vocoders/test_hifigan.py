import json
import shutil

import numpy as np
import pytest
import torch

from voxcycle.audio.mel import LogMel, MelSpec
from voxcycle.conversion.stages import Renderer
from voxcycle.vocoders import VocoderError
from voxcycle.vocoders.hifigan import HiFiGAN

SMALL = {
    "resblock": "2",
    "upsample_rates": [8, 8, 4],
    "upsample_kernel_sizes": [16, 16, 8],
    "upsample_initial_channel": 16,
    "resblock_kernel_sizes": [3],
    "resblock_dilation_sizes": [[1, 2]],
    "num_mels": 80,
    "n_fft": 1024,
    "hop_size": 256,
    "win_size": 1024,
    "sampling_rate": 22050,
    "fmin": 0,
    "fmax": 8000,
}


def write_checkpoint(folder, name="g_00000100", **changes):
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(SMALL | changes))
    shapes = {"conv_pre": (16, 80, 7), "conv_post": (1, 2, 7)}
    for stage, (channels, kernel) in enumerate(((16, 16), (8, 16), (4, 8))):
        half = channels // 2
        shapes[f"ups.{stage}"] = (channels, half, kernel)
        for index in range(2):
            shapes[f"resblocks.{stage}.convs.{index}"] = (half, half, 3)
    state = {}
    for layer, shape in shapes.items():
        state[f"{layer}.weight"] = 0.3 * torch.randn(shape)
        state[f"{layer}.bias"] = torch.randn(shape[1] if layer.startswith("ups") else shape[0])
    torch.save({"generator": state}, folder / name)
    return folder / name


def test_chunks_equal_the_whole(speech):
    """To -80 dB: in a stage's chunks, and against one call where it does not see the ends."""
    vocoder = HiFiGAN.load_universal()
    mel = LogMel(vocoder.spec)(speech)[:128]
    whole, chunked = (run_stage(Renderer(vocoder, n), mel) for n in (128, 32))
    assert np.abs(chunked - whole).max() < 1e-4 * np.abs(whole).max()
    inner = slice(vocoder.context_frames * 256, -vocoder.context_frames * 256)
    expected = vocoder.decode(mel)[inner]
    assert np.abs(chunked[inner] - expected).max() < 1e-4 * np.abs(expected).max()


def run_stage(stage, mels):
    unvoiced = np.zeros(len(mels), np.float32)
    return np.concatenate([stage.push(mels, unvoiced, unvoiced.astype(float)), stage.flush()])


def test_universal_weights_have_the_default_analysis():
    vocoder = HiFiGAN.load_universal()
    assert (vocoder.spec, vocoder.name) == (MelSpec(), "hifigan")


def test_a_missing_weights_package_is_named(monkeypatch):
    monkeypatch.setattr("voxcycle.vocoders.hifigan.WEIGHTS_PACKAGE", "no_such_package_here")
    with pytest.raises(VocoderError, match=r"no_such_package_here.*voxcycle\[hifigan\]"):
        HiFiGAN.load_universal()


@pytest.fixture
def checkpoint(tmp_path):
    return write_checkpoint(tmp_path / "own")


def test_a_folder_gives_its_latest_checkpoint(checkpoint):
    shutil.copy(checkpoint, checkpoint.with_name("do_00000100"))  # the discriminators' file
    mel = np.random.default_rng(0).normal(size=(8, 80)).astype(np.float32)
    first = HiFiGAN.load(checkpoint)
    assert first.name == str(checkpoint)
    assert np.array_equal(first.decode(mel), HiFiGAN.load(checkpoint.parent).decode(mel))
    latest = HiFiGAN.load(write_checkpoint(checkpoint.parent, "g_00000200"))
    assert np.array_equal(latest.decode(mel), HiFiGAN.load(checkpoint.parent).decode(mel))
    assert not np.array_equal(latest.decode(mel), first.decode(mel))


def test_other_analysis_is_read_from_the_config(tmp_path):
    spec = HiFiGAN.load(write_checkpoint(tmp_path, sampling_rate=16000, fmax=None)).spec
    assert (spec.sample_rate, spec.f_max) == (16000, 8000.0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hop_size": 300}, "256 samples of a frame, hop_size says 300"),
        ({"upsample_initial_channel": 32}, "do not fit the generator"),
        ({"resblock": "7"}, "not the configuration of a HiFi-GAN"),
        ({"resblock_kernel_sizes": 3}, "not the configuration of a HiFi-GAN"),
        ({"resblock_dilation_sizes": [[1, 10**9]]}, "not the configuration of a HiFi-GAN"),
        ({"upsample_rates": [8, 8, "4"]}, "not the configuration of a HiFi-GAN"),
        ({"upsample_rates": [8, 8, 0]}, "not the configuration of a HiFi-GAN"),
    ],
)
def test_config_of_another_model_is_one_sentence(tmp_path, changes, message):
    with pytest.raises(VocoderError, match=message) as raised:
        HiFiGAN.load(write_checkpoint(tmp_path, **changes))
    assert str(tmp_path) in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("damage", ["text", "cut", "other", "bare", "code", "numbers"])
def test_a_wrong_checkpoint_is_one_sentence_and_runs_nothing(checkpoint, exploit, damage):
    contents = {
        "other": {"model": {}},
        "bare": torch.zeros(3),
        "code": {"generator": exploit},
        "numbers": {"generator": {"conv_pre.weight": 3}},
    }
    if damage in contents:
        torch.save(contents[damage], checkpoint)
    else:
        whole = checkpoint.read_bytes()
        checkpoint.write_bytes(b"not a checkpoint" if damage == "text" else whole[:1000])
    with pytest.raises(VocoderError) as raised:
        HiFiGAN.load(checkpoint)
    assert str(checkpoint) in str(raised.value)
    assert "\n" not in str(raised.value)
    assert not exploit.path.exists()


def test_missing_files_are_named(checkpoint):
    config = checkpoint.with_name("config.json")
    config.write_text("{")
    with pytest.raises(VocoderError, match="config.json: not a readable JSON"):
        HiFiGAN.load(checkpoint)
    config.unlink()
    with pytest.raises(VocoderError, match="config.json: missing"):
        HiFiGAN.load(checkpoint)
    checkpoint.unlink()
    with pytest.raises(VocoderError, match="holds 0 files"):
        HiFiGAN.load(checkpoint.parent)
    with pytest.raises(VocoderError, match="no such HiFi-GAN checkpoint"):
        HiFiGAN.load(checkpoint)


@pytest.mark.parametrize(
    ("text", "problem"),
    [("[" * 10**6, "not a readable JSON file"), (json.dumps(SMALL | {"fmin": 10**400}), "not the")],
)
def test_hostile_settings_are_refused(tmp_path, text, problem):
    path = write_checkpoint(tmp_path / "a")
    path.with_name("config.json").write_text(text)
    with pytest.raises(VocoderError, match=f"config.json: {problem}"):
        HiFiGAN.load(path)
