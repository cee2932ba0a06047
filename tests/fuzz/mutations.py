"""Hostile inputs, made of real ones by chance: of bytes, texts, JSON and weight files."""

import copy
import gzip
import json
import random
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
import safetensors.numpy

from voxcycle.artifacts import KEY, hash_arrays

HEADER_BYTES = 96  # where most formats keep sizes and counts
NUMBERS = (0, 1, 2, 3, 127, 255, 1024, 65_535, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**63 - 1, -1)
FORMS = "<H >H <I >I <Q >Q B".split()
NESTING = "@nested@"  # becomes brackets, too many for an encoder
OGG_POLYNOMIAL = 0x04C11DB7
MAX_BYTES = 1 << 20
ODD_TEXTS = (
    *("", " ", "\0", "\n", "\r\n", "\t", "\x1b[31m", "\x7f", "\x85", "\u2028", "\ufeff"),
    *("/", "//", "../../up", "/etc/passwd", "C:\\a", "~", ".", "..", "a|", "[red]", "[/]", "{}"),
    *("'", '"', "\\", "%s", "{0}", "🎙️", "e\u0301", "\u202eabc", "\ud800", "\udcff", "x" * 300),
    *("null", "true", "yes", "NaN", "-Infinity", "1e999", "-0", "0x10", "1_000", "2001-99-99"),
    *("12:30:45", "!!python/name:os.system", "!!binary x", "!!int x", "!!bool x", "&a [*a]"),
    *("*a", "<<: 1", "---", "...", "? a", "- -", "9" * 5000, "#", ",", ";", "=", ":"),
)
ODD_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 0.5, 2**31, 2**63, -(2**63), 10**400, 1e300, 5e-324),
    *(float("nan"), float("inf"), -float("inf"), [], {}, [[]], [None], {"": None}, [0] * 1000),
    *({"a": {"b": []}}, NESTING, *ODD_TEXTS),
)


def change_bytes(data: bytes, seeds: Sequence[bytes], rng: random.Random) -> bytes:
    """Return bytes with one to four changes, most of them near the beginning."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 4))):
        is_near = rng.random() < 0.6
        size = len(changed)
        place = rng.randrange(min(size, HEADER_BYTES) if is_near else size) if size else 0
        end = min(size, place + rng.choice((1, 2, 4, 16, 100, 1000)))
        match rng.randrange(9):
            case 0 if size:
                changed[place] ^= 1 << rng.randrange(8)
            case 1 | 2 | 3 if size:
                form = rng.choice(FORMS)
                n_bytes = struct.calcsize(form)
                number = rng.choice(NUMBERS) + rng.choice((0, 0, 0, 1, -1))
                changed[place : place + n_bytes] = struct.pack(form, number % (1 << (8 * n_bytes)))
            case 4:
                del changed[rng.randrange(size + 1) :]
            case 5:
                del changed[place:end]
            case 6:
                changed[place:place] = changed[place:end] * rng.choice((1, 2, 30))
            case 7:
                changed[place:place] = rng.randbytes(rng.choice((1, 4, 64)))
            case 8:
                other = rng.choice(seeds)
                changed = bytearray(changed[: rng.choice((size, place))] + other)
    return bytes(changed[:MAX_BYTES])


def change_audio(data: bytes, seeds: Sequence[bytes], rng: random.Random) -> bytes:
    """Return bytes of a sound file; the checksums of Ogg fit in every second one."""
    changed = change_bytes(data, seeds, rng)
    if changed[:4] == b"OggS" and rng.random() < 0.5:
        changed = seal_ogg(changed)
    return changed


def seal_ogg(data: bytes, serial: int | None = None) -> bytes:
    """Return pages of Ogg with fitting checksums, so that decoders look at what is in them."""
    sealed, place = bytearray(data), 0
    while (place := sealed.find(b"OggS", place)) >= 0 and place + 27 <= len(sealed):
        table = sealed[place + 27 : place + 27 + sealed[place + 26]]
        end = place + 27 + len(table) + sum(table)
        if serial is not None:
            sealed[place + 14 : place + 18] = struct.pack("<I", serial)
        sealed[place + 22 : place + 26] = bytes(4)
        checksum = 0
        for byte in sealed[place:end]:
            checksum = (checksum << 8) & 0xFFFFFFFF ^ OGG_TABLE[checksum >> 24 ^ byte]
        sealed[place + 22 : place + 26] = struct.pack("<I", checksum)
        place += 27
    return bytes(sealed)


def _divide(byte: int) -> int:
    rest = byte << 24
    for _ in range(8):
        rest = (rest << 1) & 0xFFFFFFFF ^ (OGG_POLYNOMIAL if rest >> 31 else 0)
    return rest


OGG_TABLE = [_divide(byte) for byte in range(256)]


def change_text(data: bytes, seeds: Sequence[bytes], rng: random.Random) -> bytes:
    """Return text with odd texts in it, lines moved, or bytes changed."""
    if rng.random() < 0.25:
        return change_bytes(data, seeds, rng)
    text = data.decode("utf-8", "surrogateescape")
    for _ in range(rng.choice((1, 1, 2, 5))):
        lines = text.splitlines(keepends=True) or [""]
        index = rng.randrange(len(lines))
        match rng.randrange(5):
            case 0:
                lines[index : index + 1] = []
            case 1:
                lines[index] *= rng.choice((2, 50))
            case 2:
                lines[index] = rng.choice(lines)
            case _:
                line, odd = lines[index], rng.choice(ODD_TEXTS)
                start = rng.randrange(len(line) + 1)
                stop = start + rng.choice((0, 0, 1, 5, 30))
                lines[index] = line[:start] + odd + line[stop:]
        text = "".join(lines)
    if rng.random() < 0.02:
        text = text + rng.choice("[{") * rng.choice((500, 100_000))
    return text.encode("utf-8", "surrogatepass" if rng.random() < 0.5 else "replace")


def change_json_lines(data: bytes, seeds: Sequence[bytes], rng: random.Random) -> bytes:
    """Return lines of JSON, one of them with another content."""
    lines = data.splitlines()
    index = rng.randrange(len(lines))
    if rng.random() < 0.3 or not lines[index].endswith(b"}"):
        return change_text(data, seeds, rng)
    lines[index] = write_json(change_json(json.loads(lines[index]), rng))
    return b"\n".join(lines) + b"\n"


def change_compressed(data: bytes, seeds: Sequence[bytes], rng: random.Random) -> bytes:
    """Return compressed lines of JSON, changed before or after they are compressed."""
    if rng.random() < 0.5:
        return change_bytes(data, seeds, rng)
    return gzip.compress(change_json_lines(gzip.decompress(data), [b"x"], rng), 1, mtime=0)


def change_json(document: Any, rng: random.Random) -> Any:
    """Return a document with one to three of its values replaced, removed, renamed or repeated."""
    changed = json.loads(json.dumps(document))
    for _ in range(rng.choice((1, 1, 2, 3))):
        holder = changed
        while True:  # down to a place by chance
            keys: list[Any] = list(holder if isinstance(holder, dict) else range(len(holder)))
            if not keys:
                break
            key = rng.choice(keys)
            if isinstance(holder[key], dict | list) and holder[key] and rng.random() < 0.7:
                holder = holder[key]
                continue
            match rng.randrange(5):
                case 0:
                    del holder[key]
                case 1 if isinstance(holder, dict):
                    holder[rng.choice(ODD_TEXTS)] = holder.pop(key)
                case 2 if isinstance(holder, list):
                    holder *= rng.choice((2, 20))
                case _:
                    holder[key] = copy.deepcopy(rng.choice(ODD_VALUES))
            break
    return copy.deepcopy(rng.choice(ODD_VALUES)) if rng.random() < 0.02 else changed


def write_json(document: Any) -> bytes:
    """Return a document as one line of text; `NESTING` becomes brackets."""
    text = json.dumps(document)
    return text.replace(f'"{NESTING}"', "[" * 100_000 + "]" * 100_000).encode()


def change_json_file(data: bytes, seeds: Sequence[bytes], rng: random.Random) -> bytes:
    """Return a JSON document with changes."""
    if rng.random() < 0.3:
        return change_text(data, seeds, rng)
    return write_json(change_json(json.loads(data), rng))


def change_artifact(data: bytes, seeds: Sequence[bytes], rng: random.Random) -> bytes:
    """Return a weight file with another header, other weights under a fitting checksum, or both."""
    kind = rng.random()
    if kind < 0.15:
        return change_bytes(data, seeds, rng)
    (n_bytes,) = struct.unpack("<Q", data[:8])
    outer = json.loads(data[8 : 8 + n_bytes])
    if kind < 0.3:  # the index of the tensors, which safetensors checks
        return _pack(write_json(change_json(outer, rng)), data[8 + n_bytes :])
    header = json.loads(outer["__metadata__"][KEY])
    arrays = safetensors.numpy.load(data)
    if rng.random() < 0.5:
        for _ in range(rng.choice((1, 1, 3))):
            _change_array(arrays, rng)
        header["sha256"] = hash_arrays(arrays)
    if rng.random() < 0.7:
        document = change_json(header, rng)
        if isinstance(document, dict) and rng.random() < 0.9:
            document |= {key: header[key] for key in ("format_version", "kind", "sha256")}
        text = write_json(document).decode()
    else:
        text = json.dumps(header)
    return safetensors.numpy.save(arrays, metadata={KEY: text})


def _change_array(arrays: dict[str, Any], rng: random.Random) -> None:
    if not arrays:
        return
    name = rng.choice(sorted(arrays))
    array = arrays[name]
    match rng.randrange(7):
        case 0:
            del arrays[name]
        case 1:
            arrays[rng.choice(("", "x", "a.b", "\0", name + ".", "embed.weight"))] = arrays.pop(
                name
            )
        case 2:
            arrays[name] = np.ascontiguousarray(array.reshape(-1)[: rng.choice((0, 1, 7))])
        case 3:
            arrays[name] = array.astype(rng.choice((np.float64, np.int8, np.bool_, np.uint64)))
        case 4:
            arrays[name] = np.full_like(array, rng.choice((np.nan, np.inf, 6e4, 0)))
        case 5:
            arrays[name] = array.reshape(*array.shape, 1)
        case 6:
            arrays[name] = np.zeros(rng.choice(((0,), (0, 3), (), (1, 1, 1, 1, 1))), array.dtype)


def _pack(header: bytes, rest: bytes) -> bytes:
    return struct.pack("<Q", len(header)) + header + rest
