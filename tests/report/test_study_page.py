"""The page of a study: everything measured stands in it, text is escaped, figures keep to their frame."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from verydeep.report.line_plots import HEIGHT, WIDTH
from verydeep.report.study_page import StudyReport, markdown, render_study
from verydeep.report.study_plots import gradient_curves, loss_curves, strips
from verydeep.study.studies import STUDIES
from verydeep.study.trial import LayerGradient, Outcome
from verydeep.tables.format import percent
from verydeep.tables.study_table import summary

from .runs import epoch


def outcome(trial, **changes):
    top1 = 0.8 + trial.recipe.seed / 100 + (trial.split or 0) / 1000
    values = {
        "name": trial.name, "group": trial.group, "variant": trial.variant, "seed": trial.recipe.seed,
        "split": trial.split, "architecture_string": trial.recipe.model, "parameters": 1234, "seconds": 3.0,
    }  # fmt: skip
    if trial.kind == "probe":
        looks = [(place, step, 10.0 ** (-place)) for step in (0, 50) for place in (1, 2, 3)]
        made = {
            "gradients": tuple(LayerGradient(layer=f"conv{p}", place=p, step=s, norm=n) for p, s, n in looks)
        }
    else:
        made = {"test_top1": top1, "epochs": (epoch(1), epoch(2))}
    return Outcome(**{**values, **made, **changes})


def report(name, **changes):
    study = STUDIES[name]
    outcomes = tuple(outcome(trial) for trial in study.trials(False))
    values = {
        "study": study, "dataset": "fashion-mnist, 6,000 images", "outcomes": outcomes,
        "command": f"verydeep study {name}",
        "machine": {"processor": "a <fast> one", "precision": "fp32"},
    }  # fmt: skip
    return StudyReport(**{**values, **changes})


class Texts(HTMLParser):
    def __init__(self, page):
        super().__init__()
        self.text = ""
        self.feed(page)

    def handle_data(self, data):
        self.text += data


@pytest.mark.parametrize("name", STUDIES)
def test_the_page_says_all_and_asks_for_nothing(name):
    page = render_study(report(name))
    text = " ".join(Texts(page).text.split())
    study = STUDIES[name]
    for said in (study.question, study.protocol, *report(name).findings, f"verydeep study {name}"):
        assert " ".join(said.split()) in text
    for row in summary(report(name).outcomes):
        assert row.variant in text and row.architecture_string in text
    assert not re.search('(src|href)="(?!data:)', page)
    assert "a &lt;fast&gt; one" in page


def test_all_points_lie_within_the_figure():
    outcomes = report("depth").outcomes
    places = [dot for figure in strips(outcomes) for column in figure.columns for dot in column.dots]
    places += [point for figure in loss_curves(outcomes) for curve in figure.curves for point in curve.points]
    probes = report("gradients").outcomes
    places += [p for figure in gradient_curves(probes, 0) for curve in figure.curves for p in curve.points]
    assert len(places) > 50
    assert all(0 <= place.x <= WIDTH and 0 <= place.y <= HEIGHT for place in places)


def test_an_interval_ends_where_accuracies_end():
    first, second = STUDIES["depth"].trials(False)[:2]
    (row,) = summary([outcome(first, test_top1=0.2), outcome(second, test_top1=0.9)])
    assert row.interval == f"{percent(0.0)} to {percent(1.0)}"


def test_a_column_is_the_mean_with_its_interval():
    (figure,) = strips(report("kernel").outcomes)
    first = figure.columns[0]
    assert first.label == "one 5x5: mean 81.00\u00a0% of 3"
    assert first.high < first.mean < first.low  # downwards in the figure's pixels
    assert len(first.dots) == 3


def test_gradients_stand_at_powers_of_ten():
    figure = gradient_curves(report("gradients").outcomes, 0)[0]
    assert [tick.label for tick in figure.up] == ["10\u207b\u00b3", "10\u207b\u00b2", "10\u207b\u00b9"]
    assert figure.curves[0].last == "1.0e-03"


def test_a_run_that_was_stopped_is_named_with_the_reason():
    base = report("kernel")
    stopped = (replace(base.outcomes[0], test_top1=None, failed="the loss is nan"), *base.outcomes[1:])
    page = render_study(replace(base, outcomes=stopped))
    assert "Stopped early" in page and "the loss is nan" in page
    assert summary(stopped)[0].runs == "3, 1 stopped"


def test_markdown_has_our_table_and_the_papers():
    text = markdown(report("depth"))
    assert "| variant | parameters | runs | test accuracy |" in text
    assert "| A-LRN | 29.7 % | 10.5 % |" in text
    assert "| group |" in markdown(report("init"))
