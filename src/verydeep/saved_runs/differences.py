"""How runs differ: the settings that are not the same in all of them."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from verydeep.saved_runs.saved_run import SavedRun


def differences(runs: Sequence[SavedRun]) -> tuple[dict[str, Any], ...]:
    """For each run, its settings that differ from what most runs of its command have.

    Of values that are equally common, that of the first run counts as the usual one.
    """
    usual = usual_settings(runs)
    return tuple(
        {key: value for key, value in run.settings.items() if value != usual[run.command][key]}
        for run in runs
    )


def usual_settings(runs: Sequence[SavedRun]) -> dict[str, dict[str, Any]]:
    """What most runs of each command have."""
    return {
        command: _usual([run for run in runs if run.command == command])
        for command in dict.fromkeys(run.command for run in runs)
    }


def _usual(runs: Sequence[SavedRun]) -> dict[str, Any]:
    keys = dict.fromkeys(key for run in runs for key in run.settings)
    return {key: _most_common([run.settings.get(key) for run in runs]) for key in keys}


def _most_common(values: Sequence[Any]) -> Any:
    """The most frequent value; of several, the first."""
    counts = Counter(map(repr, values))  # as texts: lists cannot be counted
    return max(values, key=lambda value: counts[repr(value)])
