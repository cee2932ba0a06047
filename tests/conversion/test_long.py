"""Long recordings: bounded memory, exact length."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile

RATE = 16_000
# Peak memory is a process's own, so each length gets a process. One iteration of Griffin-Lim stands
# for the vocoder: what is measured is what grows with the length.
SCRIPT = """
import json, sys
from pathlib import Path
import torch
from voxcycle.audio.io import FileSource, choose_format
from voxcycle.conversion.pipeline import convert_file
from voxcycle.evaluation.stats.cost import peak_memory_mb
from voxcycle.vocoders import griffin_lim
from voxcycle.voices.voice import Voice

torch.set_num_threads(1)
griffin_lim.N_ITERATIONS = griffin_lim.N_UPDATES = 1
voice = Voice.load(Path(sys.argv[1]))
source = FileSource(Path(sys.argv[2]))
vocoder = griffin_lim.GriffinLim(voice.spec)
result = convert_file(source, Path(sys.argv[3]), choose_format(source), voice, vocoder)
print(json.dumps({"peak_mb": peak_memory_mb(), "seconds": result.seconds}))
"""


def convert(voice_path: Path, source: Path, target: Path) -> float:
    """Return the peak memory in MB."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(voice_path), str(source), str(target)],
        capture_output=True,
        text=True,
        check=True,
    )
    print(done.stdout)
    return float(json.loads(done.stdout)["peak_mb"])


@pytest.mark.slow
def test_an_hour_needs_no_more_memory_than_ten_minutes(tmp_path, voice_path, make_speech):
    minute = make_speech(60.0, RATE)
    peaks = {}
    for minutes in (10, 60):
        source, target = tmp_path / f"{minutes}.flac", tmp_path / f"{minutes}.out.flac"
        with soundfile.SoundFile(source, "w", RATE, 1, "PCM_16") as file:
            for _ in range(minutes):
                file.write(minute)
        peaks[minutes] = convert(voice_path, source, target)
        assert soundfile.info(target).frames == minutes * 60 * RATE
    assert peaks[60] < 1500
    assert peaks[60] < 1.1 * peaks[10]  # frame-wise levels and F0 are all that grows
