"""`train_voice`: from two folders of recordings to voice files."""

import datetime
import json
import logging
import os
import signal
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
import yaml
from lightning import Callback, Trainer
from lightning.pytorch.loggers import TensorBoardLogger
from platformdirs import user_cache_dir
from rich.console import Console
from rich.progress import Progress
from torch.utils.data import DataLoader, Sampler

from voxcycle.audio.mel import MelSpec
from voxcycle.audio.perturb import RESYNTHESES, WARPS, Perturbation
from voxcycle.audio.stats import average_stats
from voxcycle.data.corpus import Corpus, CorpusError, Split, scan_folder, split_files
from voxcycle.data.features import cache_features
from voxcycle.data.speech import Speaker, UnpairedCrops, build_speaker
from voxcycle.methods.cyclegan import CycleGAN, CycleGANNetworks, CycleGANRates, CycleGANWeights
from voxcycle.models.voice import PatchGAN, VoiceGenerator
from voxcycle.training.callbacks import Checkpoint, LiveProgress, Scalars, StepLimit, restore
from voxcycle.training.phases import PhasedModule
from voxcycle.training.samples import Direction, VoiceValidation
from voxcycle.training.voice_config import VoiceTrainingConfig
from voxcycle.vocoders.registry import load_vocoder
from voxcycle.voices.voice import Voice, VoiceCard, check_voice_name

DEFAULT_MINUTES = 30.0
PROBE_STEPS = 12
PROBE_WARM_UP = 4
MIN_POOL_SPEAKER_S = 30.0


@dataclass(frozen=True)
class TrainedVoices:
    """What a training made.

    Attributes:
        voices: the voice files, target b first.
        n_steps: iterations in all, resumptions included.
        seconds: wall time of this call.
    """

    voices: list[Path]
    n_steps: int
    seconds: float


class _StepsLeft(Sampler[int]):
    """Yields batch numbers from the step that the module has reached."""

    def __init__(self, module: PhasedModule, n_steps: int) -> None:
        self.module = module
        self.n_steps = n_steps

    def __iter__(self) -> Iterator[int]:
        yield from range(int(self.module.steps_done), self.n_steps)

    def __len__(self) -> int:
        return self.n_steps


def train_voice(config: VoiceTrainingConfig, resume: bool = False) -> TrainedVoices:
    """Train a pair of voices, or one any-to-one voice, and write the voice files.

    The run's folder receives `config.yaml`, `split.json`, TensorBoard logs, `last.ckpt` and the
    voices; each voice also goes to the user's voice directory when the caller registers it.

    Args:
        config: see `VoiceTrainingConfig`.
        resume: continue from `last.ckpt` of the run's folder; the result equals that of an
            uninterrupted run with the same number of threads.

    Raises:
        CorpusError: the recordings do not suffice; names files and reasons.
        ValueError: there is nothing to resume, or a finished run would be overwritten.
    """
    started = time.monotonic()
    console = Console(stderr=True)
    checkpoint = config.out / "last.ckpt"
    for name in (
        config.name_a or config.a.absolute().name,
        config.name_b or config.b.absolute().name,
    ):
        check_voice_name(name)
    if resume and not checkpoint.exists():
        raise ValueError(f"{config.out}: no checkpoint to resume; start without --resume")
    if not resume and checkpoint.exists():
        raise ValueError(
            f"{config.out}: holds a training already; add --resume to go on with it, "
            "or name another folder with --out"
        )
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    torch.set_num_threads(config.threads or os.cpu_count() or 1)
    spec = MelSpec()
    corpora_a, corpus_b = _scan(config)
    for corpus in (*corpora_a, corpus_b):
        for path, reason in corpus.rejected:
            console.print(f"left out {path}: {reason}", style="yellow", soft_wrap=True)
    splits = {c.name: split_files(c.clips, config.seed) for c in (*corpora_a, corpus_b)}
    config.out.mkdir(parents=True, exist_ok=True)
    _write_split(config.out / "split.json", splits)
    loaded = {
        name: _load_speaker(
            name, split, spec, _perturbations(config, name == corpus_b.name), console
        )
        for name, split in splits.items()
    }
    speakers_a = [loaded[c.name][0] for c in corpora_a]
    speaker_b = loaded[corpus_b.name][0]

    torch.manual_seed(config.seed)
    module = PhasedModule(build_method(config, spec), config.ema_decay)
    prior = average_stats([s.stats[0] for s in speakers_a]) if config.any_to_one else None
    settings = (
        config.batch_size,
        config.n_frames,
        config.max_masked_frames,
        config.is_perturbed,
        config.seed,
    )
    crops = UnpairedCrops(speakers_a, speaker_b, spec, prior, *settings)
    n_steps = _count_steps(config, crops, spec, resume, console)
    config = config.model_copy(update={"steps": n_steps, "minutes": None})
    _write_config(config)
    callbacks: list[Callback] = [
        StepLimit(n_steps),
        Scalars(config.log_every),
        LiveProgress(n_steps, console),
    ]
    if config.samples:
        valid_a = [loaded[c.name][1] for c in corpora_a]
        valid_b = loaded[corpus_b.name][1]
        stats_a, stats_b = prior or speakers_a[0].stats[0], speaker_b.stats[0]
        directions = [
            Direction("a to b", "g_ab", valid_a[0].recordings[0], valid_a[0].stats[0], stats_b)
        ]
        if not config.any_to_one:
            directions.append(Direction("b to a", "g_ba", valid_b.recordings[0], stats_b, stats_a))
        callbacks.append(
            VoiceValidation(
                UnpairedCrops(valid_a, valid_b, spec, prior, *settings),
                directions,
                load_vocoder("hifigan", spec),
                max(1, n_steps // config.samples),
            )
        )
    callbacks.append(Checkpoint(checkpoint, config.checkpoint_every))
    trainer = Trainer(
        accelerator="auto",
        devices=1,
        max_epochs=-1,
        logger=TensorBoardLogger(config.out, name="", version="log"),
        callbacks=callbacks,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
    )
    loader = DataLoader(crops, batch_size=None, sampler=_StepsLeft(module, n_steps))
    if resume:
        restore(module, checkpoint)
    if int(module.steps_done) < n_steps:
        _fit(trainer, module, loader, checkpoint, resume, console)
    seconds = time.monotonic() - started
    minutes = {c.name: round(c.duration_s / 60, 2) for c in (*corpora_a, corpus_b)}
    summary = {
        "steps": int(module.steps_done),
        "seconds_of_last_call": round(seconds),
        "seed": config.seed,
        "minutes_of_speech": minutes,
        "date": datetime.date.today().isoformat(),
        "losses": {k: round(float(v), 4) for k, v in module.logged.items()},
    }
    return TrainedVoices(
        export_voices(module, config, spec, speakers_a, speaker_b, summary), n_steps, seconds
    )


def _fit(
    trainer: Trainer,
    module: PhasedModule,
    loader: DataLoader,
    checkpoint: Path,
    resume: bool,
    console: Console,
) -> None:
    """Run the trainer; Ctrl-C ends in KeyboardInterrupt, with the last checkpoint in place."""
    handler = signal.getsignal(signal.SIGINT)
    try:
        with warnings.catch_warnings():
            # Lightning comments on its own dependencies and on our one endless epoch.
            warnings.filterwarnings("ignore", module=r"lightning\.")
            trainer.fit(module, loader, ckpt_path=checkpoint if resume else None, weights_only=True)
    except SystemExit:  # how Lightning answers Ctrl-C, which it goes on to ignore
        signal.signal(signal.SIGINT, handler)
        kept = "the last checkpoint is kept" if checkpoint.exists() else "no checkpoint was due yet"
        console.print(f"stopped at step {int(module.steps_done)}; {kept}: --resume goes on from it")
        raise KeyboardInterrupt from None


def build_method(config: VoiceTrainingConfig, spec: MelSpec) -> CycleGAN:
    """Build the four networks (six with the two-step loss) and the method around them."""
    n_condition = 2 * spec.n_mels + 2 if config.any_to_one else 0

    def generator(n_condition: int) -> VoiceGenerator:
        return VoiceGenerator(
            n_mels=spec.n_mels,
            width=config.width,
            n_blocks=config.n_blocks,
            n_excitation=spec.n_mels + 1 if config.uses_f0 else 0,
            n_condition=n_condition,
        )

    def judge(n_condition: int) -> PatchGAN:
        return PatchGAN(1 + config.sees_excitation, config.discriminator_widths, n_condition)

    networks = CycleGANNetworks(generator(0), generator(n_condition), judge(n_condition), judge(0))
    if config.second_adversarial:
        networks.second_d_a, networks.second_d_b = judge(n_condition), judge(0)
    weights = {name: getattr(config, name) for name in CycleGANWeights.__dataclass_fields__}
    return CycleGAN(
        networks,
        CycleGANWeights(**weights),
        CycleGANRates(config.generator_rate, config.discriminator_rate),
        config.sees_excitation,
        config.judges_identity,
    )


def export_voices(
    module: PhasedModule,
    config: VoiceTrainingConfig,
    spec: MelSpec,
    speakers_a: list[Speaker],
    speaker_b: Speaker,
    summary: dict[str, Any],
) -> list[Path]:
    """Write the averaged generators as voice files into the run's folder, target b first."""
    assert module.ema is not None
    generators = module.ema.module
    stats_b = speaker_b.stats[0]
    stats_a = speakers_a[0].stats[0]
    if config.any_to_one:
        stats_a = average_stats([s.stats[0] for s in speakers_a])
    sides = [(config.name_b or speaker_b.name, config.sex_b, "g_ab", stats_a, stats_b)]
    if not config.any_to_one:
        name_a = config.name_a or speakers_a[0].name
        sides.append((name_a, config.sex_a, "g_ba", stats_b, stats_a))
    paths = []
    for name, sex, network, source_stats, target_stats in sides:
        card = VoiceCard(
            name=name,
            language=config.language,
            sex=sex,
            licence=config.licence,
            consent=config.consent,
            training=summary
            | {"config": json.loads(config.model_dump_json(exclude={"a", "b", "out"}))},
        )
        generator = generators[network]  # type: ignore[index]
        voice = Voice(card, spec, source_stats, target_stats, config.any_to_one, generator)
        path = config.out / f"{name}.safetensors"
        voice.save(path)
        paths.append(path)
    return paths


def _scan(config: VoiceTrainingConfig) -> tuple[list[Corpus], Corpus]:
    if not config.any_to_one:
        corpora_a = [scan_folder(config.a)]
    else:
        folders = sorted(p for p in config.a.iterdir() if p.is_dir()) if config.a.is_dir() else []
        if len(folders) < 2:
            raise CorpusError(f"{config.a}: a pool needs at least two subfolders, one per speaker")
        corpora_a = [scan_folder(folder, MIN_POOL_SPEAKER_S) for folder in folders]
    corpus_b = scan_folder(config.b)
    if corpus_b.name in {c.name for c in corpora_a}:
        raise CorpusError(f"{config.b}: both domains are called {corpus_b.name}; rename a folder")
    return corpora_a, corpus_b


def _perturbations(config: VoiceTrainingConfig, is_target: bool) -> Sequence[Perturbation]:
    """Return what the identity loss perturbs by; a pool only needs the cheap warps."""
    if config.separates_pitch and (is_target or not config.any_to_one):
        return WARPS + RESYNTHESES
    return WARPS


def _load_speaker(
    name: str,
    split: Split,
    spec: MelSpec,
    perturbations: Sequence[Perturbation],
    console: Console,
) -> tuple[Speaker, Speaker]:
    """Return the speaker with training recordings, and the same one with validation recordings."""
    cache_dir = Path(user_cache_dir("voxcycle")) / "features"
    paths = split.train + split.valid
    quiet = not console.is_terminal
    with Progress(console=console, transient=True, disable=quiet) as progress:
        task = progress.add_task(f"Analysing {name}", total=len(paths))
        features = cache_features(
            paths, spec, cache_dir, perturbations, advance=lambda: progress.advance(task)
        )
    n_train = len(split.train)
    speaker = build_speaker(name, features[:n_train], spec)
    return speaker, replace(speaker, recordings=features[n_train:])


def _count_steps(
    config: VoiceTrainingConfig,
    crops: UnpairedCrops,
    spec: MelSpec,
    resume: bool,
    console: Console,
) -> int:
    """Return the number of steps: given, stored by the run that is resumed, or probed."""
    if config.steps is not None:
        return config.steps
    stored = config.out / "config.yaml"
    if resume and stored.exists() and config.minutes is None:
        return int(yaml.safe_load(stored.read_text(encoding="utf-8"))["steps"])
    # A throw-away copy is probed, so that the training itself starts untouched.
    probe = PhasedModule(build_method(config, spec))
    optimizers = probe.configure_optimizers()
    for step in range(PROBE_STEPS):
        if step == PROBE_WARM_UP:
            started = time.perf_counter()
        probe.run_phases(crops[step], optimizers, torch.Tensor.backward)
    seconds = (time.perf_counter() - started) / (PROBE_STEPS - PROBE_WARM_UP)
    minutes = config.minutes or DEFAULT_MINUTES
    n_steps = max(1, round(60 * minutes / seconds))
    console.print(f"{1 / seconds:.1f} steps/s: {minutes:g} minutes are {n_steps} steps")
    return n_steps


def _write_split(path: Path, splits: dict[str, Split]) -> None:
    listed = {
        name: {part: [str(p) for p in files] for part, files in asdict(split).items()}
        for name, split in splits.items()
    }
    path.write_text(json.dumps(listed, indent=1), encoding="utf-8")


def _write_config(config: VoiceTrainingConfig) -> None:
    values = json.loads(config.model_dump_json())
    path = config.out / "config.yaml"
    path.write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")
