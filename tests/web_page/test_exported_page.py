"""The page of `export --to web` in a real Chromium: images, answers, table, keyboard, errors."""

import re
import shutil

import pytest
from PIL import Image

from verydeep.prediction.predict import predict
from verydeep.prediction.prediction_rows import CsvRows
from verydeep.runtime.bundle import PAGE_NETWORK

from ..serve.conftest import wait_until
from .conftest import checkpoint, photograph, png

pytestmark = pytest.mark.network

TRANSFER = """(content) => {
  const transfer = new DataTransfer();
  transfer.items.add(new File([new Uint8Array(content)], "given.png", {type: "image/png"}));
  return transfer;
}"""


@pytest.fixture
def photographs(tmp_path):
    files = [tmp_path / f"photo {number}.png" for number in range(3)]
    for number, file in enumerate(files):
        photograph(seed=number).convert("RGB").save(file)
    return files


def test_the_page_shows_what_predict_gives(opened, photographs):
    network = checkpoint()
    page = opened
    page.set_input_files("#files", photographs)
    page.wait_for_selector("#status:text-is('3 images')")  # not while it is classifying 3 images
    first, _, last = next(iter(predict(network, photographs)))
    assert page.inner_text("#label") == first.label
    page.click("#rows button >> nth=2")
    assert page.inner_text("#file") == "photo 2.png"
    shown = [line.split("\n") for line in page.locator("#bars li").all_inner_texts()]
    assert shown == [[name, f"{100 * share:.1f} %"] for name, share in last.top_classes[:5]]
    assert page.title() == "verydeep: classify images"  # no class name took effect
    assert page.inner_text("#facts") == "6 classes, 16 px" and page.inner_text("#name")


@pytest.mark.parametrize("threshold", [0, 30])
def test_the_table_to_download_is_that_of_predict(opened, photographs, tmp_path, threshold):
    network = checkpoint()
    page = opened
    (broken := tmp_path / "=notes.txt").write_text("no image")
    page.set_input_files("#files", [*photographs, broken])
    page.wait_for_selector("#status:has-text('4 images, 1 of them could not be classified')")
    assert "=notes.txt: this browser cannot read the file as an image" in page.inner_text("#errors")
    page.fill("#threshold", str(threshold))
    with page.expect_download() as download:
        page.click("#csv")
    header, *lines = download.value.path().read_text(encoding="utf-8").splitlines()
    rows = CsvRows(5, rejects=threshold > 0)
    assert header + "\n" == rows.header.decode()
    (expected,) = predict(network, photographs, top=5, reject_below=threshold / 100 or None)
    for prediction, line in zip(expected, lines, strict=False):
        written = rows.decode(line.encode() + b"\n")
        assert (written.file, written.label) == (prediction.file.rpartition("/")[2], prediction.label)
        assert written.is_rejected == prediction.is_rejected
        for (name, share), (expected_name, expected_share) in zip(
            written.top_classes, prediction.top_classes, strict=True
        ):
            assert name == expected_name and share == pytest.approx(expected_share, abs=2e-6)
    assert rows.decode(lines[3].encode() + b"\n").file == "=notes.txt"
    assert rows.decode(lines[3].encode() + b"\n").error
    page.click("#clear")
    assert page.is_hidden("#result") and page.is_hidden("#list")


def test_dropped_and_pasted_images_are_classified(opened):
    page = opened
    content = list(png(photograph().convert("RGB")))
    page.dispatch_event("body", "drop", {"dataTransfer": page.evaluate_handle(TRANSFER, content)})
    page.wait_for_selector("#bars li")
    page.evaluate(
        f"(content) => document.dispatchEvent("
        f"new ClipboardEvent('paste', {{clipboardData: ({TRANSFER})(content)}}))",
        content,
    )
    page.wait_for_selector("#rows tr:nth-child(2)")
    assert page.locator("#rows button").all_inner_texts() == ["given.png", "given.png"]


def test_a_photo_of_the_camera_is_classified(opened):
    page = opened
    page.click("#camera")
    wait_until(lambda: page.evaluate("document.getElementById('video').videoWidth"))
    page.click("#shoot")
    page.wait_for_selector("#bars li")
    assert page.inner_text("#file") == "photo.png"
    page.click("#close")
    assert page.is_hidden("#video")


def test_the_heat_map_lies_over_the_crop(opened, photographs):
    page = opened
    page.set_input_files("#files", photographs[:1])  # 57 x 83 px
    page.wait_for_selector("#bars li")
    page.check("#explain")
    page.wait_for_selector("#heat:visible")
    assert page.evaluate("document.getElementById('heat').decode().then(() => heat.naturalWidth)") == 16
    heat, image = (page.locator(each).bounding_box() for each in ("#heat", "#preview"))
    assert heat["height"] == pytest.approx(image["height"] * 16 / 18, abs=1)
    assert heat["width"] == pytest.approx(image["width"] * 57 / 83 * 16 / 18, abs=1)
    page.fill("#opacity", "0")
    assert page.evaluate("getComputedStyle(document.getElementById('heat')).opacity") == "0"


def test_a_network_without_class_maps_offers_no_heat_map(export, folder, page, address):
    shutil.copyfile(export(architecture="4 M 8 | pool2 10") / PAGE_NETWORK, folder / PAGE_NETWORK)
    page.goto(address)
    page.wait_for_selector("#files:enabled", state="attached")
    assert page.is_hidden("#explain")


def test_the_keyboard_alone_does_all(opened, photographs):
    page = opened
    page.set_input_files("#files", photographs[:2])
    page.wait_for_selector("#rows tr:nth-child(2)")
    focused = []
    for _ in range(12):
        page.keyboard.press("Tab")
        focused.append(page.evaluate("document.activeElement.id || document.activeElement.textContent"))
    controls = [
        "camera",
        "explain",
        "opacity",
        "threshold",
        "csv",
        "clear",
        "photo 0.png",
        "photo 1.png",
        "link",
    ]
    assert {"files", *controls} <= set(focused)
    page.focus("#rows button >> nth=1")
    page.keyboard.press("Enter")
    assert page.inner_text("#file") == "photo 1.png"
    assert page.evaluate("document.activeElement.textContent") == "photo 1.png"
    page.focus("#threshold")
    page.keyboard.press("End")
    assert page.inner_text("#label") == "none of these"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_is_accessible(accessibility_faults, address, folder, photographs, tmp_path, scheme):
    (broken := tmp_path / "notes.txt").write_text("no image")

    def show_all(page):
        page.wait_for_selector("#files:enabled", state="attached")
        page.set_input_files("#files", [*photographs, broken])
        page.wait_for_selector("#rows tr:nth-child(4)")
        page.check("#explain")
        page.wait_for_selector("#heat:visible")

    assert accessibility_faults(address, show_all, scheme) == []


def test_the_page_answers_while_the_worker_computes(opened, tmp_path):
    """A large image takes the worker seconds; a frame of the page does not wait for it."""
    page = opened
    Image.new("RGB", (4000, 3000), "teal").save(file := tmp_path / "large.png")
    page.evaluate("""() => {
      let last = performance.now();
      window.longest = 0;
      setInterval(() => {
        const now = performance.now();
        window.longest = Math.max(window.longest, now - last);
        last = now;
      }, 5);
    }""")
    page.set_input_files("#files", file)
    page.wait_for_selector("#bars li")
    milliseconds = int(re.match(r"\d+", page.inner_text("#latency"))[0])
    assert page.evaluate("window.longest") < milliseconds / 2


def test_the_worker_has_the_policy_of_the_page(browser, address, folder, site):
    """Another server that would answer is not asked."""
    site.serve("/", headers={"Access-Control-Allow-Origin": "*"})
    worker = folder / "worker.js"
    worker.write_text(
        worker.read_text().replace("network = await", f"await fetch('{site.address}'); network = await")
    )
    page = browser.new_page()
    page.goto(address)
    page.wait_for_selector("#errors:has-text('The network cannot be loaded: Failed to fetch')")
    page.close()
    assert not site.requests


@pytest.mark.parametrize("name", ["Worker", "WebAssembly", "OffscreenCanvas"])
def test_an_old_browser_is_told_what_it_has_not(page, address, name):
    page.add_init_script(f"delete globalThis.{name}")
    page.goto(address)
    page.wait_for_selector(f"#errors:has-text('This browser has no {name}')")


@pytest.mark.parametrize("name", ["model.onnx", "ort/ort-wasm-simd-threaded.wasm", "network.js"])
def test_a_missing_file_is_an_error(browser, address, folder, name):
    (folder / name).unlink()
    page = browser.new_page()
    page.goto(address)
    page.wait_for_selector("#errors:has-text('The network cannot be loaded: ')")
    page.close()


def test_opened_as_a_file_the_page_says_how_to_serve_it(browser, folder):
    page = browser.new_page()
    page.goto((folder / "index.html").as_uri())
    page.wait_for_selector("#status:has-text('python -m http.server')")
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_scrolls_only_down_in_both_color_schemes(opened, page, photographs, scheme):
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": 390, "height": 844})
    opened.set_input_files("#files", photographs)
    page.wait_for_selector("#rows tr:nth-child(3)")
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    brightness = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0]")
    assert (int(brightness) > 128) == (scheme == "light")


def test_the_print_has_results_and_no_controls(opened, page, photographs):
    opened.set_input_files("#files", photographs)
    page.wait_for_selector("#rows tr:nth-child(3)")
    page.emulate_media(media="print", color_scheme="dark")
    for name, is_shown in {
        "#bars": True,
        "#rows": True,
        "#drop": False,
        "#csv": False,
        "#threshold": False,
    }.items():
        assert page.is_visible(name) == is_shown, name
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
