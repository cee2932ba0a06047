"""CycleGAN on drawn faces: sunglasses on and off, from faces that are no pairs.

    python recipes/images/cyclegan_sunglasses.py DATA OUT [key=value ...]

Harder than skin: what is taken off hides the eyes, so the way back must invent them, and the cycle
rewards who hides the eyes in the glasses (Chu et al., 2017). Reported, not gated.
"""

import torch
from recipe import begin

from voxcycle.evaluation.stats.bounds import reported
from voxcycle.images.image_set import load_domains
from voxcycle.images.metrics.translation import draw_ways, translate_both_ways

FACTOR = "accessory"
NAMES = ("bare", "glasses")


@torch.no_grad()
def main() -> None:
    recipe = begin("cyclegan_sunglasses", __doc__)
    a, b = load_domains(recipe.data / "sunglasses", "test")
    with torch.enable_grad():
        trained = recipe.train("cyclegan")
        classifier = recipe.classifier()
    ways = translate_both_ways(trained.method.translate, a.images(), b.images())
    column = a.factors.index(FACTOR)
    bounds = []
    for name, way, end in zip(("on", "off"), ways, (b, a), strict=True):
        called = classifier.predict(way.fake)[:, column] == torch.from_numpy(end.factor(FACTOR))
        bounds += [
            reported(f"{name}: L1 to the true twin, over that of no change", way.ratio),
            reported(f"{name}: change outside the glasses", way.change_outside),
            reported(f"{name}: L1 there and back", way.cycle),
            reported(f"{name}: called the target", called.float().mean()),
        ]
    draw_ways(recipe.out / "ways.png", ways, NAMES)
    pictures = {
        "ways.png": "Faces that it never saw, sunglasses on and off: the face, what is made of it, "
        "its true twin, where the two differ (white: 0.3 of the range or more), and the way back.",
    }
    recipe.finish(bounds, pictures, trained.n_steps)


if __name__ == "__main__":
    main()
