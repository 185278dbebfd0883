"""The page of a tuning: everything measured is said in words, text is escaped, pictures are inside."""

import re
from base64 import b64decode
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
import torch
from PIL import Image

from verydeep.explain.heat_maps import HeatMap
from verydeep.report.line_plots import HEIGHT, WIDTH
from verydeep.report.tune_page import MOST_PICTURES, SIDE, render_tune, write_tune
from verydeep.report.tune_plots import intervals, strength_charts
from verydeep.report.tune_text import sentence
from verydeep.number_format import NONE, TIMES
from verydeep.tune.heat_maps import Look
from verydeep.tune.result import MistakenImage, TuneSettings

from .runs import epoch
from .test_training_page import Outline, words
from .tunings import candidate, cross_validation, evaluation, full, left_out, picture, tuning, unreadable

COMMAND = r"verydeep tune pets --weights vgg16 --group-by 'pet_\d+' --seed 3"


def page(folder, **changes):
    return render_tune(tuning(folder, **changes), command=COMMAND)


CHANGES = {
    "whole": {},
    "bare": {
        "validation": None,
        "features": None,
        "mistakes": (),
        "advice": (),
        "candidates": (candidate(),),
    },
    "compared": {"candidates": (candidate(), full(), replace(full(), way="from-scratch")), "chosen": "full"},
    "no folds": {"validation": cross_validation(folds=0, curve=(), score=None)},
}


@pytest.mark.parametrize("changes", CHANGES.values(), ids=CHANGES)
def test_the_page_is_whole_by_itself(tmp_path, changes):
    text = page(tmp_path, **changes)
    outline = Outline(text)
    assert outline.open == []
    assert not re.search(r"https?:|url\(|@import|<script|<iframe|javascript:", text)
    assert all(image["src"].startswith("data:") and image["alt"] for image in outline.each("img"))
    assert all(header["scope"] in ("row", "col") for header in outline.each("th"))
    assert all(
        (drawing.get("role") == "img" and drawing["aria-label"]) or drawing.get("aria-hidden")
        for drawing in outline.each("svg")
    )
    for query in ("prefers-color-scheme: dark", "max-width: 520px", "@media print", 'name="viewport"'):
        assert query in text


def test_the_headline_is_balanced_accuracy_with_its_interval(tmp_path):
    text = words(page(tmp_path))
    assert "Balanced accuracy on the test images 91.25 %" in text
    assert "95 % interval 86.0 % to 95.0 %, 100 images in 24 groups, read once" in text
    for fact in ("Accuracy 92.2 %", "Macro-F1 90.2 %", "2 min 32 s", "of 5 min 00 s allowed"):
        assert fact in text


@pytest.mark.parametrize(
    ("chosen", "head", "said"),
    [
        ("frozen", "gap", "A new head on vgg16's frozen convolutions: 2 classes, learned from 360 images"),
        ("frozen", "whole", "A new last layer on vgg16, whose other layers stayed as they were"),
        ("full", "gap", "vgg16, trained on whole from a new head that was learned first"),
        ("from-scratch", "gap", "vgg16, from new weights and these images alone"),
    ],
)
def test_one_sentence_says_what_was_done(tmp_path, chosen, head, said):
    assert said in words(
        page(tmp_path, chosen=chosen, settings=TuneSettings(data="pets", weights="w", head=head))
    )


def test_a_network_that_was_typed_goes_by_its_weights(tmp_path):
    architecture = replace(tuning(tmp_path).architecture, name="64x2 M 128x2 | gap")
    assert "A new head on vgg16-features's frozen convolutions" in words(
        page(tmp_path, architecture=architecture)
    )


def test_the_network_and_how_to_use_it(tmp_path):
    text = words(page(tmp_path))
    assert "64x2 M 128x2 M 256x3 M 512x3 M 512x3 M | gap" in text
    assert f"Input 3 {TIMES} 96 {TIMES} 96 Parameters 14.7 M" in text
    assert "verydeep predict runs/tune-pets photo.jpg" in text
    assert "verydeep predict 'my runs/pets' photo.jpg" in words(page(tmp_path, run=Path("my runs/pets")))


def test_advice_is_in_sentences_and_hidden_where_there_is_none(tmp_path):
    assert "Before you trust it The test leaves open whether" in words(page(tmp_path))
    assert '<span class="flag">--test</span>' in page(tmp_path, advice=("give a larger --test share",))
    assert "Before you trust it" not in words(page(tmp_path, advice=()))
    assert sentence("add images") == "Add images."
    assert sentence("Add images. Or not?") == "Add images. Or not?"


def test_every_way_is_in_the_table_with_the_reason(tmp_path):
    text = words(page(tmp_path))
    assert "Training on did no better on the images held out." in text
    assert (
        "a new head, the rest frozen chosen 93.10 % 90.2 % to 95.7 % 91.25 % 86.0 % to 95.0 % 3.2 s" in text
    )
    assert f"the network trained on 92.10 % 89.0 % to 95.0 % {NONE} 2 min 20 s" in text
    assert f"from scratch {NONE} {NONE} it would take 15 min 00 s Not tried: 360 images are few." in text


def test_intervals_lie_on_one_axis(tmp_path):
    figure = intervals(tuning(tmp_path))
    frozen, trained = figure.rows  # what was not tried is not drawn
    assert (frozen.is_chosen, trained.is_chosen) == (True, False)
    assert figure.kinds == ("validation", "test")
    held_out, test = frozen.intervals
    assert test.low < test.x < held_out.x < held_out.high  # 86.0, 91.25, 93.1, 95.7
    assert trained.intervals[0].high == test.high  # both 95.0
    assert all(0 <= one.low <= one.high <= WIDTH for row in figure.rows for one in row.intervals)
    assert all(0 < one.y < figure.height for row in figure.rows for one in row.intervals)


def test_a_head_that_was_not_compared_has_its_cross_validation(tmp_path):
    alone = tuning(tmp_path, candidates=(candidate(validation=None, test=None),))
    (one,) = intervals(alone).rows[0].intervals
    assert one.kind == "cross-validation" and "93.10" in one.label
    unmeasured = replace(alone, validation=None)
    assert intervals(unmeasured) is None
    assert Outline(render_tune(unmeasured, command=COMMAND)).open == []


def test_the_images_are_counted_by_class_and_part(tmp_path):
    text = words(page(tmp_path))
    assert "cat 380 300 80 dog 80 60 20" in text
    assert "training: 360 images in 96 groups (78.3 %); test: 100 images in 24 groups (21.7 %)" in text
    assert "no group is on two sides" in text
    assert "cat has 5.0 times the images of dog: logits are adjusted so that classes count the same." in text
    assert "96 px, since half of the images have a short side of at least 88 px." in text
    assert "cat/cut.jpg cannot be decoded: it is truncated" in text


def test_ungrouped_images_are_said_to_be(tmp_path):
    made = tuning(tmp_path)
    parts = tuple(replace(part, groups=None) for part in made.parts)
    settings = replace(made.settings, group_by=None)
    text = words(page(tmp_path, parts=parts, reading=replace(made.reading, groups=None), settings=settings))
    assert "Every image was taken for itself" in text and "100 images, read once" in text


def test_strengths_stand_at_powers_of_ten_with_the_chosen_one_marked():
    right, loss = strength_charts(cross_validation())
    assert [tick.label for tick in right.x_ticks] == ["10⁻³", "10⁻²", "10⁻¹", "10⁰"]
    assert right.mark.label == "0.01 was chosen"
    assert right.mark.position == right.curves[0].points[1].x  # from weak to strong
    assert loss.curves[0].points[0].label == "strength 0.001: 0.270"
    assert all(point.high < point.y < point.low for point in right.curves[0].points)
    places = [point for chart in (right, loss) for point in chart.curves[0].points]
    assert all(0 <= point.x <= WIDTH and 0 <= point.y <= HEIGHT for point in places)


def test_an_error_ends_where_accuracy_does():
    (point,) = cross_validation().curve[:1]
    right, _ = strength_charts(cross_validation(curve=(replace(point, balanced_accuracy=1.0),), strength=1.0))
    assert right.curves[0].points[0].high == right.curves[0].points[0].y
    assert right.y_ticks[-1].label == "100.0\N{NO-BREAK SPACE}%"


def test_a_loss_that_is_not_finite_is_left_out():
    curve = tuple(replace(point, loss=float("inf")) for point in cross_validation().curve)
    (right,) = strength_charts(cross_validation(curve=curve))
    assert right.title == "Balanced accuracy"


@pytest.mark.parametrize(
    ("best", "planned", "said"),
    [
        (
            4,
            300,
            "Stopped early, after 6 of 300 epochs; epoch 4 was the best on the validation",
        ),
        (6, 6, "All 6 epochs were trained; the last was the best"),
        (
            0,
            6,
            "All 6 epochs were trained; none did better on the validation images than what it began",
        ),
        (None, 6, "All 6 epochs were trained."),
    ],
)
def test_the_point_of_early_stopping_is_marked(tmp_path, best, planned, said):
    epochs = tuple(epoch(number, epochs=planned) for number in range(1, 7))
    text = page(tmp_path, candidates=(candidate(), full(epochs=epochs, best_epoch=best)))
    assert said in words(text)
    assert (f"epoch {best} was kept" in words(text)) == (best is not None)


def test_the_epochs_are_drawn_by_what_the_best_was_chosen_by(tmp_path):
    text = page(tmp_path)
    assert "Balanced accuracy in validation" in words(text)
    assert "epoch 4, validation: 93.00\N{NO-BREAK SPACE}%" in text
    plain = full(epochs=(epoch(1), epoch(2)), best_epoch=2)
    assert "validation 80.00 %" in words(page(tmp_path, candidates=(candidate(), plain)))


def test_each_class_has_recall_precision_and_f1(tmp_path):
    text = words(page(tmp_path))
    assert f"dog 90.0 % 75.0 % 81.8 % 20 cat {TIMES} 2" in text  # 18 of 20; 18 of 24 taken for dogs
    assert f"cat 92.5 % 97.4 % 94.9 % 80 dog {TIMES} 6" in text


def test_a_class_without_test_images_has_no_figures(tmp_path):
    test = replace(evaluation(), confusion=((74, 6), (0, 0)), images=80)
    assert f"dog {NONE} 0.0 % {NONE} 0 {NONE}" in words(page(tmp_path, test=test))


def test_calibration_is_drawn_before_and_after(tmp_path):
    text = words(page(tmp_path))
    assert "as it is 4.56 % scaled 1.23 %" in text
    assert "divided by a temperature of 1.250" in text and "the network was too sure" in text


def test_what_was_found_in_the_images_is_listed_with_what_to_do(tmp_path):
    made = page(tmp_path)
    text = words(made)
    assert "error Duplicates across splits 2 images are the same as one in another split." in text
    assert "Keep them together: --group-by 'duplicates'." in text
    assert "cat/<b>.png = cat/4.png" in text and "<b>.png" not in made
    assert "too many to be checked" in words(page(tmp_path, findings=None))
    assert "What else is to be said" not in words(page(tmp_path, findings=()))


def test_mistakes_are_small_pictures_inside_the_page(tmp_path):
    first, second = Outline(page(tmp_path)).each("img")
    decoded = Image.open(BytesIO(b64decode(first["src"].partition(",")[2])))
    assert decoded.format == "JPEG" and decoded.size == (SIDE, 96)  # of 200 x 120 px
    assert second["alt"] == "cat/2.png"
    assert "true: cat taken for: dog 98.7 % cat/1.jpg" in words(page(tmp_path))


def test_no_more_mistakes_are_shown_than_one_looks_at(tmp_path):
    many = tuning(tmp_path).mistakes * 20
    assert len(Outline(page(tmp_path, mistakes=many)).each("img")) == MOST_PICTURES


def test_a_picture_that_is_gone_is_said_to_be(tmp_path):
    made = tuning(tmp_path)
    (tmp_path / "1.jpg").unlink()
    text = render_tune(made, command=COMMAND)
    assert "no longer there" in text and "cat/1.jpg" in text
    assert len(Outline(text).each("img")) == 1


def look(name, label="cat", predicted="cat"):
    """A gray image whose middle spoke for ``predicted``."""
    heat = torch.zeros(16, 16)
    heat[6:10, 6:10] = 1.0
    found = HeatMap(
        pixels=torch.full((1, 16, 16), 128, dtype=torch.uint8),
        heat=heat, label=predicted, probability=0.9, predicted=predicted, confidence=0.9,
        method="grad-cam", layer="relu5_3",
    )  # fmt: skip
    return Look(name=name, label=label, heat=found)


def test_where_it_looked_is_shown_for_mistakes_and_right_answers(tmp_path):
    made = tuning(tmp_path, mistakes=())
    text = render_tune(
        made, command=COMMAND, looks=(look("a.png", predicted="dog"), look("b.png", "dog", "dog"))
    )
    assert "Taken for another true: cat taken for: dog a.png Named rightly dog b.png" in words(text)
    assert "grad-cam, relu5_3" in words(text)
    image, heat = Outline(text).each("img")[:2]
    assert image["alt"] == "a.png" and image["src"] != heat["src"]
    assert Outline(text).open == []


def test_without_heat_maps_there_is_no_section_of_them(tmp_path):
    assert "Where it looked" not in page(tmp_path)
    only_right = render_tune(tuning(tmp_path), command=COMMAND, looks=(look("b.png"),))
    assert "Named rightly" in only_right and "Taken for another" not in only_right


def test_names_are_text(tmp_path):
    evil = "<b>.png"
    mistake = MistakenImage(
        name=evil, source=picture(tmp_path / evil), label=evil, predicted="</td>", confidence=0.5
    )
    text = page(
        tmp_path,
        mistakes=(mistake,),
        advice=(evil,),
        why=evil,
        machine={evil: evil},
        reading=replace(
            tuning(tmp_path).reading, name=evil, broken=(unreadable(evil, "<script>", "corrupt"),)
        ),
    )
    assert evil not in text and "<script" not in text
    assert text.count("&lt;b&gt;.png") >= 8
    assert Outline(text).open == []


def test_a_run_can_be_repeated_from_its_page(tmp_path):
    text = words(page(tmp_path))
    for fact in (
        COMMAND,
        'data = "pets" weights = "vgg16"',
        r'group_by = "pet_\\d+"',
        "seed = 3",
        "an invented one",
        "vgg16-features.safetensors",
        "400 images in 8.0 s, 50.0 a second",
        "runs/tune-pets/split.csv",
    ):
        assert fact in text


def test_a_page_is_written_whole_and_over_an_older_one(tmp_path):
    made = tuning(tmp_path)
    path = tmp_path / "run" / "report.html"
    path.parent.mkdir()
    path.write_text("older")
    write_tune(made, path, command=COMMAND)
    assert path.read_text(encoding="utf-8") == render_tune(made, command=COMMAND)
    assert list(path.parent.iterdir()) == [path]


def test_what_was_not_tried_is_not_drawn(tmp_path):
    assert intervals(tuning(tmp_path, candidates=(left_out(),), validation=None)) is None
