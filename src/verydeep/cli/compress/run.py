"""The work of ``verydeep compress``, which imports PyTorch."""

import logging
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from verydeep.compress.compress import compress_network
from verydeep.compress.images import CompressionImages, read_images
from verydeep.compress.journal import JOURNAL, STATE, require_free, start_over
from verydeep.compress.settings import TRAINED, CompressSettings
from verydeep.errors import Interrupted
from verydeep.models.checkpoint import Checkpoint
from verydeep.report.compression.page import write_compression_page
from verydeep.tables.compress_table import candidate_line, compress_table
from verydeep.terminal.console import err, out, print_json, print_message
from verydeep.terminal.image_argument import Location
from verydeep.terminal.progress import ByteProgress
from verydeep.train.run_folder import RunFolder
from verydeep.weights.load import load_classifier


def compress_run(
    run: Path, folder: Path, settings: CompressSettings, *, data: Location | None, new: bool, json: bool
) -> int:
    """Compress the network of ``run`` into ``folder``, or continue there, and print what came out."""
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # our own lines state what matters
    require_free(folder)
    network = load_classifier(run)
    images = _read(data, run, network, settings)
    if new:
        start_over(folder)  # not before RUN and --data are known to be right
    print_message(
        f"{images.name}: {len(images.train):,} images to {'train' if _trains(settings) else 'calibrate'}, "
        f"{len(images.val):,} to decide" + (f", {len(images.test):,} to test" if images.test else "")
    )
    for note in images.notes:
        print_message(f"Note: {note}")
    report, command = RunFolder(folder).report, shlex.join(["verydeep", *sys.argv[1:]])
    with _told_how_to_continue(folder, new=new):
        result = compress_network(
            network,
            images,
            settings,
            folder,
            on_candidate=lambda candidate: print_message(candidate_line(candidate)),
            on_line=print_message,
            report=lambda result: write_compression_page(result, report, command=command),
        )
    if json:
        print_json(result.values)
    else:
        out().print(compress_table(result), soft_wrap=True)
        out().print(f"Report: {report}", markup=False, soft_wrap=True)
    return 0


def _read(data: str | None, run: Path, network: Checkpoint, settings: CompressSettings) -> CompressionImages:
    with ByteProgress(err(), f"Downloading {data or 'the images'}") as progress:
        trains = _trains(settings)
        return read_images(data, run, network, trains=trains, seed=settings.seed, progress=progress)


def _trains(settings: CompressSettings) -> bool:
    return any(map(settings.trains, TRAINED))


@contextmanager
def _told_how_to_continue(folder: Path, *, new: bool) -> Iterator[None]:
    """Adds to an interruption that nothing measured is lost, once something is."""
    try:
        yield
    except KeyboardInterrupt:
        if not (folder / STATE / JOURNAL).is_file():
            raise
        command = "the same command again, without --new," if new else "the same command again"
        raise Interrupted(f"stopped; {folder} keeps what was measured. Run {command} to continue") from None
