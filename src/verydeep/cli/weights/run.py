"""The work of ``verydeep weights show``, ``import`` and ``export``, which imports PyTorch."""

import shlex
import textwrap
from dataclasses import asdict
from pathlib import Path
from typing import Any

from verydeep.architecture.preprocess import Preprocess
from verydeep.name_list import first_names
from verydeep.tables.preprocess_text import fit_text, preprocess_text
from verydeep.tables.weights_table import contents_table
from verydeep.terminal.console import err, out, print_json
from verydeep.terminal.progress import ByteProgress
from verydeep.weight_files.checkpoint_file import save
from verydeep.weights.export import Exported, export_weights, keras_mode
from verydeep.weights.inspect import inspect
from verydeep.weights.load import Pretrained, load, pretrained
from verydeep.weights.projects import Project


def show_contents(file: Path, *, json: bool) -> int:
    """Print the contents of a weight file."""
    contents = inspect(file)
    if json:
        print_json(contents.values)
    else:
        out().print(contents_table(contents))
    return 0


def import_weights(
    file: str,
    target: Path,
    network: str | None,
    *,
    classes: int | tuple[str, ...] | None,
    channels: int | None,
    size: int | None,
    preprocess: Preprocess | None,
    features_only: bool,
    verify: bool,
    json: bool,
) -> int:
    """Write the weights in ``file`` to ``target`` as a checkpoint, and print what was changed."""
    with ByteProgress(err(), f"Downloading {network or file}") as progress:
        loaded = pretrained(
            network,
            file,
            classes=classes,
            channels=channels,
            size=size,
            preprocess=preprocess,
            features_only=features_only,
            verify=verify,
            progress=progress,
        )
    save(loaded.checkpoint, target)
    if json:
        print_json(_import_values(loaded, target))
    else:
        _print_import(loaded, target)
    return 0


def _import_values(loaded: Pretrained, path: Path) -> dict[str, Any]:
    network = loaded.checkpoint
    return {
        "path": str(path),
        "network": network.model.architecture.name,
        "architecture_string": network.model.architecture.string,
        "classes": list(network.classes),
        "preprocess": network.preprocess.to_dict(),
        "changes": list(loaded.changes),
        "new_layers": list(loaded.new_layers),
    }


def _print_import(loaded: Pretrained, path: Path) -> None:
    for change in loaded.changes:
        err().print(f"Note: {change}", markup=False, soft_wrap=True)
    network = loaded.checkpoint
    head = f"{len(network.classes):,} classes" if network.classes else "features only"
    is_trained = network.classes and not loaded.new_layers
    command = f"verydeep predict {shlex.quote(str(path))} photo.jpg"
    next_step = f" Use it: {command}" if is_trained else ""
    out().print(
        f"Wrote {path}: {network.model.architecture.name}, {head}.{next_step}", markup=False, soft_wrap=True
    )


def export_run(run: Path, project: Project, target: Path, *, verify: bool, json: bool) -> int:
    """Write the weights of ``run`` to ``target`` for ``project``, and print how they are loaded there."""
    exported = export_weights(load(run, verify=verify), project, target)
    if json:
        print_json(asdict(exported) | {"path": str(target), "preprocess": exported.preprocess.to_dict()})
    else:
        _print_export(exported)
    return 0


def _print_export(exported: Exported) -> None:
    out().print(f"Wrote {exported.path}: {exported.tensors} tensors", markup=False, soft_wrap=True)
    mode = keras_mode(exported.preprocess) if exported.project == "keras" else None
    preprocess = preprocess_text(exported.preprocess)
    if mode:
        preprocess = f'preprocess_input(images, mode="{mode}"), after {fit_text(exported.preprocess)}'
    lines = ["Load it:", textwrap.indent(exported.load_code, "    "), f"Preprocessing: {preprocess}"]
    if exported.classes:
        lines.append(f"Classes, in the order of the logits: {first_names(exported.classes, 20)}")
    if exported.temperature is not None:
        lines.append(f"Calibrated probabilities: softmax(logits / {exported.temperature:.4g})")
    err().print("\n".join(lines), markup=False, soft_wrap=True)
