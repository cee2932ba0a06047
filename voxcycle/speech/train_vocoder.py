"""`train_vocoder`: from folders of recordings to a source-filter vocoder."""

import functools
import json
import math
import time
from pathlib import Path
from typing import Any, NamedTuple

import torch
from rich.console import Console
from torch import Tensor, nn

from voxcycle.audio.mel import MelSpec
from voxcycle.audio.stft import Resolution
from voxcycle.methods.vocoder_gan import VocoderGAN, VocoderWeights
from voxcycle.models.source_filter_networks import (
    PeriodDiscriminator,
    SourceFilterVocoder,
    SpectrogramDiscriminator,
)
from voxcycle.models.weights import load_network, store_network
from voxcycle.speech.config import VocoderTrainingConfig
from voxcycle.speech.corpus import CorpusError
from voxcycle.speech.packs import read_recordings
from voxcycle.speech.vocoder_crops import Recording, VocoderCrops
from voxcycle.training.config import save_config
from voxcycle.training.loop import Hook, find_deadline, fit, keeps_threads, prepare_run
from voxcycle.training.records import LOG_FILE, LogLines, RegularSaves
from voxcycle.training.state import Snapshots, TrainingState, restore
from voxcycle.vocoders.registry import SUFFIX
from voxcycle.vocoders.source_filter import SourceFilter
from voxcycle.voices.library import find_voice

PERIODS = (2, 3, 5, 7, 11)
# Windows of 6 ms see a voice rise and fall within its period, where renderings differ most.
DISCRIMINATED = (Resolution(256, 64, 128), Resolution(512, 128, 512), Resolution(1024, 256, 1024))
FILTERS = ("n_fft", "filters_per_frame", "n_sources")
ADAPTED = ("look_ahead", "n_blocks", *FILTERS)
CHOSEN_LATER = ("breath", "noise_spread")  # when a vocoder is shipped


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
        CorpusError: the folders have too little usable speech together, or two share recordings.
        ValueError: there is nothing to resume, a setting differs, or a run would be overwritten.
    """
    started = time.monotonic()
    spec = MelSpec()
    config, checkpoint, console = prepare_run(config, resume, config.start)
    if not config.folders and not config.pack:
        raise CorpusError("a vocoder needs recordings: name folders of them")
    torch.manual_seed(config.seed)
    module = TrainingState(build_vocoder_method(config, spec), config.ema_decay)
    if checkpoint and checkpoint.suffix == SUFFIX:
        start_with(module, checkpoint)
    elif checkpoint:
        restore(module, checkpoint, resume)
    for voice in config.voices:  # before the recordings are analysed
        find_voice(voice)
    recordings, converted = find_recordings(config, spec, console)
    crops = VocoderCrops(config, recordings, spec, converted)
    about = {
        "minutes_of_speech": round(crops.n_frames_recorded / spec.frame_rate / 60, 1),
        "config": json.loads(
            config.model_dump_json(exclude={"folders", "out", "pack", "voices", "sources", "start"})
        ),
    }
    save_config(config)
    path = config.out / "vocoder.safetensors"
    save = functools.partial(save_vocoder, about=about)
    hooks: list[Hook] = []
    if config.snapshot_every:
        hooks.append(Snapshots(path.with_suffix(""), config.snapshot_every, save))
    if config.pack:
        hooks += [RegularSaves(path, save), LogLines(config.out / LOG_FILE, config.log_every)]
    fit(
        module,
        crops,
        config,
        console=console,
        rerun=functools.partial(train_vocoder, config, resume=True),
        hooks=hooks,
        deadline=find_deadline(started, config.time_limit_min),
    )
    save(module, path)
    return TrainedVocoder(path, module.steps_done)


def find_recordings(
    config: VocoderTrainingConfig, spec: MelSpec, console: Console
) -> tuple[list[Recording], list[Recording]]:
    """Return the recordings and the conversions of the config's pack, or of its folders."""
    if config.pack:
        recordings, converted = read_recordings(config.pack, spec)
        console.print(f"{len(recordings)} recordings, {len(converted)} conversions")
        return recordings, converted
    # These read audio files; a training from a pack needs no libraries for that.
    from voxcycle.speech.vocoder_recordings import convert_recordings, load_recordings

    recordings = load_recordings(config.folders, spec, console)
    console.print(f"{len(recordings)} recordings; voices: {', '.join(config.voices) or 'none'}")
    sources = load_recordings(config.sources, spec, console) if config.sources else recordings
    converted = convert_recordings(
        config.voices,
        sources,
        n_conversions=config.n_conversions,
        spec=spec,
        seed=config.seed,
        console=console,
    )
    return recordings, converted


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
        if value != own.arguments[key] and key not in (*CHOSEN_LATER, *ADAPTED)
    ]
    if differing:
        raise ValueError(
            f"{path}: its network differs from the settings; set {' '.join(differing)}"
        )
    loaded = load_network(
        lambda: SourceFilterVocoder(own.spec, **network.arguments), network.weights
    )
    own.load_state_dict(adapt_weights(loaded, own))


def adapt_weights(old: SourceFilterVocoder, new: SourceFilterVocoder) -> dict[str, Tensor]:
    """Return weights with which a network does what a smaller or slower one does, or nearly.

    Blocks that are added change nothing at first. Another look-ahead moves the kernel that has it;
    taps that the new kernel lacks are lost. Filters: see `refine_filters`. ValueError where weights
    cannot be had so.
    """
    state, own = old.state_dict(), new.state_dict()
    for name in ("out.weight", "out.bias"):
        state[name] = refine_filters(state[name], old.arguments, new.arguments)
    kernel = state["blocks.0.depthwise.weight"]
    moved, ahead = torch.zeros_like(kernel), new.arguments["look_ahead"]
    n_later = ahead - old.arguments["look_ahead"]  # taps move to the left where it sees further
    n_kept = kernel.shape[-1] - abs(n_later)
    moved[..., max(-n_later, 0) :][..., :n_kept] = kernel[..., max(n_later, 0) :][..., :n_kept]
    state["blocks.0.depthwise.weight"] = moved
    if old.arguments["n_blocks"] > new.arguments["n_blocks"]:
        raise ValueError(f"{old.arguments['n_blocks']} blocks do not become fewer")
    for name in own.keys() - state.keys():
        is_last = ".contract." in name
        state[name] = torch.zeros_like(own[name]) if is_last else own[name]
    return state


def refine_filters(rows: Tensor, old: dict[str, Any], new: dict[str, Any]) -> Tensor:
    """Return rows of the output layer for shorter filters, more of them, and one more source.

    Filters in the place of one start as it was, at every second or fourth of its frequencies; a new
    source starts as the last one, at equal power if the rows are the bias. ValueError where the
    filters cannot be had so.
    """
    n_old, n_filters = old["filters_per_frame"], new["filters_per_frame"]
    stride, n_freq = old["n_fft"] // new["n_fft"], old["n_fft"] // 2 + 1
    n_new = new["n_sources"] - old["n_sources"]
    if n_filters % n_old or not stride or n_new < 0:
        had, wanted = (
            " ".join(f"{name}={arguments[name]}" for name in FILTERS) for arguments in (old, new)
        )
        raise ValueError(f"filters of {had} do not become those of {wanted}; set {had}")
    n_gains = n_old * old["n_sources"] * n_freq
    gains = rows[:n_gains].unflatten(0, (n_old, -1, n_freq))[:, :, ::stride]
    if n_new:
        last = gains[:, -1:] - (math.log(2) / 2 if rows.ndim == 1 else 0.0)
        gains = torch.cat([gains[:, :-1], last, last], 1)
    offsets = rows[n_gains:].unflatten(0, (n_old, -1, n_freq))[:, :, ::stride]
    parts = [x.repeat_interleave(n_filters // n_old, 0).flatten(0, 2) for x in (gains, offsets)]
    return torch.cat(parts)


def build_vocoder_method(config: VocoderTrainingConfig, spec: MelSpec) -> VocoderGAN:
    """Build the network, its discriminators and the method around them."""
    network = SourceFilterVocoder(
        spec,
        width=config.width,
        n_blocks=config.n_blocks,
        has_prior=config.has_prior,
        has_phase=config.has_phase,
        look_ahead=config.look_ahead,
        n_fft=config.n_fft,
        filters_per_frame=config.filters_per_frame,
        n_sources=config.n_sources,
    )
    discriminators: list[nn.Module] = []
    if config.discriminator_width:
        discriminators += [
            SpectrogramDiscriminator(r, config.discriminator_width) for r in DISCRIMINATED
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
