"""Lists with a row per recording: JSON lines of Lhotse and NeMo, and tables."""

import csv
import gzip
import io
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from voxcycle.audio.part import WHOLE, Part
from voxcycle.conversion.lists.utterance import (
    Utterance,
    UtteranceList,
    Written,
    output_of,
    write_lines,
)
from voxcycle.conversion.storage import placing
from voxcycle.files import replacing

PATH_KEYS = ("path", "audio_filepath", "audio", "file", "file_name", "filename", "wav")
ID_KEYS = ("id", "utt_id", "utterance_id", "utterance", "key")
SPEAKER_KEYS = ("speaker", "speaker_id", "spk", "client_id")
START_KEYS = ("start", "offset", "start_s")
DURATION_KEYS = ("duration", "seconds", "duration_s")
MAX_LINE = 1 << 24  # characters: longer ones are no list
MAX_BLANK = 1_000_000  # lines
MAX_RATIO = 100  # of text to compressed bytes; rows of real lists have about 20


class JsonList(UtteranceList):
    """One JSON object per line: cuts or recordings of Lhotse, or rows as NeMo has them."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.rows: list[dict[str, Any]] = []
        n_read, n_blank, most = 0, 0, max(MAX_LINE, MAX_RATIO * path.stat().st_size)
        with path.open("rb") as file:
            packed = path.suffix.lower() == ".gz"
            lines = io.TextIOWrapper(gzip.open(file) if packed else file, "utf-8")
            for line, text in enumerate(iter(lambda: lines.readline(MAX_LINE), ""), 1):
                n_read += len(text)
                n_blank += text.isspace()
                if n_read > most or n_blank > MAX_BLANK:
                    raise self.fail(line, "a bomb: blank lines, or far more text than a list has")
                if not text.isspace():
                    self.rows.append(self._parse(line, text))
        names = [self._name(row) for row in self.rows]
        counts = Counter(names)
        for line, (row, name) in enumerate(zip(self.rows, names, strict=True), 1):
            unique = name if counts[name] == 1 else f"{name}-{line}"
            self.utterances.append(self._read_row(line, row, unique))

    def _parse(self, line: int, text: str) -> dict[str, Any]:
        try:
            row = json.loads(text)
        except (ValueError, RecursionError):
            raise self.fail(line, "not a JSON object on one line") from None
        if not isinstance(row, dict):
            raise self.fail(line, "not a JSON object on one line")
        return row

    @staticmethod
    def _name(row: dict[str, Any]) -> str:
        found = find_value(row, ID_KEYS)
        return str(found) if found else Path(str(find_value(row, PATH_KEYS) or "")).stem

    def _read_row(self, line: int, row: dict[str, Any], name: str) -> Utterance:
        recording = row.get("recording", row if "sources" in row else None)
        if recording is None:
            place = find_value(row, PATH_KEYS)
            part = self._part(line, row)
            speaker = str(find_value(row, SPEAKER_KEYS) or "")
        else:
            try:
                (source,) = recording["sources"]
                place = source["source"] if source["type"] == "file" else None
            except (KeyError, TypeError, ValueError):
                raise self.fail(line, "a recording needs one source of the type file") from None
            if place is None:
                raise self.fail(line, f"a source of the type {source['type']} is not read")
            part = self._part(line, row) if "recording" in row else WHOLE
            told = row.get("supervisions")
            told = told if isinstance(told, list) else []
            speakers = [str(s.get("speaker") or "") for s in told if isinstance(s, dict)]
            speaker = next(filter(None, speakers), "")
        if not isinstance(place, str) or not place:
            raise self.fail(line, f"no file is named: one of {', '.join(PATH_KEYS)} is needed")
        return Utterance(name, self.find_recording(place), output_of(name), part, speaker)

    def _part(self, line: int, row: dict[str, Any]) -> Part:
        start, duration = find_value(row, START_KEYS), find_value(row, DURATION_KEYS)
        channel = row.get("channel")
        is_cut = start is not None or "recording" in row
        try:
            return make_part(start, duration if is_cut else None, channel)
        except ValueError as error:
            raise self.fail(line, str(error)) from None

    def write(self, folder: Path, written: Mapping[str, Written]) -> Path:
        """Write the rows whose outputs are there, each with its own other values."""
        lines = []
        for utterance, row in zip(self.utterances, self.rows, strict=True):
            made = written.get(utterance.id)
            if made is not None:
                lines.append(write_row(self._describe(row, made)))
        path = folder / self.path.name
        write_lines(path, lines)
        return path

    @staticmethod
    def _describe(row: dict[str, Any], made: Written) -> dict[str, Any]:
        numbers = {
            "sampling_rate": made.sample_rate,
            "num_samples": made.n_samples,
            "duration": made.seconds,
        }
        sources = [{"type": "file", "channels": [0], "source": str(made.path)}]
        if "sources" in row:
            return {**row, "sources": sources, **numbers, "channel_ids": [0]}
        if "recording" in row:  # features of the recording are not those of its conversion
            kept = {k: v for k, v in row.items() if k not in ("features", "custom")}
            name = row["recording"].get("id", made.path.stem)
            recording = {"id": name, "sources": sources, **numbers, "channel_ids": [0]}
            whole = {"start": 0.0, "duration": made.seconds, "channel": 0}
            return {**kept, **whole, "recording": recording}
        return {**replace_place(row, made)}


class TableList(UtteranceList):
    """A table with a header, separated by commas or (.tsv) tabs."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.dialect = "excel-tab" if path.suffix.lower() == ".tsv" else "excel"
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, dialect=self.dialect)
            try:
                self.rows = [row for row in reader if any(row.values())]
            except csv.Error as error:
                raise self.fail(reader.line_num, f"not a table ({error})") from None
            self.fields = list(reader.fieldnames or [])
        if not any(key in self.fields for key in PATH_KEYS):
            raise self.fail(1, f"a column named {', '.join(PATH_KEYS[:-1])} or wav is needed")
        names = [JsonList._name(row) for row in self.rows]
        counts = Counter(names)
        for line, (row, name) in enumerate(zip(self.rows, names, strict=True), 2):
            start, duration = find_value(row, START_KEYS), find_value(row, DURATION_KEYS)
            place = find_value(row, PATH_KEYS)
            if not place:
                raise self.fail(line, "no file is named")
            try:
                part = make_part(start, duration if start else None, None)
            except ValueError as error:
                raise self.fail(line, str(error)) from None
            unique = name if counts[name] == 1 else f"{name}-{line}"
            speaker = str(find_value(row, SPEAKER_KEYS) or "")
            source = self.find_recording(str(place))
            self.utterances.append(Utterance(unique, source, output_of(unique), part, speaker))

    def write(self, folder: Path, written: Mapping[str, Written]) -> Path:
        """Write the rows whose outputs are there."""
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, self.fields, dialect=self.dialect, extrasaction="ignore")
        writer.writeheader()
        for utterance, row in zip(self.utterances, self.rows, strict=True):
            if utterance.id in written:
                writer.writerow(replace_place(row, written[utterance.id]))
        path = folder / self.path.name
        with placing(path) as place, replacing(place) as partial:
            partial.write_text(text.getvalue(), encoding="utf-8", newline="")
        return path


def make_part(start: Any, duration: Any, channel: Any) -> Part:
    """Return a part of numbers or their texts; ValueError where one is none."""
    try:
        start_s = float(start or 0.0)
        duration_s = None if duration in (None, "") else float(duration)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"start {start!r}, duration {duration!r}: seconds are needed") from None
    if not 0 <= start_s < 1e9 or duration_s is not None and not 0 < duration_s < 1e9:
        raise ValueError(f"start {start!r}, duration {duration!r}: seconds are needed")
    is_channel = isinstance(channel, int) and not isinstance(channel, bool)
    return Part(start_s, duration_s, channel if is_channel else None)


def write_row(row: Mapping[str, Any]) -> str:
    """Return a row as JSON; halves of characters, which UTF-8 lacks, are kept as escapes."""
    text = json.dumps(row, ensure_ascii=False)
    return json.dumps(row) if re.search("[\ud800-\udfff]", text) else text


def find_value(row: Mapping[str, Any], keys: Iterable[str]) -> Any:
    """Return the first value that is there; None where there is none."""
    return next((row[key] for key in keys if row.get(key) not in (None, "")), None)


def replace_place(row: Mapping[str, Any], made: Written) -> dict[str, Any]:
    """Return a row with its file, start and duration those of an output."""
    changed = dict(row)
    path = next(key for key in PATH_KEYS if row.get(key))
    changed[path] = str(made.path)
    changed |= {key: 0.0 for key in START_KEYS if row.get(key) not in (None, "")}
    changed |= {key: made.seconds for key in DURATION_KEYS if row.get(key) not in (None, "")}
    return changed
