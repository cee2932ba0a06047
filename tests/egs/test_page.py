from pathlib import Path

import pytest
import torch
import yaml

from voxcycle.evaluation.stats.bounds import Result, at_least, at_most, reported
from voxcycle.images.image_files import draw_grid

ROOT = Path(__file__).parents[2]


@pytest.fixture
def write_page(lecture):
    from page import write_page

    return write_page


@pytest.fixture
def runs(tmp_path):
    """Results of two systems, one with a bound that fails."""
    for name, value in (("vae", 250.0), ("gan", 300.0)):
        folder = tmp_path / "runs" / name
        draw_grid(folder / "grid.png", [torch.zeros(60, 3, 32, 32)], ["<row>"])
        bounds = [at_most("bound <nats>", value, 256), at_least("least", 2, 1), reported("x", 3)]
        Result(
            system=name,
            command="python x.py",
            n_steps=10,
            n_trainings=2,
            seconds=1.5,
            seed=0,
            bounds=bounds,
            pictures={"grid.png": "Sixty <b>"},
        ).save(folder)
    return tmp_path / "runs"


def test_every_system_of_the_list_has_its_files():
    systems = yaml.safe_load((ROOT / "egs/images/systems.yaml").read_text(encoding="utf-8"))
    for system in systems:
        for file in system["files"]:
            assert (ROOT / file).is_file(), file


def test_the_page_holds_results_in_the_order_of_the_lecture(write_page, runs, tmp_path):
    missing = write_page(runs, tmp_path / "page")
    html = (tmp_path / "page" / "index.html").read_text(encoding="utf-8")
    assert html.index('id="vae"') < html.index('id="gan"')
    assert "bound &lt;nats&gt;" in html and "<b>" not in html
    assert html.count('class="ok">holds') == 3 and html.count('class="fails">fails') == 1
    assert "autoencoder" in missing and "vae" not in missing


@pytest.mark.parametrize("width", [390, 1280])
def test_it_fits_the_screen_and_shows_its_pictures(write_page, runs, tmp_path, browser, width):
    write_page(runs, tmp_path / "page")
    page = browser.new_page(viewport={"width": width, "height": 800})
    page.goto((tmp_path / "page" / "index.html").as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    loaded = page.evaluate(
        """async () => {
            for (const image of document.images) image.loading = "eager";
            await Promise.all([...document.images].map((image) => image.decode()));
            return [...document.images].map((image) => image.naturalWidth);
        }"""
    )
    page.close()
    assert len(loaded) == 2 and all(w > 0 for w in loaded)
