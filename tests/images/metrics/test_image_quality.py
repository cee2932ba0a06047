import numpy as np
import pytest
import scipy.linalg
import torch
from torchmetrics.image.fid import _compute_fid

from voxcycle.images.metrics.image_quality import (
    compare_images,
    draw_from_gaussian,
    embed,
    frechet_distance,
    kernel_distance,
    nearest_images,
    precision_recall,
)
from voxcycle.methods.batches import ImageBatch
from voxcycle.methods.classifier import ClassifierTraining
from voxcycle.models.coders import Classifier
from voxcycle.training.state import TrainingState


def normal(n, d, seed, mean=0.0, scale=1.0):
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(d, d, generator=torch.Generator().manual_seed(99)) / d**0.5
    return mean + scale * torch.randn(n, d, generator=generator) @ (torch.eye(d) + mixing)


@pytest.mark.parametrize("n", [40, 6])  # fewer features than dimensions: singular covariances
def test_frechet_distance_against_scipys_matrix_root_and_torchmetrics(n):
    x, y = normal(n, 8, 0), normal(n + 9, 8, 1, mean=0.5, scale=1.7)
    a, b = (np.cov(t.double().numpy(), rowvar=False) for t in (x, y))
    root = np.real(scipy.linalg.sqrtm(a @ b))
    means = np.square((x.mean(0) - y.mean(0)).double().numpy()).sum()
    expected = means + np.trace(a + b - 2 * root)
    # scipy's root of a singular matrix is good to about the square root of double precision
    assert frechet_distance(x, y) == pytest.approx(expected, rel=1e-5)
    x, y = x.double(), y.double()
    expected = _compute_fid(x.mean(0), torch.cov(x.T), y.mean(0), torch.cov(y.T))
    assert frechet_distance(x, y) == pytest.approx(float(expected), rel=1e-6)


def test_frechet_distance_by_hand():
    # per dimension: (difference of means)^2 + (difference of deviations)^2; the variance is 4/3
    x = torch.tensor([[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0]])
    assert frechet_distance(x, 3 * x + 5) == pytest.approx(2 * (25 + 4 * 4 / 3))
    assert frechet_distance(x, x) == pytest.approx(0, abs=1e-9)


def test_kernel_distance_against_a_double_loop():
    x, y = normal(12, 4, 0).double(), normal(12, 4, 1, mean=0.3).double()

    def kernel(p, q):
        return float((p @ q / 4 + 1) ** 3)

    within = between = 0.0
    for i in range(12):
        for j in range(12):
            between += kernel(x[i], y[j]) / 144
            if i != j:
                within += (kernel(x[i], x[j]) + kernel(y[i], y[j])) / 132
    mean, deviation = kernel_distance(x, y, n_subsets=3, size=12)
    assert mean == pytest.approx(within - 2 * between, rel=1e-9)
    assert deviation == pytest.approx(0, abs=1e-12)  # every subset is the whole


def test_kernel_distance_is_unbiased():
    """Of draws from one distribution it is 0 in the mean: some subsets fall below."""
    distances = [
        kernel_distance(normal(60, 4, 2 * i), normal(60, 4, 2 * i + 1), n_subsets=2, size=60)[0]
        for i in range(60)
    ]
    values = torch.tensor(distances)
    assert abs(values.mean().item()) < 3 * values.std().item() / 60**0.5
    assert values.min().item() < 0
    mean, deviation = kernel_distance(normal(600, 4, 0), normal(600, 4, 1, mean=1.0))
    assert mean > 5 * deviation


def test_precision_and_recall_of_hand_made_points():
    # points of a line, one apart: the third neighbour is 2 away within, 3 at the ends
    real = torch.arange(8.0)[:, None]
    assert precision_recall(real, real) == (1.0, 1.0)
    # far from everything, both ways
    assert precision_recall(real + 100, real) == (0.0, 0.0)
    # one point repeated: inside the real manifold, and its own manifold is that point alone
    collapsed = torch.full((8, 1), 3.5)
    assert precision_recall(collapsed, real) == (1.0, 0.0)
    # the left half is generated well, the right half never: the balls of 0 to 3 have the radii
    # 3, 2, 2, 3 and reach 6
    half = torch.arange(4.0)[:, None]
    assert precision_recall(half, real) == (1.0, 7 / 8)
    # half of what is generated lies far away: each of those is 100 from its neighbours
    mixed = torch.tensor([[0.0], [1.0], [2.0], [3.0], [900.0], [1000.0], [1100.0], [1200.0]])
    assert precision_recall(mixed, real)[0] == 0.5


def test_nearest_images():
    training = torch.tensor([0.0, 0.5, -1.0])[:, None, None, None].expand(3, 1, 2, 2)
    generated = torch.tensor([0.5, -0.8])[:, None, None, None].expand(2, 1, 2, 2)
    distances, which = nearest_images(generated, training)
    assert distances.tolist() == pytest.approx([0.0, 0.2])
    assert which.tolist() == [1, 2]


def test_a_gaussian_of_pixels_has_their_moments():
    images = (0.1 * normal(400, 12, 0)).reshape(400, 3, 2, 2)  # far from where it is clamped
    drawn = draw_from_gaussian(images, 20_000)
    assert drawn.shape == (20_000, 3, 2, 2)
    x, y = drawn.flatten(1), images.flatten(1)
    assert (x.mean(0) - y.mean(0)).abs().max().item() < 0.01  # standard error about .001
    difference = torch.cov(x.T) - torch.cov(y.T)
    assert (difference.norm() / torch.cov(y.T).norm()).item() < 0.05
    assert torch.equal(draw_from_gaussian(images, 5), draw_from_gaussian(images, 5))
    assert draw_from_gaussian(20 * images, 50).abs().max() <= 1


def make_shapes(n, seed):
    """Return bars in one of eight places, upright or not, of any brightness; and both factors."""
    generator = torch.Generator().manual_seed(seed)
    place = torch.randint(8, (n,), generator=generator)
    upright = torch.randint(2, (n,), generator=generator)
    images = -torch.ones(n, 1, 8, 8)
    images[torch.arange(n), 0, place] = torch.rand(n, 1, generator=generator) + 0.2
    images = torch.where(upright.bool()[:, None, None, None], images.mT, images).clamp(-1, 1)
    return images, torch.stack([place, upright], 1)


@pytest.fixture(scope="module")
def classifier():
    torch.manual_seed(0)
    module = TrainingState(ClassifierTraining(Classifier((1, 8, 8), [8, 2, 2], 8), lr=5e-3))
    for step in range(60):
        module.run_phases(ImageBatch(*make_shapes(64, step), step, step))
    return module.method.eval()


def test_a_trained_classifier_sees_collapse_and_noise(classifier):
    real, _ = make_shapes(400, 1_001)
    features = classifier.network.features
    good = compare_images(make_shapes(400, 1_000)[0], real, features)
    collapsed = compare_images(real[:5].repeat(80, 1, 1, 1), real, features)
    noise = torch.randn(real.shape, generator=torch.Generator().manual_seed(0))
    noisy = compare_images(real + 0.2 * noise, real, features)
    assert good.fid < 2 * good.floor
    assert collapsed.fid > 20 * good.fid
    assert noisy.precision < 0.1  # noise that is weak beside the bars: no such image is real
    assert good.recall > 0.8
    assert collapsed.recall < 0.2
    assert collapsed.precision > 0.8  # each image is fine: only recall and the distances tell
    assert abs(good.kid) < 3 * good.kid_std
    assert collapsed.kid > 5 * collapsed.kid_std


def test_the_comparison_does_not_depend_on_the_features_scale(classifier):
    x, y = make_shapes(100, 1)[0], make_shapes(100, 2)[0]
    features = classifier.network.features
    plain = compare_images(x, y, features)
    scaled = compare_images(x, y, lambda images: 1000 * features(images))
    for name, value in vars(plain).items():
        assert vars(scaled)[name] == pytest.approx(value, rel=1e-3, abs=1e-4), name


def test_embedding_in_batches_changes_nothing(classifier):
    images, _ = make_shapes(300, 5)  # more than one batch of 256
    with torch.no_grad():
        whole = classifier.network.features(images)
    torch.testing.assert_close(
        embed(images, classifier.network.features), whole, rtol=1e-4, atol=1e-5
    )
