"""What a newcomer looks for is found by file name, or among the first two files that ``grep -ril`` lists."""

import pytest

from .pages import ROOT

PACKAGE = ROOT / "src/verydeep"
WANTED = [
    # what is looked for, the words typed, the file
    ("learning rate of fine-tuning", "fine-tune", "recipes/fine-tune.toml"),
    ("why fine-tuning was skipped", "fine-tuning was skipped", "tune/strategies.py"),
    ("softmax of predict", "predict", "prediction/predict.py"),
    ("early stopping", "early stopping", "train/early_stopping.py"),
    ("memory of a training step", "memory", "analyze/memory.py"),
    ("the equation of Grad-CAM", "grad cam", "explain/grad_cam.py"),
    ("label smoothing", "label smoothing", "train/class_imbalance.py"),
    ("logit adjustment", "logit adjustment", "train/class_imbalance.py"),
    ("class weights", "class weight", "train/class_imbalance.py"),
    ("cross-validation folds", "cross-validation fold", "data/split.py"),
    ("temperature scaling", "temperature scaling", "evaluate/calibration.py"),
    ("near duplicates", "duplicates", "check/duplicates.py"),
    ("checksum of a download", "checksum", "download/checksum.py"),
    ("the key map of Keras", "key maps", "weights/key_maps.py"),
    ("how the confusion matrix is drawn", "confusion matrix", "tables/confusion_matrix.py"),
    ("learning rate schedules", "learning rate schedule", "train/optimizer/schedule.py"),
    ("what --resume restores", "--resume`` restores", "train/state.py"),
    ("the ImageNet mean", "ImageNet mean", "architecture/preprocess.py"),
    ("the receptive field", "receptive fields", "models/receptive_fields.py"),
]


def files_that_contain(words):
    """As ``grep -ril`` lists them, sorted."""
    files = (path for path in PACKAGE.rglob("*") if path.suffix in (".py", ".toml", ".j2"))
    hits = [path for path in files if words.lower() in path.read_text(encoding="utf-8").lower()]
    return sorted(path.relative_to(PACKAGE).as_posix() for path in hits)


@pytest.mark.parametrize(("question", "words", "file"), WANTED, ids=[question for question, *_ in WANTED])
def test_a_newcomer_finds_the_file(question, words, file):
    is_named_so = words.replace("-", "_").replace(" ", "_") == (PACKAGE / file).stem.replace("-", "_")
    assert (PACKAGE / file).is_file()
    assert is_named_so or file in files_that_contain(words)[:2]
