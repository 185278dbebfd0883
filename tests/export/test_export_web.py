"""The written page classifies in a real browser as Python does; without one only its files are tested."""

import functools
import io
import json
import os
import re
import shutil
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from verydeep.architecture.architecture import Architecture
from verydeep.architecture.preprocess import Preprocess
from verydeep.cli.main import main
from verydeep.decoding.decode import decode_pixels
from verydeep.decoding.normalize import normalize_pixels
from verydeep.export.export_bundle import ExportRequest
from verydeep.export.export_web import ORT_FILES, export_web, preprocess_for_page
from verydeep.models.build import build
from verydeep.models.checkpoint import Checkpoint
from verydeep.prediction.predict import predict
from verydeep.weight_files.checkpoint_file import save

CLASSES = ("<img src=x onerror=document.title='broken'>", "カ", "owl", "d", "e", "f")


def checkpoint(**preprocess):
    torch.manual_seed(0)
    values = {"size": 16, "resize": 18, "channels": 3} | preprocess
    channels = values["channels"]
    values = {"mean": (0.4, 0.5, 0.6)[:channels], "std": (0.3, 0.2, 0.25)[:channels]} | values
    architecture = Architecture.from_string(
        "4 M 8 | gap", classes=len(CLASSES), input=(channels, values["size"], values["size"])
    )
    return Checkpoint(build(architecture).eval(), Preprocess(**values), CLASSES, {"temperature": 0.7})


@pytest.fixture
def fake_ort(tmp_path):
    """A folder with the names of onnxruntime-web's files, for tests that run no browser."""
    folder = tmp_path / "dist"
    folder.mkdir()
    for name in ORT_FILES:
        (folder / name).write_text("of another project")
    return folder


@pytest.mark.slow
def test_the_command_writes_a_folder_of_static_files(fake_ort, tmp_path, capsys):
    save(checkpoint(), run := tmp_path / "model.safetensors")
    page = tmp_path / "page"
    command = ["export", str(run), "--to", "web", "--ort", str(fake_ort), "--out", str(page), "--json"]
    assert main(command) == 0
    values = json.loads(capsys.readouterr().out)
    written = [path for path in page.rglob("*") if path.is_file()]
    assert (values["format"], values["bytes"]) == ("web", sum(path.stat().st_size for path in written))
    assert {str(path.relative_to(page)) for path in written} == {
        "index.html", "app.js", "classify.js", "preprocess.js", "style.css", "network.json", "model.onnx",
        *(f"ort/{name}" for name in ORT_FILES),
    }  # fmt: skip
    description = json.loads((page / "network.json").read_text())
    assert tuple(description["classes"]) == CLASSES
    assert description["temperature"] == 0.7
    assert main(["predict", str(page / "model.onnx"), str(_saved(photograph(), tmp_path / "photo.png"))]) == 0


@pytest.mark.slow
def test_no_text_of_the_page_names_another_server(fake_ort, tmp_path):
    export_web(checkpoint(), tmp_path / "page", ExportRequest(format="onnx", size=16), ort=fake_ort)
    for name in ("index.html", "app.js", "classify.js", "preprocess.js", "style.css"):
        assert not re.search(r"https?:|//\w", (tmp_path / "page" / name).read_text().replace("// ", ""))


def test_without_onnxruntime_web_the_message_says_how_to_get_it(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save(checkpoint(), run := tmp_path / "model.safetensors")
    assert main(["export", str(run), "--to", "web", "--out", "page"]) == 2
    assert "npm install onnxruntime-web" in " ".join(capsys.readouterr().err.split())
    assert not Path("page").exists()


def test_ort_is_for_the_page_only(fake_ort, tmp_path, capsys):
    save(checkpoint(), run := tmp_path / "model.safetensors")
    assert main(["export", str(run), "--to", "onnx", "--ort", str(fake_ort)]) == 2
    assert "--ort is for --to web" in " ".join(capsys.readouterr().err.split())


# In a browser


@pytest.fixture(scope="module")
def ort():
    folder = Path(os.environ.get("VERYDEEP_ORT") or "node_modules/onnxruntime-web/dist")
    if not (folder / ORT_FILES[0]).is_file():
        pytest.skip(
            f"there is no onnxruntime-web in {folder}; npm install it, or name its dist by VERYDEEP_ORT"
        )
    return folder


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("there is no chromium")
    with playwright.sync_playwright() as running:
        opened = running.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield opened
        opened.close()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def open_page(browser, ort, tmp_path):
    """A function that exports a network, serves the folder, and opens its page when it is ready."""
    with ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Quiet, directory=tmp_path / "page")
    ) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/"
        page = browser.new_page()
        page.problems, page.requested = [], []
        page.on("console", lambda message: page.problems.append(message.text))
        page.on("pageerror", lambda error: page.problems.append(str(error)))
        page.on("request", lambda request: page.requested.append(request.url))

        def opened(network):
            request = ExportRequest(format="onnx", size=network.preprocess.size)
            export_web(network, tmp_path / "page", request, ort=ort)
            page.goto(address)
            page.get_by_text("Ready:").wait_for()
            return page

        yield opened
        assert not page.problems  # which a violation of the Content-Security-Policy would be
        assert all(url.startswith((address, "blob:", "data:")) for url in page.requested)
        page.close()
        server.shutdown()


def photograph(size=(57, 83), seed=0):
    values = np.random.default_rng(seed).integers(0, 256, (*size, 4), dtype=np.uint8)
    return Image.fromarray(values)


def _png(image, **options):
    image.save(file := io.BytesIO(), "PNG", **options)
    return file.getvalue()


def _saved(image, path):
    image.convert("RGB").save(path)
    return path


def images():
    turned = Image.Exif()
    turned[0x0112] = 6
    rgb = photograph().convert("RGB")
    yield from (_png(rgb), _png(rgb.convert("L")), _png(rgb.quantize(50)), _png(rgb, exif=turned))
    for size in ((12, 9), (16, 16), (18, 19), (301, 40), (18, 700)):
        yield _png(photograph(size).convert("RGB"))


INPUT = """async ([bytes, preprocess]) => {
  const {decode, networkInput} = await import("./preprocess.js");
  const image = await decode(new Blob([new Uint8Array(bytes)]));
  return [...networkInput(image, preprocess)];
}"""


@pytest.mark.parametrize("settings", [
    {}, {"channels": 1, "resize": None}, {"resize": None, "fit": "pad"}, {"resize": None, "fit": "squash"},
    {"channels": 1, "resize": None, "fit": "pad"},
    {"order": "bgr", "scale": 255.0, "mean": (103.939, 116.779, 123.68), "std": (1.0, 1.0, 1.0)},
])  # fmt: skip
def test_the_network_input_is_equal_to_that_of_python(settings, open_page):
    network = checkpoint(**settings)
    page, preprocess = open_page(network), network.preprocess
    description = preprocess_for_page(preprocess)
    for content in images():
        expected = normalize_pixels(decode_pixels(content, preprocess)[None], preprocess)
        given = np.array(page.evaluate(INPUT, [list(content), description]), np.float32)
        np.testing.assert_array_equal(given, expected.ravel())


def test_transparent_pixels_differ_by_the_rounding_of_the_browser(open_page):
    """A canvas stores colors multiplied by alpha, which Pillow does not."""
    network = checkpoint(mean=(0.0,) * 3, std=(1.0,) * 3, scale=255.0)
    page, preprocess = open_page(network), network.preprocess
    content = _png(photograph())
    expected = normalize_pixels(decode_pixels(content, preprocess)[None], preprocess)
    given = page.evaluate(INPUT, [list(content), preprocess_for_page(preprocess)])
    assert np.abs(np.array(given) - expected.ravel()).max() <= 1


def test_the_page_shows_the_probabilities_of_predict(open_page, tmp_path):
    network = checkpoint()
    page = open_page(network)
    files = [_saved(photograph(seed=seed), tmp_path / f"photo {seed}.png") for seed in range(3)]
    page.locator("#files").set_input_files(files)
    page.get_by_text(re.compile(r"^photo 2\.png: ")).wait_for()
    ((*_, last),) = predict(network, files)
    first = page.locator("#results > li").first  # the newest
    shown = first.locator(".classes .name").all_text_contents()
    assert shown == [name for name, _ in last.top_classes][:5]
    assert first.locator(".classes .share").all_text_contents() == [
        f"{100 * share:.1f} %" for _, share in last.top_classes[:5]
    ]
    assert first.locator("h2").text_content() == last.label
    assert page.locator("#results > li").count() == 3
    assert page.title() == "Image classifier"  # no class name took effect
    page.locator("#threshold").fill("100")
    assert page.locator("#results h2").all_text_contents() == ["none of these"] * 3
    page.get_by_role("button", name="Remove all").click()
    assert page.locator("#results > li").count() == 0


DROP = """(content) => {
  const transfer = new DataTransfer();
  transfer.items.add(new File([new Uint8Array(content)], "given.png", {type: "image/png"}));
  return transfer;
}"""


@pytest.mark.slow
def test_dropped_and_pasted_images_are_classified_and_other_files_are_named(open_page, tmp_path):
    page = open_page(checkpoint())
    content = list(_png(photograph().convert("RGB")))
    transfer = page.evaluate_handle(DROP, content)
    page.dispatch_event("body", "drop", {"dataTransfer": transfer})
    page.get_by_text(re.compile(r"^given\.png: ")).wait_for()
    page.evaluate(
        f"""(content) => document.dispatchEvent(
            new ClipboardEvent("paste", {{clipboardData: ({DROP})(content)}}))""",
        content,
    )
    page.locator("#results > li:nth-child(2) .bar").first.wait_for()
    (tmp_path / "notes.txt").write_text("no image")
    page.locator("#files").set_input_files(tmp_path / "notes.txt")
    page.get_by_text("notes.txt cannot be read as an image").wait_for()
    assert page.locator("#results > li.broken").count() == 1
