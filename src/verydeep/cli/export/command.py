"""``verydeep export``: a trained network as a file for another runtime."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from verydeep.claim import claim_file
from verydeep.cli.load_network import refuse_exported
from verydeep.errors import CheckpointError
from verydeep.export.ort_files import ort_files
from verydeep.export.targets import Target, check_precision, check_suffix
from verydeep.quick_imports import quick_imports
from verydeep.runtime.bundle import Precision
from verydeep.terminal.checksum_flag import NoVerify
from verydeep.terminal.image_argument import Location
from verydeep.terminal.output_path import require_new_file

_ADVICE = "give another name with --out"


def export(
    run: Annotated[Path, Parameter(name="RUN")],
    /,
    *,
    to: Target,
    size: int | None = None,
    dynamic: Annotated[bool, Parameter(negative="")] = False,
    bf16: Annotated[bool, Parameter(negative="")] = False,
    int8: Location | None = None,
    images: Location | None = None,
    allow_loss: Annotated[bool, Parameter(negative="")] = False,
    ort: Path | None = None,
    out_: Annotated[Path | None, Parameter(name="--out")] = None,
    no_verify: NoVerify = False,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Export the network of RUN for another runtime, with preprocessing, class names and temperature inside.

    The result is compared with RUN on images, and is not written where it disagrees.

    Parameters
    ----------
    run
        A run folder, a checkpoint, or a weight file of torchvision, timm, Keras or others.
    to
        The format; docs/export.md has a table.
    size
        The side of the images in px; by default that of RUN.
    dynamic
        Accept images of any size.
    bf16
        Compute in bfloat16, which needs half the memory.
    int8
        Compute in 8-bit integers, calibrated on these images: a folder, a list, shards, a built-in data set.
    images
        The images to compare on, by default some of those of --int8; with labels the accuracy before and
        after is measured too.
    allow_loss
        Write the result even if it disagrees with RUN.
    ort
        For web: the folder dist of onnxruntime-web; by default that of `npm install` in this folder.
    out_
        The file or folder to write; it must not exist.
    no_verify
        Leave out the comparison with the checksum.
    json
        Print one JSON object: path, format, precision, size, outputs, bytes, parity.
    """
    precision = _precision(bf16, int8)
    if dynamic and size is not None:
        raise CheckpointError("--dynamic accepts images of any size; leave out --size")
    if ort is not None and to != "web":
        raise CheckpointError("--ort is for --to web; leave it out")
    refuse_exported(run)
    target = out_ or _default_path(run, to, precision)
    check_precision(to, precision)  # before anything is read
    check_suffix(to, target)
    if to == "web":
        ort_files(ort)
    require_new_file(target, _ADVICE)
    with claim_file(target):
        require_new_file(target, _ADVICE)  # another export may have written it meanwhile
        with quick_imports():  # imports torch: arguments are checked before
            from verydeep.cli.export.run import write_export

        return write_export(
            run,
            target,
            to,
            precision=precision,
            size=size,
            dynamic=dynamic,
            images=images,
            calibration=int8,
            allow_loss=allow_loss,
            ort=ort,
            verify=not no_verify,
            json=json,
        )


def _precision(bf16: bool, int8: str | None) -> Precision:
    if bf16 and int8 is not None:
        raise CheckpointError("--bf16 and --int8 do not go together; give one of them")
    if int8 is not None:
        return "int8"
    return "bf16" if bf16 else "fp32"


def _default_path(run: Path, to: Target, precision: Precision) -> Path:
    """A file for ONNX, a folder for the others."""
    suffix = "" if precision == "fp32" else f"-{precision}"
    path = run.resolve()
    name = path.name if path.is_dir() else path.stem  # a folder may be named after a number: lr-0.05
    return Path(f"{name}{suffix}.onnx" if to == "onnx" else f"{name}-{to}{suffix}")
