"""How a server runs: its folder, its limits, and who may reach it."""

import secrets
from dataclasses import dataclass, field
from pathlib import Path

from voxcycle.files import data_dir


class Refusal(Exception):
    """A request that is answered with an error: a status of HTTP and one sentence."""

    def __init__(self, sentence: str, status: int = 400) -> None:
        super().__init__(sentence)
        self.sentence, self.status = sentence, status


@dataclass(frozen=True)
class Limits:
    """What a client may store.

    Attributes:
        upload_bytes: of one request that uploads.
        upload_minutes: of one recording.
        quota_bytes: of all uploads and results together.
        life_hours: after which uploads and conversions are deleted.
        patience_s: without a byte of a request, before it is given up.
        queued: jobs that may wait at the same time.
    """

    upload_bytes: int = 500_000_000
    upload_minutes: float = 120.0
    quota_bytes: int = 2_000_000_000
    life_hours: float = 24.0
    patience_s: float = 30.0
    queued: int = 500


@dataclass(frozen=True)
class Settings:
    """Settings of one server.

    Attributes:
        folder: of uploads, jobs and samples.
        limits: see `Limits`.
        token: needed from every client where the server is reached over a network, or "".
        hosts: names by which a network reaches the server, beside addresses.
        is_secure: whether the server speaks TLS.
        csrf: needed for every write; new at each start.
        takes_training_settings: whether requests may name settings of a training (tests do).
    """

    folder: Path
    limits: Limits = field(default_factory=Limits)
    token: str = ""
    hosts: frozenset[str] = frozenset()
    is_secure: bool = False
    csrf: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    takes_training_settings: bool = False


def default_folder() -> Path:
    """Return the folder of uploads and jobs where none is named."""
    return data_dir() / "serve"
