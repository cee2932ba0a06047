"""CycleGAN on drawn faces: sunglasses on and off, from faces that are no pairs.

    python recipes/images/cyclegan_sunglasses.py DATA OUT [key=value ...]

Harder than skin: what is taken off hides the eyes, so the way back must invent them, and the cycle
rewards who hides the eyes in the glasses (Chu et al., 2017). Reported without bounds.
"""

import torch
from recipe import begin

from voxcycle.console import errors_in_one_sentence
from voxcycle.evaluation.stats.bounds import reported
from voxcycle.images.image_set import load_domains
from voxcycle.images.metrics.translation import draw_translations, translate_both_ways

FACTOR = "accessory"
NAMES = ("bare", "glasses")


def main() -> None:
    recipe = begin("cyclegan_sunglasses", __doc__)
    a, b = load_domains(recipe.data / "sunglasses", "test")
    trained = recipe.train("cyclegan")
    classifier = recipe.classifier()
    results = translate_both_ways(trained.method.translate, a.images(), b.images())
    column = a.factors.index(FACTOR)
    bounds = []
    for name, result, end in zip(("on", "off"), results, (b, a), strict=True):
        called = classifier.predict(result.fake)[:, column] == torch.from_numpy(end.factor(FACTOR))
        bounds += [
            reported(f"{name}: L1 to the true twin, over that of no change", result.ratio),
            reported(f"{name}: change outside the glasses", result.change_outside),
            reported(f"{name}: L1 there and back", result.cycle),
            reported(f"{name}: called the target", called.float().mean()),
        ]
    draw_translations(recipe.out / "ways.png", results, NAMES)
    pictures = {
        "ways.png": "Test faces, sunglasses on and off: the face, its translation, its true twin, "
        "where the two differ (white: 0.3 of the range or more), and the translation back."
    }
    recipe.finish(bounds, pictures, trained.n_steps)


if __name__ == "__main__":
    with errors_in_one_sentence():
        main()
