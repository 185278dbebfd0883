"""The learning rates of a study's networks, chosen on validation images: each network with each rate.

    .venv/bin/python benchmarks/study_rates.py depth --only "with batch norm" --rates 0.02 0.04 0.08

A tenth of the training images is held out, and decides; the test images decide nothing. Finished runs in the
folder are not repeated.
"""

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from verydeep.data.builtin import load_dataset
from verydeep.study.run_study import default_workers, run_trials
from verydeep.study.studies import find_study
from verydeep.study.trial import Outcome, Trial


def main() -> None:
    """Train, and print a line for each run, then the table."""
    arguments = _arguments()
    chosen = [
        trial
        for trial in find_study(arguments.study).trials(True)
        if trial.recipe.seed == 0 and (not arguments.only or arguments.only in (trial.group, trial.variant))
    ]
    trials = {
        (_name(trial), rate): _with_rate(trial, rate, arguments.epochs)
        for trial in chosen
        for rate in arguments.rates
    }
    keys = {trial.name: key for key, trial in trials.items()}
    found: dict[tuple[str, float], str] = {}
    for outcome in _run(list(trials.values()), arguments):
        variant, rate = keys[outcome.name]
        found[variant, rate] = _accuracy(outcome)
        print(f"{variant:24} {rate:<6g} {found[variant, rate]}", flush=True)
    print("\n| network | " + " | ".join(f"{rate:g}" for rate in arguments.rates) + " |")
    for variant in dict.fromkeys(map(_name, chosen)):
        print(f"| {variant} | " + " | ".join(found[variant, rate] for rate in arguments.rates) + " |")


def _name(trial: Trial) -> str:
    """``D``, or with its group: ``D with batch norm``."""
    return f"{trial.variant} {trial.group}".strip()


def _arguments() -> argparse.Namespace:
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("study")
    parser.add_argument("--rates", nargs="+", type=float, default=[0.01, 0.02, 0.04])
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--only", help='the networks of this group or variant, such as "with batch norm"')
    parser.add_argument("--data", default="fashion-mnist")
    parser.add_argument("--workers", type=int, default=default_workers())
    parser.add_argument("--out", type=Path, default=Path("studies/rates"))
    return parser.parse_args()


def _with_rate(trial: Trial, rate: float, epochs: int) -> Trial:
    recipe = trial.recipe
    return replace(
        trial,
        variant=f"{trial.variant} rate {rate:g}",
        recipe=replace(recipe, epochs=epochs, validation=0.1, optimizer=replace(recipe.optimizer, lr=rate)),
    )


def _run(trials: list[Trial], arguments: argparse.Namespace) -> Iterator[Outcome]:
    folder = arguments.out / arguments.study
    yield from run_trials(trials, load_dataset(arguments.data), folder, workers=arguments.workers)


def _accuracy(outcome: Outcome) -> str:
    last = outcome.epochs[-1].val_top1 if outcome.epochs else None
    return f"{last:.2%}" if outcome.failed is None and last is not None else "did not learn"


if __name__ == "__main__":
    main()
