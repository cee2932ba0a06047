"""StyleGAN on faces: what each layer's style decides, truncation, and walks in W.

    python recipes/images/stylegan.py DATA OUT [key=value ...]

Run progressive_gan.py with the same OUT before it: its first seed is what this is held against.
"""

from pathlib import Path
from statistics import mean

import torch
from recipe import begin, in_batches
from torch import Tensor

from voxcycle.console import errors_in_one_sentence
from voxcycle.evaluation.stats.bounds import at_least, at_most, reported
from voxcycle.images.image_files import draw_grid
from voxcycle.images.metrics.image_quality import compare_images
from voxcycle.images.metrics.latent_metrics import path_length, share_taken_over, slerp
from voxcycle.images.train import MODEL_FILE, load_model

RIVAL = Path("progressive_gan") / "grown-0" / MODEL_FILE  # in OUT
LAYERS = {"coarse, 4-8": slice(0, 3), "middle, 16": slice(3, 5), "fine, 32": slice(5, 8)}
COLOURS = ("skin", "hair colour", "clothes colour")
LEAST = 0.01  # share that counts as none in a ratio
MIN_COLOURS = 0.05  # share: a ratio of next to nothing would say nothing
MIN_RECALL = 0.02  # a generator that always draws the same has 0
PSIS = (1.0, 0.8, 0.6, 0.4, 0.2, 0.0, -0.2, -0.4)
N_COLUMNS, N_WALKS, N_STEPS = 9, 4, 12


@torch.no_grad()
def main() -> None:
    recipe = begin("stylegan", __doc__)
    rival_path = recipe.out.parent / RIVAL
    if not rival_path.exists():
        raise SystemExit(f"{rival_path}: not there; run recipes/images/progressive_gan.py first")
    test_set = recipe.load_images("avatars/test")
    test, factors = test_set.images(), list(test_set.factors)
    classifier = recipe.classifier()
    features = classifier.network.features
    trained = recipe.train("stylegan")
    method = trained.method
    generator = torch.Generator().manual_seed(0)
    z, other_z = torch.randn(2, len(test), method.n_latent, generator=generator)
    w, other = method.map(z), method.map(other_z)

    images = in_batches(method.sample, z)
    quality = compare_images(images, test, features)
    rival = in_batches(load_model(rival_path).method.sample, z)
    rival_fid = compare_images(rival, test, features).fid

    def label(styles: Tensor) -> Tensor:
        return classifier.predict(in_batches(method.synthesize, styles))

    labels, other_labels = label(w), label(other)
    taken = {}
    for name, layers in LAYERS.items():
        mixed = label(method.mix(w, other, layers))
        shares = share_taken_over(labels, other_labels, mixed).tolist()
        taken[name] = dict(zip(factors, shares, strict=True))
    coarse, fine = taken["coarse, 4-8"], taken["fine, 32"]
    colours, of_coarse = (mean(shares[name] for name in COLOURS) for shares in (fine, coarse))

    places = torch.rand(len(z), 1, generator=generator)
    common = {"features": features, "places": places}
    in_w = path_length(method.synthesize, start=w, end=other, **common)
    common |= {"interpolate": slerp}
    in_z = path_length(lambda at: method.synthesize(method.map(at)), start=z, end=other_z, **common)

    draw_grid(recipe.out / "samples.png", list(images[:60].split(15)))
    blank, donors = torch.ones(1, 3, 32, 32), w[:N_COLUMNS]
    rows, rows_of = [torch.cat([blank, method.synthesize(donors)])], ["styles of:"]
    for name, layers in LAYERS.items():
        for own in w[N_COLUMNS : N_COLUMNS + 3]:
            mixed = method.mix(own.expand(N_COLUMNS, -1), donors, layers)
            rows.append(torch.cat([method.synthesize(own[None]), method.synthesize(mixed)]))
            rows_of.append(name)
    draw_grid(recipe.out / "mixing.png", rows, rows_of, ["into"])
    drawn = [torch.cat([method.truncate(x[None], psi) for psi in PSIS]) for x in w[:6]]
    rows = [method.synthesize(styles) for styles in drawn]
    draw_grid(recipe.out / "truncation.png", rows, [], [f"{psi:g}" for psi in PSIS])
    ts = torch.linspace(0, 1, N_STEPS)[:, None]
    walks = [method.synthesize(torch.lerp(w[i], other[i], ts)) for i in range(N_WALKS)]
    draw_grid(recipe.out / "walks.png", walks)

    bounds = [
        reported("domain FID of two halves of the test images", quality.floor),
        reported("Progressive GAN", rival_fid),
        at_most("StyleGAN", quality.fid, 1.1 * rival_fid),
        reported("precision", quality.precision),
        at_least("recall", quality.recall, MIN_RECALL),
        *(reported(f"{factor} taken over, {name}", shares[factor])
          for name, shares in taken.items() for factor in ("hair", *COLOURS)),
        at_least("coarse swap, hair over skin", coarse["hair"] / max(coarse["skin"], LEAST), 1.5),
        at_least("fine swap, colours over hair", colours / max(fine["hair"], LEAST), 1.5),
        at_least("colours, fine swap over coarse swap", colours / max(of_coarse, LEAST), 1.5),
        at_least("colours taken over by the fine swap", colours, MIN_COLOURS),
        reported("path length in Z", in_z),
        at_most("path length in W", in_w, in_z),
    ]  # fmt: skip
    pictures = {
        "samples.png": "Faces that nobody drew.",
        "mixing.png": "Each image at the left with the styles of those on top in some layers.",
        "truncation.png": "Styles drawn towards the mean, 0, and beyond it.",
        "walks.png": "From one style to another along a straight line in W.",
    }
    recipe.finish(bounds, pictures, trained.n_steps)


if __name__ == "__main__":
    with errors_in_one_sentence():
        main()
