"""Does a heavier KL term make a latent per factor? Beta-VAEs on shapes whose factors are known.

    python recipes/images/beta_vae.py DATA OUT [key=value ...]

Three seeds for each beta: of disentanglement a seed decides as much as the model does.
"""

from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray
from recipe import begin

from voxcycle.console import errors_in_one_sentence
from voxcycle.evaluation.stats.bounds import at_least, reported
from voxcycle.images.image_files import draw_grid
from voxcycle.images.metrics.latent_metrics import (
    entropies,
    mutual_information_gap,
    mutual_informations,
)
from voxcycle.images.sample import walk_latents

SEEDS = range(3)
BETAS = (1.0, 4.0)
REACH, N_VALUES = 2.0, 11


def draw_informations(
    path: Path, shares: dict[float, NDArray[np.float64]], factors: tuple[str, ...]
) -> None:
    """Draw latent x factor: how much of the factor's entropy the latent tells."""
    figure = Figure(figsize=(7, 3.4), dpi=120, layout="constrained")
    for axes, (beta, share) in zip(figure.subplots(1, len(shares)), shares.items(), strict=True):
        picture = axes.imshow(share, vmin=0, vmax=1, cmap="viridis", aspect="auto")
        for (i, j), x in np.ndenumerate(share):
            axes.text(j, i, f"{x:.2f}", ha="center", va="center", color="w" if x < 0.6 else "k")
        axes.set_xticks(range(len(factors)), factors)
        axes.set_yticks(range(len(share)), [f"z{i + 1}" for i in range(len(share))])
        axes.set_title(f"beta {beta:g}")
    figure.colorbar(picture, label="share of the factor's entropy")
    figure.savefig(path)


@torch.no_grad()
def main() -> None:
    recipe = begin("beta_vae", __doc__)
    shapes = recipe.load_images("shapes/train")
    images = shapes.images()
    gaps, terms, shares, rows = {}, {}, {}, {}
    for beta in BETAS:
        gaps[beta], seen, informations, walks = [], [], [], []
        for seed in SEEDS:
            trained = recipe.train("vae", beta=beta, seed=seed, out=f"beta-{beta:g}-{seed}")
            model = trained.method
            generator = torch.Generator().manual_seed(0)
            noise = torch.randn(len(images), model.n_latent, generator=generator)
            codes = model.encode(images)
            seen.append([float(term.mean()) for term in model.elbo_terms(images, noise)])
            walks.append(walk_latents(model.decode, codes[len(codes) // 2], REACH, N_VALUES))
            gaps[beta].append(mutual_information_gap(codes.numpy(), shapes.labels))
            informations.append(mutual_informations(codes.numpy(), shapes.labels))
        terms[beta] = np.array(seen)
        middle = int(np.argsort(gaps[beta])[len(SEEDS) // 2])  # neither the best nor the worst
        shares[beta], rows[beta] = informations[middle] / entropies(shapes.labels), walks[middle]
    plain, heavy = (float(np.mean(gaps[beta])) for beta in BETAS)
    bounds = [
        at_least("mutual information gap, beta 4, mean of 3 seeds", heavy, 0.3),
        at_least("the same over that of beta 1", heavy / plain, 1.5),
        reported("mutual information gap, beta 1", plain),
        *(reported(f"beta {b:g}, seed {s}", gaps[b][s]) for b in BETAS for s in SEEDS),
        *(reported(f"{term}, beta {b:g}", terms[b][:, i].mean())
          for b in BETAS for i, term in enumerate(("reconstruction", "KL"))),
    ]  # fmt: skip
    draw_informations(recipe.out / "informations.png", shares, shapes.factors)
    figure = Figure(figsize=(4.5, 3.2), dpi=120, layout="constrained")
    axes = figure.add_subplot()
    for beta, values in terms.items():
        axes.plot(values[:, 1], values[:, 0], "o", label=f"beta {beta:g}")
    right, top = 1.15 * np.concatenate(list(terms.values()))[:, ::-1].max(0)
    axes.set(xlabel="KL, nats", ylabel="reconstruction, nats", xlim=(0, right), ylim=(0, top))
    axes.legend()
    figure.savefig(recipe.out / "rates.png")
    labels = [f"beta {beta:g}, z{i + 1}" for beta in BETAS for i in range(len(rows[beta]))]
    shown = [row for beta in BETAS for row in rows[beta]]
    draw_grid(recipe.out / "traversal.png", shown, labels, scale=3)
    pictures = {
        "traversal.png": "One latent moved from -2 to 2, the others held, a row each; the middle "
        "one of three seeds.",
        "informations.png": "What each latent tells of each factor; the middle one of three seeds.",
        "rates.png": "What the heavier KL term costs in reconstruction.",
    }
    recipe.finish(bounds, pictures, trained.n_steps)


if __name__ == "__main__":
    with errors_in_one_sentence():
        main()
