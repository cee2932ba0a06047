"""Parquet files with recordings in them, as data sets of Hugging Face have them."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from voxcycle.audio.io import AudioError
from voxcycle.conversion.lists.rows import ID_KEYS, SPEAKER_KEYS, find_value
from voxcycle.conversion.lists.utterance import Utterance, UtteranceList, Written, output_of
from voxcycle.conversion.packed import AUDIO, PackedPath
from voxcycle.conversion.storage import is_remote, placing
from voxcycle.files import replacing


class ParquetList(UtteranceList):
    """A table whose column `audio` holds {bytes, path}, bytes or paths.

    It is read and written by row groups: one of them is in memory at a time.
    """

    def __init__(self, path: Path) -> None:
        import pyarrow
        from pyarrow.parquet import ParquetFile

        super().__init__(path)
        if is_remote(path):
            raise AudioError(f"{path}: parquet files are read from a disk; fetch it first")
        try:
            with ParquetFile(path) as file:
                self.schema = file.schema_arrow
                self._require_audio()
                read = [key for key in (*ID_KEYS, *SPEAKER_KEYS) if key in self.schema.names]
                read += [f"{AUDIO}.path"] if self._has_path else []
                read += [] if self._is_packed else [AUDIO]
                for group in range(file.num_row_groups):
                    n_rows = file.metadata.row_group(group).num_rows
                    rows = file.read_row_group(group, columns=read).to_pylist() if read else []
                    self._add(group, rows or [{}] * n_rows)
        except pyarrow.ArrowException as error:
            reason = str(error).partition("\n")[0].rstrip(".")
            raise AudioError(
                f"{path}: not a parquet file that can be read ({reason}); fetch it again"
            ) from error
        counts = Counter(utterance.id for utterance in self.utterances)
        if clash := next((name for name, count in counts.items() if count > 1), None):
            raise AudioError(f"{path}: two rows have the id {clash}; give each its own")

    def _require_audio(self) -> None:
        """Find out what the column holds; AudioError where it is none."""
        import pyarrow.types as types

        kind = self.schema.field(AUDIO).type if AUDIO in self.schema.names else None
        parts = [field.name for field in kind] if kind and types.is_struct(kind) else []
        is_bytes = kind and (types.is_binary(kind) or types.is_large_binary(kind))
        is_text = kind and (types.is_string(kind) or types.is_large_string(kind))
        if not (is_bytes or is_text or "bytes" in parts):
            raise AudioError(
                f"{self.path}: a column named {AUDIO} is needed, of bytes and path, bytes or paths"
            )
        self._is_packed, self._has_path = not is_text, "path" in parts

    def _add(self, group: int, rows: list[dict[str, Any]]) -> None:
        for index, row in enumerate(rows):
            number = len(self.utterances)
            value = row.get(AUDIO)
            place = str((value.get("path") if isinstance(value, dict) else value) or "")
            alone = Path(place).stem or f"{self.path.stem}-{number:06}"
            name = str(find_value(row, ID_KEYS) or alone)
            if self._is_packed:
                inside = f"{group}-{index}/{output_of(Path(place).name or name)}"
                source: Path = PackedPath(f"{self.path.absolute()}/{inside}")  # type: ignore
            else:
                source = self.find_recording(place)
            speaker = str(find_value(row, SPEAKER_KEYS) or "")
            self.utterances.append(Utterance(name, source, output_of(name), speaker=speaker))

    def write(self, folder: Path, written: Mapping[str, Written]) -> Path:
        """Write the rows whose outputs are there, with them in the column `audio`."""
        import pyarrow
        from pyarrow.parquet import ParquetFile, ParquetWriter

        path, begun = folder / self.path.name, 0
        others = [name for name in self.schema.names if name != AUDIO]
        kind = self.schema.field(AUDIO).type
        with placing(path) as place, replacing(place) as partial:
            with ParquetFile(self.path) as file, ParquetWriter(partial, self.schema) as writer:
                for group in range(file.num_row_groups):
                    n_rows = file.metadata.row_group(group).num_rows
                    names = [own.id for own in self.utterances[begun : begun + n_rows]]
                    begun += n_rows
                    kept = [row for row, name in enumerate(names) if name in written]
                    audio = [self._pack(written[names[row]].path) for row in kept]
                    columns = file.read_row_group(group, columns=others).take(kept)
                    table = {name: columns.column(name) for name in others}
                    table[AUDIO] = pyarrow.array(audio, kind)
                    writer.write_table(pyarrow.table(table, schema=self.schema))
        return path

    def _pack(self, output: Path) -> object:
        """Return an output as the column holds recordings."""
        if not self._is_packed:
            return str(output)
        with output.open("rb") as file:
            data = file.read()
        is_struct = self.schema.field(AUDIO).type.num_fields > 0
        return {"bytes": data, "path": output.name} if is_struct else data
