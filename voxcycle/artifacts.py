"""The one file format: safetensors, a JSON header and a checksum. Loading a file runs nothing.

Voices, the pretrained generator, vocoders, image models and training packs are such files. The
header is one JSON document in the metadata, under the key `voxcycle`: the kind of file, the format
version, the SHA-256 of the tensors, and what the kind needs to be built again.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voxcycle.files import replacing

FORMAT_VERSION = 3  # 1 and 2 had no kind, and a checksum in voices alone
FIRST_WITH_KIND = 3
KEY = "voxcycle"
VOICE, PRETRAINED, VOCODER = "voice", "pretrained generator", "vocoder"
IMAGE_MODEL, SPEAKER_ENCODER = "image model", "speaker encoder"
PHONETIC_ENCODER, TRAINING_PACK = "phonetic encoder", "training pack"
# The keys of format 1, before all kinds shared one.
OLDER_KEYS = {"voxcycle_base": PRETRAINED, "voxcycle_vocoder": VOCODER, KEY: VOICE}
MAX_SIZE = 4096  # of what a header says of a network: channels, blocks, bands
MISFITS = (LookupError, TypeError, ValueError, AttributeError, RuntimeError, ArithmeticError)


class ArtifactError(ValueError):
    """A file that cannot be used; the message names the file and the remedy."""


@dataclass(frozen=True)
class Artifact:
    """What a file holds: the header and the tensors by name."""

    header: dict[str, Any]
    arrays: dict[str, NDArray[Any]]


def write_artifact(
    path: Path, kind: str, header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]
) -> None:
    """Write a file; it appears under its name only when it is complete."""
    from safetensors.numpy import save

    contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    document = {
        "format_version": FORMAT_VERSION,
        "kind": kind,
        "sha256": hash_arrays(contiguous),
        **header,
    }
    with replacing(path) as partial:
        partial.write_bytes(save(contiguous, metadata={KEY: json.dumps(document)}))


def read_artifact(path: Path, kind: str) -> Artifact:
    """Read a file and check its tensors against the checksum.

    Raises:
        ArtifactError: the file is missing, truncated, altered, newer or of another kind.
    """
    from safetensors.numpy import load_file

    header = read_header(path, kind)
    try:
        arrays = load_file(path)
    except Exception as error:  # safetensors raises its own type, OSError or ValueError
        raise _unreadable(path, kind, error) from error
    has_checksum = header["format_version"] >= FIRST_WITH_KIND or kind == VOICE
    if has_checksum and hash_arrays(arrays) != header.get("sha256"):
        raise ArtifactError(
            f"{path}: the weights do not match their checksum, so the file was altered or "
            "damaged; fetch it again from where you trust it"
        )
    return Artifact(header, arrays)


def read_header(path: Path, kind: str) -> dict[str, Any]:
    """Return the header of a file without reading its tensors; errors as in `read_artifact`."""
    from safetensors import safe_open

    try:
        with safe_open(path, framework="numpy") as opened:
            metadata = opened.metadata() or {}
    except FileNotFoundError:
        raise ArtifactError(f"{path}: no such file") from None
    except Exception as error:  # safetensors raises its own type, OSError or ValueError
        raise _unreadable(path, kind, error) from error
    key = next((key for key in OLDER_KEYS if key in metadata), None)
    if key is None:
        raise ArtifactError(f"{path}: a safetensors file, but not a voxcycle {kind}")
    damaged = f"{path}: the header of this {kind} file is damaged; fetch it again"
    try:
        header = json.loads(metadata[key])
        version = header["format_version"]
        if not isinstance(version, int):
            raise ValueError(f"format_version is {version!r}")
    except MISFITS as error:
        raise ArtifactError(damaged) from error
    if version > FORMAT_VERSION:
        raise ArtifactError(
            f"{path}: the file has format {version}, this voxcycle reads up to {FORMAT_VERSION}; "
            "update voxcycle"
        )
    found = header.get("kind") if version >= FIRST_WITH_KIND else OLDER_KEYS[key]
    if not isinstance(found, str):
        raise ArtifactError(damaged)
    if found != kind:
        raise ArtifactError(f"{path}: a voxcycle file, but of the kind {found}, not {kind}")
    return header


@contextmanager
def building(path: Path, kind: str) -> Iterator[None]:
    """Turn whatever a hostile or mistaken header makes fail into one sentence.

    Raises:
        ArtifactError: header and weights do not fit together.
    """
    try:
        yield
    except ArtifactError:
        raise
    except MISFITS as error:
        reason = (str(error).splitlines() or [""])[0].rstrip(":")  # PyTorch lists every tensor
        raise ArtifactError(
            f"{path}: header and weights of this {kind} file do not fit together ({reason}); "
            "fetch it again"
        ) from error


def check_sizes(arguments: Mapping[str, Any]) -> None:
    """Raise ValueError where a header asks for a network of an absurd size, before it is built."""
    for name, value in arguments.items():
        for number in value if isinstance(value, list | tuple) else [value]:
            if not isinstance(number, int | float) or not 0 <= number <= MAX_SIZE:
                raise ValueError(f"{name}={str(value)[:40]}")


def hash_arrays(arrays: Mapping[str, NDArray[Any]]) -> str:
    """Return the SHA-256 over names, types, shapes and bytes, in the order of the names."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        digest.update(f"{name} {arrays[name].dtype} {arrays[name].shape}\n".encode())
        values = np.ascontiguousarray(arrays[name]).reshape(-1)
        digest.update(values.view(np.uint8).data)  # not a copy
    return digest.hexdigest()


def _unreadable(path: Path, kind: str, error: Exception) -> ArtifactError:
    return ArtifactError(
        f"{path}: not a voxcycle {kind} file, or cut short ({error}); fetch it again"
    )
