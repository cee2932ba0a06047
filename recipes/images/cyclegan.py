"""CycleGAN on drawn faces: light skin to dark and back, from faces that are no pairs.

    python recipes/images/cyclegan.py DATA OUT [key=value ...]

The training sees 3,000 light faces and 3,000 others that are dark. Because faces are drawn, the
test has what no training on photographs has: the same face with the other skin, to compare with.
"""

import numpy as np
import torch
from recipe import begin

from voxcycle.console import errors_in_one_sentence
from voxcycle.evaluation.stats.bounds import at_least, at_most, reported
from voxcycle.images.image_set import load_domains
from voxcycle.images.metrics.translation import draw_translations, translate_both_ways

FACTOR = "skin"
NAMES = ("light", "dark")


def main() -> None:
    recipe = begin("cyclegan", __doc__)
    a, b = load_domains(recipe.data / "skin", "test")
    trained = recipe.train("cyclegan")
    translate = trained.method.translate
    classifier = recipe.classifier()
    results = translate_both_ways(translate, a.images(), b.images())
    swapped = translate_both_ways(lambda x, back: translate(x, not back), a.images(), b.images())
    column = a.factors.index(FACTOR)
    others = torch.arange(len(a.factors)) != column
    bounds = []
    for result, wrong, end, (source, target) in zip(
        results, swapped, (b, a), (NAMES, NAMES[::-1]), strict=True
    ):
        (value,) = np.unique(end.factor(FACTOR))
        before, after, of_twin = map(classifier.predict, (result.source, result.fake, result.twins))
        called = (after[:, column] == int(value)).float().mean()
        kept, twin_kept = (
            (labels == before).float().mean(0)[others].mean() for labels in (after, of_twin)
        )
        name = f"{source} to {target}"
        bounds += [
            at_most(f"{name}: L1 to the true twin, over that of no change", result.ratio, 0.5),
            at_most(f"{name}: change outside the skin", result.change_outside, 0.02),
            at_most(f"{name}: L1 there and back", result.cycle, 0.04),
            at_least(f"{name}: called the target skin", called, 0.9),
            reported(f"{name}: other factors called as before", kept),
            reported(f"{name}: the same of the true twin", twin_kept),
            reported(f"{source}, by the other generator: L1 ratio", wrong.ratio),
        ]
    draw_translations(recipe.out / "ways.png", results, NAMES)
    pictures = {
        "ways.png": "Test faces in both directions: the face, its translation, its true twin, "
        "where the two differ (white: 0.3 of the range or more), and the translation back."
    }
    recipe.finish(bounds, pictures, trained.n_steps)


if __name__ == "__main__":
    with errors_in_one_sentence():
        main()
