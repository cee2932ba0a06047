"""Training of a vocoder end to end on synthetic speech: resuming, its file, what is refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from rich.console import Console
from safetensors.torch import load_file

from voxcycle.artifacts import ArtifactError
from voxcycle.audio.mel import LogMel, MelSpec
from voxcycle.speech import train_vocoder as training
from voxcycle.speech.corpus import CorpusError
from voxcycle.speech.train_vocoder import VocoderTrainingConfig, convert_recordings, train_vocoder
from voxcycle.training.config import load_config
from voxcycle.vocoders.registry import FAST_FILE
from voxcycle.voices.library import find_voice, load_voice
from voxcycle.voices.voice import VoiceError


@pytest.fixture(scope="module")
def folder(
    tmp_path_factory: pytest.TempPathFactory, make_speech: Callable[..., np.ndarray]
) -> Path:
    folder = tmp_path_factory.mktemp("speaker")
    for index in range(6):
        wave = make_speech(11.0, 16_000, 130.0, seed=index)
        soundfile.write(folder / f"{index}.wav", wave, 16_000)
    return folder


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))


def make_config(folder: Path, out: Path, **changes: Any) -> VocoderTrainingConfig:
    small = {
        "width": 16,
        "n_blocks": 2,
        "discriminator_width": 4,
        "period_width": 4,
        "batch_size": 2,
        "n_frames": 16,
    }
    return VocoderTrainingConfig(
        folders=(folder,), out=out, **{"steps": 4, "threads": 1} | small | changes
    )


@pytest.mark.parametrize("per_step", [None, 1])
def test_stopping_and_resuming_changes_nothing(
    folder: Path, tmp_path: Path, per_step: int | None
) -> None:
    train_vocoder(make_config(folder, tmp_path / "whole", discriminators_per_step=per_step))
    train_vocoder(
        make_config(folder, tmp_path / "parts", steps=2, discriminators_per_step=per_step)
    )
    train_vocoder(
        make_config(folder, tmp_path / "parts", discriminators_per_step=per_step), resume=True
    )
    first, second = (
        torch.load(tmp_path / run / "last.ckpt", weights_only=True) for run in ("whole", "parts")
    )
    assert first["steps_done"] == second["steps_done"]
    for part in ("method", "ema"):
        assert first[part].keys() == second[part].keys()
        assert all(torch.equal(first[part][name], second[part][name]) for name in first[part])
    files = [tmp_path / run / "vocoder.safetensors" for run in ("whole", "parts")]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_the_spectral_losses_fall(folder: Path, tmp_path: Path) -> None:
    """Eighty steps on six clips: nearer to the recording than the mel's own envelope, the start."""
    from voxcycle.audio.f0 import extract_f0
    from voxcycle.losses.spectral import multi_resolution_stft_loss
    from voxcycle.speech.features import load_analysis_waveform
    from voxcycle.vocoders.registry import load_vocoder

    spec = MelSpec()
    waveform = load_analysis_waveform(folder / "0.wav", spec)[: 100 * spec.hop_length]
    mel = LogMel(spec)(torch.from_numpy(waveform)[None])
    f0 = torch.from_numpy(extract_f0(waveform, spec))[None]
    losses = []
    for steps in (1, 80):
        config = make_config(
            folder,
            tmp_path / f"{steps}",
            steps=steps,
            discriminator_width=0,
            period_width=0,
            ema_decay=0.9,
        )
        vocoder = load_vocoder(str(train_vocoder(config).path), spec)
        terms = multi_resolution_stft_loss(
            vocoder.decode(mel, f0), torch.from_numpy(waveform)[None]
        )
        losses.append(terms["log_magnitude"].item())
    assert losses[1] < 0.93 * losses[0]


def test_another_setting_or_a_second_start_is_refused(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    with pytest.raises(ValueError, match="no checkpoint to resume"):
        train_vocoder(make_config(folder, out), resume=True)
    train_vocoder(make_config(folder, out, steps=1))
    with pytest.raises(ValueError, match="holds a training already"):
        train_vocoder(make_config(folder, out))
    with pytest.raises(ValueError, match="started with mel=5.0, not 2.0"):
        train_vocoder(make_config(folder, out, mel=2.0), resume=True)


def test_a_run_may_begin_with_the_networks_of_another(folder: Path, tmp_path: Path) -> None:
    train_vocoder(make_config(folder, tmp_path / "first", steps=2))
    checkpoint = tmp_path / "first" / "last.ckpt"
    config = make_config(
        folder, tmp_path / "second", start=checkpoint, steps=3, batch_size=1, snapshot_every=1
    )
    trained = train_vocoder(config)
    assert trained.n_steps == 3
    kept = sorted(p.name for p in (tmp_path / "second").glob("vocoder-*"))
    assert kept == ["vocoder-3.safetensors"]
    before, after = (
        torch.load(tmp_path / run / "last.ckpt", weights_only=True)["method"]
        for run in ("first", "second")
    )
    name = "generator.out.weight"
    # one step of AdamW moves no weight by more than about its rate
    assert 0 < (before[name] - after[name]).abs().max() < 2 * config.generator_lr


def test_wrong_settings_are_refused_before_recordings_are_read(
    folder: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setattr(training, "load_recordings", None)  # would fail if called
    with pytest.raises(CorpusError, match="name folders"):
        train_vocoder(VocoderTrainingConfig(out=tmp_path / "run"))
    with pytest.raises(VoiceError, match="unknown voice 'hart'"):
        train_vocoder(make_config(folder, tmp_path / "run", voices=("hart",)))
    with pytest.raises(ValueError, match="its network differs from the settings"):
        train_vocoder(make_config(folder, tmp_path / "run", start=FAST_FILE))


def test_voice_files_are_stored_with_their_whole_paths() -> None:
    config = VocoderTrainingConfig(
        out=Path("run"), voices=("heart", "mine.safetensors", "sub/other")
    )
    assert config.voices == (
        "heart",
        str(Path("mine.safetensors").absolute()),
        str(Path("sub/other").absolute()),
    )


def test_conversions_by_voices_are_training_data(
    folder: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    """Conversions are at the voice's pitch, and their waveforms have their mels."""
    monkeypatch.setattr(training, "N_CONVERSIONS", 2)
    console, spec = Console(quiet=True), MelSpec()
    converted = convert_recordings(
        ("heart", "george"), (folder,), spec=spec, seed=0, console=console
    )
    assert len(converted) == 2 * 2
    for name, recording in zip(("heart", "heart", "george", "george"), converted, strict=True):
        target_hz = np.exp(load_voice(name).target_stats.log_f0_mean)
        voiced = recording.f0_hz[recording.f0_hz > 0]
        assert abs(12 * np.log2(np.median(voiced) / target_hz)) < 3  # the source has 130 Hz
        waveform = torch.from_numpy(recording.samples / np.float32(32768))[None]
        heard = LogMel(spec)(waveform)[0].T.numpy()
        assert recording.mel.shape == heard.shape
        loud = recording.mel > recording.mel.max() - 5
        assert np.abs(heard - recording.mel)[loud].mean() < 0.35
    config = make_config(folder, tmp_path / "run", voices=("heart",), steps=1)
    train_vocoder(config)
    # resumed without them, it continues with its recordings and voices
    assert train_vocoder(VocoderTrainingConfig(out=config.out), resume=True).n_steps == 1
    resumed = VocoderTrainingConfig(out=config.out, steps=2)
    assert train_vocoder(resumed, resume=True).n_steps == 2
    stored = load_config(VocoderTrainingConfig, {}, tmp_path / "run" / "config.yaml")
    assert stored.voices == ("heart",)
    assert stored.folders == (folder.absolute(),)


def test_a_run_may_begin_with_the_network_of_a_file(folder: Path, tmp_path: Path) -> None:
    first = train_vocoder(make_config(folder, tmp_path / "first", steps=2)).path
    config = make_config(folder, tmp_path / "second", start=first, steps=1)
    trained = train_vocoder(config)
    assert trained.n_steps == 1
    name = "out.weight"
    before, after = (load_file(path)[name].float() for path in (first, trained.path))
    assert 0 < (before - after).abs().max() < 2 * config.generator_lr
    for other in ({"width": 8}, {"has_prior": False}, {"has_prior": False, "has_phase": False}):
        wanted = " ".join(
            f"{key}={16 if key == 'width' else 'true'}" for key in sorted(other)[::-1]
        )
        with pytest.raises(
            ValueError, match="its network differs from the settings; set "
        ) as raised:
            train_vocoder(make_config(folder, tmp_path / "third", start=first, **other))
        assert set(wanted.split()) <= set(str(raised.value).split())
    with pytest.raises(ArtifactError, match="heart.safetensors: .* of the kind voice, not vocoder"):
        train_vocoder(make_config(folder, tmp_path / "fourth", start=find_voice("heart")))
