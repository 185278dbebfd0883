"""``verydeep weights show``, ``import`` and ``export``: the files of torchvision, timm, Keras and others."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from verydeep.architecture.preprocess import CAFFE, CAFFE_RGB, IMAGENET, Preprocess
from verydeep.errors import CheckpointError
from verydeep.quick_imports import quick_imports
from verydeep.terminal.checksum_flag import NoVerify
from verydeep.terminal.output_path import require_new_file
from verydeep.text_file import read_text
from verydeep.weights.projects import SUFFIXES, Project

PreprocessName = Literal["imagenet", "caffe", "caffe-rgb"]
_PREPROCESS: dict[PreprocessName, Preprocess] = {"imagenet": IMAGENET, "caffe": CAFFE, "caffe-rgb": CAFFE_RGB}


def show(
    file: Annotated[Path, Parameter(name="FILE")],
    /,
    *,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Show the contents of a weight file: network, layout, preprocessing. No code in it is run.

    Parameters
    ----------
    file
        A .pth, .pt, .safetensors, .vdz, .h5, .keras, .onnx or .npz file, or a run folder.
    json
        Print one JSON object, with all matched, missing and unexpected keys.
    """
    with quick_imports():  # imports torch
        from verydeep.cli.weights.run import show_contents

    return show_contents(file, json=json)


def import_(
    file: Annotated[str, Parameter(name="FILE")],
    /,
    *,
    out: Annotated[Path, Parameter(name="--out")],
    network: str | None = None,
    classes: int | None = None,
    names: Path | None = None,
    channels: int | None = None,
    size: int | None = None,
    preprocess: PreprocessName | None = None,
    features_only: Annotated[bool, Parameter(negative="")] = False,
    no_verify: NoVerify = False,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Convert a weight file to a checkpoint, optionally for other classes, channels and image sizes.

    Parameters
    ----------
    file
        A weight file or a run folder; or imagenet, with --network, for published weights.
    out
        The checkpoint to write: a .safetensors file, or a .vdz file, which is compact.
    network
        The expected network, a name or an architecture string; by default, any known network.
    classes
        Number of classes; where it differs from the file, the last layer gets a random initialization.
    names
        A text file with one class name per line, in the order of the logits.
    channels
        1 for gray images: the first convolution is summed over the three colors.
    size
        Side of the images in px; by default that of the network.
    preprocess
        The preprocessing, where it is not the usual one of the layout: imagenet (RGB, 0 to 1, ImageNet mean
        and std), caffe (BGR, 0 to 255, minus the mean) or caffe-rgb (the same in RGB).
    features_only
        Load the features alone: leave out the head, and ignore unexpected tensors.
    no_verify
        Leave out the comparison with the checksum.
    json
        Print one JSON object.
    """
    _check_checkpoint_path(out)
    class_names = _read_names(names, classes) if names else None
    with quick_imports():  # imports torch: arguments are checked before
        from verydeep.cli.weights.run import import_weights

    return import_weights(
        file,
        out,
        network,
        classes=class_names or classes,
        channels=channels,
        size=size,
        preprocess=_PREPROCESS[preprocess] if preprocess else None,
        features_only=features_only,
        verify=not no_verify,
        json=json,
    )


def _read_names(path: Path, count: int | None) -> tuple[str, ...]:
    """The class names in a text file, one per line, as many as ``count``; empty lines are skipped."""
    names = tuple(line.strip() for line in read_text(path).splitlines() if line.strip())
    repeated = sorted({name for name in names if names.count(name) > 1})
    if not names or repeated:
        problem = f"repeats {', '.join(repeated)}" if repeated else "is empty"
        raise CheckpointError(f"{path} {problem}; expected one class name per line, each a different one")
    if count is not None and count != len(names):
        raise CheckpointError(
            f"{path} has {len(names)} names, and --classes is {count}; expected as many. Leave out --classes"
        )
    return names


def _check_checkpoint_path(path: Path) -> None:
    if path.suffix not in (".safetensors", ".vdz"):
        raise CheckpointError(
            f"{path}: a checkpoint is a .safetensors or .vdz file; use one of these suffixes"
        )
    require_new_file(path, "give another file with --out")


def export(
    run: Annotated[Path, Parameter(name="RUN")],
    /,
    *,
    project: Annotated[Project, Parameter(name="--as")],
    out: Path | None = None,
    no_verify: NoVerify = False,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Export the weights of RUN to a file that torchvision, timm or Keras loads.

    Parameters
    ----------
    run
        A run folder, a checkpoint, or a weight file of another project.
    project
        The project whose keys and layout to use.
    out
        The file to write, with a suffix for its format; by default the name of RUN with the usual suffix.
    no_verify
        Leave out the comparison with the checksum.
    json
        Print one JSON object.
    """
    target = out or Path(f"{_name(run)}-{project}{SUFFIXES[project][0]}")
    require_new_file(target, "give another file with --out")
    with quick_imports():  # imports torch: arguments are checked before
        from verydeep.cli.weights.run import export_run

    return export_run(run, project, target, verify=not no_verify, json=json)


def _name(run: Path) -> str:
    """Of a run folder the whole name, which may have a dot; of a file the name without its suffix."""
    path = run.resolve()
    return path.name if path.is_dir() else path.stem
