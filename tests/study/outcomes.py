"""Outcomes of trials that were not run."""

from verydeep.study.trial import Outcome


def outcome(trial, top1=0.9, **changes):
    values = {
        "name": trial.name, "group": trial.group, "variant": trial.variant, "seed": trial.recipe.seed,
        "split": trial.split, "architecture_string": trial.recipe.model, "parameters": 1000,
        "test_top1": top1,
    }  # fmt: skip
    return Outcome(**{**values, **changes})
