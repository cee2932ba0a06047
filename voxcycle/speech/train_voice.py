"""`train_voice`: from two folders of recordings to voice files."""

import datetime
import functools
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.utilities import move_data_to_device
from rich.console import Console

from voxcycle.artifacts import VOICE, ArtifactError, read_header
from voxcycle.audio.mel import MelSpec
from voxcycle.evaluation.dataset import spread
from voxcycle.evaluation.systems import Speaker
from voxcycle.speech.config import MADE_WITH, VoiceTrainingConfig
from voxcycle.speech.corpus import Split
from voxcycle.speech.crops import UnpairedCrops
from voxcycle.speech.domains import Domains, VoiceData, find_domains, load_data
from voxcycle.speech.export import build_voices, export_voices, make_finish
from voxcycle.speech.networks import build_method, check_pretrained, start_from_pretrained
from voxcycle.speech.selector import (
    N_SENTENCES,
    UNKNOWN,
    Contest,
    Selection,
    best_path,
    make_speaker,
)
from voxcycle.speech.validation import Direction, VoiceValidation
from voxcycle.training.checkpoint import restore
from voxcycle.training.config import save_config
from voxcycle.training.loop import Hook, fit, keeps_threads, prepare_run
from voxcycle.training.state import TrainingState
from voxcycle.vocoders import Vocoder
from voxcycle.vocoders.registry import load_vocoder
from voxcycle.voices.pretrained import PRETRAINED_FILE, Pretrained
from voxcycle.voices.voice import check_voice_name

DEFAULT_MINUTES = 15.0
NETWORKS = ("g_ab", "g_ba")
PROBE_STEPS = 8
PROBE_WARM_UP = 4
CLEARLY = 0.95  # what a time must be multiplied with to count as better
OF_TRAINING = ("seconds_of_last_call", "seconds_of_judging", "seconds_of_samples", "losses", "date")
VALIDATE_EVERY = 100  # steps at least, but for shorter runs


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


@keeps_threads
def train_voice(config: VoiceTrainingConfig, resume: bool = False) -> TrainedVoices:
    """Train a pair of voices, or one any-to-one voice, and write the voice files.

    The run's folder receives `config.yaml`, `split.json`, TensorBoard logs, `last.ckpt` and the
    voices.

    Args:
        config: see `VoiceTrainingConfig`.
        resume: continue from `last.ckpt` of the run's folder under the settings and the split that
            it has recorded; the number of steps and what is said of the voices may be new. The
            result equals that of an uninterrupted run with the same number of threads.

    Raises:
        CorpusError: the recordings do not suffice; names files and reasons.
        ValueError: there is nothing to resume, a setting differs from the run's, or a finished run
            would be overwritten.
    """
    started = time.monotonic()
    spec = MelSpec()
    _check_names(config)
    config, begun, console = prepare_run(config, resume, config.start)
    base = None
    if not config.from_scratch:
        base_path = config.base or PRETRAINED_FILE
        base, sha256 = Pretrained.load(base_path), Pretrained.sha256(base_path)
        check_pretrained(base, config)  # before the recordings are analysed
        if resume and config.base_sha256 not in ("", sha256):
            raise ValueError(
                f"{config.out}: this run began with another base than {base_path} is now: put that "
                "one back"
            )
        config = config.model_copy(update={"base_sha256": sha256})
    if resume:
        domains = Domains.load(config.out / "split.json")
    else:
        domains = find_domains(config, console)
    try:
        data = load_data(config, domains, spec, console)
    except KeyboardInterrupt:
        console.print("stopped while analysing; start again: what is analysed is kept")
        raise

    torch.manual_seed(config.seed)
    method = build_method(config, spec)
    if base and not config.start:
        is_pool = config.any_to_one and config.conditions_source
        stats_a = None if is_pool else data.stats_a
        start_from_pretrained(method, base, stats_a, data.train_b.stats[0])
    module = TrainingState(method, config.ema_decay)
    reference = base.reference if base else None
    crops = data.crops(config, spec, valid=False, reference=reference)
    if begun:
        restore(module, begun, resume)
    n_before = module.steps_done
    n_steps, n_threads = config.steps, config.threads
    if n_steps is None:
        n_more, n_threads = _settle_minutes(config, crops, console)
        n_steps = module.steps_done + n_more
    config = config.model_copy(update={"steps": n_steps, "minutes": None, "threads": n_threads})
    if not resume:
        config.out.mkdir(parents=True, exist_ok=True)
        domains.save(config.out / "split.json")
        for network in NETWORKS:  # of a run that never reached a checkpoint
            best_path(config.out, network).unlink(missing_ok=True)
    save_config(config)
    selection = validation = None
    if config.samples:
        vocoder = load_vocoder("hifigan", spec)
        validation = _validation(config, data, crops, vocoder)
        selection = _selection(config, module, domains, data, base, vocoder, console)
    hooks: list[Hook] = [validation, selection] if selection and validation else []
    rerun = functools.partial(train_voice, config, resume=True)
    fit(module, crops, config, console=console, rerun=rerun, hooks=hooks)
    chosen = selection.choose(module.steps_done) if selection else {}
    seconds = time.monotonic() - started
    summary = {
        "steps": module.steps_done,
        "seconds_of_last_call": round(seconds),
        "seconds_of_judging": round(selection.seconds) if selection else 0,
        "seconds_of_samples": round(validation.seconds) if validation else 0,
        "seed": config.seed,
        "minutes_of_speech": {s.name: _minutes(s, spec) for s in (*data.train_a, data.train_b)},
        "date": datetime.date.today().isoformat(),
        "losses": {k: round(float(v), 4) for k, v in module.logged.items()},
    }
    if n_steps <= n_before:
        summary |= _former_training(config, module.steps_done)
    return TrainedVoices(
        export_voices(module, config, spec, data, base, summary, chosen), n_steps, seconds
    )


def _former_training(config: VoiceTrainingConfig, n_steps: int) -> dict[str, Any]:
    """Return what the voice of a call that trained tells of it, for one that trains no more."""
    path = config.out / f"{config.voice_names()[0]}.safetensors"
    try:
        training = read_header(path, VOICE)["card"]["training"]
    except ArtifactError:  # none, or damaged: the export writes it anew
        return {}
    if training.get("steps") != n_steps:
        return {}
    return {key: training[key] for key in OF_TRAINING if key in training}


def _check_names(config: VoiceTrainingConfig) -> None:
    names = config.voice_names()
    for name in names:
        check_voice_name(name, "set --name-a or --name-b: ")
    if len(set(names)) < len(names):
        raise ValueError(f"both voices would be named {names[0]}: set --name-a or --name-b")


def _minutes(speaker: Any, spec: MelSpec) -> float:
    return round(sum(len(r.f0_hz) for r in speaker.recordings) / spec.frame_rate / 60, 2)


def _validation(
    config: VoiceTrainingConfig, data: VoiceData, crops: UnpairedCrops, vocoder: Vocoder
) -> VoiceValidation:
    assert config.steps is not None
    a, b = data.valid_a[0], data.valid_b
    directions = [Direction("a to b", "g_ab", a.recordings[0], a.stats[0], b.stats[0])]
    if not config.any_to_one:
        directions.append(Direction("b to a", "g_ba", b.recordings[0], b.stats[0], a.stats[0]))
    return VoiceValidation(
        data.crops(config, crops.spec, valid=True, reference=crops.reference),
        directions,
        vocoder,
        max(config.steps // config.samples, min(config.steps, VALIDATE_EVERY)),
    )


def _selection(
    config: VoiceTrainingConfig,
    module: TrainingState,
    domains: Domains,
    data: VoiceData,
    base: Pretrained | None,
    vocoder: Vocoder,
    console: Console,
) -> Selection:
    def speakers(side: str, splits: dict[str, Split]) -> list[Speaker]:
        folder = config.out / "validation" / side
        language = config.language or UNKNOWN
        chosen = spread(list(splits), N_SENTENCES)
        made = [make_speaker(name, splits[name], language, folder / name) for name in chosen]
        # Of a pool, each speaker says one sentence.
        n_each = -(-N_SENTENCES // len(made))
        return [replace(speaker, sentences=speaker.sentences[:n_each]) for speaker in made]

    side_a, side_b = speakers("a", domains.a), speakers("b", domains.b)
    voices = build_voices(module, config, vocoder.spec, data)
    sides = {"g_ab": (side_a, side_b), "g_ba": (side_b, side_a)}
    contests = [
        Contest(
            network,
            tuple(sides[network][0]),
            sides[network][1][0],
            voice,
            make_finish(voice, config, base),
            {key: getattr(config, key) for key in MADE_WITH},
        )
        for network, voice in voices.items()
    ]
    return Selection(contests, vocoder, config.out, console)


def measure_step_seconds(
    config: VoiceTrainingConfig, crops: UnpairedCrops, n_steps: int = PROBE_STEPS
) -> float:
    """Return the mean wall time of a step, on throw-away networks, after a short warm-up."""
    probe = TrainingState(build_method(config, crops.spec)).to(torch.device(config.accelerator))
    device = torch.device(config.accelerator)
    for step in range(PROBE_WARM_UP + n_steps):
        if step == PROBE_WARM_UP:
            started = time.perf_counter()
        batch = move_data_to_device(crops[step], device)
        probe.run_phases(batch)
    if config.accelerator == "cuda":
        torch.cuda.synchronize()
    return (time.perf_counter() - started) / n_steps


def _settle_minutes(
    config: VoiceTrainingConfig, crops: UnpairedCrops, console: Console
) -> tuple[int, int]:
    """Return how many steps fit into the wanted minutes, and with how many threads.

    Where none are named, one thread is tried beside all: on a CPU that others use too, threads
    that wait for one another are the slower.
    """
    n_threads, seconds = torch.get_num_threads(), measure_step_seconds(config, crops)
    if n_threads > 1 and not config.threads and config.accelerator == "cpu":
        torch.set_num_threads(1)
        alone = measure_step_seconds(config, crops)
        if alone < CLEARLY * seconds:
            console.print(f"one thread is quicker here than {n_threads}")
            n_threads, seconds = 1, alone
        torch.set_num_threads(n_threads)
    minutes = config.minutes or DEFAULT_MINUTES
    n_steps = max(1, round(60 * minutes / seconds))
    console.print(f"{1 / seconds:.1f} steps/s: {minutes:g} minutes are {n_steps} steps")
    return n_steps, n_threads
