"""`train_vocoder`: from folders of recordings to a source-filter vocoder."""

import functools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.markup import escape
from rich.progress import track
from torch import nn

from voxcycle.audio.f0 import extract_f0, transform_f0
from voxcycle.audio.mel import MelSpec
from voxcycle.audio.perturb import WARPS
from voxcycle.audio.stats import estimate_stats, sum_frames
from voxcycle.audio.stft import RESOLUTIONS
from voxcycle.conversion.stages import convert_mels
from voxcycle.files import cache_dir
from voxcycle.methods.vocoder_gan import VocoderGAN, VocoderWeights
from voxcycle.models.source_filter_networks import (
    PeriodDiscriminator,
    SourceFilterVocoder,
    SpectrogramDiscriminator,
)
from voxcycle.models.weights import load_network, store_network
from voxcycle.speech.config import VocoderTrainingConfig
from voxcycle.speech.corpus import CorpusError, check_apart, scan_folder
from voxcycle.speech.feature_cache import cache_features
from voxcycle.speech.features import load_analysis_waveform
from voxcycle.speech.vocoder_crops import Recording, VocoderCrops
from voxcycle.training.config import save_config
from voxcycle.training.loop import fit, keeps_threads, prepare_run
from voxcycle.training.state import Snapshots, TrainingState, restore
from voxcycle.vocoders.registry import SUFFIX, load_vocoder
from voxcycle.vocoders.source_filter import SourceFilter
from voxcycle.voices.library import find_voice, load_voice
from voxcycle.voices.voice import Voice

PERIODS = (2, 3, 5, 7, 11)
N_CONVERSIONS = 60  # recordings that each voice converts


class TrainedVocoder(NamedTuple):
    """Result of a training: its file, and the iterations in all."""

    path: Path
    n_steps: int


@keeps_threads()
def train_vocoder(config: VocoderTrainingConfig, resume: bool = False) -> TrainedVocoder:
    """Train a vocoder and write `vocoder.safetensors` into the run's folder.

    Args:
        config: see `VocoderTrainingConfig`.
        resume: continue from `last.ckpt` with the settings of the run; its length, recordings and
            voices may change.

    Raises:
        CorpusError: a folder has too little usable speech, or two share recordings.
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
    crops = VocoderCrops(config, recordings, spec, converted)
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
    vocoder = SourceFilter(store_network(network), network.spec)
    vocoder.save(path, about | {"steps": module.steps_done})


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
    loaded = load_network(
        lambda: SourceFilterVocoder(own.spec, **network.arguments), network.weights
    )
    own.load_state_dict(loaded.state_dict())


def load_recordings(folders: Sequence[Path], spec: MelSpec, console: Console) -> list[Recording]:
    """Return every usable recording of the folders with its mel and F0, computed where missing."""
    check_apart(folders)
    paths = [clip.path for folder in folders for clip in scan_folder(folder).clips]
    features = cache_features(paths, spec, cache_dir("features"), perturbations=WARPS[:1])
    recordings = []
    quiet = not console.is_terminal
    for path, analysed in track(
        list(zip(paths, features, strict=True)), "Reading", console=console, disable=quiet
    ):
        waveform = load_analysis_waveform(path, spec)
        samples = _quantize(waveform)
        recordings.append(Recording(samples, analysed.mels[0], analysed.f0_hz, analysed.speech))
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
        for recording in track(
            chosen, f"Converting to {escape(name)}", console=console, disable=quiet
        ):
            mel = _convert(voice, recording)
            waveform = teacher.decode(mel)
            f0_hz = extract_f0(waveform, spec)
            samples = _quantize(waveform)
            converted.append(Recording(samples, mel.astype(np.float16), f0_hz, recording.speech))
    return converted


def _convert(voice: Voice, recording: Recording) -> NDArray[np.float32]:
    """Return the voice's log-mels (F, n_mels) for a recording by its own statistics."""
    mel = recording.mel.astype(np.float32)
    source = estimate_stats(sum_frames(mel, recording.f0_hz, recording.speech), voice.source_stats)
    f0_hz = transform_f0(recording.f0_hz, source, voice.target_stats)
    return convert_mels(
        voice.generator,
        mel,
        f0_hz,
        recording.speech,
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
