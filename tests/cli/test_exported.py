"""An exported network classifies, is evaluated, embeds and explains as its run does, and needs no torch."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
import torch

from verydeep.claim import claim_file
from verydeep.cli.main import main
from verydeep.data.decode import decode
from verydeep.data.normalize import normalize
from verydeep.embed.vector_file import read_vectors
from verydeep.explain.exported_heat_maps import exported_heat_maps
from verydeep.explain.grad_cam import grad_cam
from verydeep.explain.heat_maps import heat_maps
from verydeep.models.feature_steps import last_map_name
from verydeep.runtime.exported_network import load_exported
from verydeep.weight_files.checkpoint_file import save

from ..export.conftest import make_network
from ..export.conftest import photographs as photographs


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A folder with the checkpoint and the ONNX file of two networks."""
    folder = tmp_path_factory.mktemp("exported")
    for name in ("gap", "pool"):
        save(make_network(name), folder / f"{name}.safetensors")
        assert main(["export", str(folder / f"{name}.safetensors"), "--to", "onnx",
                     "--out", str(folder / f"{name}.onnx")]) == 0  # fmt: skip
    return folder


def printed(capsys, *arguments, code=1):
    capsys.readouterr()
    assert main([*map(str, arguments), "--json"]) == code
    return json.loads(capsys.readouterr().out)


def test_predictions_have_the_same_form_and_values(exported, photographs, capsys):
    of_run, of_onnx = (
        printed(capsys, "predict", exported / f"gap.{kind}", photographs) for kind in ("safetensors", "onnx")
    )
    assert [each.get("error") for each in of_run] == [each.get("error") for each in of_onnx]
    for before, after in zip(of_run[:3], of_onnx[:3], strict=True):
        assert before.keys() == after.keys() and list(before["probabilities"]) == list(after["probabilities"])
        assert before["probabilities"] == pytest.approx(after["probabilities"], abs=1e-5)


@pytest.mark.parametrize("network", ["gap", "pool"])
@pytest.mark.parametrize("verb", ["predict", "embed", "explain"])
def test_exported_networks_need_no_torch(exported, photographs, tmp_path, monkeypatch, verb, network):
    code = (
        "import sys; from verydeep.cli.main import main; code = main(sys.argv[1:]);"
        "assert not {'torch', 'matplotlib', 'pandas'} & set(sys.modules); sys.exit(code)"
    )
    arguments = [verb, exported / f"{network}.onnx", photographs / "0.png", "--json", "--runtime", "auto"]
    monkeypatch.setenv("VERYDEEP_CACHE", str(tmp_path))
    command = [sys.executable, "-c", code, *arguments]
    result = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)


def test_without_torch_a_command_that_needs_it_says_so(exported, photographs):
    code = (
        "import sys; sys.modules['torch'] = None; from verydeep.cli.main import main;"
        "sys.exit(main(sys.argv[1:]))"
    )

    def run(*arguments):
        return subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True)

    assert run("predict", exported / "gap.onnx", photographs / "0.png").returncode == 0
    result = run("predict", exported / "gap.safetensors", photographs / "0.png")
    assert result.returncode == 2 and "needs PyTorch" in result.stderr and "Traceback" not in result.stderr
    result = run("train", "synthetic")  # cyclopts imports the file of this command
    assert result.returncode == 2 and "needs PyTorch" in result.stderr and "Traceback" not in result.stderr


def label_list(photographs):
    """A list with the classes of the photographs."""
    labels = photographs.parent / "labels.csv"
    rows = [f"photographs/{number}.png,{name}" for number, name in enumerate(("a", "b", "고양이"))]
    labels.write_text("\n".join(["file,label", *rows]), encoding="utf-8")
    return labels


def test_evaluation_is_the_same(exported, photographs, capsys):
    labels = label_list(photographs)
    of_run, of_onnx = (
        printed(capsys, "evaluate", exported / f"gap.{kind}", labels, code=0)
        for kind in ("safetensors", "onnx")
    )
    assert of_run["top1"] == of_onnx["top1"]
    assert of_run["loss"] == pytest.approx(of_onnx["loss"], abs=1e-4)


def test_evaluation_needs_nothing_that_the_runtime_distribution_leaves_out(exported, photographs, capsys):
    """Neither torch nor any other library that it does not depend on can be imported."""
    page = photographs.parent / "evaluation.html"
    command = ["evaluate", exported / "gap.onnx", label_list(photographs)]
    expected = printed(capsys, *command, code=0)
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({left_out()!r}));"
        "from verydeep.cli.main import main; sys.exit(main(sys.argv[1:]))"
    )

    def run(*arguments):
        return subprocess.run(
            [sys.executable, "-c", code, *arguments], capture_output=True, text=True, encoding="utf-8"
        )

    result = run(*command, "--json", "--out", page)
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout) == expected
    assert "Reliability diagram" in page.read_text(encoding="utf-8")
    result = run("evaluate", exported / "gap.onnx", "synthetic")  # built-in data sets are tensors
    assert result.returncode == 2 and "needs PyTorch" in result.stderr and "Traceback" not in result.stderr


def left_out():
    """The modules of the libraries that verydeep depends on and verydeep-runtime does not."""
    root = Path(__file__).parents[2]
    package, runtime = (
        {re.match(r"[\w-]+", each)[0].replace("-", "_") for each in dependencies(root / folder)}
        for folder in (".", "packaging/runtime")
    )
    return sorted(package - runtime)


def dependencies(folder):
    return tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]


def test_other_protocols_are_refused(exported, photographs, capsys):
    arguments = ["evaluate", str(exported / "gap.onnx"), "synthetic", "--protocol", "dense"]
    assert main(arguments) == 2
    capsys.readouterr()


@pytest.mark.parametrize("verb", ["predict", "evaluate", "explain", "embed"])
def test_no_verify_is_refused_for_an_exported_network(exported, photographs, tmp_path, capsys, verb):
    flags = ["--out", str(tmp_path / "out.npz")] if verb in ("embed", "explain") else []
    images = label_list(photographs) if verb == "evaluate" else photographs / "0.png"
    assert main([verb, str(exported / "gap.onnx"), str(images), *flags, "--no-verify"]) == 2
    message = capsys.readouterr().err.replace("\n", " ")
    assert "is an exported network; --no-verify is for the tensors of a checkpoint" in message


def test_vectors_are_the_same(exported, photographs, capsys):
    vectors = []
    for kind in ("safetensors", "onnx"):
        out = photographs.parent / f"{kind}.npz"
        summary = printed(
            capsys, "embed", exported / f"pool.{kind}", photographs, "--out", out, "--unit-length",
            "--precision", "fp32",
        )  # fmt: skip
        assert (summary["vectors"], summary["layer"]) == (3, "pool2")
        vectors.append(read_vectors(out).vectors)
    np.testing.assert_allclose(*vectors, rtol=1e-4, atol=1e-5)
    assert main(["embed", str(exported / "pool.onnx"), str(photographs), "--layer", "fc3"]) == 2
    assert "gives pool2 and not fc3" in capsys.readouterr().err.replace("\n", " ")
    assert main(["embed", str(exported / "pool.onnx"), str(photographs), "--precision", "bf16"]) == 2
    assert "was exported in fp32, and computes in that" in capsys.readouterr().err


def test_heat_maps_of_a_global_average_pool_are_grad_cam(exported, photographs, capsys, tmp_path):
    network = make_network("gap")
    values = printed(
        capsys, "explain", exported / "gap.onnx", photographs / "0.png", "--out", tmp_path / "out", code=0
    )
    (image,) = values["images"]
    assert (image["method"], image["layer"]) == ("grad-cam", last_map_name(network.model))
    pixels = decode(photographs / "0.png", network.preprocess)[None]
    (heat,) = exported_heat_maps(load_exported(exported / "gap.onnx"), pixels.numpy())
    label = torch.tensor([network.classes.index(heat.label)])
    coarse = grad_cam(
        network.model, normalize(pixels, network.preprocess), label, last_map_name(network.model)
    )
    expected = torch.nn.functional.interpolate(coarse[:, None], (24, 24), mode="bilinear")[0, 0]
    np.testing.assert_allclose(heat.heat, expected / expected.max(), atol=1e-4, rtol=1e-4)


def test_heat_maps_of_other_heads_are_by_occlusion(exported, photographs, capsys, tmp_path):
    values = [
        printed(capsys, "explain", exported / name, photographs / "0.png", *method, "--out", tmp_path, code=0)
        for name, method in (("pool.onnx", ()), ("pool.safetensors", ("--method", "occlusion")))
    ]
    methods = [each["images"][0]["method"] for each in values]
    assert methods == ["occlusion", "occlusion"]
    assert [each["images"][0]["picture"] for each in values] == [str(tmp_path / "0-occlusion.png")] * 2
    network = make_network("pool")
    pixels = decode(photographs / "0.png", network.preprocess)[None]
    (heat,) = exported_heat_maps(load_exported(exported / "pool.onnx"), pixels.numpy())
    (expected,) = heat_maps(network, pixels, method="occlusion")
    np.testing.assert_allclose(heat.heat, expected.heat, atol=1e-3)


def test_the_fastest_runtime_is_timed_once(exported, photographs, capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("VERYDEEP_CACHE", str(tmp_path))
    for words in ("measured now", "kept from before"):
        assert (
            main(["predict", str(exported / "gap.onnx"), str(photographs / "0.png"), "--runtime", "auto"])
            == 0
        )
        captured = capsys.readouterr()
        assert words in " ".join(captured.err.split()) and captured.out.startswith(f"{photographs}/0.png: ")
    assert main(["cache", "list", "--json"]) == 0
    (entry,) = json.loads(capsys.readouterr().out)["entries"]
    assert (entry["kind"], entry["name"], entry["files"]) == ("runtimes", "timings", 1)
    assert main(["cache", "clear", "runtimes", "--yes"]) == 0
    assert not (tmp_path / "runtimes" / "timings").exists()
    capsys.readouterr()
    arguments = [str(exported / "gap.safetensors"), str(photographs / "0.png"), "--runtime", "auto"]
    assert main(["predict", *arguments]) == 0
    assert "Runtime torch, the only one for a checkpoint" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["predict", "gap.onnx", "x.png", "--device", "cpu"], "no --device"),
        (["predict", "gap.safetensors", "x.png", "--runtime", "onnxruntime"], "--runtime is for exported"),
        (["predict", "gap.onnx", "x.png", "--runtime", "ncnn"], "which ncnn cannot load"),
        (["explain", "gap.onnx", "x.png", "--method", "smoothgrad"], "the method smoothgrad is for the run"),
        (["explain", "gap.onnx", "--filters"], "--filters needs the layers"),
        (["similar", "pool.onnx", ".", "x.png"], "pool.onnx is an exported network; give the run"),
        (["export", "pool.onnx", "--to", "openvino"], "pool.onnx is an exported network; give the run"),
        (["export", "gap.safetensors", "--to", "onnx", "--out", "gap.onnx"], "gap.onnx already exists"),
        (["export", "gap.safetensors", "--to", "onnx", "--dynamic", "--size", "32"], "leave out --size"),
        (["export", "gap.safetensors", "--to", "onnx", "--bf16"], "onnx has no bf16"),
        (["export", "gap.safetensors", "--to", "ncnn", "--dynamic"], "ncnn takes images of one size"),
        (["export", "gap.safetensors", "--to", "ncnn", "--int8", "synthetic"], "ncnn has no int8"),
    ],
)
def test_what_does_not_fit_is_one_line(exported, photographs, capsys, monkeypatch, arguments, message):
    monkeypatch.chdir(exported)
    (exported / "x.png").write_bytes((photographs / "0.png").read_bytes())
    assert main(arguments) == 2
    error = " ".join(capsys.readouterr().err.replace("│", " ").split())
    assert message in error and "Traceback" not in error


def test_two_exports_do_not_write_to_one_name(exported, tmp_path, capsys):
    target = tmp_path / "x.onnx"
    with claim_file(target):
        assert main(["export", str(exported / "gap.safetensors"), "--to", "onnx", "--out", str(target)]) == 2
    assert "another process is writing to" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_the_name_of_a_run_folder_may_have_a_dot(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lr-0.05").mkdir()
    (tmp_path / "lr-0.05.onnx").touch()
    assert main(["export", "lr-0.05", "--to", "onnx"]) == 2
    assert "lr-0.05.onnx already exists" in capsys.readouterr().err


@pytest.mark.slow
def test_a_last_map_smaller_than_the_head_reads_is_said(exported, photographs, capsys):
    out = photographs.parent / "small.onnx"
    command = ["export", exported / "pool.safetensors", "--to", "onnx", "--size", 12, "--out", out]
    assert main([*map(str, command), "--images", str(photographs / "0.png")]) == 0  # one image is enough
    captured = capsys.readouterr()
    words = " ".join(captured.err.split())
    assert "12 x 12 images give a last feature map of 3 x 3" in words and "the 4 x 4 that the head" in words
    assert "Compared on 1 images of" in captured.out


@pytest.mark.parametrize(
    ("to", "flags", "name"), [("openvino", ("--bf16",), "gap-openvino-bf16"), ("ncnn", (), "gap-ncnn")]
)
def test_other_formats_are_folders(exported, photographs, capsys, monkeypatch, to, flags, name):
    monkeypatch.chdir(photographs.parent)
    values = printed(capsys, "export", exported / "gap.safetensors", "--to", to, "--size", 32, *flags, code=0)
    assert (values["path"], values["format"], values["size"]) == (name, to, 32)
    files = [each.stat().st_size for each in (photographs.parent / name).iterdir()]
    assert sum(files) == values["bytes"]
    of_onnx, of_folder = (
        printed(capsys, "predict", network, photographs / "0.png", code=0)
        for network in (exported / "gap.onnx", name)
    )
    assert of_onnx[0].keys() == of_folder[0].keys()
    heat = printed(capsys, "explain", name, photographs / "0.png", "--out", "heat", code=0)
    assert heat["images"][0]["method"] == "grad-cam"


def test_a_damaged_bundle_is_one_line(exported, photographs, capsys):
    content = (exported / "gap.onnx").read_bytes()
    damaged = photographs.parent / "damaged.onnx"
    random = np.random.default_rng(0)
    for _ in range(20):
        changed = bytearray(content)
        for place in random.integers(0, len(content), 8):
            changed[place] ^= int(random.integers(1, 256))
        damaged.write_bytes(changed)
        code = main(["predict", str(damaged), str(photographs / "0.png")])
        assert code in (0, 1, 2) and "Traceback" not in capsys.readouterr().err
