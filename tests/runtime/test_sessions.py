"""Sessions of all runtimes: named outputs, threads, and files that cannot be loaded."""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

from verydeep.errors import CheckpointError
from verydeep.export.export_bundle import ExportRequest, export_bundle
from verydeep.runtime import openvino_session
from verydeep.runtime.bundle import DESCRIPTION
from verydeep.runtime.exported_network import load_exported

from ..export.networks import NETWORKS, SIZE, drawings

FOLDERS = ("openvino", "ncnn")


@pytest.fixture(scope="module")
def bundles(tmp_path_factory):
    """A folder with a bundle of each format that is a folder."""
    folder = tmp_path_factory.mktemp("bundles")
    for format_ in FOLDERS:
        export_bundle(NETWORKS["gap"](3), folder / format_, ExportRequest(format=format_, size=SIZE))
    return folder


@pytest.mark.parametrize("format_", FOLDERS)
def test_outputs_have_their_names(bundles, format_):  # Zhou et al. 2016, eq. 2
    network, checkpoint, pixels = (
        load_exported(bundles / format_),
        NETWORKS["gap"](3),
        drawings(3).check.pixels,
    )
    bias = checkpoint.model.get_submodule("classifier.0").bias.detach().numpy()
    assert network.embedding(pixels).shape == (20, 16)
    (maps,) = network.outputs(pixels, "class_maps")
    assert maps.shape == (20, 3, 6, 6)
    np.testing.assert_allclose(maps.mean((2, 3)) + bias, network.logits(pixels), atol=1e-4)


def forget_checksums(bundle):
    """Make ``bundle`` one of those that were written before there were checksums."""
    file = bundle / DESCRIPTION
    description = json.loads(file.read_text(encoding="utf-8"))
    del description["export"]["files"]
    file.write_text(json.dumps(description), encoding="utf-8")


@pytest.mark.parametrize("format_", FOLDERS)
def test_a_bundle_without_checksums_is_loaded(bundles, tmp_path, format_):
    shutil.copytree(bundles / format_, tmp_path / "old")
    forget_checksums(tmp_path / "old")
    pixels = drawings(3).check.pixels
    logits = [load_exported(path).logits(pixels) for path in (bundles / format_, tmp_path / "old")]
    np.testing.assert_array_equal(*logits)


@pytest.mark.parametrize("format_", FOLDERS)
@pytest.mark.parametrize("change", ["cut", "missing", "text"])
def test_broken_weights_or_layers_are_one_line(bundles, tmp_path, format_, change):
    for file in (bundles / format_).iterdir():
        content = file.read_bytes()
        is_layers = file.suffix in (".xml", ".param")
        if change == "text" and is_layers:
            content = b"not a network"
        if change == "cut" and file.suffix == ".bin":
            content = content[:-2000]
        if not (change == "missing" and file.suffix == ".bin"):
            (tmp_path / file.name).write_bytes(content)
    forget_checksums(tmp_path)
    with pytest.raises(CheckpointError, match=r"cannot be loaded by .*\. Export .* again$") as caught:
        load_exported(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_bf16_that_is_wrong_on_this_processor_is_computed_in_fp32(tmp_path, monkeypatch):
    checkpoint, pixels = NETWORKS["gap"](3), drawings(3).check.pixels
    request = ExportRequest(format="openvino", precision="bf16", size=SIZE)
    export_bundle(checkpoint, tmp_path / "x", request)
    monkeypatch.setattr(openvino_session, "_LARGEST_BF16_ERROR", -1)
    error = np.abs(load_exported(tmp_path / "x").logits(pixels) - checkpoint.logits(pixels)).max()
    assert error < 1e-3 * np.abs(checkpoint.logits(pixels)).max()


def test_a_signal_is_answered_after_openvino_sessions_are_deleted(bundles):
    code = (
        "import faulthandler, signal, sys; from pathlib import Path; "
        "from verydeep.runtime.exported_network import load_exported; "
        "faulthandler.enable(); "  # has an alternate stack too, as in pytest
        "first, second = (load_exported(Path(sys.argv[1])) for _ in range(2)); del first; del second; "
        "signal.signal(signal.SIGINT, lambda *_: print('answered', flush=True)); "
        "signal.raise_signal(signal.SIGINT)"
    )
    done = subprocess.run([sys.executable, "-c", code, bundles / "openvino"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "answered\n")


@pytest.mark.parametrize("format_", FOLDERS)
def test_a_bundle_is_loaded_without_torch_and_without_reports_to_others(bundles, format_):
    code = (
        "import sys; from pathlib import Path; from verydeep.runtime.exported_network import load_exported; "
        "load_exported(Path(sys.argv[1])); "
        "assert not {'torch', 'openvino_telemetry.main'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, bundles / format_], check=True)


def test_onnx_runtime_keeps_no_id_of_the_machine_that_it_would_report(tmp_path):
    code = "from verydeep.runtime.extras import import_runtime; import_runtime('onnxruntime')"
    kept = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    home = kept | {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    subprocess.run([sys.executable, "-c", code], check=True, env=home)
    assert not list(tmp_path.iterdir())
