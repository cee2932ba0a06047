"""Jobs that convert recordings, in the resident process: voices and vocoders stay loaded."""

import importlib
import subprocess
import sys
import threading
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voxcycle.voices.library import find_voice, load_voice, names_file
from voxcycle.voices.voice import VoiceError
from voxcycle.web.fields import take_choice, take_ids, take_number, take_text
from voxcycle.web.jobs import Job, Lane
from voxcycle.web.kinds import Control, Failed, Plan
from voxcycle.web.settings import Refusal
from voxcycle.web.uploads import Uploads
from voxcycle.web.wording import count_recordings, without_options

if TYPE_CHECKING:
    from voxcycle.vocoders import Vocoder
    from voxcycle.voices.voice import Voice

MAX_LOADED = 3  # voices in memory
PITCHES = ["auto", "keep", "sing"]
FORMATS = ["wav", "flac", "mp3"]
# PyTorch reads its checkpoint once, in a process that ends; afterwards it lies in the cache.
CACHE_HIFIGAN = "from voxcycle.vocoders.hifigan import HiFiGAN; HiFiGAN.load_universal()"
SOURCES, OUTPUTS = "sources", "outputs"


class Loaded:
    """The voices that were used last, with their vocoders; a changed file is read again."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._voices: OrderedDict[str, tuple[tuple[int, int], Voice]] = OrderedDict()
        self._vocoders: dict[str, Vocoder] = {}

    def warm(self) -> None:
        """Import what the first conversion needs."""
        importlib.import_module("onnxruntime")
        importlib.import_module("voxcycle.conversion.pipeline")

    def voice(self, name: str) -> "Voice":
        """Return a voice by its name; ValueError where there is none."""
        with self._lock:
            path = find_voice(name)
            status = path.stat()
            stamp = (status.st_mtime_ns, status.st_size)
            if name not in self._voices or self._voices[name][0] != stamp:
                self._voices[name] = (stamp, load_voice(path))
            self._voices.move_to_end(name)
            while len(self._voices) > MAX_LOADED:
                self._voices.popitem(last=False)
            return self._voices[name][1]

    def vocoder(self, name: str, voice: "Voice") -> "Vocoder":
        """Return a vocoder by its name, for the mels of a voice."""
        from voxcycle.vocoders.registry import load_vocoder

        with self._lock:
            vocoder = self._vocoders.get(name)
            if vocoder is None or vocoder.spec != voice.spec:
                if name == "hifigan":
                    command = [sys.executable, "-c", CACHE_HIFIGAN]
                    subprocess.run(command, stdin=subprocess.DEVNULL, check=False)
                vocoder = self._vocoders[name] = load_vocoder(name, voice.spec)
            return vocoder


class Converting:
    """Conversions of uploads to one voice; a `Kind`."""

    name = "convert"
    lane: Lane = "quick"
    is_public, survives, is_kept = True, False, False

    def __init__(self, uploads: Uploads, loaded: Loaded, vocoders: list[str]) -> None:
        self.uploads, self.loaded, self.vocoders = uploads, loaded, vocoders

    def plan(self, body: Mapping[str, Any], folder: Path) -> Plan:
        """Check a request: uploads, voice, pitch, second_pass, file_stats, vocoder, format."""
        uploads = take_ids(body, "uploads")
        voice = require_voice(body)
        pitch = body.get("pitch", "auto")
        if pitch not in PITCHES:
            pitch = take_number(body, "pitch", -24, 24)
        options = {
            "uploads": uploads,
            "voice": voice,
            "pitch": "auto" if pitch is None else pitch,
            "second_pass": take_number(body, "second_pass", 0, 1),
            "file_stats": body.get("file_stats") is True,
            "vocoder": take_choice(body, "vocoder", self.vocoders, self.vocoders[0]),
            "format": take_choice(body, "format", FORMATS, FORMATS[0]),
        }
        self.uploads.require_room(sum(self.uploads.get(each).bytes for each in uploads))
        options["names"] = names = self.uploads.link(uploads, folder / SOURCES)
        what = names[0] if len(names) == 1 else count_recordings(len(names))
        return Plan(f"{what} to {voice}", options)

    def run(self, job: Job, control: Control) -> dict[str, Any]:
        """Convert one recording after the other; what fails is said, the others are converted."""
        from voxcycle.audio.io import AudioError, FileSource
        from voxcycle.audio.output import choose_format
        from voxcycle.conversion.options import Options
        from voxcycle.conversion.pipeline import convert_file

        options = job.options
        voice = self.loaded.voice(options["voice"])
        vocoder = self.loaded.vocoder(options["vocoder"], voice)
        how = Options(
            pitch=options["pitch"],
            second_pass=options["second_pass"],
            use_file_stats=options["file_stats"],
        )
        outputs = control.folder / OUTPUTS
        outputs.mkdir(exist_ok=True)
        items: list[dict[str, Any]] = []
        n_files = len(options["names"])
        for n, name in enumerate(options["names"]):
            (source,) = (control.folder / SOURCES).glob(f"{n:04}*")
            item = {"upload": options["uploads"][n], "name": name, "notes": [], "error": None}
            target = outputs / f"{n:04}.{options['format']}"

            def report(share: float, n: int = n, name: str = name) -> None:
                control.report((n + share) / n_files, name)

            try:
                self.uploads.require_room(source.stat().st_size)
                file = FileSource(source, name)
                made = convert_file(
                    file,
                    target,
                    choose_format(file, options["format"]),
                    voice,
                    vocoder,
                    how,
                    report,
                )
            except (AudioError, Refusal) as error:
                item["error"] = str(error).replace(str(source), name)
            else:
                notes = [note.replace(str(source), name) for note in made.notes]
                item["notes"] = [without_options(note) for note in notes]
                item |= {"seconds": round(made.n_samples / made.sample_rate, 3)}
            items.append(item)
        if all(item["error"] for item in items):
            raise Failed(items[0]["error"])
        return {"items": items}

    def actions(self, job: Job) -> list[str]:
        """A conversion that failed or was stopped may be tried again."""
        return ["resume"] if job.status in ("failed", "stopped") else []

    def describe(self, job: Job) -> dict[str, Any]:
        """Return the items with their addresses."""
        own = f"/api/jobs/{job.id}"
        items = []
        for n, item in enumerate(job.result["items"]):
            place = f"{own}/items/{n}"
            named = (
                {}
                if item["error"]
                else {
                    "audio": f"{place}/audio",
                    "source_audio": f"{place}/source",
                    "picture": f"{place}/picture",
                    "source_picture": f"{place}/source-picture",
                    "download": f"{place}/download",
                }
            )
            items.append({"n": n, **item, **named})
        return {"items": items, "zip": f"{own}/zip"}


def require_voice(body: Mapping[str, Any]) -> str:
    """Return the name of a voice that is there; Refusal for a path, or where there is none."""
    name = take_text(body, "voice")
    try:
        if not names_file(name):
            find_voice(name)
            return name
    except VoiceError:
        pass
    raise Refusal(f"There is no voice {name} any more; load the list again.", 404)


def download_name(name: str, voice: str, extension: str) -> str:
    """Return what a conversion is called where it is saved."""
    return f"{Path(name).stem}.{voice}.{extension}"
