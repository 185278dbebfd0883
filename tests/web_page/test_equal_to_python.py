"""What the worker of the exported page computes is equal to Python: network input, logits, heat maps."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from verydeep.decoding.decode import decode_pixels
from verydeep.decoding.normalize import normalize_pixels
from verydeep.explain.exported_heat_maps import heat_from_class_maps
from verydeep.export.export_web import DESCRIPTION, preprocess_for_page
from verydeep.runtime.bundle import PAGE_NETWORK
from verydeep.runtime.exported_network import load_exported

from .conftest import checkpoint, photograph, png

pytestmark = pytest.mark.network

PROBE = """
import { heatOf } from "./heat.js";
import { loadNetwork } from "./network.js";
import { decode, networkInput } from "./preprocess.js";

const network = await loadNetwork(() => {});
const { preprocess } = network.description;
addEventListener("message", async ({ data }) => {
  const image = await decode(new Blob([new Uint8Array(data)]));
  const { logits, classMaps } = await network.run(image, true);
  const heat = [...logits.keys()].map((index) => [...heatOf(classMaps(index), preprocess.size)]);
  postMessage({ input: [...networkInput(image, preprocess)], logits: [...logits], heat });
});
postMessage("ready");
"""
"""A worker of the same modules, which tells the values in between."""

START = """() => new Promise((resolve, reject) => {
  const code = new Blob([`import "${new URL("probe.js", document.baseURI)}";`], {type: "text/javascript"});
  window.probe = new Worker(URL.createObjectURL(code), {type: "module"});
  window.probe.onerror = (event) => reject(new Error(event.message));
  window.probe.onmessage = () => resolve();
})"""
ASK = """(bytes) => new Promise((resolve) => {
  window.probe.onmessage = ({data}) => resolve(data);
  window.probe.postMessage(bytes);
})"""


@pytest.fixture
def ask(folder, page, address):
    """A function that gives the page a preprocessing, and one that computes an image in a worker."""

    def given(preprocess):
        description = json.loads((folder / DESCRIPTION).read_text())
        description["preprocess"] = preprocess_for_page(preprocess)
        (folder / DESCRIPTION).write_text(json.dumps(description))
        (folder / "probe.js").write_text(PROBE)
        page.goto(address)
        page.evaluate(START)
        return lambda content: page.evaluate(ASK, list(content))

    return given


def images():
    turned = Image.Exif()
    turned[0x0112] = 6
    rgb = photograph().convert("RGB")
    yield from (png(rgb), png(rgb.convert("L")), png(rgb.quantize(50)), png(rgb, exif=turned))
    for size in ((12, 9), (16, 16), (18, 19), (301, 40), (18, 700)):
        yield png(photograph(size).convert("RGB"))


@pytest.mark.parametrize("settings", [
    {}, {"channels": 1, "resize": None}, {"resize": None, "fit": "pad"}, {"resize": None, "fit": "squash"},
    {"channels": 1, "resize": None, "fit": "pad"},
    {"order": "bgr", "scale": 255.0, "mean": (103.939, 116.779, 123.68), "std": (1.0, 1.0, 1.0)},
])  # fmt: skip
def test_input_and_logits_of_the_worker_are_those_of_python(settings, ask, export, folder):
    if settings.get("channels") == 1:
        shutil.copyfile(export(channels=1) / PAGE_NETWORK, folder / PAGE_NETWORK)
    preprocess = checkpoint(**settings).preprocess
    network = load_exported(folder / PAGE_NETWORK, threads=1)
    compute = ask(preprocess)
    for content in images():
        expected = normalize_pixels(decode_pixels(content, preprocess)[None], preprocess)
        given = compute(content)
        np.testing.assert_array_equal(np.array(given["input"], np.float32), expected.ravel())
        logits, class_maps = network.session.run(expected, ("logits", "class_maps"))
        np.testing.assert_allclose(given["logits"], logits[0], rtol=0, atol=1e-5)
        heat = [heat_from_class_maps(each, expected.shape[2:]).ravel() for each in class_maps[0]]
        np.testing.assert_allclose(given["heat"], heat, rtol=0, atol=1e-5)


def test_transparent_pixels_differ_by_the_rounding_of_the_browser(ask):
    """A canvas stores colors multiplied by alpha, which Pillow does not."""
    preprocess = checkpoint(mean=(0.0,) * 3, std=(1.0,) * 3, scale=255.0).preprocess
    content = png(photograph())
    expected = normalize_pixels(decode_pixels(content, preprocess)[None], preprocess)
    given = ask(preprocess)(content)["input"]
    assert np.abs(np.array(given) - expected.ravel()).max() <= 1
