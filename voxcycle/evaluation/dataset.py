"""From folders to speakers: which recordings are scored, their texts and parallel recordings."""

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from voxcycle.audio.folder import list_audio
from voxcycle.evaluation.metrics.asr import check_language
from voxcycle.evaluation.systems import Sentence, Speaker

T = TypeVar("T")
N_SENTENCES = 20
N_REFERENCES = 20
MIN_REFERENCES = 5


def list_sources(
    folder: Path,
    language: str,
    texts: Path | None = None,
    parallel: Path | None = None,
    n_sentences: int = N_SENTENCES,
    target: Path | None = None,
) -> tuple[Speaker, ...]:
    """Return the speakers of a folder: one per subfolder with recordings, else the folder's one.

    Args:
        folder: of recordings, or of one folder per speaker.
        language: ISO 639 code, for the recogniser, see `check_language`.
        texts: folder with `NAME.txt` for `NAME.wav`; None looks beside the recordings.
        parallel: folder of the target's recordings of the same sentences, under the same names.
        n_sentences: scored per speaker, spread evenly over the sorted files.
        target: folder of the target. The subfolder of `texts` with its name holds the target's
            texts.

    Texts and parallel recordings are found by `match_names`, in the speaker's own subfolder if it
    exists.

    Raises:
        ValueError: a folder has no recordings, no text or parallel recording matches, a match is
            ambiguous, or the language is unknown.
    """
    for named in (folder, texts, parallel):
        _require_folder(named)
    folders = [f for f in sorted(folder.iterdir()) if f.is_dir() and list_audio(f)]
    if list_audio(folder, recursive=False) or not folders:
        folders = [folder]
    text_files = sorted(texts.rglob("*.txt")) if texts else []
    parallel_files = list_audio(parallel) if parallel else []
    names = {f.name for f in folders}
    text_names = names | {target.absolute().name} if target else names
    speakers = tuple(
        _make_speaker(
            f,
            language,
            n_sentences,
            texts=_own(text_files, texts, f.name, text_names) if texts else None,
            parallel=_own(parallel_files, parallel, f.name, names) if parallel else None,
        )
        for f in folders
    )
    sentences = [sentence for speaker in speakers for sentence in speaker.sentences]
    if texts is not None and not any(s.text for s in sentences):
        raise ValueError(f"{texts}: no NAME.txt for any NAME of the recordings in {folder}")
    if parallel is not None and not any(s.parallel for s in sentences):
        raise ValueError(f"{parallel}: no recording has the name of one in {folder}")
    return speakers


def list_target(
    folder: Path,
    language: str,
    texts: Path | None = None,
    n_sentences: int = N_SENTENCES,
    source: Path | None = None,
) -> Speaker:
    """Return the target's speaker, all recordings below a folder; arguments as `list_sources`.

    Texts are looked for in the subfolder of `texts` with the target folder's name, or without such
    a subfolder in `texts` itself; where nothing matches, beside the recordings. Subfolders of
    `texts` for the sources, and texts directly in it with the name of a source recording, belong to
    the sources.
    """
    _require_folder(folder)
    _require_folder(texts)
    if texts is not None:
        name, other_names = folder.absolute().name, set[str]()
        if source is not None:
            other_names = {source.absolute().name, *(f.name for f in source.iterdir())}
        files = _own(sorted(texts.rglob("*.txt")), texts, name, other_names)
        if source is not None and not (texts / name).is_dir():
            theirs = {path.stem for path in list_audio(source)}
            files = {k: v for k, v in files.items() if k.stem not in theirs}
        speaker = _make_speaker(folder, language, n_sentences, files)
        if any(s.text for s in speaker.sentences):
            return speaker
    return _make_speaker(folder, language, n_sentences)


def _make_speaker(
    folder: Path,
    language: str,
    n_sentences: int,
    texts: dict[Path, Path] | None = None,
    parallel: dict[Path, Path] | None = None,
) -> Speaker:
    paths = list_audio(folder)
    if not paths:
        raise ValueError(
            f"{folder}: no recordings found; put wav, flac, ogg or mp3 files of one speaker there"
        )
    named = {path.relative_to(folder): path for path in paths}
    if texts is None:
        beside = {path: path.with_suffix(".txt") for path in paths}
        texts_found = {path: text for path, text in beside.items() if text.is_file()}
    else:
        texts_found = match_names(named, texts)
    parallels = match_names(named, parallel or {})
    scored = spread(paths, n_sentences)
    others = [p for p in paths if p not in set(scored)]
    # With too few others the scored ones serve too; each is excluded from its own score.
    references = spread(others if len(others) >= MIN_REFERENCES else paths, N_REFERENCES)

    stems = Counter(path.with_suffix("") for path in paths)

    def sentence(path: Path) -> Sentence:
        stem = path.with_suffix("")
        name = (stem if stems[stem] == 1 else path).relative_to(folder).as_posix()
        text = texts_found.get(path)
        return Sentence(name, path, _read_text(text) if text else None, parallels.get(path))

    return Speaker(
        folder.absolute().name,
        check_language(language),
        tuple(sentence(p) for p in scored),
        tuple(sentence(p) for p in references),
    )


def match_names(recordings: dict[Path, Path], others: dict[Path, Path]) -> dict[Path, Path]:
    """Pair recordings with files of the same names.

    First by the path below their folders without the extension, then by the file's name alone where
    it is unique on both sides.

    Args:
        recordings: path below their folder to path.
        others: the same of the files to match.

    Raises:
        ValueError: two files match one recording, or two recordings one file; both are named.
    """
    found: dict[Path, Path] = {}
    by_path = _group(others, lambda name: name.with_suffix(""))
    for name, recording in recordings.items():
        same = [others[name]] if name in others else by_path.get(name.with_suffix(""), [])
        if same:
            found[recording] = _only(same, recording)
    taken = set(found.values())
    by_stem = _group({k: v for k, v in others.items() if v not in taken}, lambda name: name.stem)
    left = {name: path for name, path in recordings.items() if path not in found}
    for stem, same in _group(left, lambda name: name.stem).items():
        if stem in by_stem:
            partner = _only(by_stem[stem], same[0])
            found[_only(same, partner)] = partner
    return found


def _group(named: dict[Path, Path], key: Callable[[Path], T]) -> dict[T, list[Path]]:
    groups: dict[T, list[Path]] = {}
    for name, path in named.items():
        groups.setdefault(key(name), []).append(path)
    return groups


def _only(candidates: list[Path], partner: Path) -> Path:
    if len(candidates) > 1:
        raise ValueError(
            f"{candidates[0]} and {candidates[1]}: both match {partner}; "
            "give matching files the same path below their folders"
        )
    return candidates[0]


def spread(items: Sequence[T], n: int) -> list[T]:
    """Return up to `n` of the items, evenly spread over their order."""
    if len(items) <= n:
        return list(items)
    return [items[i * len(items) // n] for i in range(n)]


def _own(paths: Sequence[Path], folder: Path, name: str, names: set[str]) -> dict[Path, Path]:
    """Return a speaker's files by their paths below the folder, or below the speaker's subfolder.

    Without such a subfolder, all files except those in the subfolders of other speakers (`names`).
    """
    if (folder / name).is_dir():
        own = folder / name
        return {p.relative_to(own): p for p in paths if p.is_relative_to(own)}
    named = {p.relative_to(folder): p for p in paths}
    return {k: v for k, v in named.items() if len(k.parts) == 1 or k.parts[0] not in names}


def _read_text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8").strip() or None
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not UTF-8 text ({error}); save it as UTF-8") from None


def _require_folder(folder: Path | None) -> None:
    if folder is not None and not folder.is_dir():
        raise ValueError(f"{folder}: no such folder; name a folder of recordings")
