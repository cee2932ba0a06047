import math

import pytest
import torch

from voxcycle.losses.regularizers import path_lengths, r1_penalty


def test_r1_of_a_linear_discriminator_is_its_squared_weight_norm() -> None:
    weight = torch.randn(3 * 8 * 8, generator=torch.Generator().manual_seed(0))
    images = torch.randn(5, 3, 8, 8).requires_grad_()
    penalty = r1_penalty((images.flatten(1) @ weight)[:, None] + 7, images)
    assert penalty.item() == pytest.approx(weight.square().sum().item(), rel=1e-5)


def test_r1_of_a_quadratic_and_its_gradient() -> None:
    """D(x) = c |x|^2 has |grad|^2 = 4 c^2 |x|^2, whose derivative by c is 8 c |x|^2."""
    c = torch.tensor(0.5, requires_grad=True)
    images = torch.full((2, 1, 2, 2), 3.0).requires_grad_()  # |x|^2 = 36
    penalty = r1_penalty(c * images.square().sum((1, 2, 3), keepdim=False)[:, None], images)
    assert penalty.item() == pytest.approx(4 * 0.25 * 36)
    penalty.backward()
    assert c.grad is not None
    assert c.grad.item() == pytest.approx(8 * 0.5 * 36)


def test_path_length_of_a_linear_map() -> None:
    """Images A w_l, summed over layers: J^T y is A^T y for each layer, over the root of H W."""
    generator = torch.Generator().manual_seed(1)
    matrix = torch.randn(3 * 4 * 4, 5, generator=generator)
    styles = torch.randn(6, 2, 5, generator=generator).requires_grad_()
    noise = torch.randn(6, 3, 4, 4, generator=generator)
    images = (styles.sum(1) @ matrix.T).reshape(6, 3, 4, 4)
    expected = (noise.flatten(1) @ matrix).norm(dim=1) / math.sqrt(16)
    assert torch.allclose(path_lengths(images, styles, noise), expected, rtol=1e-5)


def test_expected_path_length_of_an_orthogonal_map() -> None:
    """With A^T A = s^2 I, E |A^T y|^2 = s^2 * n_style: the map stretches all directions by s."""
    generator = torch.Generator().manual_seed(2)
    basis = torch.linalg.qr(torch.randn(48, 6, generator=generator)).Q * 2.0
    styles = torch.randn(4_000, 1, 6, generator=generator).requires_grad_()
    images = (styles[:, 0] @ basis.T).reshape(-1, 3, 4, 4)
    noise = torch.randn(4_000, 3, 4, 4, generator=generator)
    squared = path_lengths(images, styles, noise).square().mean() * 16
    assert squared.item() == pytest.approx(4.0 * 6, rel=0.05)  # 4,000 draws: 1 % deviation
