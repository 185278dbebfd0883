"""``verydeep weights``: what others publish, fetched; and our own checkpoints to and from the hub."""

import shutil
from pathlib import Path
from typing import Annotated

import cyclopts
from cyclopts import Parameter

from verydeep.cli.console import err, out, print_json
from verydeep.cli.progress import ByteProgress
from verydeep.data.files import replacing
from verydeep.report.published import published_lines, published_table
from verydeep.weights.catalog import catalog, find_published
from verydeep.weights.fetch import obtain_weights

app = cyclopts.App(name="weights", result_action="return_value")


@app.command(name="list")
def list_weights(*, json: Annotated[bool, Parameter(negative="")] = False) -> int:
    """List the weights that others publish: where they are, how long, how good, under which licence.

    Example: verydeep weights list --json

    Parameters
    ----------
    json
        Print one JSON list, with addresses, hashes and preprocessing.
    """
    if json:
        print_json([row.values for row in catalog()])
    else:
        out().print(published_table(catalog()))
    return 0


@app.command
def get(
    name: str,
    /,
    *,
    out_: Annotated[Path | None, Parameter(name="--out")] = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Fetch published weights, check them, and print where they lie.

    Example: verydeep weights get vgg16

    Parameters
    ----------
    name
        A name of `verydeep weights list`, or of an architecture, which means its default.
    out_
        A file or folder to copy them to; by default they stay in the cache.
    json
        Print one JSON object: the row of the list, and the path.
    """
    weights = find_published(name)
    with ByteProgress(err(), f"Fetching {weights.name}") as progress:
        path = obtain_weights(weights, progress=progress)
    if out_ is not None:
        path = _copy(path, out_)
    if json:
        print_json({**weights.values, "path": str(path)})
        return 0
    err().print(published_lines(weights), markup=False, soft_wrap=True)
    out().print(str(path), markup=False, soft_wrap=True)
    return 0


def _copy(path: Path, to: Path) -> Path:
    target = to / path.name if to.is_dir() else to
    with replacing(target) as temporary:
        shutil.copyfile(path, temporary)
    return target
