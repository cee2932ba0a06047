"""The data of a voice training: domains scanned, split by file, recorded, and loaded."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from pydantic import TypeAdapter
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress

from voxcycle.audio.mel import MelSpec
from voxcycle.audio.perturb import RESYNTHESES, WARPS, Perturbation
from voxcycle.audio.stats import DomainStats, average_stats
from voxcycle.files import CONFIG_FILE, cache_dir, replacing
from voxcycle.speech.config import MelCycleGANConfig, VoiceTrainingConfig
from voxcycle.speech.corpus import (
    MIN_FILES,
    MIN_TOTAL_S,
    CorpusError,
    Split,
    check_apart,
    list_recordings,
    scan_folder,
    split_files,
)
from voxcycle.speech.feature_cache import cache_features
from voxcycle.speech.features import Features
from voxcycle.speech.own_outputs import SPLIT_FILE, is_prepared, is_run
from voxcycle.speech.picture import draw_report
from voxcycle.speech.prepare import prepare
from voxcycle.speech.speakers import Speaker, build_speaker, shrink_stats
from voxcycle.training.config import move_path, read_settings

MIN_POOL_SPEAKER_S = 6.0


@dataclass(frozen=True)
class Domains:
    """The files of both domains: one split per speaker of a, and that of b.

    `recordings` has the SHA-256 of every recording by its path in the folder of domain a or b; in
    runs of earlier versions it is empty.
    """

    a: dict[str, Split]
    b: dict[str, Split]
    recordings: dict[str, dict[str, str]] = field(default_factory=dict)

    def save(self, run: Path) -> None:
        """Record which file trains, validates or is held out; paths inside the run are relative."""
        inside = self._move([(run.absolute(), Path())])
        with replacing(run / SPLIT_FILE) as partial:
            partial.write_text(json.dumps(asdict(inside), indent=1, default=str), encoding="utf-8")

    @classmethod
    def load(cls, config: VoiceTrainingConfig) -> "Domains":
        """Read the record of a run that is resumed; its files are found where they are now.

        Raises:
            CorpusError: the record or a file that it names is gone, or a folder that has moved has
                other recordings.
        """
        path = config.out / SPLIT_FILE
        if not path.exists():
            raise CorpusError(f"{path}: the record of the split is gone; start a new run")
        stored = TypeAdapter(cls).validate_python(json.loads(path.read_text(encoding="utf-8")))
        former = read_settings(config.out / CONFIG_FILE)
        for side, folder in (("a", config.a), ("b", config.b)):
            if folder.resolve() != Path(former[side]).resolve():
                check_same(folder, stored.recordings.get(side, {}), config.out)
        moves = [(Path(former[key]), getattr(config, key).absolute()) for key in ("out", "a", "b")]
        stored = stored._move([(Path(), config.out.absolute()), *moves])
        for split in (*stored.a.values(), *stored.b.values()):
            for file in split.train + split.valid:
                if not file.exists():
                    raise CorpusError(f"{file}: gone since the run of {config.out} began")
        return stored

    def _move(self, moves: Sequence[tuple[Path, Path]]) -> "Domains":
        """Return it with the files of the first folder that holds them under its new path."""

        def move(file: Path) -> Path:
            for old, new in moves:
                if file.is_relative_to(old):
                    return move_path(file, old, new)
            return file

        def move_all(splits: dict[str, Split]) -> dict[str, Split]:
            return {
                name: Split(*([move(file) for file in files] for files in vars(split).values()))
                for name, split in splits.items()
            }

        return replace(self, a=move_all(self.a), b=move_all(self.b))


@dataclass(frozen=True)
class VoiceData:
    """Speakers with their training recordings, and the same ones with validation recordings."""

    train_a: list[Speaker]
    train_b: Speaker
    valid_a: list[Speaker]
    valid_b: Speaker
    prior: DomainStats | None  # statistics of a pool's unknown speaker; None for a pair
    stats_a: DomainStats  # of domain a: the prior, or the speaker's

    def describe(self, describe: Callable[[Speaker], Speaker]) -> "VoiceData":
        """Return the same with what a function adds to every speaker."""
        return replace(
            self,
            train_a=[describe(speaker) for speaker in self.train_a],
            train_b=describe(self.train_b),
            valid_a=[describe(speaker) for speaker in self.valid_a],
            valid_b=describe(self.valid_b),
        )


def find_domains(config: VoiceTrainingConfig, console: Console) -> Domains:
    """Prepare and screen the folders, report what is skipped and why, and split by file.

    Raises:
        CorpusError: speakers of a pool share recordings, or there is too little speech; names
            files and reasons.
    """
    folders = _list_speakers(config.a) if config.any_to_one else [config.a]

    def split(folder: Path, side: str, min_total_s: float) -> Split:
        if config.prepares and not is_prepared(folder):
            clips = config.out / "clips" / side / folder.absolute().name
            draw_report(prepare(folder, clips, min_total_s, console), clips)
            folder = clips
        corpus = scan_folder(folder, min_total_s)
        for path, reason in corpus.rejected:
            console.print(f"skipped {path}: {reason}", style="yellow", soft_wrap=True)
        for path, note in corpus.notes:
            console.print(f"note: {path}: {note}", style="yellow", soft_wrap=True)
        if side == "a" and config.any_to_one and len(corpus.clips) < MIN_FILES:
            # Too few clips to split: all of them train, other speakers of the pool validate.
            return Split([clip.path.absolute() for clip in corpus.clips], [], [])
        return split_files(corpus, config.seed)

    min_total_s = MIN_POOL_SPEAKER_S if config.any_to_one else MIN_TOTAL_S
    splits_a = {}
    for folder in folders:
        try:
            splits_a[folder.absolute().name] = split(folder, "a", min_total_s)
        except CorpusError as error:
            if len(folders) <= 2:
                raise
            console.print(f"skipped: {error}", style="yellow", soft_wrap=True)
    if config.any_to_one and len(splits_a) < 2:
        raise CorpusError(f"{config.a}: fewer than two speakers have enough usable speech")
    splits_b = {config.b.absolute().name: split(config.b, "b", MIN_TOTAL_S)}
    if not any(files.valid for files in splits_a.values()):
        raise CorpusError(f"{config.a}: at least one speaker needs {MIN_FILES} recordings")
    used = [folder for folder in folders if folder.absolute().name in splits_a]
    recordings = {"a": hash_recordings(used, config.a), "b": hash_recordings([config.b], config.b)}
    return Domains(splits_a, splits_b, recordings)


def _list_speakers(pool: Path) -> list[Path]:
    """Return the subfolders of a pool, without hidden ones and runs."""
    inside = sorted(pool.iterdir()) if pool.is_dir() else []
    folders = [f for f in inside if f.is_dir() and not f.name.startswith(".") and not is_run(f)]
    if len(folders) < 2:
        raise CorpusError(f"{pool}: a pool needs at least two subfolders, one per speaker")
    check_apart(folders)
    return folders


def hash_recordings(folders: Sequence[Path], root: Path) -> dict[str, str]:
    """Return the SHA-256 of every recording in folders by its path below `root`."""
    paths = [path for folder in folders for path in list_recordings(folder).files]
    return {path.relative_to(root).as_posix(): hash_file(path) for path in paths}


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_same(folder: Path, recordings: dict[str, str], run: Path) -> None:
    """Raise CorpusError unless every recording of a run is in a folder, unchanged."""
    for name, sha256 in recordings.items():
        path = folder / name
        if not path.is_file() or hash_file(path) != sha256:
            raise CorpusError(
                f"{path}: {'has changed' if path.is_file() else 'gone'} since the run of {run} "
                "began; name the folder that has that run's recordings"
            )


def load_data(
    config: VoiceTrainingConfig, domains: Domains, spec: MelSpec, console: Console
) -> VoiceData:
    """Extract or find the features of both domains and compute the statistics."""
    # A pool needs the cheap perturbations alone: its identity loss merely closes the cycle.
    all_kinds = perturbations(config)
    kinds_a = WARPS if config.any_to_one else all_kinds
    pairs_a = [
        load_speaker(name, split, spec=spec, kinds=kinds_a, console=console)
        for name, split in domains.a.items()
    ]
    ((name_b, split_b),) = domains.b.items()
    train_b, valid_b = load_speaker(name_b, split_b, spec=spec, kinds=all_kinds, console=console)
    train_a = [train for train, _ in pairs_a]
    prior = average_stats([s.stats for s in train_a]) if config.any_to_one else None
    if prior is not None:
        train_a = [
            train if valid.recordings else shrink_stats(train, prior, spec)
            for train, valid in pairs_a
        ]
    return VoiceData(
        train_a=train_a,
        train_b=train_b,
        valid_a=[valid for _, valid in pairs_a if valid.recordings],
        valid_b=valid_b,
        prior=prior,
        stats_a=prior or train_a[0].stats,
    )


def perturbations(config: MelCycleGANConfig) -> tuple[Perturbation, ...]:
    """Return the perturbations of the identity loss, the recording itself first."""
    return WARPS + RESYNTHESES if config.separates_pitch else WARPS


def load_speaker(
    name: str,
    split: Split,
    *,
    spec: MelSpec,
    kinds: Sequence[Perturbation],
    console: Console,
    hears: bool = True,
) -> tuple[Speaker, Speaker]:
    """Return the speaker with training recordings, and the same one with validation recordings."""
    paths = split.train + split.valid
    features = analyse(paths, spec, kinds=kinds, name=name, console=console, hears=hears)
    n_train = len(split.train)
    try:
        speaker = build_speaker(name, features[:n_train], spec)
    except ValueError as error:
        raise CorpusError(f"{split.train[0].parent}: {error}") from None
    return speaker, replace(speaker, recordings=features[n_train:])


def analyse(
    paths: Sequence[Path],
    spec: MelSpec,
    *,
    kinds: Sequence[Perturbation],
    name: str,
    console: Console,
    hears: bool = True,
) -> list[Features]:
    """Return the features of files, and with `hears` their content; shows progress by a name."""
    quiet = not console.is_terminal
    if quiet:
        console.print(f"analysing {name}: {len(paths)} files, kept in the cache for next time")
    with Progress(console=console, transient=True, disable=quiet) as progress:
        task = progress.add_task(f"Analysing {escape(name)}", total=len(paths))
        return cache_features(
            paths,
            spec,
            cache_dir("features"),
            perturbations=kinds,
            hears=hears,
            advance=lambda: progress.advance(task),
        )
