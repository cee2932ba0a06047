import pytest
import torch
from PIL import Image

from voxcycle.images.metrics.translation import (
    TranslationResult,
    draw_translations,
    gradient_energy,
    heat,
    mean_distance,
    structural_similarity,
    translate_both_ways,
)


def halves(left, right):
    """One grey image, 4 x 4, of two values."""
    image = torch.full((1, 1, 4, 4), left)
    image[..., 2:] = right
    return image


def test_numbers_by_hand():
    # black to white on the right half: 1 on half of the pixels; the fake goes 3/4 of the way there
    # and moves the left half by 0.1 of the range
    source, twins = halves(0.0, -1.0), halves(0.0, 1.0)
    result = TranslationResult(source, halves(0.2, 0.5), halves(0.0, -0.8), twins)
    assert mean_distance(source, twins) == pytest.approx(0.5)
    assert result.ratio == pytest.approx((0.5 * 0.1 + 0.5 * 0.25) / 0.5)
    assert result.change_outside == pytest.approx(0.1)
    assert result.cycle == pytest.approx(0.5 * 0.1)


def test_what_is_almost_alike_in_all_channels_is_outside():
    source = torch.zeros(1, 3, 1, 2)
    twins = source.clone()
    twins[0, :, 0, 0] = 0.03  # 0.015 of the range: no difference
    twins[0, 1, 0, 1] = 0.06  # one channel by 0.03: different, so the change there is not counted
    fake = source.clone()
    fake[0, :, 0, 0], fake[0, :, 0, 1] = 0.4, 2.0
    assert TranslationResult(source, fake, source, twins).change_outside == pytest.approx(0.2)


def test_the_broken_translators():
    """A map that does nothing has ratio 1, the wrong direction more, the true one 0."""
    a, b = halves(0.0, -0.5), halves(0.0, 0.5)

    def shift(x, back):
        return x + halves(0.0, -1.0 if back else 1.0)

    for result in translate_both_ways(shift, a, b):
        assert (result.ratio, result.cycle, result.change_outside) == (0, 0, 0)
    for result in translate_both_ways(lambda x, back: x, a, b):
        assert result.ratio == 1
    for result in translate_both_ways(lambda x, back: shift(x, not back), a, b):
        assert result.ratio == pytest.approx(2)


def test_gradient_energy_by_hand_and_under_blur():
    # one of three steps to the right is 0.5 of the range, in every row; none goes down
    image = halves(0.0, 1.0)
    assert gradient_energy(image) == pytest.approx(0.25 / 3)
    blurred = torch.nn.functional.avg_pool2d(image, 3, 1, 1, count_include_pad=False)
    assert gradient_energy(blurred) < 0.5 * gradient_energy(image)


def test_structural_similarity_of_an_image_with_itself_and_its_negative():
    images = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
    assert structural_similarity(images, images) == pytest.approx(1)
    assert structural_similarity(images, -images) < -0.5


def test_heat_is_black_without_difference_and_brightest_from_the_hottest_on():
    x = torch.zeros(1, 3, 1, 3)
    y = x.clone()
    y[..., 1], y[..., 2] = 0.6, 1.8  # 0.3 and 0.9 of the range
    picture = heat(x, y)
    assert picture.shape == (1, 3, 1, 3)
    assert picture[0, :, 0, 0].max() < -0.95
    torch.testing.assert_close(picture[0, :, 0, 1], picture[0, :, 0, 2])
    assert picture[0, :2, 0, 2].min() > 0.9


def test_a_picture_of_both_ways(tmp_path):
    a, b = (torch.full((3, 3, 8, 8), value) for value in (-0.5, 0.5))
    results = translate_both_ways(lambda x, back: x, a, b)
    draw_translations(tmp_path / "ways.png", results, ("dark", "bright"), n=2)
    with Image.open(tmp_path / "ways.png") as picture:
        # ten rows and two columns of 10 x 10 pixels, drawn double, beside their labels
        assert picture.height == pytest.approx(200, abs=4)
        assert picture.width > 40
