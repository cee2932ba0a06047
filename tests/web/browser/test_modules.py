"""Modules of the page that compute: run in the browser, their numbers checked here."""

import io

import numpy as np
import pytest
import soundfile

SWITCH = """async () => {
  const { Transport } = await import("/static/js/transport.js");
  const context = new OfflineAudioContext(1, 48000, 48000);
  const buffers = [0.5, 0.25].map((value) => {
    const buffer = context.createBuffer(1, 48000, 48000);
    buffer.getChannelData(0).fill(value);
    return buffer;
  });
  const transport = new Transport(context, buffers);
  transport.start();
  context.suspend(0.5).then(() => {
    transport.select(0);
    context.resume();
  });
  return [...(await context.startRendering()).getChannelData(0)];
}"""

LONG = """async () => {
  const { LongTransport } = await import("/static/js/long_transport.js");
  const transport = new LongTransport(Array(2).fill("/api/voices/heart/sample"), 5);
  const until = async (test) => { while (!test()) await new Promise(requestAnimationFrame); };
  const read = () => [transport.currentTime, ...transport.elements.map((e) => e.muted)];
  await transport.play();
  await until(() => transport.currentTime > 0.2);
  const before = read();
  transport.select(0);
  await until(() => transport.currentTime > before[0] + 0.1);
  const after = read();
  transport.elements[1].currentTime += 0.15; // the muted one comes back to the other
  const lag = () => Math.abs(transport.elements[0].currentTime - transport.elements[1].currentTime);
  await until(() => lag() > 0.1);
  await until(() => lag() < 0.05);
  const wasPlaying = transport.elements.every((element) => !element.paused);
  transport.close();
  return [before, after, wasPlaying, transport.paused];
}"""

ENCODE = """async (samples) => {
  const { encodeWav } = await import("/static/js/wav.js");
  const blocks = [samples.slice(0, 3), samples.slice(3)].map((block) => Float32Array.from(block));
  const blob = encodeWav(blocks, 44100);
  return [...new Uint8Array(await blob.arrayBuffer())];
}"""

DRAW = """async ([frames, bands, f0]) => {
  const { drawSpectrogram, pitchHeight, unpack } = await import("/static/js/spectrogram.js");
  const values = new Uint8Array(frames * bands); // the upper half of the bands is loud
  for (let i = 0; i < values.length; i++) values[i] = i % bands >= bands / 2 ? 255 : 0;
  const data = btoa(String.fromCharCode(...values));
  const canvas = document.createElement("canvas");
  canvas.style.cssText = "position: fixed; inset: 0 auto auto 0; width: 200px; height: 100px";
  document.body.append(canvas);
  const picture = { seconds: 2, mel: { frames, bands, data }, f0_hz: new Array(frames).fill(f0) };
  drawSpectrogram(canvas, unpack(picture), 4);
  const { data: shown } = canvas.getContext("2d").getImageData(0, 0, 200, 100);
  const read = (x, y) => [...shown.slice(4 * (200 * y + x), 4 * (200 * y + x) + 3)];
  const heights = [pitchHeight(60, 100), pitchHeight(600, 100)];
  const found = [read(50, 10), read(50, 90), read(150, 10), ...heights];
  canvas.remove();
  return found;
}"""


@pytest.fixture
def page(open_page):
    return open_page("jobs", color_scheme="light")


def test_switching_leaves_no_gap(page):
    sound = np.array(page.evaluate(SWITCH))
    begin, switch, fade = 1440, 24_000, 384  # 30 ms, half a second, 8 ms at 48 kHz
    assert np.all(sound[: begin - 1] == 0)
    np.testing.assert_allclose(sound[begin + 1 : switch], 0.25, atol=1e-6)
    np.testing.assert_allclose(sound[switch + fade + 128 :], 0.5, atol=1e-6)
    between = sound[switch : switch + fade + 128]
    assert np.all(np.diff(between) >= -1e-6)  # from one to the other, through nothing else
    assert between.min() >= 0.25 - 1e-6 and between.max() <= 0.5 + 1e-6


def test_long_recordings_run_side_by_side_and_one_is_heard(page):
    before, after, was_playing, is_paused = page.evaluate(LONG)
    assert before[1:] == [True, False] and after[1:] == [False, True]
    assert after[0] > before[0] and was_playing and is_paused


def test_recordings_are_encoded_as_16_bit_wav(page):
    samples = [0.0, 0.5, -0.5, 1.0, -1.0, 2.0, 0.25]
    found, rate = soundfile.read(io.BytesIO(bytes(page.evaluate(ENCODE, samples))))
    assert rate == 44_100
    # half a step of 16 bits, and full scale is 32767 of 32768
    np.testing.assert_allclose(found, np.clip(samples, -1, 1), atol=1.6 / 32_768)


def test_a_spectrogram_has_its_lowest_band_at_the_bottom_and_its_time_to_scale(page):
    loud, quiet, after, low, high = page.evaluate(DRAW, [100, 80, 0])
    assert sum(loud) < sum(quiet) - 200  # light colours: loud is dark
    assert after == quiet  # two of four seconds fill half the width
    assert low == pytest.approx(100) and high == pytest.approx(0, abs=1e-9)


def test_a_curve_fills_its_chart(page):
    script = "async (a) => (await import('/static/js/chart.js')).trace(...a)"
    points = page.evaluate(script, [[10, 20, 40], [3, 1, 2], 90, 48])
    # x by step from 0 to 90, y from 4 (the largest) to 44 (the smallest), four from either edge
    assert points == "0.0,4.0 30.0,44.0 90.0,24.0"


def test_durations_as_people_read_them(page):
    script = "async (s) => s.map((await import('/static/js/format.js')).duration)"
    shown = page.evaluate(script, [7.84, 75.2, 3725.0])
    assert shown == ["7.8 s", "1:15 min", "1:02:05 h"]


TRAINING = """async (job) => {
  const { trainingCard } = await import("/static/js/training_card.js");
  const part = trainingCard(job);
  document.querySelector("#view-jobs").append(part.element);
  part.update(job);
}"""


def test_the_stages_of_a_training_can_be_heard_and_the_best_is_marked(page):
    stages = [
        {
            "step": 100,
            "metrics": {"g_ab_secs_target": 0.71},
            "audio": ["/a-to-b.1.wav", "/b-to-a.wav"],
        },
        {"step": 200, "metrics": {"g_ab_secs_target": 0.82}, "audio": ["/a-to-b.2.wav"]},
    ]
    losses = [{"step": n, "generator/cycle_a": 1 / n} for n in (50, 100, 150)]
    result = {"losses": losses, "stages": stages, "best": {"b": {"step": 100}}, "voice": None}
    job = {"id": "1", "kind": "train", "title": "train ann", "status": "stopped", "created": 0}
    page.evaluate(TRAINING, {**job, "result": result, "can": ["resume", "use", "delete"]})
    card = page.get_by_role("article", name="train ann")
    newest, oldest = card.locator(".stage").all()
    assert "Step 200" in newest.inner_text() and "0.820" in newest.inner_text()
    assert oldest.get_by_text("best so far").is_visible()
    assert newest.get_by_text("best so far").is_hidden()
    assert oldest.get_by_role("button", name="Hear step 100").count() == 1
    assert card.locator(".chart figcaption").inner_text().split() == ["cycle", "a", "0.00667"]
    buttons = card.locator(".job-head").get_by_role("button").all_inner_texts()
    assert buttons == ["Go on", "Use the best so far", ""]


def test_names_of_losses_are_whole_on_a_phone(page):
    page.set_viewport_size({"width": 390, "height": 844})
    page.evaluate("() => { location.hash = 'jobs'; }")
    page.locator("#view-jobs").wait_for()
    names = ["generator/adversarial_a", "generator/cycle_a", "discriminator/d_b"]
    result = {"losses": [{"step": 1, **dict.fromkeys(names, 0.0123)}]}
    job = {"id": "2", "kind": "train", "title": "train ben", "status": "running", "created": 0}
    page.evaluate(TRAINING, {**job, "result": result})
    spare = page.locator(".chart figcaption span").evaluate_all(
        "(names) => names.map((name) => name.clientWidth - name.scrollWidth)"
    )
    assert len(spare) == 3 and min(spare) >= 0


def test_what_starts_from_its_beginning_is_tried_again(page):
    """A training goes on from its checkpoint; other jobs start again from the beginning."""
    script = """async (kind) => {
      const { jobActions } = await import("/static/js/job_parts.js");
      const part = jobActions();
      part.update({ id: "1", kind, title: "x", status: "failed", can: ["resume"] });
      return part.element.textContent;
    }"""
    assert [page.evaluate(script, kind) for kind in ("train", "convert")] == ["Go on", "Try again"]
