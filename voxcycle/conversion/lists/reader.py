"""Which kind of list a path is."""

import zlib
from pathlib import Path

from voxcycle.audio.io import AudioError
from voxcycle.conversion.lists.kaldi import KALDI_LIST, KaldiList
from voxcycle.conversion.lists.parquet import ParquetList
from voxcycle.conversion.lists.rows import JsonList, TableList
from voxcycle.conversion.lists.utterance import UtteranceList

SUFFIXES = (".scp", ".jsonl", ".jsonl.gz", ".csv", ".tsv", ".parquet")


def is_list(path: Path) -> bool:
    """Return whether a path is a list, or a Kaldi folder."""
    if path.is_dir():
        return (path / KALDI_LIST).is_file()
    return path.name.lower().endswith(SUFFIXES)


def open_list(path: Path) -> "UtteranceList":
    """Read a list; AudioError where it is none, or a line of it is damaged."""
    if path.is_dir():
        path = path / KALDI_LIST
    kind = path.name.lower()
    try:
        if kind.endswith(".scp"):
            return KaldiList(path)
        if kind.endswith(".parquet"):
            return ParquetList(path)
        return TableList(path) if kind.endswith((".csv", ".tsv")) else JsonList(path)
    except OSError as error:
        raise AudioError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (EOFError, zlib.error) as error:
        raise AudioError(f"{path}: damaged or cut short ({error}); compress it again") from error
    except UnicodeDecodeError as error:
        raise AudioError(f"{path}: not a list of recordings: it is not UTF-8 text") from error
