"""The public names: what they are, and what importing them costs."""

import pkgutil
import subprocess
import sys

import pytest

import verydeep


def test_the_public_names_are_pinned():
    assert verydeep.__all__ == [
        "Architecture", "Checkpoint", "Dataset", "DenseClassifier", "Embedder", "Images",
        "PerceptualLoss", "Recipe", "StyleLoss", "TuneConfig", "VeryDeepError", "build",
        "check_images", "compare", "download_weights", "estimate_memory", "evaluate_logits",
        "export_weights", "findings", "first_filters", "fit_temperature", "format_architecture",
        "heat_maps", "inspect", "load", "load_dataset", "parse_architecture", "perceptual_loss",
        "predict", "predict_logits", "pretrained", "read_grouped", "read_recipe", "read_samples",
        "read_tune_config", "resolve", "resume_training", "resume_tuning", "save",
        "strongest_patches", "style_loss", "taps", "trace", "train_network", "tune_network",
        "write_images",
    ]  # fmt: skip


@pytest.mark.parametrize("name", verydeep.__all__)
def test_each_name_can_be_imported_and_has_a_docstring(name):
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


def test_no_public_name_hides_a_folder():
    folders = {module.name for module in pkgutil.iter_modules(verydeep.__path__)}
    assert {"train", "tune", "check"} <= folders
    assert not folders & set(verydeep.__all__)
