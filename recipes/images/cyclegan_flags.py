"""CycleGAN on emoji: Google's waving flags to Twitter's flat ones and back.

    python recipes/images/cyclegan_flags.py DATA OUT [key=value ...]

Real drawings by two studios, 105 flags of each and none in both; the 50 of the test are in both.
The two never agree in every pixel, so the distance has no bottom at 0. Reported without bounds.
"""

from recipe import begin

from voxcycle.console import errors_in_one_sentence
from voxcycle.evaluation.stats.bounds import reported
from voxcycle.images.image_set import load_domains
from voxcycle.images.metrics.translation import (
    draw_translations,
    structural_similarity,
    translate_both_ways,
)

NAMES = ("Google", "Twitter")


def main() -> None:
    recipe = begin("cyclegan_flags", __doc__)
    a, b = (images.images() for images in load_domains(recipe.data / "flags", "test"))
    trained = recipe.train("cyclegan")
    results = translate_both_ways(trained.method.translate, a, b)
    bounds = []
    for source, result in zip(NAMES, results, strict=True):
        bounds += [
            reported(
                f"from {source}: L1 to the other's flag, over that of no change", result.ratio
            ),
            reported(f"from {source}: SSIM of no change", structural_similarity(a, b)),
            reported(f"from {source}: SSIM", structural_similarity(result.fake, result.twins)),
            reported(f"from {source}: L1 there and back", result.cycle),
        ]
    draw_translations(recipe.out / "ways.png", results, NAMES, n=12)
    pictures = {
        "ways.png": "Test flags in both directions: the flag, its translation, the other vendor's "
        "flag, where the two differ (white: 0.3 of the range or more), and the translation back."
    }
    recipe.finish(bounds, pictures, trained.n_steps)


if __name__ == "__main__":
    with errors_in_one_sentence():
        main()
