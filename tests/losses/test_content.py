import numpy as np
import pytest
import torch

from voxcycle.losses.content import content_loss, unit_logits


def test_logits_are_cosines_over_the_temperature():
    features = torch.tensor([[[3.0, 0.0], [1.0, 1.0]]])
    centroids = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    expected = [[[10.0, 0.0], [10 / np.sqrt(2), 10 / np.sqrt(2)]]]
    np.testing.assert_allclose(unit_logits(features, centroids), expected, rtol=1e-5, atol=1e-6)


def test_the_loss_is_the_divergence_from_source_to_conversion():
    # Shares 0.8, 0.2 against 0.5, 0.5, by hand.
    source = torch.tensor([[[0.8, 0.2]]]).log()
    converted = torch.tensor([[[0.5, 0.5]]]).log()
    by_hand = 0.8 * np.log(0.8 / 0.5) + 0.2 * np.log(0.2 / 0.5)
    assert content_loss(source, converted).item() == pytest.approx(by_hand, abs=1e-6)
    assert content_loss(source + 3, source).item() == pytest.approx(0, abs=1e-6)


def test_positions_are_averaged_and_the_source_gets_no_gradient():
    source = torch.randn(2, 5, 4, requires_grad=True)
    converted = torch.randn(2, 5, 4, requires_grad=True)
    loss = content_loss(source, converted)
    parts = [content_loss(source[i : i + 1], converted[i : i + 1]) for i in range(2)]
    assert loss.item() == pytest.approx(torch.stack(parts).mean().item(), abs=1e-6)
    loss.backward()
    assert source.grad is None
    assert converted.grad.abs().sum() > 0


def test_positions_count_by_their_weight():
    source, converted = torch.randn(2, 2, 3, 4).unbind(0)
    weight = torch.tensor([[1.0, 0.0, 1.0], [0.0, 0.0, 1.0]])
    parts = [
        content_loss(source[b : b + 1, p : p + 1], converted[b : b + 1, p : p + 1]).item()
        for b, p in weight.nonzero().tolist()
    ]
    assert content_loss(source, converted, weight).item() == pytest.approx(np.mean(parts), abs=1e-5)
    assert content_loss(source, converted, torch.zeros(2, 3)).item() == 0.0
