"""A GAN on eight clusters of points: the game that can be watched.

    python recipes/images/gan_ring.py DATA OUT [key=value ...]

Three seeds. One generator beside them minimises its part of the min-max value itself (eq. 1 of the
paper), not the non-saturating twin; it does as well here, for Adam gives small gradients their size
back.
"""

from statistics import median

import torch
from matplotlib.figure import Figure
from recipe import begin
from torch import Tensor

from voxcycle.console import errors_in_one_sentence
from voxcycle.evaluation.stats.bounds import at_least, at_most, reported
from voxcycle.images.metrics.mode_coverage import cover_modes
from voxcycle.images.systems.gan_ring import N_MODES, RingBatches, ring_centres
from voxcycle.methods.gan import GAN

SEEDS = (0, 1, 2)
PARTS = (0.02, 0.1, 0.25, 0.5, 1.0)
N_POINTS = 10_000
EDGE = 3.2  # of the pictures
MAX_DECIDED = 0.1  # of D at the end, 0.5 where it is sure; theorem 1 of the paper has 0


def draw_points(method: GAN, n: int = N_POINTS) -> Tensor:
    """Return points (n, 2, 1, 1)."""
    noise = torch.randn(n, method.n_latent, generator=torch.Generator().manual_seed(0))
    return method.sample(noise)


@torch.no_grad()
def main() -> None:
    recipe = begin("gan_ring", __doc__)
    deviation = recipe.resolve_config("gan_ring").deviation  # type: ignore[attr-defined]
    real = RingBatches(N_POINTS, 1_000, deviation)[0].images
    centres = torch.from_numpy(ring_centres())
    trainings = {f"seed {seed}": {"seed": seed} for seed in SEEDS}
    trainings["min-max"] = {"seed": 0, "saturates": True}
    rows, bounds, decided = {}, [], []
    for name, settings in trainings.items():
        out = name.replace(" ", "-")
        rows[name] = recipe.train_in_parts("gan_ring", PARTS, out=out, **settings)
        n_steps, final = list(rows[name].items())[-1]
        points = draw_points(final.method)
        d = final.method.discriminator(torch.cat([real, points])).sigmoid()
        coverage = cover_modes(points.flatten(1), centres, deviation)
        found = (f"{name}: clusters of {N_MODES}", coverage.n_modes)
        near = (f"{name}: share of points within 3 sd", coverage.near)
        is_bound = "saturates" not in settings
        decided.append(float((d - 0.5).abs().mean()))
        bounds += [
            at_least(*found, N_MODES) if is_bound else reported(*found),
            at_least(*near, 0.8) if is_bound else reported(*near),
            reported(f"{name}: share of the rarest cluster", coverage.rarest),
            reported(f"{name}: mean distance of D from 1/2", decided[-1]),
        ]
    middle = median(decided[: len(SEEDS)])
    bounds.append(at_most("mean distance of D from 1/2, middle seed", middle, MAX_DECIDED))
    n_columns = max(map(len, rows.values()))  # short trainings have fewer parts
    figure = Figure(figsize=(2.3 * n_columns, 2.5 * len(rows)), dpi=110, layout="constrained")
    grid = figure.subplots(len(rows), n_columns, squeeze=False, sharex=True, sharey=True)
    line = torch.linspace(-EDGE, EDGE, 120)
    xx, yy = torch.meshgrid(line, line, indexing="xy")
    places = torch.stack([xx, yy], -1).reshape(-1, 2, 1, 1)
    for row, (name, models) in zip(grid, rows.items(), strict=True):
        for axes, (n_steps, model) in zip(row, models.items(), strict=True):
            surface = model.method.discriminator(places).sigmoid().reshape(xx.shape)
            image = axes.contourf(xx, yy, surface, torch.linspace(0, 1, 21), cmap="RdBu")
            for points, colour in ((real, "gold"), (draw_points(model.method, 400), "black")):
                x, y = points[:400].flatten(1).T
                axes.scatter(x, y, s=3, c=colour, linewidths=0)
            axes.set(title=f"{n_steps} steps", aspect="equal", xticks=[], yticks=[])
            axes.set(xlim=(-EDGE, EDGE), ylim=(-EDGE, EDGE))
        row[0].set_ylabel(name)
    figure.colorbar(image, ax=grid, ticks=[0, 0.5, 1], label="D", shrink=0.8, pad=0.01)
    figure.savefig(recipe.out / "snapshots.png")
    pictures = {
        "snapshots.png": "The discriminator's surface (blue: takes for real), real points in "
        "yellow and generated ones in black, over time. White: it can tell neither apart."
    }
    recipe.finish(bounds, pictures, n_steps)


if __name__ == "__main__":
    with errors_in_one_sentence():
        main()
