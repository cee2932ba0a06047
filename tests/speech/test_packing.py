"""Packs of recordings: trainings from them see the batches that trainings from folders see."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console
from safetensors.numpy import load_file

from voxcycle.artifacts import VOCODER, read_header
from voxcycle.audio.mel import MelSpec
from voxcycle.audio.stats import average_stats
from voxcycle.speech.config import PretrainedTrainingConfig, VocoderTrainingConfig
from voxcycle.speech.corpus import CorpusError
from voxcycle.speech.crops import UnpairedCrops
from voxcycle.speech.packing import order_evenly, pack_pretraining, pack_vocoder_training
from voxcycle.speech.packs import (
    MEL_STEPS,
    PRETRAINING,
    VOCODER_TRAINING,
    decode_mel,
    encode_mel,
    pack_recording,
    read_recordings,
    read_settings_of,
    read_speakers,
    write_pack,
)
from voxcycle.speech.pool import load_speakers
from voxcycle.speech.train_pretrained import train_pretrained
from voxcycle.speech.train_vocoder import train_vocoder
from voxcycle.speech.vocoder_crops import VocoderCrops
from voxcycle.speech.vocoder_recordings import load_recordings

SPEC, CONSOLE = MelSpec(), Console(quiet=True)
RECIPES = Path(__file__).parents[2] / "recipes"
SMALL_VOCODER = {"width": 16, "n_blocks": 2, "discriminator_width": 4, "period_width": 4}
SMALL_VOCODER |= {"batch_size": 2, "n_frames": 16, "threads": 1}
SMALL_NETWORKS = {"width": 16, "n_blocks": 1, "discriminator_widths": (4, 4, 4, 4)}
SMALL_NETWORKS |= {"spectrum_width": 8, "batch_size": 2, "threads": 1, "separates_pitch": False}

pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture(scope="module")
def pool(folders):
    return (folders / "pool" / "one", folders / "pool" / "two")


@pytest.fixture(scope="module")
def vocoder_pack(pool, own_cache, tmp_path_factory):
    """A config and its pack without loss."""
    path = tmp_path_factory.mktemp("packs") / "vocoder.pack"
    config = VocoderTrainingConfig(out=Path("run"), folders=pool, mel=4.0, **SMALL_VOCODER)
    pack_vocoder_training(config, path, megabytes=20, console=CONSOLE, steps_per_rms=None)
    return config, path


@pytest.fixture(scope="module")
def pretraining_pack(pool, own_cache, tmp_path_factory):
    path = tmp_path_factory.mktemp("packs") / "pretrained.pack"
    config = PretrainedTrainingConfig(
        out=Path("run"), folders=pool, corrupted=0.5, perturbed_source=0.5, **SMALL_NETWORKS
    )
    pack_pretraining(config, path, megabytes=20, console=CONSOLE)
    return config, path


def test_mels_are_off_by_half_a_step_at_most():
    mel = np.random.default_rng(0).normal(-5, 3, (50, 80)).astype(np.float32)
    found = decode_mel(encode_mel(mel), 80).astype(np.float32)
    assert np.abs(found - mel).max() <= 0.5 / MEL_STEPS + 1e-6
    assert 0.01 < np.abs(found - mel).mean()  # a quarter of a step is 0.0156


def test_batches_of_a_vocoder_are_those_of_its_folders(vocoder_pack):
    config, path = vocoder_pack
    recorded, converted = read_recordings(path, SPEC)
    assert len(recorded) == 12 and not converted
    one = VocoderCrops(config, load_recordings(config.folders, SPEC, CONSOLE), SPEC)
    two = VocoderCrops(config, recorded, SPEC)
    for index in (0, 7):
        wanted, found = one[index], two[index]
        for name in ("waveform", "f0_hz", "spoken_f0_hz", "sources"):
            assert torch.equal(getattr(found, name), getattr(wanted, name)), name
        # Samples of 16 bits have mels of their own where a band is as faint as their rounding.
        difference = (found.log_mel - wanted.log_mel).abs()
        assert difference[wanted.log_mel > -7].max() < 0.02  # 0.17 dB; fp16 alone gives 0.008
        assert difference.mean() < 0.1


def test_conversions_keep_their_mels_and_come_last(vocoder_pack, tmp_path):
    config, _ = vocoder_pack
    recording = load_recordings(config.folders[:1], SPEC, CONSOLE)[0]
    mel = np.random.default_rng(0).normal(-5, 2, recording.mel.shape).astype(np.float16)
    packed = [
        pack_recording(recording, False, None),
        pack_recording(recording._replace(mel=mel), True, 128),
    ]
    write_pack(tmp_path / "a.pack", VOCODER_TRAINING, packed, {"settings": {}})
    [recorded], [converted] = read_recordings(tmp_path / "a.pack", SPEC)
    np.testing.assert_array_equal(recorded.samples, recording.samples)
    assert np.abs(converted.mel.astype(float) - mel).max() <= 0.5 / MEL_STEPS
    error = np.abs(converted.samples.astype(float) - recording.samples).max()
    assert 0 < error < np.abs(recording.samples).max() / 128
    for one in (recorded, converted):
        np.testing.assert_array_equal(one.f0_hz, recording.f0_hz)
        np.testing.assert_array_equal(one.speech, recording.speech)


def test_batches_of_pretraining_are_nearly_those_of_its_folders(pretraining_pack):
    """The same crops, disguises, corruptions and masks are drawn; mels are rounded."""
    config, path = pretraining_pack
    packed = read_speakers(path, SPEC, torch.device("cpu"))
    loaded = load_speakers(config.folders, SPEC, CONSOLE)
    batches = []
    for speakers in (loaded, packed):
        prior = average_stats([speaker.stats for speaker in speakers])
        batches.append(UnpairedCrops(config, speakers, speakers, spec=SPEC, prior=prior)[3])
    for wanted, found in zip(*batches, strict=True):
        for name in ("mask", "speech", "excitation"):
            assert torch.equal(getattr(found, name), getattr(wanted, name)), name
        # At most 1/32 neper, in units of a deviation, which is at least 0.3.
        assert (found.real - wanted.real).abs().max() < (1 / 32 + 0.01) / 0.3
        for name in ("source", "perturbed"):
            heard, other = getattr(found, name), getattr(wanted, name)
            pair = np.stack([x.numpy()[:, :-1].ravel() for x in (heard, other)])
            assert np.corrcoef(pair)[0, 1] > 0.99, name
            assert (heard - other).abs().mean() < 0.1, name  # features have deviations near 1


def test_packs_have_a_size_and_hold_as_much_of_every_speaker(pool, folders, tmp_path):
    config = VocoderTrainingConfig(out=Path("run"), folders=(*pool, folders / "high"), mel=4.0)
    path = tmp_path / "small.pack"
    made = pack_vocoder_training(config, path, megabytes=1.0, console=CONSOLE)
    assert 0.7e6 < path.stat().st_size <= 1.0e6
    recorded, _ = read_recordings(path, SPEC)
    seconds = sum(len(one.f0_hz) for one in recorded) / SPEC.frame_rate
    assert made.minutes == pytest.approx(seconds / 60) and made.minutes_converted == 0
    # the speakers are an octave and less apart, so that their pitch tells them
    pitch = [np.median(one.f0_hz[one.f0_hz > 0]) for one in recorded]
    counts = np.bincount(np.searchsorted([160, 200], pitch), minlength=3)
    assert counts.max() - counts.min() <= 1 and counts.min() > 0
    assert read_settings_of(path, VOCODER_TRAINING) == {"mel": 4.0}
    with pytest.raises(CorpusError, match="not one recording fits"):
        pack_vocoder_training(config, path, megabytes=0.01, console=CONSOLE)


def test_the_next_item_is_of_the_group_of_which_least_was_taken():
    durations = [[10.0, 10.0], [1.0, 1.0, 1.0], [4.0, 4.0, 4.0]]
    orders = [order_evenly(durations, seed) for seed in range(20)]
    for order in orders:
        assert len(set(order)) == len(order) == 8
        # after one of each: group 1 until it is over, then 2 until it is over or above 10 s
        assert sorted(group for group, _ in order[:3]) == [0, 1, 2]
        assert [group for group, _ in order[3:]] == [1, 1, 2, 2, 0]
    assert {order[0][0] for order in orders} == {0, 1, 2}  # no folder is always the first
    assert order_evenly([[1.0] * 30], 0) != order_evenly([[1.0] * 30], 1)


def test_wrong_packs_are_refused(vocoder_pack, pretraining_pack, pool, tmp_path):
    _, path = vocoder_pack
    with pytest.raises(ValueError, match="a pack for the training vocoder, not pretrained"):
        read_settings_of(path, PRETRAINING)
    with pytest.raises(ValueError, match="for the training pretrained, not vocoder"):
        train_vocoder(VocoderTrainingConfig(out=tmp_path / "run", pack=pretraining_pack[1]))
    with pytest.raises(ValueError, match="give folders or a pack"):
        PretrainedTrainingConfig(out=tmp_path, pack=path, folders=pool)
    with pytest.raises(ValueError, match="leave folders, voices and sources out"):
        VocoderTrainingConfig(out=tmp_path, pack=path, voices=("heart",))
    data = bytearray(path.read_bytes())
    data[-1000] ^= 1
    (tmp_path / "damaged.pack").write_bytes(data)
    with pytest.raises(ValueError, match="damaged.pack: .* altered or damaged"):
        read_recordings(tmp_path / "damaged.pack", SPEC)


WITHOUT = """
import runpy
import sys

ABSENT = {"soundfile", "soxr", "librosa", "swift_f0", "pyworld", "joblib", "onnxruntime"}
ABSENT |= {"threadpoolctl"}


class Hiding:
    def __init__(self, finder):
        self.finder = finder

    def find_spec(self, name, path=None, target=None):
        return None if name.split(".")[0] in ABSENT else self.finder.find_spec(name, path, target)

    def find_distributions(self, context):
        find = getattr(self.finder, "find_distributions", None)
        hidden = (context.name or "").replace("-", "_") in ABSENT
        return [] if hidden or find is None else find(context)


sys.meta_path[:] = [Hiding(finder) for finder in sys.meta_path]
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
assert not ABSENT & sys.modules.keys()
"""


@pytest.mark.parametrize("name", ["vocoder", "pretrained"])
def test_a_training_from_a_pack_needs_no_library_of_audio_files(
    name, vocoder_pack, pretraining_pack, tmp_path
):
    """Batches are those of the pack, so the run equals one in this process bit for bit."""
    config, pack = vocoder_pack if name == "vocoder" else pretraining_pack
    words = [RECIPES / f"train_{name}.py", tmp_path / "run", "--pack", pack, "--steps", "3"]
    command = [sys.executable, "-c", WITHOUT, *words, "log_every=1"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(x) for x in (tmp_path / "run/log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2, 3]
    assert all(np.isfinite(value) for line in lines for value in line.values())
    changes = {"out": tmp_path / "here", "folders": (), "pack": pack, "steps": 3}
    train = train_vocoder if name == "vocoder" else train_pretrained
    here = load_file(train(config.model_copy(update=changes)).path)
    there = load_file(tmp_path / "run" / f"{name}.safetensors")
    assert here.keys() == there.keys()
    for key, value in here.items():
        assert value.dtype == np.float16
        np.testing.assert_array_equal(value, there[key], err_msg=key)


def test_a_time_limit_ends_a_call_and_resuming_goes_on(vocoder_pack, tmp_path):
    config, pack = vocoder_pack
    changes = {"out": tmp_path, "folders": (), "pack": pack, "steps": 2}
    limited = config.model_copy(update=changes | {"time_limit_min": 1e-9})
    assert train_vocoder(limited).n_steps == 1
    assert load_file(tmp_path / "vocoder.safetensors")
    free = VocoderTrainingConfig(out=tmp_path)
    assert train_vocoder(free, resume=True).n_steps == 2


def test_the_script_brings_back_weights_and_losses_and_goes_on(vocoder_pack, tmp_path):
    script, out = RECIPES / "run_packed.sh", tmp_path / "out"
    command = ["bash", script, "vocoder", vocoder_pack[1], "1e-9", out, "log_every=1"]
    environment = os.environ | {"RUN": str(tmp_path / "run"), "PYTHON": sys.executable}
    for n_steps in (1, 2):
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
        assert done.returncode == 0, done.stderr
        lines = (out / "log.jsonl").read_text().splitlines()
        assert [json.loads(line)["step"] for line in lines] == list(range(1, n_steps + 1))
        header = read_header(out / "vocoder.safetensors", VOCODER)
        assert header["about"]["steps"] == n_steps
    names = {"config.yaml", "log.jsonl", "train.txt", "vocoder.safetensors"}
    assert {path.name for path in out.iterdir()} == names


@pytest.mark.gpu
@pytest.mark.parametrize("name", ["vocoder", "pretrained"])
def test_trainings_run_on_a_gpu_in_bf16(name, vocoder_pack, pretraining_pack, tmp_path):
    config, pack = vocoder_pack if name == "vocoder" else pretraining_pack
    changes = {"folders": (), "pack": pack, "steps": 3, "log_every": 1, "workers": 2}
    train = train_vocoder if name == "vocoder" else train_pretrained
    losses = []
    for device, precision in (("cpu", "32-true"), ("cuda", "bf16-mixed")):
        out = tmp_path / device
        own = {"out": out, "accelerator": device, "precision": precision}
        weights = load_file(train(config.model_copy(update=changes | own)).path)
        assert all(np.isfinite(value).all() for value in weights.values())
        first = json.loads((out / "log.jsonl").read_text().splitlines()[0])
        losses.append({key: value for key, value in first.items() if "/" in key})
    assert losses[0].keys() == losses[1].keys()
    for key, value in losses[0].items():  # bf16 has 8 bits: losses within a few per cent
        assert losses[1][key] == pytest.approx(value, rel=0.1, abs=0.02), key
