"""How a batch is worked off: processes, limits, what is done again, which part of it."""

import hashlib
from dataclasses import dataclass
from typing import Literal

from voxcycle.runtime.session import count_cores

Jobs = int | Literal["auto"]
MANY = 8  # recordings, from which on `auto` starts a process per core


@dataclass(frozen=True)
class Work:
    """How a batch is worked off.

    Attributes:
        jobs: processes, each of one thread; 1 works in this process with its threads, "auto" takes
            a process per core for eight recordings or more.
        timeout_s: seconds that one recording may take; None for no limit.
        max_failures: recordings that may fail before the batch stops; None for no limit.
        retry_failed: convert again what failed before.
        verifies: hash what an earlier call made, and its recordings, rather than trust their sizes
            and times.
        shard: (i, n), the i-th of n parts of the batch, from 1 on; None for all of it.
        device: where networks run.
        cluster: the Ray cluster whose cores work: "local" for one on this machine, "auto" or an
            address for one that runs; None for processes of this machine. There, `jobs` is the
            number of actors, and "auto" takes all cores that the cluster has.
    """

    jobs: Jobs = 1
    timeout_s: float | None = None
    max_failures: int | None = None
    retry_failed: bool = False
    verifies: bool = False
    shard: tuple[int, int] | None = None
    device: str = "cpu"
    cluster: str | None = None

    def __post_init__(self) -> None:
        if self.shard is not None and not 1 <= self.shard[0] <= self.shard[1]:
            raise ValueError(
                f"shard {self.shard[0]}/{self.shard[1]}: from 1/{self.shard[1]} to "
                f"{self.shard[1]}/{self.shard[1]} are possible"
            )
        if self.jobs != "auto" and self.jobs < 1:
            raise ValueError(f"jobs {self.jobs}: auto, or a number from 1 on is needed")
        if self.cluster is not None and (self.timeout_s is not None or self.device != "cpu"):
            raise ValueError(
                "cluster: it converts on CPUs and without a limit of time; leave timeout and device"
            )

    def has(self, name: str) -> bool:
        """Return whether an utterance of that id belongs to the shard."""
        if self.shard is None:
            return True
        digest = hashlib.sha256(name.encode("utf-8", "surrogateescape")).digest()
        return int.from_bytes(digest[:8], "big") % self.shard[1] == self.shard[0] - 1

    def count_processes(self, n_recordings: int) -> int:
        """Return the number of processes for so many recordings; 1 is this process."""
        if self.jobs == "auto":
            return 1 if n_recordings < MANY else count_cores()
        return max(1, min(self.jobs, n_recordings))
