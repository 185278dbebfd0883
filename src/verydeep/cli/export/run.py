"""The work of ``verydeep export``, which imports PyTorch."""

from pathlib import Path

from verydeep.export.check_images import given_images
from verydeep.export.export_bundle import Exported, at_size, copied_values
from verydeep.export.export_to import export_to
from verydeep.export.targets import Target
from verydeep.runtime.bundle import Precision
from verydeep.terminal.console import err, out, print_json, print_message
from verydeep.terminal.image_argument import Location
from verydeep.weights.load import load_classifier


def write_export(
    run: Path,
    target: Path,
    to: Target,
    *,
    precision: Precision,
    size: int | None,
    dynamic: bool,
    images: Location | None,
    calibration: Location | None,
    allow_loss: bool,
    ort: Path | None,
    verify: bool,
    json: bool,
) -> int:
    """Write the network of ``run`` to ``target``, compared on images, and print what it has."""
    checkpoint = at_size(load_classifier(run, verify=verify), size)
    if note := copied_values(checkpoint):
        print_message(note)
    data = images or calibration
    given = (
        given_images(data, checkpoint.classes, run, checkpoint.preprocess, calibration=calibration)
        if data
        else None
    )
    if given and given.check.note:
        print_message(f"Images: {given.check.note}")
    err().print(f"Exporting {run} to {target}", soft_wrap=True)
    exported = export_to(
        to, checkpoint, target, given,
        precision=precision, size=None if dynamic else checkpoint.preprocess.size,
        allow_loss=allow_loss, ort=ort,
    )  # fmt: skip
    print_json(exported.values) if json else _print(exported)
    return 0


def _print(exported: Exported) -> None:
    parity = exported.parity
    sizes = ", ".join(f"{height} x {width}" for height, width in parity.sizes)
    lines = [
        f"{exported.path}: {exported.bytes / 1e6:,.1f} MB",
        f"Compared on {parity.description}, at {sizes} px: relative error of logits "
        f"{parity.relative_error:.1e}, the same class for {parity.agreement:.1%}",
    ]
    if parity.accuracy_before is not None and parity.accuracy_after is not None:
        lines.append(f"Accuracy {parity.accuracy_before:.2%} before, {parity.accuracy_after:.2%} after")
    for line in lines:
        out().print(line, soft_wrap=True)
