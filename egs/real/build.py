"""Make the folder of real speech from the public archives.

    python egs/real/build.py --archives FOLDER --out REAL

FOLDER holds the archives (tar or zip, as they are downloaded) of the corpora in `clips.csv`:

- LibriSpeech (openslr.org/12): train-clean-100, test-other, dev-clean
- speechocean762 (openslr.org/101)
- Picovoice speech-to-intent-benchmark, rhasspy/dataset-voice-kathleen and -flemishguy (GitHub)
- VCTK and VoiceBank-DEMAND (datashare.ed.ac.uk)

Each clip is found by the name of its utterance, mixed to mono, trimmed and written as FLAC at
22,050 Hz; `manifest.csv` and `speakers.csv` list what was found. The dev-clean clips are coded as
MP3 at 32 kbit/s.
"""

import argparse
import csv
import io
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import numpy as np
import soundfile

from voxcycle.audio.io import AudioError
from voxcycle.audio.mixdown import load_mono
from voxcycle.audio.segment import dynamic_range_db, frame_levels_db
from voxcycle.console import open_console
from voxcycle.files import replacing

RATE = 22_050
MP3_CORPUS = "librispeech-devclean-mp3"
KEPT_S = 0.1  # before and after the speech
AUDIO = (".flac", ".wav", ".mp3")
MAX_BYTES = 100_000_000  # of a recording
PICOVOICE_ID = 8  # characters of the file's name


def read_members(archive: Path, clips: dict[str, dict[str, str]]) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of those recordings in an archive that are clips."""

    def is_wanted(name: str, size: int) -> bool:
        is_clip = name.lower().endswith(AUDIO) and find_clip(clips, name) is not None
        # VoiceBank-DEMAND has a noisy twin of each clip under the same name.
        return is_clip and size < MAX_BYTES and "noisy" not in name.lower()

    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as packed:
            for info in packed.infolist():
                if is_wanted(info.filename, info.file_size):
                    yield info.filename, packed.read(info)
        return
    with tarfile.open(archive) as packed:
        for member in packed:
            if member.isfile() and is_wanted(member.name, member.size):
                content = packed.extractfile(member)
                assert content is not None  # it is a file
                yield member.name, content.read()


def read_clips(path: Path) -> dict[str, dict[str, str]]:
    """Return the rows of clips.csv by utterance."""
    with path.open(encoding="utf-8") as file:
        return {row["utterance"]: row for row in csv.DictReader(file)}


def find_clip(clips: dict[str, dict[str, str]], member: str) -> dict[str, str] | None:
    """Return the row of an archive's member."""
    stem = PurePosixPath(member).stem
    row = clips.get(stem) or clips.get(stem.removesuffix("_mic1"))
    if row is None and (short := clips.get(stem[:PICOVOICE_ID])) is not None:
        row = short if short["corpus"].startswith("picovoice") else None
    return row


def write_clip(content: bytes, member: str, target: Path, is_mp3: bool) -> tuple[float, float]:
    """Decode, trim and write a clip; returns its seconds and its SNR in dB, nearly."""
    with replacing(target) as partial:
        original = partial.with_suffix(PurePosixPath(member).suffix)
        original.write_bytes(content)
        try:
            speech = load_mono(original, RATE)
        finally:
            original.unlink()
        levels = frame_levels_db(speech, RATE)
        (loud,) = np.nonzero(levels > np.percentile(levels, 95) - 40)
        hop = round(0.01 * RATE)
        start = max(0, loud[0] * hop - round(KEPT_S * RATE))
        speech = speech[start : (loud[-1] + 1) * hop + round(KEPT_S * RATE)]
        if is_mp3:
            coded = io.BytesIO()
            soundfile.write(
                coded,
                speech,
                RATE,
                format="MP3",
                bitrate_mode="CONSTANT",
                compression_level=(160 - 32) / (160 - 8),
            )
            coded.seek(0)
            speech = soundfile.read(coded, dtype="float32")[0]
        soundfile.write(partial, speech, RATE, format="FLAC", subtype="PCM_16")
    return len(speech) / RATE, dynamic_range_db(levels)


def write_table(path: Path, rows: list[dict[str, str]]) -> None:
    """Write rows as CSV."""
    with replacing(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def sum_speakers(clips: list[dict[str, str]]) -> list[dict[str, str]]:
    """Return a row per speaker: seconds in all, median SNR."""
    rows = []
    for corpus, speaker in dict.fromkeys((clip["corpus"], clip["speaker"]) for clip in clips):
        own = [c for c in clips if (c["corpus"], c["speaker"]) == (corpus, speaker)]
        kept = {
            key: own[0][key] for key in ("split", "corpus", "speaker", "sex", "lang", "licence")
        }
        seconds = sum(float(clip["seconds"]) for clip in own)
        snr = float(np.median([float(clip["snr"]) for clip in own]))
        rows.append({**kept, "seconds": f"{seconds:.1f}", "snr": f"{snr:.1f}"})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--archives", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--clips", type=Path, default=Path(__file__).with_name("clips.csv"))
    args = parser.parse_args()
    console = open_console()
    clips = read_clips(args.clips)
    found: dict[str, dict[str, str]] = {}
    archives = sorted(path for path in args.archives.iterdir() if path.is_file())
    for archive in archives:
        members = read_members(archive, clips)
        while True:
            try:
                member, content = next(members)
            except StopIteration:
                break
            except (tarfile.TarError, zipfile.BadZipFile, RuntimeError, OSError, EOFError) as error:
                console.print(f"skipped from here on: {archive.name}: {error}")
                break
            row = find_clip(clips, member)
            if row is None or row["utterance"] in found:
                continue
            path = Path(row["role"], row["corpus"], row["speaker"], f"{row['utterance']}.flac")
            try:
                seconds, snr = write_clip(
                    content, member, args.out / path, row["corpus"] == MP3_CORPUS
                )
            except AudioError as error:
                console.print(f"skipped: {archive.name}: {member}: {error}")
                continue
            found[row["utterance"]] = {
                "path": path.as_posix(),
                "split": row["role"],
                "corpus": row["corpus"],
                "speaker": row["speaker"],
                "sex": row["sex"],
                "lang": row["language"],
                "licence": row["licence"],
                "seconds": f"{seconds:.2f}",
                "snr": f"{snr:.1f}",
                "text": row["text"],
            }
        console.print(f"{archive.name}: {len(found)} of {len(clips)} clips found so far")
    if not found:
        raise SystemExit(f"{args.archives}: no clip of {args.clips} in its archives; see --help")
    listed = [found[name] for name in clips if name in found]
    write_table(args.out / "manifest.csv", listed)
    write_table(args.out / "speakers.csv", sum_speakers(listed))


if __name__ == "__main__":
    main()
