"""A GAN that grows from 4 x 4 to 32 x 32 pixels, beside one at 32 x 32 from the start.

    python recipes/images/progressive_gan.py DATA OUT [key=value ...]

Both have the same blocks and are given the same processor time: growing is ahead while it is small,
which is held to a bound; who is ahead at the end is reported. Distances are domain FID, on the
features of our own classifier of faces; images of the small stages are scaled up to be judged.
"""

import json
import time
from pathlib import Path
from statistics import mean

import torch
from matplotlib.figure import Figure
from matplotlib.ticker import ScalarFormatter
from recipe import Recipe, begin, in_batches
from torch import Tensor

from voxcycle.console import errors_in_one_sentence
from voxcycle.evaluation.stats.bounds import at_most, reported
from voxcycle.images.batches import ImageBatches
from voxcycle.images.image_files import draw_grid
from voxcycle.images.metrics.image_quality import compare_images
from voxcycle.models.growing_networks import downsample
from voxcycle.training.state import TrainingState

METHOD = "progressive_gan"
SEEDS = (0, 1, 2)
N_LATER = 3  # times at which the last stage is measured
SHOWN = 14
MAX_SHARE = 0.9  # of the distance of the stage before; one that only scales it up has all of it
Curve = dict[float, float]  # distance after seconds


def seconds_per_step(recipe: Recipe) -> list[float]:
    """Return the processor time of a step of every stage, R1 included.

    It is kept: what is equal would else be another length each time that the recipe goes on.
    """
    kept = recipe.out / "step_seconds.json"
    if kept.exists():
        return list(json.loads(kept.read_text()))
    config = recipe.resolve_config(METHOD)
    images = config.load_images()
    torch.set_num_threads(config.threads)
    module = TrainingState(config.build(images.shape, ()))
    growth = module.method.growth
    batches, seconds = ImageBatches(images, config.batch_size, 0), []
    for stage in range(growth.last + 1):
        batch = batches[growth.end(stage) - 1]
        module.run_phases(batch)  # the first call is slower
        started = time.process_time()
        for _ in range(config.r1_every):
            module.run_phases(batch)
            module.steps_done += 1
        seconds.append((time.process_time() - started) / config.r1_every)
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text(json.dumps(seconds))
    return seconds


def draw_curves(path: Path, grown: list[Curve], scratch: list[Curve], marks: list[float]) -> None:
    """Draw the distance over processor time, with lines where a stage is complete."""
    figure = Figure(figsize=(6, 3.5), dpi=130, layout="constrained")
    axes = figure.add_subplot()
    styles = ((grown, "growing", "C0o-"), (scratch, "32 x 32 throughout", "C1s--"))
    for curves, name, style in styles:
        for i, curve in enumerate(curves):
            label, alpha = (None, 0.4) if i else (name, 1)
            axes.plot(curve.keys(), curve.values(), style, label=label, alpha=alpha)
    for i, at in enumerate(marks):
        axes.axvline(at, color="0.7", linewidth=0.8, zorder=0)
        axes.annotate(f"{4 << i}", (at, 1), (0, 2), xycoords=("data", "axes fraction"),
                      textcoords="offset points", ha="center", fontsize=8)  # fmt: skip
    axes.set(xlabel="processor time, seconds", ylabel="domain FID", yscale="log")
    axes.yaxis.set_major_formatter(ScalarFormatter())
    axes.yaxis.set_minor_formatter(ScalarFormatter())
    axes.legend()
    figure.savefig(path)


def main() -> None:
    recipe = begin("progressive_gan", __doc__)
    test = recipe.load_images("avatars/test").images()
    features = recipe.classifier().network.features
    config = recipe.resolve_config(METHOD)
    z = torch.randn(len(test), config.n_latent, generator=torch.Generator().manual_seed(0))

    def distance(images: Tensor) -> float:
        return compare_images(images, test, features).fid

    def trace(steps: list[int], **run: int | str | bool) -> dict[int, Tensor]:
        models = recipe.train_in_parts(METHOD, [n / config.steps for n in steps], **run)
        return {n: in_batches(model.method.sample, z) for n, model in models.items()}

    costs = seconds_per_step(recipe)
    growth = config.build(test.shape[1:], ()).growth
    spent = [0.0]  # seconds of a growing training after every step
    for step in range(config.steps):
        spent.append(spent[-1] + costs[growth.at(step)[0]])
    ends = [growth.end(stage) for stage in range(growth.last)]
    later = [ends[-1] + (config.steps - ends[-1]) * i // N_LATER for i in range(1, N_LATER + 1)]
    equal = [round(spent[n] / costs[-1]) for n in ends[-1:] + later]
    grown, scratch, stages = [], [], []
    for seed in SEEDS:
        images = trace(ends + later, seed=seed, out=f"grown-{seed}")
        stages = stages or [images[n] for n in (*ends, config.steps)]
        grown.append({spent[n]: distance(x) for n, x in images.items()})
        images = trace(equal, seed=seed, out=f"scratch-{seed}", is_growing=False)
        scratch.append({n * costs[-1]: distance(x) for n, x in images.items()})

    sides = [test.shape[-1] >> (growth.last - i) for i in range(len(stages))]
    names = [f"{side} x {side}" for side in sides]
    rows = [drawn[:SHOWN] for drawn in stages]
    draw_grid(recipe.out / "stages.png", [*rows, test[:SHOWN]], [*names, "test images"], scale=2)
    draw_curves(recipe.out / "curves.png", grown, scratch, [spent[n] for n in ends])

    floor = compare_images(stages[-1], test, features).floor
    bounds = [reported("domain FID of two halves of the test images", floor)]
    for i, (drawn, name) in enumerate(zip(stages, names, strict=True)):
        n = 1 << (growth.last - i)
        shrunk = downsample(test, growth.last - i).repeat_interleave(n, 2).repeat_interleave(n, 3)
        bounds.append(reported(f"test images brought to {name}", distance(shrunk)))
        value, before = distance(drawn), bounds[-2].value
        name = f"stage of {name}"
        bounds.append(at_most(name, value, MAX_SHARE * before) if i else reported(name, value))
    last = {}
    for name, curves in (("growing", grown), ("32 x 32 throughout", scratch)):
        last[name] = [list(curve.values())[-1] for curve in curves]
        bounds += [reported(f"{name}, seed {s}", x) for s, x in zip(SEEDS, last[name], strict=True)]
    early = mean(next(iter(curve.values())) for curve in scratch)
    own_early = mean(curve[spent[ends[-1]]] for curve in grown)
    bounds += [
        reported(f"32 x 32 throughout, mean, when the other has {names[-2]}", early),
        at_most(f"growing, mean, when it has {names[-2]}", own_early, early),
        reported("32 x 32 throughout, mean, at the end", mean(last["32 x 32 throughout"])),
        reported("growing, mean, at the end, in the same processor time", mean(last["growing"])),
        *(reported(f"milliseconds per step, {name}", 1e3 * c)
          for name, c in zip(names, costs, strict=True)),
    ]  # fmt: skip
    pictures = {
        "stages.png": "The same latents when each stage was complete, and faces that were drawn.",
        "curves.png": "Domain FID over processor time; lines mark where a size was complete. Bold: "
        f"the first of {len(SEEDS)} seeds.",
    }
    recipe.finish(bounds, pictures, config.steps, SEEDS[0])


if __name__ == "__main__":
    with errors_in_one_sentence():
        main()
