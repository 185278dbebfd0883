"""The page of a training: all results are in it, text is escaped, and pictures are inside the file."""

import os
from base64 import b64decode
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from verydeep.architecture.architecture import Architecture
from verydeep.number_format import NONE, TIMES
from verydeep.report.training_page import architecture_tokens, render_training, write_training_page
from verydeep.train.recipe import Recipe

from .evaluations import evaluation, many_classes, mistake, one_class
from .html import Outline, check_page, titles, words
from .trainings import dataset, epoch, train_result, unvalidated

COMMAND = "verydeep train fashion-mnist --seed 7"
RUN = Path("my runs/fast")


def page(command=COMMAND, recipe_name="fast", **changes):
    return render_training(
        train_result(**changes), run=RUN, recipe_name=recipe_name, command=command, wall_seconds=3725.0
    )


def text(**changes):
    return words(page(**changes))


RESULTS = {
    "validated": {},
    "bare": {"validation": None, "epochs": (), "mistakes": ()},
    "best epoch": {"best_epoch": 1},
    "one class": {"test": one_class(), "validation": None},
    "100 classes": {"test": many_classes(100)},
    "photographs": {
        "dataset": dataset(channels=3, side=120),
        "architecture": Architecture.from_string("64k7s2 (64 64)x3 | gap", input=(3, 120, 120), classes=3),
    },
    "no validation": {"validation": None, "epochs": (unvalidated(1),)},
}


@pytest.mark.parametrize("changes", RESULTS.values(), ids=RESULTS)
def test_a_page_is_well_formed_html_without_external_resources(changes):
    check_page(page(**changes))


def test_sections_are_titled_by_standard_terms():
    assert titles(page()) == [
        "Try it", "Learning curves", "Confusion matrix", "Per-class recall, precision and F1",
        "Most confident mistakes", "Architecture", "Reproduce",
    ]  # fmt: skip


def test_try_it_names_the_run():
    shown = text()
    assert "verydeep predict 'my runs/fast' photo.jpg" in shown
    assert "verydeep serve 'my runs/fast'" in shown
    assert "verydeep export 'my runs/fast' --to web" in shown
    assert "Then open localhost:8000 in a browser." in shown


def test_the_headline_is_the_test_accuracy_with_its_interval():
    shown = text()
    assert "Test accuracy 93.33 % 95 % interval 89.93 % to 95.64 %, 300 test images, used once" in shown
    facts = (
        "Training time 2 min 05 s 1 h 02 min in total", "Parameters 55.9 k 55,939",
        "Epochs 2 1 min 02 s each",
        "Balanced accuracy 93.33 %", f"Macro-F1 {100 * train_result().test.macro_f1:.2f} %",
        "Test loss 0.298 nats", "Calibration error 3.33 %", "Validation accuracy 96.67 %",
        "recipe fast · seed 7 · 2026-11-22 01:05 UTC",
    )  # fmt: skip
    for fact in facts:
        assert fact in shown
    assert "<title>vgg-tiny on fashion-mnist · 93.33" in page()
    assert "<h1>vgg-tiny on fashion-mnist</h1>" in page()
    assert '<time datetime="2026-11-22T01:05:00+00:00">' in page()


def test_the_groups_of_the_test_images_are_counted():
    assert "300 test images of 12 groups, used once" in text(test=evaluation(groups=12))


def test_top_5_is_shown_if_there_are_more_than_five_classes():
    assert "Top-5" not in text(test=many_classes(5))
    assert "Top-5 accuracy 100.00 %" in text(test=many_classes(6))


def test_the_kept_epoch_is_shown_if_it_was_chosen():
    assert "Best epoch" not in text() and "was kept" not in text()
    shown = text(best_epoch=1)
    assert "Best epoch (kept) 1" in shown and "one point, at the epoch that was kept." in shown
    assert shown.count("epoch 1 was kept") == 2  # in the figures of accuracy and loss
    assert "Best epoch (kept) 0 (before training)" in text(best_epoch=0)


def test_notes_on_the_data_are_sentences():
    notes = ("32 px, as given by --size", "1 image cannot be read; `verydeep data check <b>` lists all")
    shown = page(notes=notes)
    assert "32 px, as given by --size. 1 image cannot be read; verydeep data check <b> lists all." in words(
        shown
    )
    assert "<code>verydeep data check &lt;b&gt;</code>" in shown and "<b>` lists" not in shown
    assert '<span class="flag">--size.</span>' in shown


def test_figures_have_all_values_as_tooltips_and_descriptions():
    shown = page()
    for label in ("epoch 1, training: 50.00", "epoch 2, validation: 80.00", "epoch 2, test: 93.33"):
        assert f"<title>{label}\N{NO-BREAK SPACE}%</title>" in shown
    labels = [drawing["aria-label"] for drawing in Outline(shown).each("svg") if "aria-label" in drawing]
    assert labels == [
        "Accuracy by epoch: training ends at 75.00\N{NO-BREAK SPACE}%; "
        "validation ends at 80.00\N{NO-BREAK SPACE}%; test ends at 93.33\N{NO-BREAK SPACE}%",
        "Loss by epoch: training ends at 0.750; validation ends at 0.500; test ends at 0.298",
        "Learning rate by epoch: learning rate ends at 0.05",
    ]


def test_the_epochs_are_a_table_too():
    shown = text()
    assert (
        "All numbers Epoch Training loss Training accuracy Validation loss Validation accuracy Learning rate "
        "Training time Images/s Waiting for data" in shown
    )
    first, second = "1.5000 50.00 % 1.0000 60.00 % 0.1 2.0 s", "0.7500 75.00 % 0.5000 80.00 % 0.05 4.0 s"
    assert f"1 {first} 1,001 1.00 % 2 {second} 1,002 2.00 %" in shown
    earlier = text(epochs=(epoch(1, images_per_second=None, data_wait=None), epoch(2)))
    assert f"1 {first} {NONE} {NONE} 2 {second} 1,002" in earlier
    plain = text(epochs=(unvalidated(1), unvalidated(2)), validation=None)
    assert "2 0.7500 75.00 % 0.05 4.0 s" in plain
    some = text(epochs=(unvalidated(1), epoch(2)))
    assert f"1 1.5000 50.00 % {NONE} {NONE} 0.1 2.0 s" in some


def test_label_smoothing_is_mentioned_if_it_is_on():
    assert "label smoothing" not in text().split("Reproduce")[0]
    smoothed = text(recipe=Recipe(label_smoothing=0.1))
    assert "Training loss includes label smoothing." in smoothed


def test_that_later_epochs_train_on_the_hardest_images_is_mentioned():
    assert "hardest" not in text().split("Reproduce")[0]
    assert "train on the hardest 40" in text(recipe=Recipe(hardest=0.4))


def test_a_run_can_be_reproduced_from_its_page():
    shown = text()
    facts = (
        f"Reproduce {COMMAND} Environment", "processor a processor device cpu seed 7 data set fashion-mnist",
        'Recipe fast model = "vgg-tiny"', "epochs = 2", "seed = 7", "[optimizer]",
        f"Name vgg-tiny Input 1 {TIMES} 28 {TIMES} 28 Parameters 55,939 MACs per image 11,064,000",
    )  # fmt: skip
    for fact in facts:
        assert fact in shown


def test_a_residual_block_is_one_token_of_the_architecture():
    assert architecture_tokens("64k7s2 (64 64)x3 M | gap") == ["64k7s2", "(64 64)x3", "M", "|", "gap"]
    assert '<span class="token">(64 64)x3</span>' in page(**RESULTS["photographs"])


def test_class_names_and_commands_are_escaped():
    evil = "<script>alert('owl')</script>"
    shown = page(
        command=f'verydeep train "{evil}"',
        recipe_name=evil,
        recipe=Recipe(model=f"</pre>{evil}"),
        dataset=replace(dataset(), name=evil),
        architecture=replace(train_result().architecture, name=evil),
        test=evaluation(classes=(evil, "dog", "owl")),
        mistakes=(mistake(evil),),
        test_names=(evil,) * 60,
        notes=(evil,),
        machine={evil: evil},
    )
    assert "<script" not in shown
    assert shown.count("&lt;script&gt;") >= 12
    assert Outline(shown).open == []


def test_many_class_names_are_escaped_too():
    names = ("</svg><script>", *(f"class {number}" for number in range(40)))
    many = many_classes(41)
    renamed = replace(many, per_class=dict(zip(names, many.per_class.values(), strict=True)))
    assert "<script" not in page(test=renamed)


def test_a_section_without_content_is_omitted():
    shown = text(**RESULTS["bare"])
    for heading in ("Learning curves", "Most confident mistakes", "Validation"):
        assert heading not in shown
    assert "Epochs 0 Balanced accuracy" in shown
    assert "validation" not in text(**RESULTS["no validation"]).split("Reproduce")[0].lower()
    assert "it may be lower than test accuracy" in text(**RESULTS["no validation"])
    assert "it may be lower than validation accuracy" in text()


def test_a_class_without_images_has_no_accuracy():
    shown = text(test=evaluation(((80, 20, 0), (0, 100, 0), (0, 0, 0))))
    assert f"owl {NONE} {NONE} {NONE} 0 {NONE}" in shown  # recall, precision, F1; images, confusion
    assert "Balanced accuracy 90.00 %" in shown
    assert "No images of owl; means over classes leave them out." in shown


def test_a_class_has_recall_precision_f1_and_its_confusion():
    shown = text()
    assert f"cat 80.0 % 100.0 % 88.9 % 100 dog {TIMES} 20 dog 100.0 % 83.3 % 90.9 % 100 {NONE}" in shown


def test_few_classes_are_a_table_of_counts_and_many_a_heat_map():
    few, many = page(), page(**RESULTS["100 classes"])
    assert '<table class="matrix few-classes"' in few and 'class="matrix-map"' not in few
    assert '<table class="matrix"' in page(test=many_classes(20))
    assert '<table class="matrix' not in many and 'class="matrix-map"' in many
    assert "The other 75 classes" in many and "The other" not in few


def test_correct_and_wrong_cells_have_different_colors():
    shown = page()
    assert 'class="correct" style="--heat:0.89" title="80 of cat predicted as cat' in shown
    assert '<td style="--heat:0.45" title="20 of cat predicted as dog' in shown
    assert 'class="none" style="--heat:0.0" title="0 of dog predicted as cat' in shown
    many = page(**RESULTS["100 classes"])
    assert many.count('<rect class="correct"') == 100 and many.count('<rect class="wrong"') == 1


@pytest.mark.parametrize(("channels", "side", "kind"), [(1, 28, "PNG"), (3, 96, "PNG"), (3, 97, "JPEG")])
def test_mistakes_are_pictures_inside_the_page(channels, side, kind):
    data = dataset(channels, side)
    shown = page(dataset=data)
    (image,) = Outline(shown).each("img")
    prefix, content = image["src"].split(",")
    assert prefix == f"data:image/{kind.lower()};base64"
    decoded = Image.open(BytesIO(b64decode(content)))
    assert (decoded.format, decoded.size) == (kind, (side, side))
    assert ("class" in image) == (kind == "PNG")  # only small images are enlarged pixel by pixel
    if kind == "PNG":
        assert np.array_equal(np.atleast_3d(decoded), data.test.pixels[41].numpy().transpose(1, 2, 0))
    assert (image["alt"], image["title"]) == ("cats/41.png: cat", "cats/41.png")
    assert "true: cat predicted: dog confidence: 97.3 % cats/41.png" in words(shown)


def test_a_page_is_written_completely_and_replaces_an_older_one(tmp_path):
    path = tmp_path / "report.html"
    path.write_text("older")
    write_training_page(
        train_result(), path, run=RUN, recipe_name="fast", command=COMMAND, wall_seconds=3725.0
    )
    assert path.read_text(encoding="utf-8") == page()
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_name_that_is_not_utf_8_is_written_with_escapes(tmp_path):
    result = train_result(test_names=(os.fsdecode(b"latin-\xe4.png"),) * 60)
    path = tmp_path / "report.html"
    write_training_page(result, path, run=RUN, recipe_name="fast", command=COMMAND, wall_seconds=1.0)
    assert r'title="latin-\xe4.png"' in path.read_text(encoding="utf-8")
