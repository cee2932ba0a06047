"""Recordings and outputs behind URLs: fsspec's store in memory stands for S3 and its like."""

import json
from pathlib import Path

import fsspec
import pytest
import soundfile

from voxcycle.audio.io import AudioError
from voxcycle.cli import main
from voxcycle.conversion.storage import RemotePath, to_path

RATE = 16_000


@pytest.fixture
def store():
    """An empty store in memory."""
    memory = fsspec.filesystem("memory")
    memory.rm("/", recursive=True) if memory.ls("/") else None
    yield memory
    memory.rm("/", recursive=True) if memory.ls("/") else None


@pytest.fixture
def stored(store, recordings):
    """The folder of recordings in the store."""
    for path in recordings.iterdir():
        store.pipe(f"/in/{path.name}", path.read_bytes())
    return "memory://in"


def names(store, folder):
    return sorted(Path(name).name for name in store.find(folder))


def test_urls_are_paths():
    path = to_path("s3://bucket/a/b.wav")
    assert isinstance(path, RemotePath) and str(path) == "s3://bucket/a/b.wav"
    assert str(path.parent / "c.wav") == "s3://bucket/a/c.wav" and path.suffix == ".wav"
    assert path.relative_to(to_path("s3://bucket")).as_posix() == "a/b.wav"
    assert to_path("file:///a/b.wav") == Path("/a/b.wav") and to_path("C:/x") == Path("C:/x")


def test_same_results_in_a_store(convert, recordings, stored, store, tmp_path):
    here = tmp_path / "here"
    alone = convert(out=here)
    done = convert(stored, "memory://out")
    assert str(done["0.wav"].source) == "memory://in/0.wav"
    assert str(done["0.wav"].output) == "memory://out/0.wav"
    outputs = sorted(path.name for path in here.glob("*.wav"))
    assert names(store, "/out") == [*outputs, "manifest.jsonl"]
    for name in outputs:
        assert store.cat(f"/out/{name}") == (here / name).read_bytes()
    error = (done["silent.wav"].error or "").replace("memory://in", str(recordings))
    assert error == alone["silent.wav"].error
    store.rm("/out/2.wav")
    store.pipe("/in/3.wav", store.cat("/in/3.wav"))  # a new time
    again = convert(stored, "memory://out")
    assert [name for name, r in again.items() if not r.is_kept] == ["2.wav", "3.wav"]
    rows = [json.loads(line) for line in store.cat("/out/manifest.jsonl").splitlines()]
    assert {row["id"]: row["status"] for row in rows} == {
        **{name: "ok" for name in outputs},
        "silent.wav": "failed",
    }
    assert {(row["source"], row["output"]) for row in rows} == {
        (f"memory://in/{row['id']}", row["id"]) for row in rows
    }


def test_every_kind_of_file_is_read(convert, store, make_speech, tmp_path):
    (tmp_path / "in").mkdir()
    for kind in ("wav", "flac", "ogg", "mp3"):
        path = tmp_path / "in" / f"{kind}.{kind}"
        soundfile.write(path, make_speech(0.5, RATE), RATE)
        store.pipe(f"/in/{path.name}", path.read_bytes())
    alone = convert(tmp_path / "in", tmp_path / "out", format="wav")
    done = convert("memory://in", "memory://out", format="wav")
    assert {n: r.error for n, r in done.items()} == dict.fromkeys(alone, None)
    for result in alone.values():
        assert store.cat(f"/out/{result.output.name}") == result.output.read_bytes()


def test_a_stopped_batch_goes_on(convert, stored, store):
    store.mv("/in/silent.wav", "/in/1a.wav")
    with pytest.raises(AudioError, match="--max-failures"):
        convert(stored, "memory://out", max_failures=1)
    before = names(store, "/out")
    assert "manifest.jsonl" not in before and before[:2] == ["0.wav", "1.wav"]
    again = convert(stored, "memory://out")
    assert {name for name, r in again.items() if r.is_kept} == {"0.wav", "1.wav", "1a.wav"}
    assert names(store, "/out") == ["0.wav", "1.wav", "2.wav", "3.wav", "manifest.jsonl"]


def test_files_of_others_are_not_replaced(convert, stored, store):
    store.pipe("/out/0.wav", b"mine")
    assert "exists already" in (convert(stored, "memory://out")["0.wav"].error or "")
    assert store.cat("/out/0.wav") == b"mine"


def test_lists_name_urls(convert, stored, store, tmp_path, monkeypatch):
    (tmp_path / "wav.scp").write_text("long memory://in/0.wav\nother memory://in/1.wav\n")
    (tmp_path / "segments").write_text("a long 0 0.2\nb long 0.2 0.5\nc other 0 0.3\n")
    fetched = []
    get_file = type(store).get_file

    def note(self, path, local, **settings):
        fetched.append(path)
        return get_file(self, path, local, **settings)

    monkeypatch.setattr(type(store), "get_file", note)
    done = convert(tmp_path, "memory://out")
    assert [r.error for r in done.values()] == [None, None]  # by source
    assert fetched == ["/in/0.wav", "/in/1.wav"]
    listed = store.cat("/out/wav.scp").decode().splitlines()
    assert listed == [f"{name} memory://out/{name}.wav" for name in "abc"]
    with store.open("/out/b.wav", "rb") as file:
        assert soundfile.info(file).frames == round(0.3 * RATE)


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("memory://in/none.wav", "no such file; check the path"),
        ("nope://in/0.wav", "Protocol not known: nope"),
    ],
)
def test_one_sentence_where_a_store_fails(voice_path, stored, tmp_path, capsys, url, problem):
    with pytest.raises(SystemExit) as left:
        main(["convert", url, "--to", str(voice_path), "-o", str(tmp_path)])
    assert (left.value.code, capsys.readouterr().err) == (2, f"error: {url}: {problem}\n")
