"""Recordings inside parquet files, as data sets of Hugging Face have them."""

import sys

import pytest
import soundfile

from voxcycle.audio.io import AudioError
from voxcycle.cli import main
from voxcycle.conversion.lists.reader import open_list
from voxcycle.conversion.packed import PackedPath, _read_group
from voxcycle.conversion.storage import to_path

pyarrow = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")
NAMES = ("0.wav", "1.wav", "silent.wav", "2.wav", "3.wav")


def write_table(path, **columns):
    pq.write_table(pyarrow.table(columns), path, row_group_size=2)
    return path


@pytest.fixture
def packed(recordings, tmp_path):
    """Five recordings in three row groups, with texts."""
    audio = [{"bytes": (recordings / name).read_bytes(), "path": name} for name in NAMES]
    texts = [f"text of {name}" for name in NAMES]
    ids = [f"utterance {name}" for name in NAMES]
    speakers = ["ann", "ann", "ben", "ben", "ben"]
    return write_table(
        tmp_path / "train.parquet", id=ids, audio=audio, text=texts, speaker_id=speakers
    )


def test_rows_are_converted_and_written_again(convert, packed, tmp_path):
    alone = convert(out=tmp_path / "alone")
    _read_group.cache_clear()
    done = convert(packed, tmp_path / "out")
    assert _read_group.cache_info().misses <= 2 * 3  # to plan and to convert, by row groups
    assert {n: r.error is None for n, r in done.items()} == {n: n != "silent.wav" for n in NAMES}
    path = tmp_path / "out" / "train.parquet"
    with pq.ParquetFile(packed) as given, pq.ParquetFile(path) as made:
        assert made.schema_arrow == given.schema_arrow
        assert made.num_row_groups == given.num_row_groups == 3
    rows = pq.read_table(path).to_pylist()
    assert [row["id"] for row in rows] == [f"utterance {n}" for n in NAMES if n != "silent.wav"]
    for row in rows:
        name = row["id"].removeprefix("utterance ")
        bits = alone[name].output.read_bytes()
        assert row["audio"] == {"bytes": bits, "path": f"{row['id']}.wav"}
        assert (tmp_path / "out" / f"{row['id']}.wav").read_bytes() == bits
        assert row["text"] == f"text of {name}" and row["speaker_id"] in ("ann", "ben")


def test_a_parquet_file_is_resumed_by_any_number_of_processes(convert, packed, tmp_path):
    out = tmp_path / "out"
    first = convert(packed, out, jobs=2)
    bits = {path.name: path.read_bytes() for path in out.glob("*.wav")}
    assert len(bits) == 4 and all(r.is_kept for r in convert(packed, out, verifies=True).values())
    (out / "utterance 2.wav.wav").unlink()
    again = convert(packed, out)
    assert [name for name, r in again.items() if not r.is_kept] == ["2.wav"]
    assert {path.name: path.read_bytes() for path in out.glob("*.wav")} == bits
    table = pq.read_table(packed)
    pq.write_table(table.slice(1), packed)  # another file: its rows may be others
    changed = convert(packed, out)
    assert [*changed] == [*first][1:] and not any(r.is_kept for r in changed.values())


@pytest.mark.parametrize("kind", ["bytes", "paths"])
def test_columns_of_bytes_and_of_paths(kind, convert, recordings, tmp_path):
    paths = [recordings / name for name in ("0.wav", "1.wav")]
    audio = [path.read_bytes() for path in paths] if kind == "bytes" else list(map(str, paths))
    listed = write_table(tmp_path / "list.parquet", audio=audio)
    results = convert(listed, tmp_path / "out").values()
    assert [r.error for r in results] == [None] * 2
    made = pq.read_table(tmp_path / "out" / "list.parquet").column("audio").to_pylist()
    outputs = [result.output for result in results]
    expected = [p.read_bytes() for p in outputs] if kind == "bytes" else list(map(str, outputs))
    assert made == expected and soundfile.info(outputs[0]).frames == 8_000


def test_a_path_means_the_row_in_every_process(packed):
    first = open_list(packed).utterances[3]
    assert first.source == to_path(str(first.source)) == PackedPath(f"{packed}/1-1/2.wav")
    assert first.speaker == "ben"
    folder = to_path("spark.parquet/part-0/0.wav")  # a folder of that name
    assert not isinstance(folder, PackedPath)


@pytest.mark.parametrize(
    ("columns", "problem"),
    [
        ({"text": ["a"]}, "a column named audio is needed, of bytes and path, bytes or paths"),
        ({"audio": [1]}, "a column named audio is needed, of bytes and path, bytes or paths"),
        ({"audio": ["0.wav", "1.wav"], "id": ["a", "a"]}, "two rows have the id a; give each"),
        (None, "not a parquet file that can be read"),
    ],
)
def test_what_is_wrong_with_a_file_is_one_sentence(columns, problem, tmp_path):
    path = tmp_path / "wrong.parquet"
    path.write_bytes(b"no parquet")
    if columns:
        write_table(path, **columns)
    with pytest.raises(AudioError, match=f"^{path}: {problem}"):
        open_list(path)


def test_a_row_without_a_recording_fails_alone(convert, recordings, tmp_path):
    audio = [{"bytes": None, "path": "a.wav"}, {"bytes": b"no audio", "path": "b.wav"}]
    audio += [{"bytes": (recordings / "0.wav").read_bytes(), "path": None}]
    done = convert(write_table(tmp_path / "list.parquet", audio=audio), tmp_path / "out")
    errors = {name: result.error for name, result in done.items()}
    assert "the row holds no bytes of a recording" in errors.pop("a.wav")
    assert "not an audio file that can be read" in errors.pop("b.wav")
    assert [*errors.values()] == [None]


def test_pyarrow_is_named_where_it_is_missing(packed, voice_path, tmp_path, monkeypatch, capsys):
    for name in [name for name in sys.modules if name.partition(".")[0] == "pyarrow"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(SystemExit) as left:
        main(["convert", str(packed), "--to", str(voice_path), "-o", str(tmp_path / "out")])
    error = capsys.readouterr().err
    assert left.value.code == 2 and error.count("\n") == 1
    assert "needs the extra [cluster], whose package pyarrow is missing" in error
