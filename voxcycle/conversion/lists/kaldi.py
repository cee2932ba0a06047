"""Folders and lists of Kaldi."""

from collections.abc import Mapping
from pathlib import Path

from voxcycle.audio.io import AudioError
from voxcycle.audio.part import WHOLE, Part
from voxcycle.conversion.lists.utterance import (
    Utterance,
    UtteranceList,
    Written,
    output_of,
    write_lines,
)

KALDI_LIST = "wav.scp"


class KaldiList(UtteranceList):
    """`wav.scp` with, beside it, `segments`, `utt2spk` and `text` where they are there."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        recordings = self._read(path)
        beside = path.parent
        self.kept = {
            name: self._read(beside / name)
            for name in ("utt2spk", "text", "utt2lang", "spk2gender")
            if (beside / name).is_file()
        }
        speakers = self.kept.get("utt2spk", {})
        if (beside / "segments").is_file():
            parts = self._read(beside / "segments")
            for line, (utterance, value) in enumerate(parts.items(), 1):
                recording, part = self._parse_segment(line, value)
                if recording not in recordings:
                    raise self.fail(line, f"segments names {recording}, which {path.name} lacks")
                self._add(utterance, recordings[recording], part, speakers)
        else:
            for name, place in recordings.items():
                self._add(name, place, WHOLE, speakers)

    def _read(self, path: Path) -> dict[str, str]:
        values = {}
        for line, text in enumerate(path.read_text("utf-8").split("\n"), 1):
            fields = text.split(maxsplit=1)
            if len(fields) == 1 and path.name in (KALDI_LIST, "segments"):
                raise AudioError(f"{path}, line {line}: a name alone; correct the list")
            if fields:
                values[fields[0]] = fields[1].strip() if len(fields) > 1 else ""
        return values

    def _parse_segment(self, line: int, value: str) -> tuple[str, Part]:
        try:
            recording, start, end = value.split()[:3]
            start_s, end_s = float(start), float(end)
            if not 0 <= start_s < 1e9 or not end_s < 1e9:
                raise ValueError
        except ValueError:
            raise self.fail(line, "segments needs: utterance recording start end") from None
        return recording, Part(start_s, None if end_s < 0 else end_s - start_s)

    def _add(self, name: str, place: str, part: Part, speakers: Mapping[str, str]) -> None:
        error = ""
        if place.endswith("|"):
            error = f"{name}: {self.path} asks for a command, and none is run; make a file of it"
        source = self.find_recording(place)
        own = Utterance(name, source, output_of(name), part, speakers.get(name, ""), error)
        self.utterances.append(own)

    def write(self, folder: Path, written: Mapping[str, Written]) -> Path:
        """Write `wav.scp` and the tables beside it; outputs are whole, so without `segments`."""
        ids = [utterance.id for utterance in self.utterances if utterance.id in written]
        by_speaker: dict[str, list[str]] = {}
        for name, table in self.kept.items():
            keys = dict.fromkeys(ids)
            if name == "spk2gender":
                keys = dict.fromkeys(self.kept.get("utt2spk", {}).get(i, "") for i in ids)
            lines = [f"{key} {table[key]}" for key in keys if key in table]
            write_lines(folder / name, lines)
        for name in ids:
            speaker = self.kept.get("utt2spk", {}).get(name)
            if speaker is not None:
                by_speaker.setdefault(speaker, []).append(name)
        if by_speaker:
            lines = [f"{speaker} {' '.join(own)}" for speaker, own in by_speaker.items()]
            write_lines(folder / "spk2utt", lines)
        write_lines(folder / KALDI_LIST, [f"{name} {written[name].path}" for name in ids])
        return folder / KALDI_LIST
