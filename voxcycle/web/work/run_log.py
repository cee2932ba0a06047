"""What a training has written to its TensorBoard log since the last look."""

import re
import struct
from pathlib import Path
from typing import Any

from tensorboard.compat.proto.event_pb2 import Event

HEAD = struct.Struct("<QI")  # length of a record and its checksum
CHECKSUM = 4  # bytes behind it
VALID = "valid/"


class RunLog:
    """Reads scalars and audio of validations; every record once.

    Args:
        log: folder of the run's log.
        sounds: receives the audio, as STEP-NAME.wav.
    """

    def __init__(self, log: Path, sounds: Path) -> None:
        self.log, self.sounds = log, sounds
        self._places: dict[Path, int] = {}

    def read(self) -> list[dict[str, Any]]:
        """Return what is new, as one entry per step: its metrics, and the names of its sounds."""
        stages: dict[int, dict[str, Any]] = {}
        for path in sorted(self.log.glob("events.out.tfevents.*")):
            for event in self._events(path):
                for value in event.summary.value:
                    self._take(stages, event.step, value)
        return [stages[step] for step in sorted(stages)]

    def _take(self, stages: dict[int, dict[str, Any]], step: int, value: Any) -> None:
        kind = value.WhichOneof("value")
        is_metric = kind == "simple_value" and value.tag.startswith(VALID)
        if not is_metric and kind != "audio":
            return
        stage = stages.setdefault(step, {"step": step, "audio": [], "metrics": {}})
        if is_metric:
            stage["metrics"][value.tag.removeprefix(VALID)] = round(value.simple_value, 4)
        else:
            name = f"{step}-{re.sub('[^a-z0-9]+', '-', value.tag.lower())}.wav"
            self.sounds.mkdir(parents=True, exist_ok=True)
            (self.sounds / name).write_bytes(value.audio.encoded_audio_string)
            stage["audio"].append(name)

    def _events(self, path: Path) -> list[Event]:
        """Return the whole records behind the last one that was read."""
        found = []
        with path.open("rb") as file:
            file.seek(self._places.get(path, 0))
            while len(head := file.read(HEAD.size)) == HEAD.size:
                length, _ = HEAD.unpack(head)
                record = file.read(length + CHECKSUM)
                if len(record) < length + CHECKSUM:
                    break  # the rest is written later
                found.append(Event.FromString(record[:length]))
                self._places[path] = file.tell()
        return found
