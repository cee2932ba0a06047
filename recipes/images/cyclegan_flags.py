"""CycleGAN on emoji: Google's waving flags to Twitter's flat ones and back.

    python recipes/images/cyclegan_flags.py DATA OUT [key=value ...]

Real drawings by two studios, 105 flags of each and none in both; the 50 of the test are in both.
The two never agree in every pixel, so the distance has no bottom at 0. Reported, not gated.
"""

from recipe import begin

from voxcycle.evaluation.stats.bounds import reported
from voxcycle.images.image_set import load_domains
from voxcycle.images.metrics.translation import (
    draw_ways,
    structural_similarity,
    translate_both_ways,
)

NAMES = ("Google", "Twitter")


def main() -> None:
    recipe = begin("cyclegan_flags", __doc__)
    a, b = (images.images() for images in load_domains(recipe.data / "flags", "test"))
    trained = recipe.train("cyclegan")
    ways = translate_both_ways(trained.method.translate, a, b)
    bounds = []
    for source, way in zip(NAMES, ways, strict=True):
        bounds += [
            reported(f"from {source}: L1 to the other's flag, over that of no change", way.ratio),
            reported(f"from {source}: SSIM of no change", structural_similarity(a, b)),
            reported(f"from {source}: SSIM", structural_similarity(way.fake, way.twins)),
            reported(f"from {source}: L1 there and back", way.cycle),
        ]
    draw_ways(recipe.out / "ways.png", ways, NAMES, n=12)
    pictures = {
        "ways.png": "Flags that it never saw, both ways: the flag, what is made of it, the other "
        "vendor's, where the two differ (white: 0.3 of the range or more), and the way back.",
    }
    recipe.finish(bounds, pictures, trained.n_steps)


if __name__ == "__main__":
    main()
