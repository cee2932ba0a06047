import numpy as np
import pytest
import torch

from voxcycle.images.batches import ImageBatches, PairBatches
from voxcycle.images.image_set import ImageSet


def numbered(n):
    """Image i is grey of value i but for its left column, which is 255; its label is i."""
    pixels = np.arange(n, dtype=np.uint8).repeat(4).reshape(n, 1, 2, 2)
    pixels[..., 0] = 255
    return ImageSet(pixels, np.arange(n)[:, None], ("number",))


def numbers(images):
    """Which of the numbered images these are, mirrored or not."""
    return ((images.amin((1, 2, 3)) + 1) * 127.5).round().int().tolist()


def test_a_batch_is_a_function_of_seed_and_step():
    images = numbered(20)
    one, two = ImageBatches(images, 6, seed=3), ImageBatches(images, 6, seed=3)
    late = two[7]  # asked for first, as in a resumed training
    for step in range(8):
        batch = one[step]
        assert batch.step == step
        assert numbers(batch.images) == batch.labels[:, 0].tolist()  # labels stay with images
    assert torch.equal(one[7].images, late.images) and one[7].seed == late.seed
    assert torch.equal(one[7].normal(2, 3), late.normal(2, 3))
    assert not torch.equal(one[7].normal(2, 3), one[6].normal(2, 3))
    assert numbers(ImageBatches(images, 6, seed=4)[7].images) != numbers(late.images)


def test_epochs_have_no_repetition():
    batches = ImageBatches(numbered(10), 3, seed=0)  # three batches an epoch, one image left out
    epochs = [
        [i for step in range(3 * e, 3 * e + 3) for i in numbers(batches[step].images)]
        for e in range(4)
    ]
    assert all(len(set(epoch)) == 9 for epoch in epochs)
    assert epochs[0] != epochs[1]
    assert set().union(*epochs) == set(range(10))


def test_pairs_stay_together():
    a = numbered(9)
    b = ImageSet(a.pixels + 100, a.labels, a.factors)
    b.pixels[..., 0] = 255
    batches = PairBatches(a, b, 4, seed=1, is_paired=True)
    for step in range(6):
        pair = batches[step]
        assert [i + 100 for i in numbers(pair.a)] == numbers(pair.b)
    with pytest.raises(ValueError, match="9 images of a and 8 of b cannot be pairs"):
        PairBatches(a, b.subset(np.arange(8)), 4, seed=1, is_paired=True)


def test_domains_without_pairs_have_orders_of_their_own():
    batches = PairBatches(numbered(9), numbered(12), 3, seed=1, is_paired=False)
    again = PairBatches(numbered(9), numbered(12), 3, seed=1, is_paired=False)
    assert torch.equal(batches[5].b, again[5].b) and torch.equal(batches[5].a, again[5].a)
    assert {i for step in range(3) for i in numbers(batches[step].a)} == set(range(9))
    assert {i for step in range(4) for i in numbers(batches[step].b)} == set(range(12))
    assert any(numbers(batches[i].a) != numbers(batches[i].b) for i in range(3))
    a, b = batches[2].domains()  # what a CycleGAN sees
    assert torch.equal(a.real, batches[2].a) and torch.equal(b.perturbed, batches[2].b)
    with pytest.raises(ValueError, match="domain b: 2 images are fewer than batch_size=3"):
        PairBatches(numbered(9), numbered(2), 3, seed=1, is_paired=False)


def test_half_of_the_batches_are_mirrored_on_both_sides_alike():
    plain = PairBatches(numbered(8), numbered(8), 4, seed=2, is_paired=True)
    flipped = PairBatches(numbered(8), numbered(8), 4, seed=2, is_paired=True, flips=True)
    mirrored = 0
    for step in range(60):
        one, two = plain[step], flipped[step]
        is_mirrored = not torch.equal(one.a, two.a)
        assert torch.equal(two.a, one.a.flip(-1) if is_mirrored else one.a)
        assert torch.equal(two.b, one.b.flip(-1) if is_mirrored else one.b)
        mirrored += is_mirrored
    assert 15 <= mirrored <= 45  # four standard deviations around 30
