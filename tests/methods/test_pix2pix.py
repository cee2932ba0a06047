import pytest
import torch
from torch import nn

from voxcycle.methods.batches import PairBatch
from voxcycle.methods.pix2pix import Pix2Pix


def make_method(adversarial=1.0):
    """G(a) = 2 a, D(a, b) = a - b."""
    generator, discriminator = nn.Conv2d(1, 1, 1), nn.Conv2d(2, 1, 1)
    with torch.no_grad():
        generator.weight.fill_(2.0)
        discriminator.weight.copy_(torch.tensor([1.0, -1.0]).reshape(1, 2, 1, 1))
        generator.bias.zero_()
        discriminator.bias.zero_()
    return Pix2Pix(generator, discriminator, adversarial=adversarial)


BATCH = PairBatch(torch.full((2, 1, 4, 4), 0.25), torch.ones(2, 1, 4, 4))


def test_losses_and_gradients_by_hand():
    method, memory = make_method(), {}
    terms = method.generator_losses(BATCH, memory)
    # the fake is 0.5, its score 0.25 - 0.5: (-0.25 - 1)^2
    assert terms["adversarial"].item() == pytest.approx(1.5625)
    assert terms["l1"].item() == pytest.approx(0.5)
    terms["adversarial"].backward()
    # 2 (score - 1), times the score's slope in the fake, -1, times the input
    assert method.generator.weight.grad.item() == pytest.approx(2 * (-0.25 - 1) * -1 * 0.25)
    # the true pair scores 0.25 - 1: ((-0.75 - 1)^2 + 0.25^2) / 2
    loss = method.discriminator_losses(BATCH, memory)["d"]
    assert loss.item() == pytest.approx(1.5625)
    method.zero_grad()
    loss.backward()
    assert all(p.grad is None for p in method.generator.parameters())
    assert all(p.grad is not None for p in method.discriminator.parameters())


def test_a_step_moves_both_networks_and_without_adversarial_loss_one(find_unmoved):
    assert len(make_method().phases()) == 2
    assert find_unmoved(make_method(), BATCH) == []
    assert len(make_method(0.0).phases()) == 1
    unmoved = ["discriminator.weight", "discriminator.bias"]
    assert find_unmoved(make_method(0.0), BATCH) == unmoved


def test_the_way_back_is_refused():
    method = make_method()
    assert torch.equal(method.translate(BATCH.a), torch.full((2, 1, 4, 4), 0.5))
    with pytest.raises(ValueError, match="domain a to domain b"):
        method.translate(BATCH.a, back=True)
