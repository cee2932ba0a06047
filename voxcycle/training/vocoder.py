"""`train_vocoder`: from folders of recordings to a source-filter vocoder."""

import functools
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from platformdirs import user_cache_dir
from pydantic import Field
from rich.console import Console
from rich.progress import track
from torch import nn

from voxcycle.audio.excitation import excitation_mel
from voxcycle.audio.mel import MelSpec
from voxcycle.audio.perturb import WARPS, bend_bands
from voxcycle.audio.stft import RESOLUTIONS
from voxcycle.conversion.render import convert_mel
from voxcycle.data.corpus import scan_folder
from voxcycle.data.features import cache_features, load_analysis_waveform
from voxcycle.data.speech import build_speaker
from voxcycle.data.vocoder import Recording, VocoderCrops
from voxcycle.methods.vocoder_gan import VocoderGAN, VocoderWeights
from voxcycle.models.vocoder import (
    PeriodDiscriminator,
    SourceFilterVocoder,
    SpectrogramDiscriminator,
)
from voxcycle.training.callbacks import Snapshots, restore
from voxcycle.training.config import TrainingConfig, save_config
from voxcycle.training.fit import begin, fit, keeps_threads
from voxcycle.training.phases import PhasedModule
from voxcycle.vocoders.registry import SUFFIX
from voxcycle.vocoders.source_filter import SourceFilter
from voxcycle.voices.registry import load_voice

PERIODS = (2, 3, 5, 7, 11)
N_CONVERSIONS = 4  # of every recording that a voice converts


class VocoderTrainingConfig(TrainingConfig):
    """What `train_vocoder` needs to know; unknown keys are errors."""

    free_on_resume: ClassVar[frozenset[str]] = TrainingConfig.free_on_resume | {
        *("snapshot_every", "folders", "voices", "converted_share")
    }

    folders: tuple[Path, ...] = Field(description="folders of recordings, any speakers")
    voices: dict[str, Path] = Field(
        {}, description="voice (name or file) to a folder of its own speaker: train on what the "
        "voice makes of these recordings, disguised, as well"
    )  # fmt: skip
    converted_share: float = Field(0.5, ge=0, le=1, description="share of such crops")
    start: Path | None = Field(
        None, description="begin with the networks and steps of another run (its last.ckpt), or "
        "with the network of a vocoder file, against judges that are new"
    )  # fmt: skip
    steps: int = Field(ge=1, description="iterations, those of `start` included")
    batch_size: int = Field(16, ge=1, description="crops per iteration")
    n_frames: int = Field(64, ge=16, description="frames per crop")
    error_share: float = Field(0.1, ge=0, le=1, description="share of crops with wrong F0")

    width: int = Field(320, ge=8, description="channels of the network")
    n_blocks: int = Field(8, ge=1, description="blocks of the network")
    has_prior: bool = Field(True, description="start from the mel's pseudo-inverse")
    has_phase: bool = Field(True, description="predict phase offsets")
    has_puffs: bool = Field(True, description="filter noise that pulses with the voice")
    sees_source: bool = Field(False, description="the network sees the spectrum of the pulses")
    discriminator_width: int = Field(
        32, ge=0, description="channels of judges of spectrograms; 0 for none"
    )
    period_width: int = Field(32, ge=0, description="channels of judges by period; 0 for none")
    judges_heard: int | None = Field(
        None, ge=1, description="judges that a step hears, drawn anew in each; null for all of them"
    )

    spectral_convergence: float = Field(0.5, ge=0, description="weight: STFT magnitudes")
    log_magnitude: float = Field(0.5, ge=0, description="weight: log STFT magnitudes")
    mel: float = Field(5.0, ge=0, description="weight: L1 of log-mels")
    adversarial: float = Field(1.0, ge=0, description="weight: the judges' verdict")
    feature_matching: float = Field(10.0, ge=0, description="weight: the judges' hidden layers")
    pitch: float = Field(1.0, ge=0, description="weight: F0 heard from the mel")
    generator_rate: float = Field(5e-4, gt=0, description="learning rate of the network")
    discriminator_rate: float = Field(2e-4, gt=0, description="learning rate of the judges")
    snapshot_every: int = Field(0, ge=0, description="steps between kept vocoder files; 0: none")


@dataclass(frozen=True)
class TrainedVocoder:
    """What a training made: its file, the iterations in all, the wall time of this call."""

    path: Path
    n_steps: int
    seconds: float


@keeps_threads
def train_vocoder(config: VocoderTrainingConfig, resume: bool = False) -> TrainedVocoder:
    """Train a vocoder and write `vocoder.safetensors` into the run's folder.

    Args:
        config: see `VocoderTrainingConfig`.
        resume: go on from `last.ckpt`; the settings must be the run's but for its length, for
            recordings and voices, which are the run's unless others are named.

    Raises:
        CorpusError: a folder has too little usable speech.
        ValueError: there is nothing to resume, a setting differs, or a run would be overwritten.
    """
    started = time.monotonic()
    spec = MelSpec()
    config, begun, console = begin(config, resume, config.start)
    recordings = load_recordings(config.folders, spec, console)
    console.print(f"{len(recordings)} recordings; voices: {', '.join(config.voices) or 'none'}")
    crops = VocoderCrops(
        recordings,
        spec,
        config.batch_size,
        config.n_frames,
        config.error_share,
        config.seed,
        convert_recordings(config.voices, spec, config.seed, console),
        config.converted_share,
    )
    torch.manual_seed(config.seed)
    module = PhasedModule(build_vocoder_method(config, spec), config.ema_decay)
    if begun and begun.suffix == SUFFIX:
        start_with(module, begun)
    elif begun:
        restore(module, begun)
    about = {
        "minutes_of_speech": round(crops.n_frames_recorded / spec.frame_rate / 60, 1),
        "config": json.loads(config.model_dump_json(exclude={"folders", "out", "voices", "start"})),
    }
    save_config(config)
    path = config.out / "vocoder.safetensors"
    save = functools.partial(save_vocoder, about=about)
    snapshots = [Snapshots(path.with_suffix(""), config.snapshot_every, save)]
    fit(module, crops, config, resume, snapshots if config.snapshot_every else [], console)
    save(module, path)
    return TrainedVocoder(path, int(module.steps_done), time.monotonic() - started)


def save_vocoder(module: PhasedModule, path: Path, about: dict[str, Any]) -> None:
    """Write the averaged network."""
    assert module.ema is not None
    network = module.ema.module
    assert isinstance(network, SourceFilterVocoder)
    SourceFilter(network).save(path, about | {"steps": int(module.steps_done)})


def start_with(module: PhasedModule, path: Path) -> None:
    """Load the network of a vocoder file; the steps count from 0, the average begins with it.

    Raises:
        VocoderError: it is no vocoder file.
        ValueError: its network is of another kind or size.
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
            f"{path}: its network is another one than the settings name; give {' '.join(differing)}"
        )
    own.load_state_dict(network.state_dict())


def load_recordings(folders: Sequence[Path], spec: MelSpec, console: Console) -> list[Recording]:
    """Return every usable recording of the folders with its mel and F0, computed where missing."""
    paths = [clip.path for folder in folders for clip in scan_folder(folder).clips]
    cache_dir = Path(user_cache_dir("voxcycle")) / "features"
    features = cache_features(paths, spec, cache_dir, WARPS[:1])
    recordings = []
    quiet = not console.is_terminal
    for path, analysed in track(
        list(zip(paths, features, strict=True)), "Reading", console=console, disable=quiet
    ):
        waveform = load_analysis_waveform(path, spec)
        recordings.append(Recording(_quantize(waveform), analysed.mels[0], analysed.f0_hz))
    return recordings


def convert_recordings(
    voices: Mapping[str, Path], spec: MelSpec, seed: int, console: Console
) -> list[Recording]:
    """Return recordings of each voice's own speaker with the mels that the voice makes of them.

    The voice gets them in disguise (warped and bent, as in its own training), so that it has
    something to convert, and the recording is still what the mels should sound like.
    """
    cache_dir = Path(user_cache_dir("voxcycle")) / "features"
    rng = np.random.default_rng(seed)
    quiet = not console.is_terminal
    converted = []
    for name, folder in voices.items():
        voice = load_voice(name)
        paths = [clip.path for clip in scan_folder(folder).clips]
        speaker = build_speaker(name, cache_features(paths, spec, cache_dir), spec)
        pairs = list(zip(paths, speaker.recordings, strict=True))
        for path, analysed in track(pairs, f"Converting {name}", console=console, disable=quiet):
            samples = _quantize(load_analysis_waveform(path, spec))
            excitation = torch.from_numpy(excitation_mel(analysed.f0_hz, spec).T.copy())[None]
            for variant in 1 + rng.permutation(len(WARPS) - 1)[:N_CONVERSIONS]:
                mel = speaker.stats[variant].normalize(analysed.mels[variant].astype(np.float32))
                disguised = torch.from_numpy(bend_bands(mel, rng).T.copy())[None]
                output = convert_mel(voice, disguised, excitation, voice.strength)[0].T.numpy()
                frames = np.maximum(voice.target_stats.denormalize(output), np.log(spec.log_floor))
                converted.append(Recording(samples, frames.astype(np.float16), analysed.f0_hz))
    return converted


def _quantize(waveform: NDArray[np.float32]) -> NDArray[np.int16]:
    return np.rint(np.clip(waveform, -1, 1) * 32767).astype(np.int16)


def build_vocoder_method(config: VocoderTrainingConfig, spec: MelSpec) -> VocoderGAN:
    """Build the network, its judges and the method around them."""
    network = SourceFilterVocoder(
        spec,
        width=config.width,
        n_blocks=config.n_blocks,
        has_prior=config.has_prior,
        has_phase=config.has_phase,
        has_puffs=config.has_puffs,
        sees_source=config.sees_source,
    )
    judges: list[nn.Module] = []
    if config.discriminator_width:
        judges += [SpectrogramDiscriminator(r, config.discriminator_width) for r in RESOLUTIONS]
    if config.period_width:
        judges += [PeriodDiscriminator(period, config.period_width) for period in PERIODS]
    weights = {name: getattr(config, name) for name in VocoderWeights.__dataclass_fields__}
    return VocoderGAN(
        network,
        judges,
        spec,
        VocoderWeights(**weights),
        config.generator_rate,
        config.discriminator_rate,
        config.judges_heard,
    )
