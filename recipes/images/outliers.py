"""Does a VAE that saw clothes alone notice a digit? By some scores, and by the likelihood not.

    python recipes/images/outliers.py DATA OUT [key=value ...]

The likelihood of a picture counts its pixels: digits are mostly black, which every model of clothes
has learned to expect, and so they are *more* likely than clothes (Nalisnick et al., 2019). The
squared error has the opposite fault: a network that knows nothing paints grey, and black pictures
are farther from that. The share of a picture's variance that is left unexplained has neither.
"""

from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from recipe import begin
from torch import Tensor

from voxcycle.console import errors_in_one_sentence
from voxcycle.evaluation.stats.bounds import at_least, at_most, reported
from voxcycle.images.image_files import draw_grid
from voxcycle.losses.elbo import bernoulli_negative_log_likelihood
from voxcycle.methods.outliers import (
    area_under_curve,
    distance_to_mean,
    outlier_scores,
    roc_curve,
    unexplained_share,
)

ONE_CLASS = {"trousers": 1, "sneakers": 7}
ONE_CLASS_STEPS = 600
ERROR, ELBO, MEAN, EXCESS = "reconstruction error", "-ELBO", "distance to mean", "-ELBO - entropy"
UNEXPLAINED, MEAN_UNEXPLAINED = "unexplained share", "unexplained by the mean"
HELD = (UNEXPLAINED, MEAN_UNEXPLAINED, ERROR, MEAN, ELBO)
SHOWN = (UNEXPLAINED, ELBO, EXCESS)


def entropy(images: Tensor) -> Tensor:
    """Return what the best decoder would pay for the grey of the pixels, (N,) nats."""
    logits = ((images + 1) / 2).clamp(1e-6, 1 - 1e-6).logit()
    return bernoulli_negative_log_likelihood(logits, images)


def draw_histograms(path: Path, scores: dict[str, dict[str, Tensor]]) -> None:
    """Draw the distribution of three scores over each kind of images."""
    figure = Figure(figsize=(10, 3), dpi=120, layout="constrained")
    for axes, name in zip(figure.subplots(1, len(SHOWN)), SHOWN, strict=True):
        values = {kind: scores[kind][name] for kind in ("clothes", "digits")}
        edges = np.linspace(0, float(torch.cat(list(values.values())).quantile(0.995)), 60)
        for kind, value in values.items():
            axes.hist(value, edges, alpha=0.6, density=True, label=kind)
        axes.set(title=name, yticks=[])
    axes.legend()
    figure.savefig(path)


def draw_paradox(
    path: Path, images: dict[str, Tensor], scores: dict[str, dict[str, Tensor]]
) -> None:
    """Draw -ELBO over what is irreducible of it."""
    figure = Figure(figsize=(5.5, 4), dpi=120, layout="constrained")
    axes = figure.add_subplot()
    for kind in ("clothes", "digits"):
        x, y = entropy(images[kind])[:2000], scores[kind][ELBO][:2000]
        axes.scatter(x, y, s=3, linewidths=0, alpha=0.6, label=kind)
    axes.plot([0, 500], [0, 500], "k--", linewidth=1, label="nothing but the grey of the pixels")
    axes.set(xlabel="entropy of the pixels, nats", ylabel="-ELBO, nats", ylim=(0, 550))
    axes.legend(markerscale=4, fontsize=8)
    figure.savefig(path)


@torch.no_grad()
def main() -> None:
    recipe = begin("outliers", __doc__)
    train_set, test_set = (recipe.load_images(f"fashion/{x}") for x in ("train", "test"))
    train, generator = train_set.images(), torch.Generator().manual_seed(0)
    images = {"clothes": test_set.images(), "digits": recipe.load_images("digits/all").images()}
    images["noise"] = torch.rand(1_000, *test_set.shape, generator=generator) * 2 - 1
    trained = recipe.train("vae")
    scores = {kind: outlier_scores(trained.method, x) for kind, x in images.items()}
    for kind, x in images.items():
        scores[kind][MEAN] = distance_to_mean(x, train)
        scores[kind][MEAN_UNEXPLAINED] = unexplained_share(x, train.mean(0))
        scores[kind][EXCESS] = scores[kind][ELBO] - entropy(x)
    areas = {
        kind: {name: area_under_curve(scores["clothes"][name], x[name]) for name in x}
        for kind, x in scores.items()
    }
    digits = areas["digits"]
    torch.manual_seed(0)
    blank = recipe.resolve_config("vae").build(test_set.shape, ()).eval()
    untrained = {kind: outlier_scores(blank, images[kind]) for kind in ("clothes", "digits")}
    unlearned = {
        name: area_under_curve(untrained["clothes"][name], untrained["digits"][name])
        for name in (UNEXPLAINED, ERROR)
    }
    bounds = [
        at_least("AUROC of digits, unexplained share", digits[UNEXPLAINED], 0.95),
        reported("the same with the mean image", digits[MEAN_UNEXPLAINED]),
        at_least("above that", digits[UNEXPLAINED] - digits[MEAN_UNEXPLAINED], 0.05),
        at_most("the same with an untrained VAE", unlearned[UNEXPLAINED], 0.6),
        reported("AUROC of digits, reconstruction error", digits[ERROR]),
        reported("by the distance to the mean image", digits[MEAN]),
        reported("by the error of an untrained VAE: digits are black", unlearned[ERROR]),
        at_most("by -ELBO: the paradox", digits[ELBO], 0.5),
        *(reported(f"by {name}", digits[name]) for name in digits if name not in HELD),
        at_least("AUROC of noise, reconstruction error", areas["noise"][ERROR], 0.99),
    ]  # fmt: skip
    for name, value in ONE_CLASS.items():
        data = recipe.out.absolute() / f"{name}.npz"
        own = train_set.subset(train_set.factor("class") == value)
        own.save(data)
        model = recipe.train("vae", data=data, out=f"run-{name}", steps=ONE_CLASS_STEPS).method
        is_own = torch.from_numpy(test_set.factor("class") == value)
        inside, outside = images["clothes"][is_own], images["clothes"][~is_own]
        pair = [outlier_scores(model, x)[UNEXPLAINED] for x in (inside, outside)]
        plain = [unexplained_share(x, own.images().mean(0)) for x in (inside, outside)]
        bounds.append(reported(f"AUROC of the rest, {name} alone known", area_under_curve(*pair)))
        bounds.append(reported("by what their mean image leaves", area_under_curve(*plain)))

    draw_histograms(recipe.out / "histograms.png", scores)
    figure = Figure(figsize=(6.5, 4.2), dpi=120, layout="constrained")
    axes = figure.add_subplot()
    for name, usual in scores["clothes"].items():
        curve = roc_curve(usual, scores["digits"][name])
        axes.plot(*curve, label=f"{name}: {digits[name]:.3f}")
    axes.plot([0, 1], [0, 1], "k:", linewidth=1)
    axes.set(xlabel="clothes that raise an alarm", ylabel="digits that do")
    figure.legend(loc="outside right", fontsize=8, title="area under the curve")
    figure.savefig(recipe.out / "curves.png")
    draw_paradox(recipe.out / "paradox.png", images, scores)
    rows = []
    for kind in ("clothes", "digits"):
        found = images[kind][scores[kind][UNEXPLAINED].topk(14).indices]
        rows += [found, trained.method.reconstruct(found)]
    likely = images["digits"][scores["digits"][ELBO].topk(14, largest=False).indices]
    unlikely = images["clothes"][scores["clothes"][ELBO].topk(14).indices]
    labels = ["worst clothes", "reconstructed", "worst digits", "reconstructed"]
    labels += ["likeliest digits", "least likely clothes"]
    draw_grid(recipe.out / "worst.png", [*rows, likely, unlikely], labels)
    pictures = {
        "histograms.png": "Three scores of clothes and of digits, none of which it ever saw.",
        "curves.png": "What share of digits is found at what price in false alarms.",
        "paradox.png": "The likelihood pays for every grey pixel, and digits have few: most of "
        "-ELBO says nothing of what is strange.",
        "worst.png": "What is reconstructed worst; the digits that it finds likeliest, all of them "
        "likelier than the clothes under them.",
    }  # fmt: skip
    recipe.finish(bounds, pictures, trained.n_steps)


if __name__ == "__main__":
    with errors_in_one_sentence():
        main()
