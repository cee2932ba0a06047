"""`train_vocoder`: from folders of recordings to a source-filter vocoder."""

import functools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, field_validator
from rich.console import Console
from rich.progress import track
from torch import nn

from voxcycle.audio.f0 import extract_f0, transform_f0
from voxcycle.audio.mel import MelSpec
from voxcycle.audio.perturb import WARPS
from voxcycle.audio.stats import estimate_stats, sum_frames
from voxcycle.audio.stft import RESOLUTIONS
from voxcycle.conversion.generator import convert_mels
from voxcycle.files import cache_dir
from voxcycle.methods.vocoder_gan import VocoderGAN, VocoderWeights
from voxcycle.models.source_filter_networks import (
    PeriodDiscriminator,
    SourceFilterVocoder,
    SpectrogramDiscriminator,
)
from voxcycle.speech.corpus import CorpusError, scan_folder
from voxcycle.speech.features import cache_features, load_analysis_waveform
from voxcycle.speech.vocoder_crops import Recording, VocoderCrops
from voxcycle.training.checkpoint import Snapshots, restore
from voxcycle.training.config import TrainingConfig, save_config
from voxcycle.training.loop import fit, keeps_threads, prepare_run
from voxcycle.training.state import TrainingState
from voxcycle.vocoders.registry import SUFFIX, load_vocoder
from voxcycle.vocoders.source_filter import SourceFilter
from voxcycle.voices.library import find_voice, load_voice, names_file
from voxcycle.voices.voice import Voice

PERIODS = (2, 3, 5, 7, 11)
N_CONVERSIONS = 60  # recordings that each voice converts


class VocoderTrainingConfig(TrainingConfig):
    """Settings of `train_vocoder`; unknown keys are errors."""

    free_on_resume: ClassVar[frozenset[str]] = TrainingConfig.free_on_resume | {
        *("snapshot_every", "folders", "voices", "converted_share")
    }

    folders: tuple[Path, ...] = Field((), description="folders of recordings, any speakers")
    voices: tuple[str, ...] = Field(
        (), description="voices (names or files): train on their conversions of the recordings, too"
    )
    converted_share: float = Field(
        0.5, ge=0, le=1, description="share of the crops from conversions"
    )
    start: Path | None = Field(
        None,
        description="start from the networks and step of another run (its last.ckpt), or from the "
        "network of a vocoder file with new discriminators",
    )
    steps: int = Field(20_000, ge=1, description="iterations, those of `start` included")
    batch_size: int = Field(16, ge=1, description="crops per iteration")
    n_frames: int = Field(64, ge=16, description="frames per crop")
    error_share: float = Field(0.1, ge=0, le=1, description="share of crops with wrong F0")

    width: int = Field(320, ge=8, description="channels of the network")
    n_blocks: int = Field(8, ge=1, description="blocks of the network")
    has_prior: bool = Field(True, description="start from the mel's pseudo-inverse")
    has_phase: bool = Field(True, description="predict phase offsets")
    discriminator_width: int = Field(
        32, ge=0, description="channels of the spectrogram discriminators; 0 builds none"
    )
    period_width: int = Field(
        32, ge=0, description="channels of the period discriminators; 0 builds none"
    )
    discriminators_per_step: int | None = Field(
        None, ge=1, description="discriminators that each step draws; null: all of them"
    )

    spectral_convergence: float = Field(0.5, ge=0, description="weight: STFT magnitudes")
    log_magnitude: float = Field(0.5, ge=0, description="weight: log STFT magnitudes")
    mel: float = Field(5.0, ge=0, description="weight: L1 of log-mels")
    adversarial: float = Field(1.0, ge=0, description="weight: adversarial loss")
    feature_matching: float = Field(
        10.0, ge=0, description="weight: hidden layers of the discriminators"
    )
    pitch: float = Field(1.0, ge=0, description="weight: F0 estimated from the mel")
    generator_lr: float = Field(5e-4, gt=0, description="learning rate of the network")
    discriminator_lr: float = Field(2e-4, gt=0, description="learning rate of the discriminators")
    snapshot_every: int = Field(0, ge=0, description="steps between snapshots; 0: none")

    @field_validator("voices")
    @classmethod
    def _absolute_files(cls, voices: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(str(Path(v).absolute()) if names_file(v) else v for v in voices)


class TrainedVocoder(NamedTuple):
    """Result of a training: its file, and the iterations in all."""

    path: Path
    n_steps: int


@keeps_threads
def train_vocoder(config: VocoderTrainingConfig, resume: bool = False) -> TrainedVocoder:
    """Train a vocoder and write `vocoder.safetensors` into the run's folder.

    Args:
        config: see `VocoderTrainingConfig`.
        resume: continue from `last.ckpt` with the settings of the run; its length, recordings and
            voices may change.

    Raises:
        CorpusError: a folder has too little usable speech.
        ValueError: there is nothing to resume, a setting differs, or a run would be overwritten.
    """
    spec = MelSpec()
    config, checkpoint, console = prepare_run(config, resume, config.start)
    if not config.folders:
        raise CorpusError("a vocoder needs recordings: name folders of them")
    torch.manual_seed(config.seed)
    module = TrainingState(build_vocoder_method(config, spec), config.ema_decay)
    if checkpoint and checkpoint.suffix == SUFFIX:
        start_with(module, checkpoint)
    elif checkpoint:
        restore(module, checkpoint, resume)
    for voice in config.voices:  # before the recordings are analysed
        find_voice(voice)
    recordings = load_recordings(config.folders, spec, console)
    console.print(f"{len(recordings)} recordings; voices: {', '.join(config.voices) or 'none'}")
    converted = convert_recordings(
        config.voices, recordings, spec=spec, seed=config.seed, console=console
    )
    crops = VocoderCrops(
        recordings,
        spec,
        batch_size=config.batch_size,
        n_frames=config.n_frames,
        error_share=config.error_share,
        seed=config.seed,
        converted=converted,
        converted_share=config.converted_share,
    )
    about = {
        "minutes_of_speech": round(crops.n_frames_recorded / spec.frame_rate / 60, 1),
        "config": json.loads(config.model_dump_json(exclude={"folders", "out", "voices", "start"})),
    }
    save_config(config)
    path = config.out / "vocoder.safetensors"
    save = functools.partial(save_vocoder, about=about)
    snapshots = [Snapshots(path.with_suffix(""), config.snapshot_every, save)]
    hooks = snapshots if config.snapshot_every else []
    rerun = functools.partial(train_vocoder, config, resume=True)
    fit(module, crops, config, console=console, rerun=rerun, hooks=hooks)
    save(module, path)
    return TrainedVocoder(path, module.steps_done)


def save_vocoder(module: TrainingState, path: Path, about: dict[str, Any]) -> None:
    """Write the averaged network."""
    assert module.ema is not None
    network = module.ema.module
    assert isinstance(network, SourceFilterVocoder)
    SourceFilter(network).save(path, about | {"steps": module.steps_done})


def start_with(module: TrainingState, path: Path) -> None:
    """Load the network of a vocoder file; steps count from 0, the average starts from it.

    Raises:
        VocoderError: it is no vocoder file.
        ValueError: its network has another size.
    """
    network, own = SourceFilter.load(path).network, module.method.generator
    assert isinstance(own, SourceFilterVocoder)
    differing = [
        f"{key}={str(value).lower()}"
        for key, value in network.arguments.items()
        if value != own.arguments[key] and key != "voiced_noise"
    ]
    if differing:
        raise ValueError(
            f"{path}: its network differs from the settings; set {' '.join(differing)}"
        )
    own.load_state_dict(network.state_dict())


def load_recordings(folders: Sequence[Path], spec: MelSpec, console: Console) -> list[Recording]:
    """Return every usable recording of the folders with its mel and F0, computed where missing."""
    paths = [clip.path for folder in folders for clip in scan_folder(folder).clips]
    features = cache_features(paths, spec, cache_dir("features"), perturbations=WARPS[:1])
    recordings = []
    quiet = not console.is_terminal
    for path, analysed in track(
        list(zip(paths, features, strict=True)), "Reading", console=console, disable=quiet
    ):
        waveform = load_analysis_waveform(path, spec)
        recordings.append(Recording(_quantize(waveform), analysed.mels[0], analysed.f0_hz))
    return recordings


def convert_recordings(
    voices: Sequence[str],
    recordings: Sequence[Recording],
    *,
    spec: MelSpec,
    seed: int,
    console: Console,
) -> list[Recording]:
    """Return conversions of 60 recordings by each voice: mels, F0 and waveforms.

    HiFi-GAN renders the waveforms, as there are no recordings of them; F0 is measured in its
    output, whose pitch differs a little from the requested one.
    """
    if not voices:
        return []
    teacher = load_vocoder("hifigan", spec)
    rng = np.random.default_rng(seed)
    quiet = not console.is_terminal
    converted = []
    for name in voices:
        voice = load_voice(name)
        voice.spec.require_same(spec, f"the voice {name}", "the vocoder")
        chosen = [recordings[index] for index in rng.permutation(len(recordings))[:N_CONVERSIONS]]
        for recording in track(chosen, f"Converting to {name}", console=console, disable=quiet):
            mel = _convert(voice, recording)
            with torch.inference_mode():
                waveform = teacher.decode(torch.from_numpy(mel.T.copy())[None])[0].numpy()
            f0_hz = extract_f0(waveform, spec)
            converted.append(Recording(_quantize(waveform), mel.astype(np.float16), f0_hz))
    return converted


def _convert(voice: Voice, recording: Recording) -> NDArray[np.float32]:
    """Return the voice's log-mels (F, n_mels) for a recording by its own statistics."""
    mel = recording.mel.astype(np.float32)
    source = estimate_stats(sum_frames(mel, recording.f0_hz), voice.source_stats)
    f0_hz = transform_f0(recording.f0_hz, source, voice.target_stats)
    return convert_mels(
        voice.generator,
        mel,
        f0_hz,
        spec=voice.spec,
        source=source,
        target=voice.target_stats,
        second_pass=voice.second_pass,
    )


def _quantize(waveform: NDArray[np.float32]) -> NDArray[np.int16]:
    return np.rint(np.clip(waveform, -1, 1) * 32767).astype(np.int16)


def build_vocoder_method(config: VocoderTrainingConfig, spec: MelSpec) -> VocoderGAN:
    """Build the network, its discriminators and the method around them."""
    network = SourceFilterVocoder(
        spec,
        width=config.width,
        n_blocks=config.n_blocks,
        has_prior=config.has_prior,
        has_phase=config.has_phase,
    )
    discriminators: list[nn.Module] = []
    if config.discriminator_width:
        discriminators += [
            SpectrogramDiscriminator(r, config.discriminator_width) for r in RESOLUTIONS
        ]
    if config.period_width:
        discriminators += [PeriodDiscriminator(period, config.period_width) for period in PERIODS]
    weights = {name: getattr(config, name) for name in VocoderWeights.__dataclass_fields__}
    return VocoderGAN(
        network,
        discriminators,
        spec,
        weights=VocoderWeights(**weights),
        generator_lr=config.generator_lr,
        discriminator_lr=config.discriminator_lr,
        discriminators_per_step=config.discriminators_per_step,
    )
