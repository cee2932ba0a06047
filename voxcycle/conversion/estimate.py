"""How long a batch will take, measured on its first recording."""

import time
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from voxcycle.audio.io import AudioError, FileSource
from voxcycle.audio.part import Part, PartSource
from voxcycle.conversion.batch import Batch
from voxcycle.conversion.pipeline import convert
from voxcycle.conversion.plan import PlannedFile
from voxcycle.conversion.task import load_pair

TRIED_S = 10.0  # of a recording
PER_FILE_S = 0.02  # for opening, hashing and writing


class Estimate(NamedTuple):
    """What a batch has to do.

    Attributes:
        n_left: recordings to convert.
        hours: of audio in them.
        n_done: recordings that an earlier call converted.
        errors: of recordings that cannot be converted.
        n_processes: that will work.
        seconds: that they will take, or None where nothing could be tried.
    """

    n_left: int
    hours: float
    n_done: int
    errors: list[str]
    n_processes: int
    seconds: float | None


def estimate(batch: Batch) -> Estimate:
    """Plan a batch and convert some seconds of its first recording, in memory."""
    settled, left = batch.look()
    errors = [result.error for result in settled if result.error]
    n_processes = batch.work.count_processes(len(left))
    total_s = sum(planned.seconds for planned in left)
    factors = (_time_factor(batch, planned) for planned in left)
    factor = next((found for found in factors if found is not None), None)
    seconds = None
    if factor is not None:
        seconds = (total_s * factor + PER_FILE_S * len(left)) / n_processes
    n_done = len(settled) - len(errors)
    return Estimate(len(left), total_s / 3600, n_done, errors, n_processes, seconds)


def _time_factor(batch: Batch, planned: PlannedFile) -> float | None:
    """Return seconds of work per second of a recording; None where it cannot be converted."""
    tried_s = min(TRIED_S, planned.seconds)
    part = Part(planned.part.start_s, tried_s, planned.part.channel)
    try:
        source = PartSource(FileSource(planned.source), part)
        samples = np.concatenate(list(source.blocks()))
        voice, vocoder = load_pair(batch.voices[planned.voice], batch.vocoder)
        given: dict[str, Any] = vars(batch.options) | {"vocoder": vocoder}
        work = partial(convert, samples, voice, sample_rate=source.sample_rate, **given)
        for _ in range(2):  # the first one also makes the networks ready
            started = time.perf_counter()
            work()
    except AudioError:
        return None
    return (time.perf_counter() - started) / tried_s
