"""pix2pix on drawn faces: from their edges to the faces, beside the L1 loss alone.

    python recipes/images/pix2pix.py DATA OUT [key=value ...]

Edges do not decide colours. The L1 loss answers with the middle of what could be; the
discriminator, which sees the edges beside the answer, wants one that could be true.
"""

import torch
from recipe import begin

from voxcycle.console import errors_in_one_sentence
from voxcycle.evaluation.stats.bounds import at_least, at_most, reported
from voxcycle.images.image_files import draw_grid
from voxcycle.images.image_set import load_domains
from voxcycle.images.metrics.translation import (
    gradient_energy,
    heat,
    mean_distance,
    structural_similarity,
)

N_SHOWN = 12
SHARPER = 0.03  # at least, in gradient energy; without the discriminator's gradient it is 0


@torch.no_grad()
def main() -> None:
    recipe = begin("pix2pix", __doc__)
    folder = recipe.resolve_config("pix2pix").data
    _, train_b = load_domains(folder)
    a, b = (images.images() for images in load_domains(folder, "test"))
    trained = recipe.train("pix2pix")
    l1_only = recipe.train("pix2pix", adversarial=0.0, out="l1-only").method
    made, blurred = trained.method.translate(a), l1_only.translate(a)
    shuffled = trained.method.translate(a.roll(1, 0))  # everyone gets another one's edges

    mean = train_b.images().mean(0, keepdim=True)
    trivial = {
        "the input itself": a,
        "the mean image": mean.repeat(len(b), 1, 1, 1),
        "the mean colour": mean.mean((2, 3), keepdim=True).expand_as(b).contiguous(),
    }
    l1 = {name: mean_distance(images, b) for name, images in trivial.items()}
    ssim = {name: structural_similarity(images, b) for name, images in trivial.items()}
    own, own_l1 = mean_distance(made, b), mean_distance(blurred, b)
    energy = gradient_energy(b)
    bounds = [
        *(reported(f"L1 of {name}", value) for name, value in l1.items()),
        at_most("L1 to the truth", own, 0.5 * min(l1.values())),
        *(reported(f"SSIM of {name}", value) for name, value in ssim.items()),
        at_least("SSIM with the truth", structural_similarity(made, b), max(ssim.values()) + 0.15),
        at_least("L1 with the input of another face, over that with its own",
                 mean_distance(shuffled, b) / own, 2),
        reported("L1 to the truth, L1 loss alone", own_l1),
        at_most("L1 over that of the L1 loss alone", own / own_l1, 1.2),
        reported("gradient energy over the truth's, L1 loss alone",
                 gradient_energy(blurred) / energy),
        at_least("the same with the discriminator", gradient_energy(made) / energy,
                 gradient_energy(blurred) / energy + SHARPER),
    ]  # fmt: skip
    rows = [a, blurred, made, b, heat(made, b)]
    labels = ["input", "L1 alone", "pix2pix", "truth", "difference"]
    draw_grid(recipe.out / "rows.png", [row[:N_SHOWN] for row in rows], labels)
    pictures = {
        "rows.png": "Faces that it never saw: their edges, what the L1 loss alone makes of them, "
        "what pix2pix makes, the truth, and where these two differ (white: 0.3 of the range)."
    }
    recipe.finish(bounds, pictures, trained.n_steps)


if __name__ == "__main__":
    with errors_in_one_sentence():
        main()
