"""The page of `verydeep tune`: all results are in it, text is escaped, and pictures are inside the file."""

import os
from base64 import b64decode
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from verydeep.added_images.earlier_network import Comparison
from verydeep.added_images.kept_split import ImageChanges
from verydeep.data.label_file import LabelRow
from verydeep.evaluate.confidence_intervals import Interval
from verydeep.evaluate.paired_comparison import PairedComparison
from verydeep.number_format import NONE, TIMES
from verydeep.report.tune_page import MAX_FILES, MAX_PICTURES, SIDE, class_bars, render_tune, write_tune_page
from verydeep.train.run_folder import RunFolder
from verydeep.tune.result import MistakenImage

from .html import Outline, check_page, titles, words
from .tunings import (
    FINDINGS,
    PARTS,
    cross_validation,
    fine_tuning,
    heat_map,
    linear_probe,
    on_test,
    picture,
    skipped,
    tune_result,
    unreadable,
)

COMMAND = r"verydeep tune pets --weights vgg16 --group-by 'pet_\d+' --seed 3"


def page(folder, heat_maps=(), **changes):
    return render_tune(tune_result(folder, **changes), command=COMMAND, heat_maps=heat_maps)


def text(folder, **changes):
    return words(page(folder, **changes))


def scratch():
    return replace(fine_tuning(), strategy="scratch", test=on_test())


CHANGES = {
    "full": {},
    "bare": {
        "probe": None, "features": None, "mistakes": (), "warnings": (), "findings": (),
        "strategies": (linear_probe(),),
    },
    "compared": {
        "strategies": (linear_probe(), fine_tuning(test=on_test()), scratch()), "chosen": "fine-tune",
    },
    "scratch only": {"strategies": (scratch(),), "chosen": "scratch", "probe": None, "features": None},
    "no folds": {"probe": cross_validation(folds=0, curve=(), evaluation=None)},
}  # fmt: skip


@pytest.mark.parametrize("changes", CHANGES.values(), ids=CHANGES)
def test_a_page_is_well_formed_html_without_external_resources(tmp_path, changes):
    check_page(page(tmp_path, **changes))


def test_sections_are_titled_by_standard_terms(tmp_path):
    assert titles(page(tmp_path, heat_maps=[heat_map("a.png")])) == [
        "Warnings", "Try it", "Strategies", "Data", "Cross-validation", "Learning curves", "Confusion matrix",
        "Per-class recall, precision and F1", "Calibration", "Most confident mistakes",
        "Grad-CAM heat maps", "Reproduce",
    ]  # fmt: skip
    assert titles(page(tmp_path, **CHANGES["bare"])) == [
        "Try it", "Strategies", "Data", "Confusion matrix", "Per-class recall, precision and F1",
        "Calibration", "Reproduce",
    ]  # fmt: skip


def test_the_headline_is_balanced_accuracy_with_its_interval(tmp_path):
    test = on_test()
    interval = test.intervals["balanced_accuracy"]
    shown = text(tmp_path)
    assert (
        f"Test balanced accuracy 91.25 % 95 % interval {100 * interval.low:.1f} % to "
        f"{100 * interval.high:.1f} %, 100 images in 24 groups, used once" in shown
    )
    for fact in (
        "Accuracy 92.0 %",
        f"Macro-F1 {100 * test.macro_f1:.1f} %",
        "Time 2 min 32 s time budget 5m",
    ):
        assert fact in shown
    assert "vgg16-gap · seed 3 · 2026-11-22 07:05 UTC" in shown
    assert "<title>pets · 91.25" in page(tmp_path) and "<h1>pets</h1>" in page(tmp_path)
    assert '<time datetime="2026-11-22T07:05:00+00:00">' in page(tmp_path)


def test_a_run_without_a_time_limit_says_so(tmp_path):
    asked = replace(tune_result(tmp_path).asked, budget="none")
    assert "Time 2 min 32 s no time limit" in text(tmp_path, asked=asked)


def test_the_network_and_its_usage(tmp_path):
    shown = text(tmp_path)
    assert (
        "Linear probe on frozen features of vgg16: 2 classes, 360 training images, 100 test images. "
        "64x2 M 128x2 M 256x3 M 512x3 M 512x3 M | gap" in shown
    )
    for css_class, token in (("token", "64x2"), ("pool", "M"), ("bar", "|")):
        assert f'<span class="{css_class}">{token}</span>' in page(tmp_path)
    assert f"Input 3 {TIMES} 96 {TIMES} 96 Parameters 14.7 M MACs per image 2.82 G Classes 2" in shown
    assert "Classify an image: verydeep predict runs/tune-pets photo.jpg" in shown
    assert "verydeep predict 'my runs/pets' photo.jpg" in text(tmp_path, run=Path("my runs/pets"))


def test_warnings_are_sentences_with_commands_as_code(tmp_path):
    assert "Warnings The test leaves open whether" in text(tmp_path) and "few groups." in text(tmp_path)
    shown = page(tmp_path, warnings=("use a larger --test share; `verydeep data check pets` lists <all>",))
    assert '<span class="flag">--test</span>' in shown
    assert "<code>verydeep data check pets</code>" in shown
    assert "Use a larger --test share; verydeep data check pets lists <all>." in words(shown)


def test_every_strategy_is_in_the_table_with_its_metrics_and_the_reason(tmp_path):
    shown = text(tmp_path)
    assert "Fine-tuning was not better on the held-out images." in shown
    intervals = [
        f"{100 * each.low:.1f} % to {100 * each.high:.1f} %"
        for each in (
            evaluation.intervals["balanced_accuracy"]
            for evaluation in (linear_probe().validation, on_test(), fine_tuning().validation)
        )
    ]
    assert (
        f"Linear probe chosen 93.17 % {intervals[0]} 91.25 % {intervals[1]} 3.2 s "
        "Logistic regression on frozen features." in shown
    )
    assert f"Fine-tuning 92.50 % {intervals[2]} {NONE} 2 min 20 s All stages, from the linear probe." in shown
    for name, value in (("validation", "93.17"), ("test", "91.25")):  # the columns on a phone
        assert f'data-name="{name}">{value}' in page(tmp_path)
    assert shown.count("chosen") == 4  # pill, label in the figure, and the two charts of L2 strengths


def test_a_skipped_strategy_has_its_forecast_and_the_reason(tmp_path):
    shown = text(tmp_path)
    assert (
        f"Training from scratch {NONE} {NONE} forecast 15 min 00 s "
        "Skipped: 360 training images are too few for it." in shown
    )
    assert page(tmp_path).count('<tr class="skipped">') == 1
    unknown = replace(skipped(), forecast_seconds=None)
    assert f"Training from scratch {NONE} {NONE} {NONE} Skipped:" in text(tmp_path, strategies=(unknown,))


def test_the_images_are_counted_by_class_and_part(tmp_path):
    shown = text(tmp_path)
    assert "Class Images all training test cat 380 300 80 dog 80 60 20" in shown
    assert "Images 462 Groups 120 Median short side 88 px Unreadable 2" in shown
    assert (
        "Split Training: 360 images in 96 groups (78.3 %); test: 100 images in 24 groups (21.7 %)." in shown
    )
    assert (
        "Class imbalance cat has 5.0 times the images of dog: logit adjustment makes every class count the "
        "same. Image size 96 px, as half of the images have a short side of at least 88 px. "
        "Fit to a square Crop, as the images are about square: 0 % have a long side of over 4/3 of the short "
        "side. Classifier head After relu5_3, by the loss in cross-validation:" in shown
    )


def test_bars_are_shares_of_the_largest_class(tmp_path):
    cat, dog = class_bars(tune_result(tmp_path))
    assert (cat.name, cat.counts, cat.images) == ("cat", (300, 80), 380)
    assert cat.shares == (300 / 380, 80 / 380)
    assert (dog.name, dog.shares) == ("dog", (60 / 380, 20 / 380))
    shown = page(tmp_path)
    assert f'<i class="training" style="--share:{300 / 380:.4f}">' in shown
    assert f'<i class="test" style="--share:{20 / 380:.4f}">' in shown


def test_a_class_without_test_images_is_marked(tmp_path):
    train, test = PARTS
    shown = page(tmp_path, parts=(train, replace(test, class_sizes={"cat": 80})))
    assert '<td class="number zero">0</td>' in shown and "zero" not in page(tmp_path).split("<main>")[1]


def test_unreadable_images_are_listed_with_the_reason(tmp_path):
    shown = text(tmp_path)
    assert (
        "Unreadable images (left out) cat/cut.jpg cannot be decoded: it is truncated dog/empty.png is"
        in shown
    )
    images = tune_result(tmp_path).images
    many = tuple(unreadable(f"{number}.png", "is empty", "empty") for number in range(14))
    assert "The other 2" in text(tmp_path, images=replace(images, unreadable=many))
    assert "left out" not in text(tmp_path, images=replace(images, unreadable=()))


def test_data_quality_issues_are_listed_with_the_next_step(tmp_path):
    shown = page(tmp_path)
    assert (
        "Data quality error Duplicates across splits 2 images are the same as one in another split. "
        "Keep them together: --group-by 'duplicates'. 1 entry cat/<b>.png = cat/4.png" in words(shown)
    )
    assert "<b>.png" not in shown
    files = tuple((f"{number}.png",) for number in range(MAX_FILES + 3))
    assert "and 3 more" in text(tmp_path, findings=(replace(FINDINGS[0], files=files),))
    assert "too many images: run verydeep data check ." in text(tmp_path, findings=None)
    assert "Data quality" not in text(tmp_path, findings=())
    assert "too many images" not in text(tmp_path, findings=())


def test_cross_validation_has_its_folds_and_its_time(tmp_path):
    shown = text(tmp_path)
    assert "in 5-fold cross-validation:" in shown and "The search took 2.5 s." in shown
    assert "nor on another image of its group" in shown
    images = replace(tune_result(tmp_path).images, groups=None)
    assert "nor on another image" not in text(tmp_path, images=images)
    assert "L2 strength 0.1: 92.00 %" in shown and "L2 strength 0.1: 0.300" in shown


def test_a_strategy_that_trains_the_network_has_learning_curves(tmp_path):
    shown = text(tmp_path)
    assert "Learning curves Fine-tuning Early stopping ended training after 6 of 300 epochs" in shown
    assert "Validation balanced accuracy" in shown and "epoch 4, validation: 93.00 %" in shown
    assert shown.count("epoch 4 was kept") == 2
    both = titles(page(tmp_path, **CHANGES["compared"]))
    assert both.count("Learning curves") == 1
    assert "Training from scratch Early stopping" in text(tmp_path, **CHANGES["compared"])


def test_each_class_has_recall_precision_and_f1(tmp_path):
    shown = text(tmp_path)
    assert f"dog 90.0 % 75.0 % 81.8 % 20 cat {TIMES} 2" in shown  # 18 of 20; 18 of 24 predictions of dog
    assert f"cat 92.5 % 97.4 % 94.9 % 80 dog {TIMES} 6" in shown


def test_a_class_without_test_images_has_no_metrics(tmp_path):
    assert f"dog {NONE} 0.0 % {NONE} 0 {NONE}" in text(tmp_path, test=on_test(((74, 6), (0, 0))))


def test_calibration_is_shown_before_and_after_temperature_scaling(tmp_path):
    shown = text(tmp_path)
    scaled = on_test().scaled
    assert f"unscaled 5.00 % scaled {100 * scaled.calibration.error:.2f} %" in shown  # 97 % for 92 %
    assert "divided by a temperature of 1.250" in shown and "the network was overconfident" in shown
    cold = replace(on_test(), scaled=replace(scaled, temperature=0.8))
    assert "the network was underconfident" in text(tmp_path, test=cold)


def test_mistakes_are_small_pictures_inside_the_page(tmp_path):
    shown = page(tmp_path)
    first, second = Outline(shown).each("img")
    decoded = Image.open(BytesIO(b64decode(first["src"].partition(",")[2])))
    assert decoded.format == "JPEG" and decoded.size == (SIDE, 96)  # of 200 x 120 px
    assert (second["alt"], second["title"]) == ("cat/2.png: cat", "cat/2.png")
    assert "true: cat predicted: dog confidence: 98.7 % cat/1.jpg" in words(shown)


def test_a_small_image_is_kept_without_loss(tmp_path):
    result = tune_result(tmp_path)
    picture(tmp_path / "2.png", (20, 12))
    _, second = Outline(render_tune(result, command=COMMAND)).each("img")
    assert second["class"] == "crisp" and second["src"].startswith("data:image/png")


def test_the_number_of_pictures_is_limited(tmp_path):
    many = tune_result(tmp_path).mistakes * 20
    assert len(Outline(page(tmp_path, mistakes=many)).each("img")) == MAX_PICTURES


def test_an_image_that_no_longer_exists_is_named(tmp_path):
    result = tune_result(tmp_path)
    (tmp_path / "1.jpg").unlink()
    shown = render_tune(result, command=COMMAND)
    assert "image not found true: cat predicted: dog confidence: 98.7 % cat/1.jpg" in words(shown)
    assert len(Outline(shown).each("img")) == 1


def test_heat_maps_are_shown_for_mistakes_and_correct_predictions(tmp_path):
    maps = (heat_map("a.png", predicted="dog"), heat_map("b.png", "dog", "dog"))
    shown = page(tmp_path, heat_maps=maps, mistakes=())
    assert "Mistakes true: cat predicted: dog a.png Correct predictions dog b.png" in words(shown)
    assert "(grad-cam, relu5_3; Selvaraju et al. 2017)" in words(shown)
    image, overlay = Outline(shown).each("img")[:2]
    assert (image["alt"], overlay["alt"]) == ("a.png", "heat map of dog") and image["src"] != overlay["src"]
    check_page(shown)


def test_heat_maps_are_omitted_if_there_are_none(tmp_path):
    assert "heat maps" not in text(tmp_path)
    correct = words(page(tmp_path, heat_maps=[heat_map("b.png")]))
    assert "no evidence maximum of the image Correct predictions cat b.png" in correct
    wrong = words(page(tmp_path, heat_maps=[heat_map("b.png", predicted="dog")]))
    assert "no evidence maximum of the image Mistakes" in wrong and "Correct predictions" not in wrong


def test_names_are_escaped(tmp_path):
    evil = "<b>.png"
    mistake = MistakenImage(
        name=evil, source=picture(tmp_path / evil), label=evil, predicted="</td>", confidence=0.5
    )
    images = tune_result(tmp_path).images
    shown = page(
        tmp_path,
        heat_maps=[heat_map(evil, evil, "<script>")],
        mistakes=(mistake,),
        warnings=(evil, f"`{evil}`"),
        reason=evil,
        balance=evil,
        size_reason=evil,
        fit_reason=evil,
        head_reason=evil,
        machine={evil: evil},
        origin={"weights": evil, "temperature": 1.25},
        location=evil,
        run=Path(evil),
        strategies=(linear_probe(note=evil),),
        images=replace(images, name=evil, unreadable=(unreadable(evil, "<script>", "corrupt"),)),
    )
    assert evil not in shown and "<script" not in shown
    assert shown.count("&lt;b&gt;.png") >= 18
    assert Outline(shown).open == []


def test_a_run_can_be_reproduced_from_its_page(tmp_path):
    shown = text(tmp_path)
    facts = (
        f"strategies and hyperparameters: {COMMAND} The same decisions",
        "without a search: verydeep tune pets --recipe runs/tune-pets/tune.toml",
        'Decisions (tune.toml) strategy = "linear-probe" weights = "vgg16"',
        r'group_by = "pet_\\d+"', "seed = 3", "[fine_tune.optimizer]", "processor a processor torch 2.9",
        "weights vgg16-features.safetensors split runs/tune-pets/split.csv",
        "per image 512 features computed 400 images in 8.0 s, 50.0 images per second",
        "from the cache 62 images cache folder cache",
    )  # fmt: skip
    for fact in facts:
        assert fact in shown
    assert "tune 'my pets' --recipe" in text(tmp_path, location="my pets")


def test_a_resumed_run_is_reproduced_by_its_decisions_alone(tmp_path):
    shown = words(render_tune(tune_result(tmp_path), command=None))
    assert "Reproduce The same decisions without a search: verydeep tune pets --recipe" in shown


def test_features_from_the_cache_have_no_speed(tmp_path):
    features = replace(tune_result(tmp_path).features, computed=0, cached=462)
    shown = text(tmp_path, features=features)
    assert "computed 0 images in 8.0 s from the cache 462 images" in shown
    assert "Feature extraction" not in text(tmp_path, features=None)


def test_a_page_is_written_completely_and_replaces_an_older_one(tmp_path):
    result = tune_result(tmp_path)
    path = tmp_path / "run" / "report.html"
    path.parent.mkdir()
    path.write_text("older")
    write_tune_page(result, path, command=COMMAND)
    assert path.read_text(encoding="utf-8") == render_tune(result, command=COMMAND)
    assert list(path.parent.iterdir()) == [path]


def test_file_names_that_are_not_utf_8_are_written_with_escapes(tmp_path):
    name = os.fsdecode(b"latin-\xe4.png")
    mistake = replace(tune_result(tmp_path).mistakes[0], name=name, source=picture(tmp_path / name))
    images = replace(tune_result(tmp_path).images, unreadable=(unreadable(name, "is empty", "empty"),))
    result = tune_result(tmp_path, mistakes=(mistake,), images=images)
    write_tune_page(result, tmp_path / "report.html", command=COMMAND, heat_maps=[heat_map(name)])
    shown = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert shown.count(r"latin-\xe4.png") == 8
    assert "image not found" not in shown


def test_the_list_of_doubtful_labels_is_named_with_the_command_that_applies_it(tmp_path):
    row = LabelRow(path="cat/1.png", label="cat", predicted="dog", confidence=0.9)
    file = RunFolder(tune_result(tmp_path).run).doubtful_labels
    shown = text(tmp_path, doubtful_labels=(row, row))
    assert f"2 labels to look at: {file} " in shown and f"verydeep data relabel {file}" in shown
    check_page(page(tmp_path, doubtful_labels=(row,)))
    assert "data relabel" not in text(tmp_path)


def test_a_continued_run_states_what_changed_and_how_the_earlier_classifier_does(tmp_path):
    images = tune_result(tmp_path).images
    changes = ImageChanges(new=12, new_test=3, gone=1, relabeled=2, rewritten=1, new_classes=("<bird>",))
    paired = PairedComparison(
        images=90, groups=20, first=Interval(0.9, 0.8, 0.95), second=Interval(0.94, 0.85, 0.98),
        difference=Interval(0.04, 0.01, 0.08), only_first=1, only_second=5,
    )  # fmt: skip
    shown = text(
        tmp_path,
        images=replace(images, changes=changes),
        comparison=Comparison(run=Path("runs/<first>"), left_out=4, paired=paired),
        weights_reason="resnet18, which takes about 9 s",
    )
    assert "3 of them test images), 1 gone, 2 relabeled, 1 rewritten, new classes: <bird>." in shown
    assert (
        "The earlier classifier, runs/<first> on the same 90 test images: balanced accuracy 90.00 %, now "
        "94.00 %: +4.00 points (95 % interval +1.0 to +8.0), a significant difference; 5 right now that were "
        "wrong, 1 the other way around; 4 test images of new classes are left out."
    ) in shown.replace("\N{NO-BREAK SPACE}", " ")
    assert "Weights resnet18, which takes about 9 s." in shown
    assert "The earlier classifier" not in text(tmp_path)
