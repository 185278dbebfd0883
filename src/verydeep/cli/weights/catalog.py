"""``verydeep weights list``, ``get``, ``push`` and ``pull``: published weights, and checkpoints on a hub."""

import filecmp
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from verydeep.atomic_write import atomic_write
from verydeep.download.sources import cache_root
from verydeep.quick_imports import quick_imports
from verydeep.tables.published_weights_table import published_table, published_text
from verydeep.terminal.console import err, out, print_json
from verydeep.terminal.output_path import require_new_file
from verydeep.terminal.progress import ByteProgress
from verydeep.weights.catalog import catalog, find_published
from verydeep.weights.download_weights import obtain_weights
from verydeep.weights.projects import SUFFIXES

_ADVICE = "give another file or folder with --out"


def list_weights(*, json: Annotated[bool, Parameter(negative="")] = False) -> int:
    """List published pretrained weights: file size, accuracy and license.

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


def get(
    name: str,
    /,
    *,
    out_: Annotated[Path | None, Parameter(name="--out")] = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Download published weights, verify their checksum, and print the path.

    Parameters
    ----------
    name
        A name from `verydeep weights list`, or an architecture, for its default weights.
    out_
        A file (.pth, .safetensors, .h5) or a folder to copy them to; by default they stay in the cache.
    json
        Print one JSON object: the row of the list and the path.
    """
    weights = find_published(name)
    target = _target(out_, weights.file) if out_ else None
    if target and not (target.is_file() and weights.checksum.mismatch(target) is None):
        require_new_file(target, _ADVICE)  # before the download
    with ByteProgress(err(), f"Downloading {weights.name}") as progress:
        path = obtain_weights(weights, cache_root(), progress)
    if target:
        path = _copy(path, target)
    if json:
        print_json({**weights.values, "path": str(path)})
        return 0
    err().print(published_text(weights), markup=False, soft_wrap=True)
    out().print(str(path), markup=False, soft_wrap=True)
    return 0


def _target(out_: Path, name: str) -> Path:
    """The file ``out_`` if it has the suffix of weights, otherwise the file ``name`` in the folder ``out_``.

    A folder may have a period in its name too: ``runs/clothes-v1.0``.
    """
    suffixes = {suffix for suffixes in SUFFIXES.values() for suffix in suffixes}
    return out_ if out_.suffix in suffixes and not out_.is_dir() else out_ / name


def _copy(path: Path, target: Path) -> Path:
    """``target``, which becomes a copy of ``path`` if it is none already.

    Raises:
        DataError: where another file is there.
    """
    if target.is_file() and filecmp.cmp(path, target, shallow=False):
        return target
    require_new_file(target, _ADVICE)
    with atomic_write(target) as temporary:
        shutil.copyfile(path, temporary)
    return target


def push(
    run: Annotated[Path, Parameter(name="RUN")],
    repo: Annotated[str, Parameter(name="REPO")],
    /,
    *,
    private: Annotated[bool, Parameter(negative="")] = False,
    license: str | None = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Push a checkpoint and its model card to a repository on the Hugging Face Hub.

    Parameters
    ----------
    run
        A run folder or a checkpoint.
    repo
        The repository, user/name; it is created if it does not exist.
    private
        Create the repository as private; one that is already public is refused.
    license
        The license of the weights, as the hub writes it: apache-2.0, cc-by-4.0; by default none is stated.
    json
        Print one JSON object: repo, url, commit, private.
    """
    with quick_imports():
        from verydeep.report.model_card import model_card
        from verydeep.weight_files.checkpoint_file import load
        from verydeep.weights import hub

    card = model_card(load(run), repo, license)
    pushed = hub.push(run, card, repo, private=private, progress_bars=err().is_terminal)
    if json:
        print_json(asdict(pushed))
    else:
        out().print(pushed.url, markup=False, soft_wrap=True)
    return 0


def pull(
    repo: Annotated[str, Parameter(name="REPO")],
    /,
    *,
    out_: Annotated[Path | None, Parameter(name="--out")] = None,
    revision: str | None = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Pull a checkpoint from a repository on the Hugging Face Hub, check it, and print the path.

    Parameters
    ----------
    repo
        The repository, user/name.
    out_
        A run folder or a .safetensors file to copy it to; by default it stays in the cache of Hugging Face.
    revision
        A branch, tag or commit; the main branch by default.
    json
        Print one JSON object: repo, path.
    """
    with quick_imports():
        from verydeep.weights import hub

    target = _target(out_, hub.FILE) if out_ else None
    if target:
        require_new_file(target, _ADVICE)  # before the download
    path = hub.pull(repo, revision=revision, progress_bars=err().is_terminal)
    if target:
        path = _copy(path, target)
    if json:
        print_json({"repo": repo, "path": str(path)})
    else:
        out().print(str(path), markup=False, soft_wrap=True)
    return 0
