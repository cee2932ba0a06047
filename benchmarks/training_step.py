"""Speed of one training iteration, and where its time goes.

    python benchmarks/training_step.py [--threads 2]

One iteration is the default: all losses and updates of all four networks, batch 4 x 64 frames. The
arithmetic is counted by torch's FLOP counter, corrected for grouped convolutions; the baseline is
the throughput of a 192 x 576 matrix product in the same run.
"""

import argparse
from collections.abc import Callable
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import torch
from startup import median_seconds
from torch.utils.flop_counter import FlopCounterMode

from voxcycle.audio.mel import MelSpec
from voxcycle.audio.perturb import WARPS
from voxcycle.evaluation.stats.cost import cpu_name
from voxcycle.speech.config import VoiceTrainingConfig
from voxcycle.speech.crops import UnpairedCrops
from voxcycle.speech.features import Features
from voxcycle.speech.hearing import N_VARIANTS
from voxcycle.speech.networks import build_method
from voxcycle.speech.speakers import build_speaker
from voxcycle.training.state import TrainingState
from voxcycle.voices.content import load_phonetic_encoder

N_STEPS = 10


def random_speech(seed: int) -> list[Features]:
    """Return features of the shape of speech; values do not change the speed."""
    rng = np.random.default_rng(seed)
    mels = rng.normal(-5, 1.5, (len(WARPS), 2000, 80)).astype(np.float16)
    f0 = np.where(rng.random(2000) < 0.6, rng.uniform(90, 250, 2000), 0).astype(np.float32)
    n_heard = len(load_phonetic_encoder().mean) + 1
    content = rng.normal(0, 0.5, (N_VARIANTS, 2000, n_heard)).astype(np.float16)
    centre = np.zeros(n_heard, np.float32)
    return [Features(mels, f0, np.ones(len(f0), bool), content, centre)]


def count_gmacs(work: Callable[[], object]) -> float:
    """Return the 1e9 multiply-adds of one call."""

    def count_backward(
        grad_shape: list[int], x_shape: list[int], w_shape: list[int], *arguments: Any, **_: Any
    ) -> int:
        # As many operations per gradient as the forward pass has; torch forgets the groups.
        wants_x, wants_weight, _ = arguments[-1]
        return 2 * prod(grad_shape) * prod(w_shape[1:]) * (wants_x + wants_weight)

    corrected = {torch.ops.aten.convolution_backward: count_backward}
    with FlopCounterMode(display=False, custom_mapping=corrected) as counter:
        work()
    return counter.get_total_flops() / 2 / 1e9


def matrix_gmacs(rows: int) -> float:
    """Return the throughput of (rows x 192) times (192 x 576), in 1e9 multiply-adds per second."""
    a, b = torch.randn(rows, 192), torch.randn(192, 576)
    seconds = median_seconds(lambda: [torch.mm(a, b) for _ in range(200)]) / 200
    return rows * 192 * 576 / seconds / 1e9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)

    config = VoiceTrainingConfig(a=Path("a"), b=Path("b"))
    spec = MelSpec()
    speakers = [build_speaker(name, random_speech(i), spec) for i, name in enumerate("ab")]
    crops = UnpairedCrops(config, speakers[:1], speakers[1:], spec=spec, prior=None)
    module = TrainingState(build_method(config, spec, crops.n_condition))
    batch = crops[0]

    def steps() -> None:
        for _ in range(N_STEPS):
            module.run_phases(batch)

    macs = count_gmacs(lambda: module.run_phases(batch))
    networks_s = median_seconds(steps) / N_STEPS
    data_s = median_seconds(lambda: [crops[i] for i in range(N_STEPS)]) / N_STEPS
    optimizers = list(module.optimizers.values()) * N_STEPS
    optimizers_s = median_seconds(lambda: [o.step() for o in optimizers]) / N_STEPS
    discriminators_s = _discriminators_seconds(module, batch)
    whole_s = networks_s + data_s
    rows = 4 * 64
    peak = matrix_gmacs(2 * rows)

    print(f"{cpu_name()}, {args.threads} threads, torch {torch.__version__}")
    print(f"iteration      {whole_s * 1e3:7.1f} ms   {1 / whole_s:.2f} per second")
    print(f"  generators   {(networks_s - discriminators_s - optimizers_s) * 1e3:7.1f} ms")
    print(f"  discriminators {discriminators_s * 1e3:5.1f} ms   (their part of both phases)")
    print(f"  optimizers   {optimizers_s * 1e3:7.1f} ms")
    print(f"  data         {data_s * 1e3:7.1f} ms")
    print(f"arithmetic     {macs:7.2f} GMAC, {macs / whole_s:.1f} GMAC/s")
    print(f"matrix product {peak:7.1f} GMAC/s: the iteration reaches {macs / whole_s / peak:.0%}")


def _discriminators_seconds(module: TrainingState, batch: object) -> float:
    """Time the discriminators alone on tensors of the shapes that they see in a step."""
    memory: dict[str, torch.Tensor] = {}
    module.phases[0].loss(batch, memory)
    fakes = {key: memory[key].clone().requires_grad_() for key in ("fake_a", "fake_b")}
    networks = module.method.discriminators  # type: ignore[union-attr]

    def generator_part() -> None:
        networks.requires_grad_(False)
        for key, fake in fakes.items():
            networks[f"d_{key[-1]}"](fake).square().mean().backward()

    def own_part() -> None:
        networks.requires_grad_(True)
        terms = module.phases[1].loss(batch, memory)
        torch.stack(list(terms.values())).sum().backward()

    return median_seconds(lambda: [(generator_part(), own_part()) for _ in range(5)]) / 5


if __name__ == "__main__":
    main()
