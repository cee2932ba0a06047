import pytest

SIZES = {"narrow": {"width": 390, "height": 844}, "wide": {"width": 1280, "height": 900}}


@pytest.fixture
def opened(browser, page_path):
    """The page in the browser, freshly loaded."""
    page = browser.new_page(viewport=SIZES["wide"])
    page.goto(page_path.as_uri())
    yield page
    page.close()


def test_the_page_opens_without_errors_and_requests(browser, page_path):
    page, problems, requests = browser.new_page(), [], []
    page.on("console", lambda message: problems.append(message.text))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(page_path.as_uri())
    assert page.title() == "unit: evaluation of a voice"
    assert problems == []
    assert [url for url in requests if not url.startswith("data:")] == [page_path.as_uri()]
    page.close()


def test_players_and_pictures_load(opened):
    opened.get_by_role("button", name="Open all").click()
    players = opened.evaluate(
        """() => Promise.all([...document.querySelectorAll("audio")].map((player) =>
          new Promise((resolve) => {
            player.onloadedmetadata = () => resolve([player.readyState, player.duration]);
            player.onerror = () => resolve([0, 0]);
            player.preload = "metadata";
            player.load();
          })))"""
    )
    pictures = opened.evaluate(
        """() => Promise.all([...document.querySelectorAll("img")].map(async (image) => {
          image.loading = "eager";
          await image.decode().catch(() => {});
          return [image.naturalWidth, image.naturalHeight, image.clientWidth];
        }))"""
    )
    assert len(players) == 47
    assert all(state >= 1 and 0.55 < duration < 0.85 for state, duration in players)
    assert len(pictures) == 12 + 11 + 6  # sources, converted, parallel recordings
    # 22,050 Hz in hops of 256: 51 frames of 0.6 s, 68 of 0.8 s.
    assert {tuple(p[:2]) for p in pictures} == {(51, 80), (68, 80)}
    assert all(p[2] > 100 for p in pictures)


def test_headings_sort_both_ways(opened):
    read = """() => [...document.querySelector("#utterances").tBodies]
      .map((b) => [...b.rows[0].cells].map((c) => c.dataset.value))"""
    headings = opened.locator("#utterances thead th").all()
    initial = opened.evaluate(read)
    assert len(initial) == 12 and len(headings) > 8
    for column, heading in enumerate(headings):
        is_text = column < 2
        known = [row[column] for row in initial if row[column] != ""]
        expected = sorted(known) if is_text else sorted(map(float, known))
        if column == 0:  # "s2" before "s10"
            expected.sort(key=lambda name: int(name.split()[0][1:]))
        # The column that is sorted at first goes the other way at the first click.
        directions = ["ascending", "descending"]
        if heading.get_attribute("aria-sort") == "ascending":
            directions.reverse()
        for direction in directions:
            heading.get_by_role("button").click()
            assert heading.get_attribute("aria-sort") == direction
            values = [row[column] for row in opened.evaluate(read)]
            shown = [k if is_text else float(k) for k in values[: len(known)]]
            assert shown == (expected if direction == "ascending" else expected[::-1])
            assert values[len(known) :] == [""] * (12 - len(known))  # empty cells come last
    sorted_by = [h.get_attribute("aria-sort") for h in headings]
    assert sorted_by == ["none"] * (len(headings) - 1) + ["descending"]


def test_headings_sort_by_keyboard(opened):
    heading = opened.locator("#utterances thead th").first
    heading.get_by_role("button").focus()
    for key, direction in (("Enter", "ascending"), ("Space", "descending")):
        opened.keyboard.press(key)
        assert heading.get_attribute("aria-sort") == direction


@pytest.mark.parametrize("size", SIZES)
def test_the_page_does_not_scroll_sideways(opened, size):
    opened.set_viewport_size(SIZES[size])
    opened.get_by_role("button", name="Open all").click()
    width, widest, outside, fixed = opened.evaluate(
        """() => {
        const inside = (e) => e.getBoundingClientRect().right <= innerWidth && e.clientWidth > 0;
        const parts = [...document.querySelectorAll("audio, .picture, svg, summary, h1, p")];
        return [innerWidth, document.documentElement.scrollWidth, parts.filter((e) => !inside(e))
          .map((e) => e.outerHTML.slice(0, 80)),
          [...document.querySelectorAll(".name")].map((e) => e.offsetWidth)];
        }"""
    )
    assert width == SIZES[size]["width"] and widest <= width
    assert outside == []  # players and pictures stay in view where the table is wider
    # The column that stays in view leaves room for the others, and is no ladder of letters.
    assert 100 < max(fixed) < SIZES["narrow"]["width"] / 2
