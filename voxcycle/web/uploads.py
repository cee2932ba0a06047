"""Recordings that clients sent: a folder with a quota and a life span."""

import itertools
import json
import os
import re
import secrets
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from voxcycle.files import replacing
from voxcycle.web.multipart import ReceivedFile
from voxcycle.web.settings import Limits, Refusal

ID = re.compile("[0-9a-f]{16}")
SET = re.compile(r"[\w .-]{1,60}")
META, SOUND = "upload.json", "sound"
SUFFIX = re.compile(r"\.[a-z0-9]{1,5}")


def new_id() -> str:
    """Return what no client can guess and no path can hide in."""
    return secrets.token_hex(8)


@dataclass(frozen=True)
class Upload:
    """A recording: its name for show, length, format and set; `created` is a time in seconds."""

    id: str
    name: str
    seconds: float
    sample_rate: int
    bytes: int
    set: str
    suffix: str
    created: float

    def describe(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {key: value for key, value in asdict(self).items() if key != "suffix"}


class Uploads:
    """The uploads of a server, in `folder`; a client sees ids alone.

    Args:
        folder: holds one folder per upload.
        limits: see `Limits`.
        list_results: returns the folders of results, which count for the quota, too.
        on_change: called when the list changes.
    """

    def __init__(
        self,
        folder: Path,
        limits: Limits,
        list_results: Callable[[], list[Path]] = list,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        self.folder, self.limits = folder, limits
        self._list_results, self._on_change = list_results, on_change
        self._lock = threading.Lock()
        self.arrived = 0  # bytes of all requests so far
        self._incoming = folder / "incoming"
        shutil.rmtree(self._incoming, ignore_errors=True)  # of a server that was killed
        self._incoming.mkdir(parents=True)
        for path in folder.iterdir():
            if ID.fullmatch(path.name) and not (path / META).exists():  # deleted half-way
                shutil.rmtree(path, ignore_errors=True)

    def open_file(self) -> Path:
        """Return a path to write a file to that arrives."""
        return self._incoming / new_id()

    def begin(self) -> "Arrival":
        """Return what counts the bytes of a request."""
        return Arrival(self)

    def count(self, n_bytes: int) -> None:
        """Count bytes that arrive."""
        with self._lock:
            self.arrived += n_bytes

    def require_room(self, n_bytes: int) -> None:
        """Raise a Refusal where bytes more exceed the quota."""
        if self.used_bytes() + n_bytes > self.limits.quota_bytes:
            room = self.limits.quota_bytes / 1e9
            raise Refusal(
                f"The server's folder is full ({room:g} GB): delete recordings or results.", 507
            )

    def used_bytes(self) -> int:
        """Return the bytes of uploads, results, and what arrives."""
        return folder_bytes(self.folder, *self._list_results())

    def keep(self, file: ReceivedFile, set_name: str) -> Upload:
        """Read a file that arrived and keep it; Refusal with one sentence where it is no audio."""
        suffix = Path(file.name).suffix.lower()
        suffix = suffix if SUFFIX.fullmatch(suffix) else ""
        upload_id = new_id()
        made = self._incoming / f"{upload_id}.made"
        made.mkdir()
        sound = made / f"{SOUND}{suffix}"
        try:
            os.replace(file.path, sound)
            n_bytes = sound.stat().st_size
            seconds, rate = measure(sound, file.name, self.limits.upload_minutes)
            upload = Upload(
                upload_id, file.name, seconds, rate, n_bytes, set_name, suffix, time.time()
            )
            (made / META).write_text(json.dumps(asdict(upload)), "utf-8")
            os.replace(made, self.folder / upload_id)
        except BaseException:
            shutil.rmtree(made, ignore_errors=True)
            file.path.unlink(missing_ok=True)
            raise
        self._on_change()
        return upload

    def get(self, upload_id: object) -> Upload:
        """Return an upload; Refusal where there is none of that id."""
        if isinstance(upload_id, str) and ID.fullmatch(upload_id):
            try:
                return Upload(**json.loads((self.folder / upload_id / META).read_text("utf-8")))
            except (OSError, ValueError, TypeError):
                pass
        raise Refusal("There is no such recording here any more; add it again.", 404)

    def sound(self, upload: Upload) -> Path:
        """Return the file of an upload."""
        return self.folder / upload.id / f"{SOUND}{upload.suffix}"

    def all(self) -> list[Upload]:
        """Return all uploads, the oldest first."""
        found = []
        for path in self.folder.iterdir():
            if ID.fullmatch(path.name):
                try:
                    found.append(self.get(path.name))
                except Refusal:  # deleted meanwhile
                    continue
        return sorted(found, key=lambda upload: (upload.created, upload.id))

    def delete(self, upload_id: str) -> None:
        """Delete an upload; Refusal where there is none."""
        shutil.rmtree(self.folder / self.get(upload_id).id, ignore_errors=True)
        self._on_change()

    def expire(self) -> None:
        """Delete the uploads whose time is over."""
        oldest = time.time() - 3600 * self.limits.life_hours
        for upload in self.all():
            if upload.created < oldest:
                self.delete(upload.id)

    def link(self, ids: list[str], folder: Path) -> list[str]:
        """Give a job the sounds of uploads, as 0000.wav and so on; returns their shown names.

        They are linked where the disk can, so the uploads may go meanwhile. Raises a Refusal where
        one is missing.
        """
        folder.mkdir(parents=True)
        names = []
        for index, upload_id in enumerate(ids):
            upload = self.get(upload_id)
            source, target = self.sound(upload), folder / f"{index:04}{upload.suffix}"
            try:
                os.link(source, target)
            except FileNotFoundError:
                raise Refusal("A recording was deleted meanwhile; add it again.", 404) from None
            except OSError:  # a disk without links
                shutil.copyfile(source, target)
            names.append(upload.name)
        return names


class Arrival:
    """The bytes of one request that uploads."""

    def __init__(self, uploads: Uploads) -> None:
        self._uploads, self._n_bytes = uploads, 0
        self._look()

    def announce(self, n_bytes: int) -> None:
        """Raise a Refusal at once where a request says that it brings too much."""
        if n_bytes > self._uploads.limits.upload_bytes:
            self._refuse_size()
        self._require_room(n_bytes)

    def check(self, n_bytes: int) -> None:
        """Count bytes more; Refusal where they exceed a limit."""
        self._n_bytes += n_bytes
        if self._n_bytes > self._uploads.limits.upload_bytes:
            self._refuse_size()
        self._require_room(n_bytes)
        self._uploads.count(n_bytes)

    def _look(self) -> None:
        """Measure the folder, which takes too long for every piece that arrives."""
        self._before, self._used = self._uploads.arrived, self._uploads.used_bytes()

    def _require_room(self, n_bytes: int) -> None:
        quota = self._uploads.limits.quota_bytes
        if self._used + self._uploads.arrived - self._before + n_bytes > quota:
            self._look()  # what arrived meanwhile may be gone
            self._uploads.require_room(n_bytes)

    def _refuse_size(self) -> None:
        largest = self._uploads.limits.upload_bytes / 1e6
        raise Refusal(
            f"The upload is larger than {largest:g} MB: send less at once, or cut the recording.",
            413,
        )


def measure(path: Path, name: str, max_minutes: float) -> tuple[float, int]:
    """Decode a recording once; return its seconds and sample rate, or a Refusal with the reason.

    A small file may decode to days of silence: reading ends at the limit.
    """
    from voxcycle.audio.io import AudioError, FileSource

    try:
        source = FileSource(path, name)
        most = round(60 * max_minutes * source.sample_rate)
        n_samples = 0
        for block in source.blocks():
            n_samples += len(block)
            if n_samples > most:
                raise Refusal(
                    f"{name}: longer than {max_minutes:g} minutes; cut it into shorter ones.", 413
                )
    except AudioError as error:
        raise Refusal(str(error), 422) from error
    if not n_samples:
        raise Refusal(f"{name}: there is no sound in the file; save it again.", 422)
    return round(n_samples / source.sample_rate, 3), source.sample_rate


def folder_bytes(*folders: Path) -> int:
    """Return the bytes of all files below folders; a file with several links counts once."""
    total, seen = 0, set()
    for place, _, names in itertools.chain.from_iterable(map(os.walk, folders)):
        for name in names:
            try:
                status = os.lstat(os.path.join(place, name))
            except OSError:  # deleted meanwhile
                continue
            if (status.st_dev, status.st_ino) not in seen:
                seen.add((status.st_dev, status.st_ino))
                total += status.st_size
    return total


def write_json(path: Path, value: Any) -> None:
    """Write a file that appears when it is whole."""
    with replacing(path) as partial:
        partial.write_text(json.dumps(value), "utf-8")
