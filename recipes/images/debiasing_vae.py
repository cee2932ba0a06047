"""Does drawing rare latents more often help a group that two faces in a hundred belong to?

    python recipes/images/debiasing_vae.py DATA OUT [key=value ...]

The same training from the same seeds three times: all faces alike, faces by the rarity of their
latents (no label says which are dark), and an oracle that sees as many dark as light ones.
"""

from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray
from recipe import begin
from torch import Tensor

from voxcycle.console import errors_in_one_sentence
from voxcycle.evaluation.stats.bounds import Bound, at_least, at_most, reported
from voxcycle.images.image_files import draw_grid
from voxcycle.images.image_set import ImageSet
from voxcycle.methods.debiasing_vae import N_BINS, effective_sample_size

SEEDS = range(5)
GROUPS = ("light faces", "dark faces", "no faces")


def rates(model, test: ImageSet) -> NDArray[np.float64]:  # type: ignore[no-untyped-def]
    """Return the share of right answers of light faces, dark faces and the rest."""
    said = (model.predict(test.images()) > 0.5).numpy()
    face, dark = test.factor("face") == 1, test.factor("dark") == 1
    right = said == face
    return np.array([right[face & ~dark].mean(), right[dark].mean(), right[~face].mean()])


def interval(gains: NDArray[np.float64]) -> list[Bound]:
    """Return both ends of the 95 % bootstrap interval of the mean over seeds."""
    drawn = np.random.default_rng(0).choice(gains, (10_000, len(gains))).mean(1)
    ends = zip(("from", "to"), np.quantile(drawn, [0.025, 0.975]), strict=True)
    return [reported(f"its 95 % interval, {end}", value) for end, value in ends]


def draw_bars(path: Path, right: dict[str, NDArray[np.float64]]) -> None:
    """Draw the mean over seeds per group and way, every seed as a dot."""
    figure = Figure(figsize=(7, 3.2), dpi=120, layout="constrained")
    axes = figure.add_subplot()
    for i, (way, values) in enumerate(right.items()):
        x = np.arange(len(GROUPS)) + 0.27 * (i - 1)
        axes.bar(x, values.mean(0), 0.25, label=way)
        axes.plot(np.tile(x, (len(values), 1)), values, "k.", markersize=3)
    axes.set_xticks(range(len(GROUPS)), GROUPS)
    axes.set(ylabel="right answers", ylim=(0.5, 1.005))
    figure.legend(loc="outside right", title="faces are drawn")
    figure.savefig(path)


def draw_latents(path: Path, z: Tensor, weights: Tensor, is_dark: NDArray[np.bool_]) -> None:
    """Draw the four latents that tell dark faces best: as they are, and as they are drawn."""
    gap = (z[is_dark].mean(0) - z[~is_dark].mean(0)).abs() / z.std(0)
    figure = Figure(figsize=(11, 2.8), dpi=120, layout="constrained")
    for axes, i in zip(figure.subplots(1, 4), gap.topk(4).indices.tolist(), strict=True):
        axes.hist(z[:, i], N_BINS, density=True, alpha=0.5, label="faces")
        axes.hist(z[:, i], N_BINS, density=True, weights=weights, histtype="step", label="as drawn")
        axes.plot(z[is_dark, i], np.zeros(is_dark.sum()), "k|", markersize=12, label="dark")
        axes.set(title=f"latent {i + 1}", yticks=[])
    axes.legend(fontsize=8)
    figure.savefig(path)


@torch.no_grad()
def main() -> None:
    recipe = begin("debiasing_vae", __doc__)
    train, test = (recipe.load_images(f"biased/{x}") for x in ("train", "test"))
    is_dark, is_face = train.factor("dark") == 1, train.factor("face") == 1
    n_each = int((is_face & ~is_dark).sum() // is_dark.sum())  # of dark faces: as many as light
    oracle = recipe.out.absolute() / "oracle.npz"
    train.subset(np.repeat(np.arange(len(train)), np.where(is_dark, n_each, 1))).save(oracle)
    ways = {
        "all alike": {"rule": None},
        "rare latents": {"rule": "max"},
        "oracle": {"rule": None, "data": oracle},
    }
    trained = {
        way: [
            recipe.train(
                "debiasing_vae", seed=seed, out=f"{way.replace(' ', '-')}-{seed}", **changed
            )
            for seed in SEEDS
        ]
        for way, changed in ways.items()
    }
    right = {way: np.stack([rates(t.method, test) for t in runs]) for way, runs in trained.items()}
    faces = train.subset(is_face)
    is_dark = faces.factor("dark") == 1
    pixels = torch.from_numpy(faces.pixels)
    found = [t.method.weigh_faces(pixels) for t in trained["rare latents"]]
    mass = np.array([float(w[is_dark].sum()) for w in found]) / is_dark.mean()
    sizes = np.array([effective_sample_size(w) for w in found]) / len(faces)

    light, dark, other = range(3)
    plain = right["all alike"]
    gain, lost = right["rare latents"] - plain, plain - right["rare latents"]
    ceiling = right["oracle"] - plain
    bounds = [
        at_least("weight of dark faces over their share, mean of 5 seeds", mass.mean(), 1.3),
        reported("the same, lowest seed", mass.min()),
        at_least("effective sample size over the number of faces, lowest seed", sizes.min(), 0.1),
        at_most("light faces no longer found", lost[:, light].mean(), 0.01),
        reported("light faces found, all alike", plain[:, light].mean()),
        reported("dark faces found, all alike", plain[:, dark].mean()),
        reported("dark faces found, rare latents", right["rare latents"][:, dark].mean()),
        reported("dark faces found, oracle", right["oracle"][:, dark].mean()),
        reported("gain of dark faces, paired over seeds", gain[:, dark].mean()),
        *interval(gain[:, dark]),
        reported("the oracle's gain", ceiling[:, dark].mean()),
        *interval(ceiling[:, dark]),
        reported("change of right answers on what is no face", gain[:, other].mean()),
    ]  # fmt: skip
    shown = trained["rare latents"][0].method
    z = shown.encode(faces.images())
    draw_bars(recipe.out / "groups.png", right)
    draw_latents(recipe.out / "latents.png", z, found[0], is_dark)
    order = found[0].argsort().numpy()
    rows = [faces.images(order[::-1][:10].copy()), faces.images(order[:10])]
    draw_grid(recipe.out / "faces.png", rows, ["most often", "least often"])
    pictures = {
        "groups.png": "Right answers by group: bars are means over five seeds, dots the seeds.",
        "latents.png": "The latents in which dark faces (ticks) stand out most, before and after.",
        "faces.png": "The faces that are drawn most and least often.",
    }
    recipe.finish(bounds, pictures, trained["rare latents"][0].n_steps)


if __name__ == "__main__":
    with errors_in_one_sentence():
        main()
