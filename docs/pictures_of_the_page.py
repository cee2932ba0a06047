"""Draw the pictures of docs/page.md: what `voxcycle serve` shows of real conversions and trainings.

The training has small networks, so that a few minutes are enough. Needs Chromium and the extras
[web], [dev] and [train]:

    python docs/pictures_of_the_page.py
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import soundfile
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, Route, sync_playwright

import voxcycle

ROOT = Path(__file__).parents[1]
OUT = ROOT / "docs/page"
WIDE, NARROW = {"width": 1280, "height": 920}, {"width": 390, "height": 844}
COLOURS = 128  # of a picture: the page has few
SHIFTS = [-4.0, -3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0, 4.0]  # semitones between a speaker's clips
SERVE = """
import sys
from pathlib import Path
from voxcycle.web.server import build_server, listen
from voxcycle.web.settings import Settings
bound = listen("127.0.0.1", 0)
settings = Settings(Path(sys.argv[1]), takes_training_settings=True)
build_server(settings, on_ready=lambda: print(bound.getsockname()[1], flush=True)).run([bound])
"""
SMALL = {
    "width": 16,
    "n_blocks": 1,
    "discriminator_widths": [4, 4, 4, 4],
    "batch_size": 2,
    "threads": 1,
    "from_scratch": True,
    "separates_pitch": False,
}
N_STEPS = 400


def serve(folder: Path) -> tuple[subprocess.Popen[str], str]:
    """Start a server with a library of its own; returns the process and its address."""
    own = {"VOXCYCLE_DATA": str(folder / "data"), "XDG_CACHE_HOME": str(folder / "cache")}
    command = [sys.executable, "-c", SERVE, str(folder / "serve")]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, **own})
    assert server.stdout is not None
    return server, f"http://127.0.0.1:{int(server.stdout.readline())}"


def write_speakers(folder: Path) -> dict[str, list[Path]]:
    """Write a minute of two voices, which read one sentence at several pitches."""
    demo = ROOT / "recipes/demo.flac"
    written: dict[str, list[Path]] = {}
    for name in ("emma", "george"):
        (folder / name).mkdir(parents=True)
        for number, shift in enumerate(SHIFTS, 1):
            made = voxcycle.convert(demo, to=name, pitch=shift)
            path = folder / name / f"{name} {number:02}.wav"
            soundfile.write(path, made.waveform, made.sample_rate)
            written.setdefault(name, []).append(path)
    return written


def save(picture: bytes, name: str) -> None:
    """Write a picture with few colours."""
    path = OUT / name
    path.write_bytes(picture)
    with Image.open(path) as image:
        image.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)
    print(f"{path.relative_to(ROOT)}: {path.stat().st_size / 1000:.0f} kB")


def open_page(browser: Browser, url: str, view: str, size: dict[str, int], scheme: str) -> Page:
    """Open a view."""
    context = browser.new_context(viewport=size, color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
    page = context.new_page()
    page.set_default_timeout(240_000)
    page.goto(f"{url}/#{view}")
    page.wait_for_selector("body[data-ready]")
    return page


def add(page: Page, place: str, paths: list[Path]) -> None:
    """Choose files, and wait until the server has them."""
    files = page.locator(f"[data-intake={place}] .file .play")
    page.locator(f"[data-intake={place}] input[type=file]").first.set_input_files(paths)
    files.nth(len(paths) - 1).wait_for()


def show(page: Page, part: Locator, above: int = 76) -> None:
    """Scroll a part to just below the bar."""
    top = part.evaluate("(e) => e.getBoundingClientRect().top + scrollY")
    page.evaluate("(top) => scrollTo({ top, behavior: 'instant' })", top - above)
    page.wait_for_timeout(700)  # what was drawn while it was out of view


def draw_conversion(browser: Browser, url: str, folder: Path) -> None:
    """Convert the demo recording and a noisy copy, and take both sizes and schemes."""
    speech, rate = soundfile.read(ROOT / "recipes/demo.flac")
    noise = np.random.default_rng(0).standard_normal(len(speech))
    recordings = [folder / "announcement.wav", folder / "announcement, noisy.wav"]
    soundfile.write(recordings[0], speech, rate)
    soundfile.write(recordings[1], speech + 0.02 * noise, rate)
    page = open_page(browser, url, "convert", WIDE, "light")
    add(page, "convert", recordings)
    page.locator("#voice-george").check()
    save(page.screenshot(), "convert.png")
    page.locator("#convert-go").click()
    page.locator(".ab-time").first.wait_for()
    page.locator(".ab").first.get_by_role("button", name="Play").click()
    page.wait_for_function("() => document.querySelector('.ab-seek').value > 3")
    page.locator(".ab").first.get_by_role("button", name="Pause").click()
    show(page, page.locator("#convert-results-title"))
    save(page.screenshot(clip={"x": 0, "y": 60, "width": 1280, "height": 640}), "result.png")
    phone = open_page(browser, url, "convert", NARROW, "dark")
    phone.locator(".ab-time").first.wait_for()
    show(phone, phone.locator("#convert-results-title"))
    save(phone.screenshot(), "phone.png")
    voices = open_page(browser, url, "voices", WIDE, "dark")
    voices.wait_for_timeout(500)
    save(voices.screenshot(clip={"x": 0, "y": 0, "width": 1280, "height": 720}), "voices.png")


def draw_training(browser: Browser, url: str, folder: Path) -> None:
    """Look at two speakers, train them, and take both."""
    speakers = write_speakers(folder)
    page = open_page(browser, url, "train", WIDE, "light")
    page.get_by_role("tab", name="Train").click()
    add(page, "train-b", speakers["emma"])
    add(page, "train-a", speakers["george"])
    page.get_by_role("button", name="Check the recordings").click()
    page.locator(".report-side canvas").nth(7).wait_for()
    show(page, page.get_by_role("region", name="Look at the data first"))
    save(page.screenshot(clip={"x": 0, "y": 60, "width": 1280, "height": 560}), "report.png")

    def make_small(route: Route) -> None:
        body = json.loads(route.request.post_data or "{}")
        if body.get("kind") == "train":
            del body["minutes"]
            body |= {"steps": N_STEPS, "settings": SMALL}
        route.continue_(post_data=json.dumps(body))

    page.route("**/api/jobs", make_small)
    form = page.locator("#train-form")
    form.get_by_role("textbox", name="Name", exact=True).fill("like-emma")
    form.get_by_label("Consent").fill("Both voices are synthetic")
    form.get_by_label("Both people agreed that I make this voice.").check()
    form.get_by_role("button", name="Train", exact=True).click()
    page.locator("#train-results .stage").nth(1).wait_for()
    show(page, page.locator("#train-results"))
    save(page.screenshot(clip={"x": 0, "y": 60, "width": 1280, "height": 620}), "training.png")


def main() -> None:
    """Draw all pictures."""
    OUT.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary, sync_playwright() as playwright:
        folder = Path(temporary)
        server, url = serve(folder)
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"]
        )
        try:
            draw_conversion(browser, url, folder)
            draw_training(browser, url, folder)
        finally:
            browser.close()
            server.terminate()
            server.wait(60)


if __name__ == "__main__":
    main()
