"""The public face: what it offers, and what it costs to import."""

import subprocess
import sys

import pytest

import verydeep


def test_the_face_is_pinned():
    assert verydeep.__all__ == [
        "Architecture", "Checkpoint", "PerceptualLoss", "Recipe", "StyleLoss", "VeryDeepError",
        "build", "compare", "download_weights", "evaluate_logits", "export_weights", "first_filters",
        "fit", "forecast", "format_architecture", "heat_maps", "inspect", "load", "load_dataset",
        "parse_architecture", "perceptual_loss", "predict", "predict_logits", "pretrained",
        "read_recipe", "resolve", "resume", "save", "start", "strongest_patches", "style_loss",
        "taps", "trace",
    ]  # fmt: skip


@pytest.mark.parametrize("name", verydeep.__all__)
def test_each_name_is_there_and_documented(name):
    assert getattr(verydeep, name).__doc__


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'vgg16'"):
        _ = verydeep.vgg16


def test_importing_it_loads_nothing_heavy():
    code = (
        "import sys, verydeep; verydeep.estimate_memory(verydeep.resolve('vgg16')); verydeep.compare([]); "
        "assert not {'torch', 'numpy', 'rich', 'pydantic'} & set(sys.modules), sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_names_do_not_hide_the_folders():
    import verydeep.train.loop  # a folder's name must stay a folder

    assert verydeep.train.loop.fit is verydeep.fit
