"""The report of a study: it has all results, text is escaped, and points are inside the figures."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from verydeep.number_format import percent
from verydeep.report.charts.line_plots import HEIGHT, WIDTH
from verydeep.report.strip_plots import strip_plots
from verydeep.report.study_page import markdown, render_study, write_study
from verydeep.report.study_plots import (
    gradient_charts,
    image_charts,
    loss_charts,
    size_charts,
    validation_charts,
)
from verydeep.study.experiments import kernel
from verydeep.study.studies import STUDIES
from verydeep.study.study_result import StudyResult
from verydeep.study.trial import CompressedNetwork, LayerGradient, Outcome
from verydeep.tables.study_table import summary

from .trainings import epoch


def outcome(trial, **changes):
    top1 = 0.8 + trial.recipe.seed / 100 + (trial.split or 0) / 1000
    values = {
        "name": trial.name, "group": trial.group, "variant": trial.variant, "seed": trial.recipe.seed,
        "split": trial.split, "architecture_string": trial.recipe.model, "parameters": 1234, "seconds": 3.0,
    }  # fmt: skip
    if trial.kind == "probe":
        results = {
            "gradients": tuple(
                LayerGradient(layer=f"conv{number}", number=number, step=step, norm=10.0**-number)
                for step in (0, 50)
                for number in (1, 2, 3)
            )
        }
    else:
        results = {"test_top1": top1, "epochs": (epoch(1), epoch(2))}
    if trial.kind == "compression":
        size, speedup = 10_000 * (trial.steps.bits or 32), 1.25 if trial.steps.bits is None else None
        results["compressed"] = CompressedNetwork(val_top1=top1, bytes=size, nonzero=0.5, speedup=speedup)
    return Outcome(**{**values, **results, **changes})


def report(name, **changes):
    study = STUDIES[name]
    outcomes = tuple(outcome(trial) for trial in study.trials(False))
    values = {
        "study": study, "dataset": "fashion-mnist, 6,000 images", "outcomes": outcomes,
        "findings": study.conclude(outcomes),
        "command": f"verydeep study {name}",
        "machine": {"processor": "a <fast> one", "precision": "fp32"},
    }  # fmt: skip
    return StudyResult(**{**values, **changes})


def without_groups():
    """The report of two variants with three seeds."""
    runs = [run for run in report("kernel").outcomes if run.group == kernel.WITHOUT]
    return report("kernel", outcomes=tuple(replace(run, group="") for run in runs))


class Texts(HTMLParser):
    def __init__(self, page):
        super().__init__()
        self.text = ""
        self.feed(page)

    def handle_data(self, data):
        self.text += data


@pytest.mark.parametrize("name", STUDIES)
def test_the_page_is_complete_and_loads_no_other_file(name):
    page = render_study(report(name))
    text = " ".join(Texts(page).text.split())
    study = STUDIES[name]
    for sentence in (study.question, study.protocol, *report(name).findings, f"verydeep study {name}"):
        assert " ".join(sentence.split()) in text
    for row in summary(report(name).outcomes):
        assert row.variant in text and row.architecture_string in text
    assert not re.search('(src|href)="(?!data:)', page)
    assert "a &lt;fast&gt; one" in page


def test_sections_are_labeled_by_their_headings():
    page = render_study(report("depth"))
    labels = re.findall(r'<section aria-labelledby="([^"]+)"', page)
    assert labels and all(f'id="{label}"' in page for label in labels)


def test_all_points_are_inside_the_figure():
    outcomes, probes = report("depth").outcomes, report("gradients").outcomes
    points = [dot for figure in strip_plots(outcomes) for column in figure.columns for dot in column.dots]
    for figure in (*loss_charts(outcomes), *gradient_charts(probes, 0)):
        points += [point for curve in figure.curves for point in curve.points]
    assert len(points) > 50
    assert all(0 <= point.x <= WIDTH and 0 <= point.y <= HEIGHT for point in points)


def test_an_interval_is_clipped_to_the_range_of_accuracies():
    first, second = STUDIES["depth"].trials(False)[:2]
    (row,) = summary([outcome(first, test_top1=0.2), outcome(second, test_top1=0.9)])
    assert row.interval == f"0.00 to {percent(1.0)}"


def test_a_column_is_the_mean_with_its_interval():
    (figure,) = strip_plots(without_groups().outcomes)
    first = figure.columns[0]
    assert first.label == "one 5x5: mean 81.00\u00a0% of 3"
    mean = first.mean
    assert mean.high < mean.mean < mean.low  # downwards in the figure's pixels
    assert len(first.dots) == 3


def stopped(run):
    return replace(run, test_top1=None, failed="the loss is nan", epochs=run.epochs[:1])


def test_stopped_runs_are_at_the_bottom_and_cut_no_curve():
    first, second, *others = without_groups().outcomes
    (figure,) = strip_plots([stopped(first), second, *others])
    column = figure.columns[0]
    assert (len(column.stopped), len(column.dots)) == (1, 2)
    assert {point.y for point in column.stopped} == {figure.y_ticks[0].position}
    assert column.label == "one 5x5: mean 81.50\u00a0% of 2, 1 stopped"
    (curves,) = loss_charts([stopped(first), second, *others])
    assert [len(curve.points) for curve in curves.curves] == [2, 2]


def test_a_variant_of_which_no_run_learned_is_drawn_too():
    outcomes = [stopped(run) if run.variant == "one 5x5" else run for run in without_groups().outcomes]
    (figure,) = strip_plots(outcomes)
    assert (figure.columns[0].mean, figure.columns[0].label) == (None, "one 5x5: 3 stopped")
    page = render_study(report("kernel", outcomes=tuple(outcomes), findings=("None.",)))
    assert page.count('class="stopped-run"') == 3


def test_validation_images_have_a_loss_and_an_accuracy():
    run = replace(without_groups().outcomes[0], epochs=(epoch(1, val_loss=0.5, val_top1=0.8),))
    assert [chart.title for chart in validation_charts([run])] == ["Validation loss", "Validation accuracy"]
    assert validation_charts([replace(run, epochs=(epoch(1, val_loss=None, val_top1=None),))]) == ()


def test_accuracy_over_training_images_is_on_a_logarithmic_axis():
    outcomes = [
        replace(run, train_images=count)
        for run, count in zip(without_groups().outcomes, (25, 250, 2_500, 25, 250, 2_500), strict=True)
    ]
    (figure,) = image_charts(outcomes)
    x = [point.x for point in figure.curves[0].points]
    assert x[1] - x[0] == pytest.approx(x[2] - x[1])
    assert figure.curves[0].points[2].label.startswith("one 5x5, training images 2,500: ")


def test_the_ticks_of_gradients_are_powers_of_ten():
    figure = gradient_charts(report("gradients").outcomes, 0)[0]
    assert [tick.label for tick in figure.y_ticks] == ["10\u207b\u00b3", "10\u207b\u00b2", "10\u207b\u00b9"]
    assert figure.curves[0].last == "1.0e-03"


def test_compressed_networks_have_their_size_and_speed():
    page = report("compress")
    (figure,) = size_charts(page.outcomes)
    assert [curve.name for curve in figure.curves] == ["bits alone"]  # the files of other groups are alike
    assert [point.label.split(":")[0] for point in figure.curves[0].points] == [
        f"bits alone, halvings {halvings}" for halvings in ("0", "2", "3", "3.42", "4")
    ]
    assert "| 320.0\u00a0KB | 1.25\u00d7 |" in markdown(page)
    assert "| 40.0\u00a0KB | \u2013 |" in markdown(page)
    text = render_study(page)
    assert "Accuracy and size" in text and "Times faster" in text
    assert size_charts(report("depth").outcomes) == () and "Times faster" not in render_study(report("depth"))


def test_the_table_of_probes_has_their_gradients_and_no_other_table_has():
    page = report("gradients")
    assert "| variant | runs | smallest gradient | largest gradient |" in markdown(page)
    assert "| 8 layers | He | 3 | 1e-02 | 1e-01 |" in markdown(page)  # the third layer gives the classes
    assert "Smallest gradient" in render_study(page)
    assert "Smallest gradient" not in render_study(report("kernel"))
    assert "smallest gradient" not in markdown(report("kernel"))


def test_a_stopped_run_is_listed_with_the_reason():
    base = report("kernel")
    stopped = (replace(base.outcomes[0], test_top1=None, failed="the loss is nan"), *base.outcomes[1:])
    page = render_study(replace(base, outcomes=stopped))
    assert "Stopped runs" in page and "the loss is nan" in page
    assert summary(stopped)[0].runs == "3, 1 stopped"


def test_the_folder_has_the_page_the_json_and_the_markdown(tmp_path):
    written = report("kernel")
    assert write_study(written, None, tmp_path) == tmp_path / "study.html"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["study.html", "study.json", "study.md"]
    values = json.loads((tmp_path / "study.json").read_text())
    assert (values["study"], values["conclusion"]) == ("kernel", written.findings[0])
    assert len(values["outcomes"]) == len(written.outcomes)


def test_markdown_has_the_results_and_the_papers_numbers():
    assert "| variant | parameters | runs | test accuracy |" in markdown(without_groups())
    text = markdown(report("depth"))
    assert "| group | variant |" in text
    assert "| A-LRN | 29.7 % | 10.5 % |" in text
