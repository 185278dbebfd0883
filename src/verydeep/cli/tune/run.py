"""The work of ``verydeep tune``, which imports PyTorch."""

import logging
import shlex
import sys
from pathlib import Path

from verydeep.data.label_file import labels_to_correct
from verydeep.machine import Device
from verydeep.report.tune_heat_maps import test_heat_maps
from verydeep.report.tune_page import write_tune_page
from verydeep.tables.tune_table import tune_table, tune_values
from verydeep.terminal.console import err, out, print_json, print_message
from verydeep.terminal.interrupt import how_to_resume, stop_on_interrupt
from verydeep.terminal.progress import ByteProgress
from verydeep.terminal.tune_progress import TuneProgress
from verydeep.train.device import choose_device
from verydeep.train.run_folder import RunFolder
from verydeep.train.start.pretrained import pretrained_network
from verydeep.train.unfinished_run import start_over
from verydeep.tune.config import TuneConfig
from verydeep.tune.result import TuneResult
from verydeep.tune.split_images import split_images
from verydeep.tune.tune import tune_network
from verydeep.weights.load import load


def tune_from_flags(
    location: str, config: TuneConfig, run: Path, *, resume: bool, new: bool, device: Device, json: bool
) -> int:
    """Tune by ``config`` on the images at ``location``, and print the result."""
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # our own lines state what matters
    if new:
        _start_over(run, config, location, device)

    command = None if resume else shlex.join(["verydeep", *sys.argv[1:]])

    def report(result: TuneResult) -> None:
        write_tune_page(
            result, RunFolder(run).report, command=command,
            heat_maps=test_heat_maps(result, load(run)),
        )  # fmt: skip

    with (
        stop_on_interrupt() as is_stopped,
        TuneProgress(err(), is_stopped) as progress,
        how_to_resume("tune", location, run, {"--device": None if device == "auto" else device}),
    ):
        result = tune_network(location, config, run, device=device, watcher=progress, report=report)
    if json:
        print_json(tune_values(result))
        return 0
    out().print(tune_table(result))
    for warning in result.warnings:
        print_message(f"Warning: {warning}")
    if labels := labels_to_correct(result.doubtful_labels, RunFolder(run).doubtful_labels):
        print_message(labels.line)
    out().print(f"Report: {RunFolder(run).report}", markup=False, soft_wrap=True)
    return 0


def _start_over(run: Path, config: TuneConfig, location: str, device: Device) -> None:
    """Delete an unfinished run in ``run``, not before device, images and weights for a new one are there."""
    if not RunFolder(run).is_unfinished:
        return
    choose_device(device)
    classes = split_images(location, config).samples.classes
    if config.weights is not None:
        head = "whole" if config.head == "whole" else "gap"
        with ByteProgress(err(), f"Downloading {config.weights}") as progress:
            pretrained_network(config.weights, config.model, head, classes, config.seed, progress=progress)
    start_over(run)
