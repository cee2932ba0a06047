"""From folders to speakers: which recordings are scored, their texts and parallel recordings."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from voxcycle.audio.io import list_audio
from voxcycle.evaluation.rows import Sentence, Speaker

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
) -> tuple[Speaker, ...]:
    """Return the speakers of a folder: one per subfolder with recordings, else the folder's one.

    Args:
        folder: of recordings, or of one folder per speaker.
        language: ISO 639-1 code, for the recogniser.
        texts: folder of `NAME.txt` beside which `NAME.wav` is named; None looks beside the
            recordings.
        parallel: folder of the target's recordings of the same sentences, under the same names.
        n_sentences: scored per speaker, spread evenly over the sorted files.

    Raises:
        ValueError: there is no recording, or no text or parallel recording fits one.
    """
    for named in (folder, *(f for f in (texts, parallel) if f is not None)):
        _require_folder(named)
    folders = [f for f in sorted(folder.iterdir()) if f.is_dir() and list_audio(f)]
    if list_audio(folder, recursive=False) or not folders:
        folders = [folder]
    speakers = tuple(
        _make_speaker(f, language, _beside(texts, f.name), _beside(parallel, f.name), n_sentences)
        for f in folders
    )
    sentences = [sentence for speaker in speakers for sentence in speaker.sentences]
    if texts is not None and not any(s.text for s in sentences):
        raise ValueError(f"{texts}: no NAME.txt for any NAME of the recordings in {folder}")
    if parallel is not None and not any(s.parallel for s in sentences):
        raise ValueError(f"{parallel}: no recording has the name of one in {folder}")
    return speakers


def list_target(
    folder: Path, language: str, texts: Path | None = None, n_sentences: int = N_SENTENCES
) -> Speaker:
    """Return the target's speaker, all recordings below a folder; arguments as `list_sources`."""
    _require_folder(folder)
    return _make_speaker(folder, language, texts, None, n_sentences)


def _make_speaker(
    folder: Path, language: str, texts: Path | None, parallel: Path | None, n_sentences: int
) -> Speaker:
    paths = list_audio(folder)
    if not paths:
        raise ValueError(
            f"{folder}: no recordings found; put wav, flac, ogg or mp3 files of one speaker there"
        )
    matches = {p.stem: p for p in list_audio(parallel)} if parallel else {}
    scored = spread(paths, n_sentences)
    others = [p for p in paths if p not in set(scored)]
    # Too few others: the scored ones serve too, each left out when it is itself scored.
    references = spread(others if len(others) >= MIN_REFERENCES else paths, N_REFERENCES)

    stems = Counter(path.with_suffix("") for path in paths)

    def sentence(path: Path) -> Sentence:
        stem = path.with_suffix("")
        name = (stem if stems[stem] == 1 else path).relative_to(folder).as_posix()
        return Sentence(name, path, _read_text(path, texts), matches.get(path.stem))

    return Speaker(
        folder.absolute().name,
        language,
        tuple(sentence(p) for p in scored),
        tuple(sentence(p) for p in references),
    )


def spread(items: Sequence[T], n: int) -> list[T]:
    """Return up to `n` of the items, evenly spread over their order."""
    if len(items) <= n:
        return list(items)
    return [items[i * len(items) // n] for i in range(n)]


def _beside(folder: Path | None, name: str) -> Path | None:
    """Return the speaker's own subfolder where there is one."""
    return folder / name if folder is not None and (folder / name).is_dir() else folder


def _read_text(recording: Path, texts: Path | None) -> str | None:
    path = (texts or recording.parent) / f"{recording.stem}.txt"
    if not path.is_file():
        return None
    try:
        return path.read_text(encoding="utf-8").strip() or None
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not UTF-8 text ({error}); save it as UTF-8") from None


def _require_folder(folder: Path) -> None:
    if not folder.is_dir():
        raise ValueError(f"{folder}: no such folder; name a folder of recordings")
