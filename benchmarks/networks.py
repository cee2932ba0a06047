"""Our networks against the published ones of MaskCycleGAN-VC: parameters, arithmetic and time.

    python benchmarks/networks.py [--threads 1]

Forward passes run at batch 1 on a training crop of 64 frames and on 10 s of mel, both in PyTorch;
conversions run ours by ONNX Runtime, see conversion.py. A training iteration is all losses and
updates at batch 1 x 64 frames through the same `CycleGAN`: ours with the default losses (and
networks of `VoiceTrainingConfig`), the published with the weights of their paper, cycle 10 and
identity 5, and with mels as input. What the phonetic encoder costs is in an iteration, which hears
conversions, and not in the forward passes. Their two-step adversarial loss, with its second pair of
discriminators, is not part of the comparison, so their iteration costs less here than published.
Both methods make each fake once; the public implementation makes them again for its discriminators.
Arithmetic is counted by torch's FLOP counter, in multiply-adds, of an iteration with the backward
passes.
"""

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from maskcyclegan_vc import MaskCycleGANDiscriminator, MaskCycleGANGenerator
from startup import median_seconds
from torch import nn
from training_step import count_gmacs, random_speech

from voxcycle.audio.mel import MelSpec
from voxcycle.evaluation.stats.cost import cpu_name
from voxcycle.methods.cyclegan import CycleGAN, CycleGANNetworks, CycleGANRates, CycleGANWeights
from voxcycle.speech.config import VoiceTrainingConfig
from voxcycle.speech.crops import UnpairedCrops, VoiceBatch
from voxcycle.speech.networks import build_method
from voxcycle.speech.speakers import build_speaker
from voxcycle.training.state import TrainingState

N_FRAMES = 64
LONG_S = 10.0


def published_method(n_mels: int) -> CycleGAN:
    """Return the published networks with the weights and learning rates of their paper."""
    networks = CycleGANNetworks(
        MaskCycleGANGenerator(n_mels),
        MaskCycleGANGenerator(n_mels),
        MaskCycleGANDiscriminator(),
        MaskCycleGANDiscriminator(),
    )
    sides = {"adversarial": 1, "cycle": 10, "identity": 5}
    weights = CycleGANWeights(**{f"{term}_{x}": w for term, w in sides.items() for x in "ab"})
    rates = CycleGANRates(2e-4, 1e-4, betas=(0.5, 0.999), clip=None)
    return CycleGAN(networks, weights, rates, sees_excitation=False, scores_identity=False)


def measure(work: Callable[[], object], n: int) -> tuple[float, float]:
    """Return 1e9 multiply-adds and seconds of one call; the time is the mean of `n` in a row."""
    return count_gmacs(work), median_seconds(lambda: [work() for _ in range(n)]) / n


def measure_forward(
    generator: nn.Module, n_source: int, n_mels: int, n_frames: int, n: int
) -> tuple[float, float]:
    source, excitation = torch.randn(1, n_source, n_frames), torch.randn(1, n_mels + 1, n_frames)
    with torch.no_grad():
        return measure(lambda: generator(source, excitation), n)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)

    spec = MelSpec()
    long_frames = round(LONG_S * spec.frame_rate)
    speakers = [build_speaker(name, random_speech(i), spec) for i, name in enumerate("ab")]
    config = VoiceTrainingConfig(a=Path("a"), b=Path("b"), batch_size=1, n_frames=N_FRAMES)
    crops = UnpairedCrops(config, speakers[:1], speakers[1:], spec=spec, prior=None)
    batch = crops[0]
    mel_batch = VoiceBatch(
        *(half._replace(source=half.real, perturbed=half.real) for half in batch)
    )
    ours = build_method(config, spec, crops.n_condition)
    published = published_method(spec.n_mels)

    print(f"{cpu_name()}, {args.threads} threads, torch {torch.__version__}, batch 1")
    print(f"{'':24}{'ours':>20}{'published':>24}{'published / ours':>28}")
    networks = {
        "generator": [ours.generators["g_ab"], published.generators["g_ab"]],
        "discriminator": [ours.discriminators["d_b"], published.discriminators["d_b"]],
        "all trained networks": [ours, published],
    }
    for name, pair in networks.items():
        ours_n, published_n = (sum(p.numel() for p in network.parameters()) for network in pair)
        ratio = f"{published_n / ours_n:.1f} parameters"
        print(f"{name:24}{ours_n:>20,}{published_n:>24,}{ratio:>28}")

    pairs = {
        f"forward, {n_frames} frames": [
            measure_forward(generator, half.source.shape[1], spec.n_mels, n_frames, n)
            for generator, half, n in zip(
                networks["generator"], (batch.a, mel_batch.a), repeats, strict=True
            )
        ]
        for n_frames, repeats in ((N_FRAMES, (20, 1)), (long_frames, (5, 1)))
    }
    # Few repeats: one published iteration takes seconds.
    pairs["training iteration"] = [
        measure(partial(TrainingState(method).run_phases, own), n)
        for method, own, n in ((ours, batch, 5), (published, mel_batch, 1))
    ]
    for name, ((our_macs, our_s), (their_macs, their_s)) in pairs.items():
        ours_text = f"{our_macs:.3f} GMAC {our_s * 1e3:8.1f} ms"
        theirs_text = f"{their_macs:.1f} GMAC {their_s * 1e3:9.1f} ms"
        ratio = f"{their_macs / our_macs:.0f} GMAC, {their_s / our_s:.0f} time"
        print(f"{name:20}{ours_text:>24}{theirs_text:>24}{ratio:>28}")
    for name in ("ours", "published"):
        seconds = pairs[f"forward, {long_frames} frames"][name == "published"][1]
        print(f"real-time factor of the generator, {name}: {seconds / LONG_S:.4f}")


if __name__ == "__main__":
    main()
