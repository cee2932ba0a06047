import gzip
import json

import pytest
import soundfile

from voxcycle.audio.io import AudioError, FileSource
from voxcycle.audio.part import Part, PartSource
from voxcycle.conversion.batch import convert_files
from voxcycle.conversion.lists.reader import is_list, open_list
from voxcycle.conversion.lists.utterance import Written

RATE = 16_000


@pytest.fixture(scope="session")
def corpus(tmp_path_factory, make_speech):
    """Two recordings of two seconds, the second in stereo."""
    folder = tmp_path_factory.mktemp("corpus")
    soundfile.write(folder / "one.wav", make_speech(2.0, RATE), RATE)
    soundfile.write(folder / "two.wav", make_speech(4.0, RATE).reshape(-1, 2), RATE)
    return folder


def write_kaldi(folder, corpus):
    folder.mkdir()
    (folder / "wav.scp").write_text(f"one {corpus / 'one.wav'}\ntwo  {corpus / 'two.wav'}\n")
    (folder / "segments").write_text("one-a one 0.5 1.25\none-b one 1.0 -1\ntwo-a two 0 1\n")
    (folder / "utt2spk").write_text("one-a anna\none-b anna\ntwo-a ben\n")
    (folder / "text").write_text("one-a what is said\none-b\ntwo-a more of it\n")
    return folder


def test_a_kaldi_folder_becomes_one_of_outputs(corpus, tmp_path, voice_path):
    folder = write_kaldi(tmp_path / "data", corpus)
    out = tmp_path / "out"
    results = convert_files(folder, voice_path, out, vocoder="griffin-lim")
    assert [r.error for r in results] == [None] * 3
    assert soundfile.info(str(out / "one-a.wav")).frames == round(0.75 * RATE)
    assert soundfile.info(str(out / "one-b.wav")).frames == RATE
    written = open_list(out)
    assert [u.id for u in written.utterances] == ["one-a", "one-b", "two-a"]
    assert [u.source for u in written.utterances] == [r.output for r in results]
    assert [u.speaker for u in written.utterances] == ["anna", "anna", "ben"]
    assert (out / "text").read_text() == (folder / "text").read_text().replace(
        "one-b\n", "one-b \n"
    )
    assert (out / "spk2utt").read_text() == "anna one-a one-b\nben two-a\n"
    assert not (out / "segments").exists()


def test_a_command_is_never_run(corpus, tmp_path, voice_path):
    marker = tmp_path / "ran"
    (tmp_path / "wav.scp").write_text(
        f"good {corpus / 'one.wav'}\nbad touch {marker}; cat {corpus / 'one.wav'} |\n"
    )
    out = tmp_path / "out"
    good, bad = convert_files(tmp_path / "wav.scp", voice_path, out, vocoder="griffin-lim")
    assert good.error is None and not marker.exists()
    assert bad.error is not None and "asks for a command" in bad.error
    assert (out / "wav.scp").read_text() == f"good {out / 'good.wav'}\n"


def test_lhotse_cuts_and_recordings(corpus, tmp_path, voice_path):
    sources = [{"type": "file", "channels": [0, 1], "source": str(corpus / "two.wav")}]
    recording = {"id": "two", "sources": sources, "sampling_rate": RATE, "duration": 2.0}
    cut = {
        "id": "two-1",
        "start": 0.5,
        "duration": 1.0,
        "channel": 1,
        "supervisions": [{"id": "s", "speaker": "ben", "text": "äh", "start": 0.1}],
        "features": {"storage": "gone"},
        "recording": recording,
        "type": "MonoCut",
    }
    path = tmp_path / "cuts.jsonl.gz"
    path.write_bytes(gzip.compress(json.dumps(cut).encode() + b"\n\n"))
    (utterance,) = open_list(path).utterances
    assert (utterance.part, utterance.speaker) == (Part(0.5, 1.0, 1), "ben")
    out = tmp_path / "out"
    (result,) = convert_files(path, voice_path, out, vocoder="griffin-lim")
    assert result.error is None
    (row,) = map(json.loads, gzip.decompress((out / "cuts.jsonl.gz").read_bytes()).splitlines())
    assert (row["start"], row["duration"], row["channel"]) == (0.0, 1.0, 0)
    assert row["supervisions"] == cut["supervisions"] and "features" not in row
    assert row["recording"]["sources"][0]["source"] == str(out / "two-1.wav")
    assert row["recording"]["num_samples"] == RATE
    path = tmp_path / "recordings.jsonl"
    path.write_text(json.dumps(recording) + "\n")
    (utterance,) = open_list(path).utterances
    assert (utterance.id, utterance.part) == ("two", Part())


def test_nemo_rows_and_tables_are_written_in_their_kind(corpus, tmp_path):
    rows = [
        {"audio_filepath": "one.wav", "duration": 2.0, "text": "all of it", "speaker": "anna"},
        {"audio_filepath": "one.wav", "offset": 0.5, "duration": 1.0, "text": "a part"},
    ]
    path = corpus / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    listed = open_list(path)
    assert [u.id for u in listed.utterances] == ["one-1", "one-2"]
    assert [u.part for u in listed.utterances] == [Part(), Part(0.5, 1.0)]
    assert listed.utterances[0].source == corpus / "one.wav"
    made = {"one-2": Written(tmp_path / "one-2.wav", 16_000, 16_000)}
    (row,) = map(json.loads, listed.write(tmp_path, made).read_text().splitlines())
    assert row == {
        "audio_filepath": str(tmp_path / "one-2.wav"),
        "offset": 0.0,
        "duration": 1.0,
        "text": "a part",
    }
    table = corpus / "rows.tsv"
    table.write_text('path\tspeaker\ttext\none.wav\tanna\tsaid, "so"\n\ntwo.wav\tben\t\n')
    listed = open_list(table)
    assert [(u.id, u.speaker) for u in listed.utterances] == [("one", "anna"), ("two", "ben")]
    made = {"one": Written(tmp_path / "one.wav", 1, RATE)}
    listed.write(tmp_path, made)
    (utterance,) = open_list(tmp_path / "rows.tsv").utterances
    assert (utterance.source, utterance.speaker) == (tmp_path / "one.wav", "anna")
    assert 'said, "so"' in (tmp_path / "rows.tsv").read_text().replace('""', '"')


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("a.jsonl", "[1]\n", "line 1: not a JSON object"),
        ("a.jsonl", '{"audio": "a.wav"}\n{"audio":\n', "line 2: not a JSON object"),
        ("a.jsonl", "[" * 100_000, "not a JSON object"),
        ("a.jsonl", '{"text": "no file"}\n', "no file is named"),
        ("a.jsonl", '{"audio": {"bytes": "x"}}\n', "no file is named"),
        ("a.jsonl", '{"audio": "a.wav", "offset": "now", "duration": 1}\n', "seconds are needed"),
        ("a.jsonl", '{"recording": {"sources": 3}}\n', "one source of the type file"),
        ("a.jsonl", '{"sources": [{"type": "command", "source": "rm"}]}\n', "type command"),
        ("a.csv", "name,text\na,b\n", "a column named path"),
        ("a.csv", "path,start,duration\na.wav,-1,2\n", "seconds are needed"),
        ("a.csv", "path\n" + "a" * 200_000 + "\n", "not a table"),
        ("wav.scp", "alone\n", "line 1: a name alone"),
    ],
)
def test_a_damaged_list_says_which_line(tmp_path, name, text, told):
    path = tmp_path / name
    path.write_text(text)
    assert is_list(path)
    with pytest.raises(AudioError, match=told):
        open_list(path)


def test_a_list_is_text_and_segments_name_recordings(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"path\n\xff\xfe\n")
    with pytest.raises(AudioError, match="UTF-8"):
        open_list(tmp_path / "a.csv")
    (tmp_path / "wav.scp").write_text("one one.wav\n")
    for text, told in (("a two 0 1\n", "wav.scp lacks"), ("a one x 1\n", "segments needs")):
        (tmp_path / "segments").write_text(text)
        with pytest.raises(AudioError, match=told):
            open_list(tmp_path)


def test_ids_stay_inside_the_folder_of_outputs(corpus, tmp_path, voice_path):
    path = tmp_path / "rows.jsonl"
    ids = ["../../up", "/etc/x", "a\nb", "..", "c:d*[bold]"]
    rows = [{"id": name, "audio": str(corpus / "one.wav")} for name in ids]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    out = tmp_path / "deep" / "out"
    results = convert_files(path, voice_path, out, vocoder="griffin-lim")
    assert [r.error for r in results] == [None] * len(ids)
    outputs = {r.output for r in results}
    assert len(outputs) == len(ids) and all(p.parent == out for p in outputs)


def test_parts_are_what_the_file_holds_there(corpus):
    whole = next(FileSource(corpus / "two.wav").blocks())
    source = PartSource(FileSource(corpus / "two.wav"), Part(0.5, 1.0, 1))
    assert (source.n_channels, source.n_declared) == (1, RATE)
    (block,) = source.blocks()
    assert (block[:, 0] == whole[RATE // 2 : 3 * RATE // 2, 1]).all()
    for part, told in ((Part(2.0), "not in it"), (Part(channel=2), "channel 2 of 2")):
        with pytest.raises(AudioError, match=told):
            PartSource(FileSource(corpus / "two.wav"), part)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("[" * 10**6 + "]" * 10**6, "not a JSON object on one line"),
        ('{"path": "a", "start": 1' + "0" * 400 + "}", "seconds are needed"),
        ('{"path": "a", "start": [0]}', "seconds are needed"),
        ("9" * 5000, "not a JSON object on one line"),
    ],
)
def test_hostile_rows_are_refused(tmp_path, line, problem):
    path = tmp_path / "a.jsonl"
    path.write_text(f'{{"path": "good"}}\n{line}\n')
    with pytest.raises(AudioError, match=f"a.jsonl, line [12]: .*{problem}"):
        open_list(path)


def test_a_damaged_compressed_list_is_refused(tmp_path):
    path = tmp_path / "a.jsonl.gz"
    rows = "".join(f'{{"path": "{i * i}.wav"}}\n' for i in range(200))
    data = gzip.compress(rows.encode())
    changed = data[:60] + bytes(40) + data[100:]
    for damaged in (data[:100], data[:-4], changed, b"no gzip"):
        path.write_bytes(damaged)
        with pytest.raises(AudioError, match="a.jsonl.gz: "):
            open_list(path)


@pytest.mark.parametrize("text", [b"\n", b" ", b"a"])
def test_a_small_file_that_holds_a_gigabyte_is_refused(tmp_path, text):
    path = tmp_path / "a.jsonl.gz"
    part = gzip.compress(text * (1 << 20))
    path.write_bytes(part * 1024)
    with pytest.raises(AudioError, match="far more text|not a JSON object"):
        open_list(path)


def test_halves_of_characters_are_kept_as_escapes(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"id": "x\\ud800", "path": "a.wav", "text": "\\udcff ä"}\n')
    (utterance,) = (found := open_list(path)).utterances
    assert utterance.id == "x\ud800" and utterance.output.name == "x_"
    found.write(tmp_path / "out", {utterance.id: Written(tmp_path / "x_.wav", RATE, RATE)})
    (line,) = (tmp_path / "out" / "a.jsonl").read_text("utf-8").splitlines()
    row = json.loads(line)
    assert (row["id"], row["text"]) == ("x\ud800", "\udcff ä")


def test_lines_of_kaldi_end_at_line_feeds_alone(tmp_path):
    (tmp_path / "wav.scp").write_text("one a.wav\ntwo b.wav\n")
    (tmp_path / "text").write_text("one before\u2028after\x0b\ntwo next\n", "utf-8")
    found = open_list(tmp_path)
    written = {own.id: Written(tmp_path / f"{own.id}.wav", RATE, RATE) for own in found.utterances}
    found.write(tmp_path / "out", written)
    text = (tmp_path / "out" / "text").read_bytes().decode()
    assert text == "one before\u2028after\ntwo next\n"
