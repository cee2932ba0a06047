"""Training of a vocoder end to end on synthetic speech: resuming, its file, what is refused."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console
from safetensors.torch import load_file

from voxcycle.artifacts import ArtifactError
from voxcycle.audio.mel import LogMel, MelSpec
from voxcycle.models.source_filter_networks import SourceFilterVocoder
from voxcycle.models.weights import store_network
from voxcycle.speech import vocoder_recordings as training
from voxcycle.speech.corpus import CorpusError
from voxcycle.speech.train_vocoder import (
    VocoderTrainingConfig,
    adapt_weights,
    build_vocoder_method,
    save_vocoder,
    start_with,
    train_vocoder,
)
from voxcycle.speech.vocoder_recordings import convert_recordings, load_recordings
from voxcycle.training.config import load_config
from voxcycle.training.state import TrainingState
from voxcycle.vocoders.hifigan import HiFiGAN
from voxcycle.vocoders.registry import FAST_FILE
from voxcycle.vocoders.source_filter import SourceFilter
from voxcycle.voices.library import find_voice, load_voice
from voxcycle.voices.voice import VoiceError

pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture(scope="module")
def folder(folders):
    return folders / "pool" / "one"


def make_config(folder, out, **changes):
    small = {"width": 16, "n_blocks": 2, "discriminator_width": 4, "period_width": 4}
    values = small | {"batch_size": 2, "n_frames": 16, "steps": 4, "threads": 1}
    return VocoderTrainingConfig(folders=(folder,), out=out, **values | changes)


@pytest.fixture(scope="module")
def finished(folder, own_cache, tmp_path_factory):
    """The folder of a run of four steps."""
    return train_vocoder(make_config(folder, tmp_path_factory.mktemp("finished"))).path.parent


@pytest.mark.parametrize("per_step", [None, 1])
def test_stopping_and_resuming_changes_nothing(folder, tmp_path, per_step):
    drawn = {"discriminators_per_step": per_step}
    train_vocoder(make_config(folder, tmp_path / "whole", **drawn))
    train_vocoder(make_config(folder, tmp_path / "parts", steps=2, **drawn))
    train_vocoder(make_config(folder, tmp_path / "parts", **drawn), resume=True)
    first, second = (
        torch.load(tmp_path / run / "last.ckpt", weights_only=True) for run in ("whole", "parts")
    )
    assert first["steps_done"] == second["steps_done"]
    for part in ("method", "ema"):
        assert first[part].keys() == second[part].keys()
        assert all(torch.equal(first[part][name], second[part][name]) for name in first[part])
    files = [tmp_path / run / "vocoder.safetensors" for run in ("whole", "parts")]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_the_spectral_losses_fall(folder, tmp_path):
    """Eighty steps on six clips: nearer to the recording than the mel's own envelope, the start."""
    from voxcycle.audio.f0 import extract_f0
    from voxcycle.losses.spectral import multi_resolution_stft_loss
    from voxcycle.speech.features import load_analysis_waveform
    from voxcycle.vocoders.registry import load_vocoder

    spec = MelSpec()
    waveform = load_analysis_waveform(folder / "0.wav", spec)[: 100 * spec.hop_length]
    mel, f0_hz = LogMel(spec)(waveform), extract_f0(waveform, spec)
    losses = []
    for steps in (1, 80):
        settings = {"discriminator_width": 0, "period_width": 0, "ema_decay": 0.9}
        config = make_config(folder, tmp_path / f"{steps}", steps=steps, **settings)
        rendered = load_vocoder(str(train_vocoder(config).path), spec).decode(mel, f0_hz)
        pair = [torch.from_numpy(x)[None] for x in (rendered, waveform)]
        terms = multi_resolution_stft_loss(*pair)
        losses.append(terms["log_magnitude"].item())
    assert losses[1] < 0.93 * losses[0]


def test_another_setting_or_a_second_start_is_refused(folder, finished, tmp_path):
    with pytest.raises(ValueError, match="no checkpoint to resume"):
        train_vocoder(make_config(folder, tmp_path / "run"), resume=True)
    with pytest.raises(ValueError, match="holds a training already"):
        train_vocoder(make_config(folder, finished))
    with pytest.raises(ValueError, match="started with mel=5.0, not 2.0"):
        train_vocoder(make_config(folder, finished, mel=2.0), resume=True)


def test_a_run_may_begin_with_the_networks_of_another(folder, finished, tmp_path):
    begun = {"start": finished / "last.ckpt", "steps": 5, "batch_size": 1, "snapshot_every": 1}
    config = make_config(folder, tmp_path, **begun)
    assert train_vocoder(config).n_steps == 5
    assert [p.name for p in tmp_path.glob("vocoder-*")] == ["vocoder-5.safetensors"]
    before, after = (
        torch.load(run / "last.ckpt", weights_only=True)["method"]["generator.out.weight"]
        for run in (finished, tmp_path)
    )
    # one step of AdamW moves no weight by more than about its rate
    assert 0 < (before - after).abs().max() < 2 * config.generator_lr


def test_wrong_settings_are_refused_before_recordings_are_read(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(training, "load_recordings", None)  # would fail if called
    with pytest.raises(CorpusError, match="name folders"):
        train_vocoder(VocoderTrainingConfig(out=tmp_path / "run"))
    with pytest.raises(VoiceError, match="unknown voice 'hart'"):
        train_vocoder(make_config(folder, tmp_path / "run", voices=("hart",)))
    with pytest.raises(ValueError, match="its network differs from the settings"):
        train_vocoder(make_config(folder, tmp_path / "run", start=FAST_FILE))


def test_people_with_a_few_seconds_each_are_enough_together(folder, tmp_path):
    files = sorted(folder.iterdir())
    middle = len(files) // 2
    people = [tmp_path / "anna", tmp_path / "ben", tmp_path / "nobody"]
    for person, part in zip(people, (files[:middle], files[middle:], []), strict=True):
        person.mkdir()
        for path in part:
            (person / path.name).symlink_to(path)
    console = Console(record=True, width=1000, stderr=True)
    assert len(load_recordings(people, MelSpec(), console)) == len(files)
    assert re.search("skipped: .*nobody", console.export_text())
    with pytest.raises(CorpusError, match=r"anna and 1 more: \d\d s .* 60 s are needed in all"):
        load_recordings([people[0], people[2]], MelSpec(), console)


def test_voice_files_are_stored_with_their_whole_paths():
    voices = ("heart", "mine.safetensors", "sub/other")
    config = VocoderTrainingConfig(out=Path("run"), voices=voices)
    assert config.voices == ("heart", *(str(Path(name).absolute()) for name in voices[1:]))


def test_conversions_by_voices_are_training_data(folder, tmp_path, write_clips):
    """Conversions are at the voice's pitch, and their waveforms have their mels."""
    console, spec = Console(quiet=True), MelSpec()
    write_clips(tmp_path / "source", 26, 2.5, 130.0)
    recordings = load_recordings((tmp_path / "source",), spec, console)
    converted = convert_recordings(
        ("heart", "george"), recordings, n_conversions=2, spec=spec, seed=0, console=console
    )
    assert len(converted) == 2 * 2
    for name, recording in zip(("heart", "heart", "george", "george"), converted, strict=True):
        target_hz = np.exp(load_voice(name).target_stats.log_f0_mean)
        voiced = recording.f0_hz[recording.f0_hz > 0]
        assert abs(12 * np.log2(np.median(voiced) / target_hz)) < 3  # the source has 130 Hz
        heard = LogMel(spec)(recording.samples / np.float32(32768))
        assert recording.mel.shape == heard.shape
        loud = recording.mel > recording.mel.max() - 5
        assert np.abs(heard - recording.mel)[loud].mean() < 0.35
    sources = {"sources": (tmp_path / "source",), "n_conversions": 1}
    train_vocoder(make_config(folder, tmp_path / "run", voices=("heart",), steps=1, **sources))
    # resumed without them, it continues with its recordings and voices
    for given, n_steps in (({}, 1), ({"steps": 2}, 2)):
        resumed = VocoderTrainingConfig(out=tmp_path / "run", **given)
        assert train_vocoder(resumed, resume=True).n_steps == n_steps
    stored = load_config(VocoderTrainingConfig, {}, tmp_path / "run" / "config.yaml")
    assert (stored.voices, stored.folders) == (("heart",), (folder.absolute(),))


def test_a_teacher_renders_a_conversion_once(tmp_path, write_clips, monkeypatch):
    console, spec = Console(quiet=True), MelSpec()
    write_clips(tmp_path / "source", 26, 2.5, 130.0)
    recordings = load_recordings((tmp_path / "source",), spec, console)
    given = {"n_conversions": 1, "spec": spec, "seed": 3, "console": console}
    (first,) = convert_recordings(("heart",), recordings, **given)
    monkeypatch.setattr(HiFiGAN, "decode", None)  # would fail if called
    (second,) = convert_recordings(("heart",), recordings, **given)
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, other)
    with pytest.raises(TypeError):  # another recording
        convert_recordings(("heart",), recordings, **given | {"seed": 4})


def test_a_run_may_begin_with_the_network_of_a_file(folder, finished, tmp_path):
    first = finished / "vocoder.safetensors"
    config = make_config(folder, tmp_path, start=first, steps=1)
    trained = train_vocoder(config)
    assert trained.n_steps == 1
    before, after = (load_file(path)["out.weight"].float() for path in (first, trained.path))
    assert 0 < (before - after).abs().max() < 2 * config.generator_lr
    for other, wanted in (
        ({"width": 8}, {"width=16"}),
        ({"has_prior": False}, {"has_prior=true"}),
        ({"has_prior": False, "has_phase": False}, {"has_prior=true", "has_phase=true"}),
    ):
        with pytest.raises(ValueError, match="network differs from the settings; set ") as raised:
            train_vocoder(make_config(folder, tmp_path / "third", start=first, **other))
        assert wanted <= set(str(raised.value).split())
    with pytest.raises(ArtifactError, match="heart.safetensors: .* of the kind voice, not vocoder"):
        train_vocoder(make_config(folder, tmp_path / "fourth", start=find_voice("heart")))


@pytest.mark.parametrize(("before", "after", "n_blocks"), [(3, 1, 2), (0, 3, 2), (3, 3, 4)])
def test_a_network_grows_and_sees_further(make_speech, before, after, n_blocks):
    """Kernel taps that both have stay in their places, and blocks that are added do nothing."""
    torch.manual_seed(0)
    spec = MelSpec()
    old = SourceFilterVocoder(spec, width=16, n_blocks=2, look_ahead=before)
    with torch.no_grad():  # taps that both have
        old.blocks[0].depthwise.weight[..., :3] = 0
        old.blocks[0].depthwise.weight[..., 6 - before + min(before, after) + 1 :] = 0
    torch.nn.init.normal_(old.out.weight, std=0.1)
    new = SourceFilterVocoder(spec, width=16, n_blocks=n_blocks, look_ahead=after)
    new.load_state_dict(adapt_weights(old, new))
    mel = torch.from_numpy(LogMel(spec)(make_speech(1.0, spec.sample_rate)).T[None].copy())
    pitch = torch.zeros(1, mel.shape[2], 2)
    with torch.no_grad():
        for found, wanted in zip(
            new.respond(mel, pitch)[0], old.respond(mel, pitch)[0], strict=True
        ):
            inner = (..., slice(8, -8))
            torch.testing.assert_close(found[inner], wanted[inner])
    with pytest.raises(ValueError, match="do not become fewer"):
        adapt_weights(new, SourceFilterVocoder(spec, width=16, n_blocks=1))


def test_filters_of_a_file_become_shorter_and_more(tmp_path, make_speech):
    """Refined, a network gives the gains of the file, at every second frequency and twice."""
    torch.manual_seed(0)
    spec = MelSpec()
    old = SourceFilterVocoder(spec, width=16, n_blocks=2)
    torch.nn.init.normal_(old.out.weight, std=0.1)
    path = tmp_path / "old.safetensors"
    SourceFilter(store_network(old), spec).save(path, {})
    config = make_config(tmp_path, tmp_path / "run")
    module = TrainingState(build_vocoder_method(config, spec), config.ema_decay)
    start_with(module, path)
    mel = torch.from_numpy(LogMel(spec)(make_speech(1.0, spec.sample_rate)).T[None].copy())
    pitch = torch.zeros(1, mel.shape[2], 2)
    with torch.no_grad():
        before, offset = old.respond(mel, pitch)
        after, offset_after = module.method.generator.respond(mel, pitch)
    assert config.filters_per_frame == 2 and config.n_sources == 4
    for filters, wanted in (*zip(after[:2], before[:2], strict=True), (offset_after, offset)):
        expected = wanted[:, ::2].repeat_interleave(2, 2)
        torch.testing.assert_close(filters, expected, rtol=5e-3, atol=5e-3)  # kept in fp16
    powers = sum(gain.square() for gain in after[2:])
    torch.testing.assert_close(
        powers, before[2][:, ::2].repeat_interleave(2, 2).square(), rtol=1e-2, atol=1e-3
    )
    save_vocoder(module, path, {})
    with pytest.raises(ValueError, match="do not become"):
        start_with(
            TrainingState(
                build_vocoder_method(
                    config.model_copy(update={"n_fft": 1024, "filters_per_frame": 1}), spec
                ),
                0.9,
            ),
            path,
        )
