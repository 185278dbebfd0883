"""``verydeep weights show``, ``import``, ``export``: into a weight file, in from others, and out to them."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from verydeep.architecture.preprocess import CAFFE, CAFFE_RGB, IMAGENET, Preprocess
from verydeep.errors import CheckpointError
from verydeep.tables.preprocess_text import seen_in_words
from verydeep.tables.weights_table import contents_table
from verydeep.terminal.console import err, print_json
from verydeep.terminal.console import out as console
from verydeep.weights.checkpoint_file import save
from verydeep.weights.export import SUFFIXES, Exported, Project, export_weights, keras_mode
from verydeep.weights.inspect import inspect
from verydeep.weights.load import Pretrained, load, pretrained

Known = Literal["imagenet", "caffe", "caffe-rgb"]
_KNOWN: dict[str, Preprocess] = {"imagenet": IMAGENET, "caffe": CAFFE, "caffe-rgb": CAFFE_RGB}


def show(
    file: Annotated[Path, Parameter(name="FILE")],
    /,
    *,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Tell what is in a weight file: the network, the layout, what it sees. Nothing in it is run.

    Parameters
    ----------
    file
        A .pth, .pt, .safetensors, .h5, .keras, .onnx or .npz file, or a run folder.
    json
        Print one JSON object, with every name that matched, was missing or is left over.
    """
    contents = inspect(file)
    if json:
        print_json(contents.values)
    else:
        console().print(contents_table(contents))
    return 0


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
    preprocess: Known | None = None,
    features_only: Annotated[bool, Parameter(negative="")] = False,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Make a complete checkpoint of a weight file, for other classes and images if you like.

    Parameters
    ----------
    file
        A weight file or a run folder; or imagenet, with --network, for the published weights.
    out
        The checkpoint to write, a .safetensors file.
    network
        The network that it must be, a name or a line of text; what the file holds by default.
    classes
        Number of classes; where it is not the file's own the last layer is new, to be trained.
    names
        A text file with the name of a class on each line, in the order of the logits.
    channels
        1 for gray images: the first convolution is summed over the colors.
    size
        Side of the images in px; the network's own by default.
    preprocess
        What the network sees, where it is not what the file's layout has: imagenet (RGB, 0 to 1, mean and
        std), caffe (BGR, 0 to 255, minus the mean) or caffe-rgb (the same in RGB).
    features_only
        Take the features and leave the head, and whatever else is in the file.
    json
        Print one JSON object.
    """
    made = pretrained(
        network,
        file,
        classes=_read_names(names) if names else classes,
        channels=channels,
        size=size,
        preprocess=_KNOWN[preprocess] if preprocess else None,
        features_only=features_only,
    )
    save(made.checkpoint, _free(out))
    if json:
        print_json(_made_values(made, out))
    else:
        _say_made(made, out)
    return 0


def _read_names(path: Path) -> tuple[str, ...]:
    """The lines of a file that are not empty, each the name of one class."""
    found = tuple(line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip())
    twice = sorted({name for name in found if found.count(name) > 1})
    if not found or twice:
        said = f"names {', '.join(twice)} twice" if twice else "is empty"
        raise CheckpointError(f"{path} {said}; expected a class a line, each with a name of its own")
    return found


def _free(path: Path) -> Path:
    if path.suffix != ".safetensors":
        raise CheckpointError(f"{path}: a checkpoint is a .safetensors file; name it so")
    if path.exists():
        raise CheckpointError(f"{path} exists already; name another file")
    return path


def _made_values(made: Pretrained, path: Path) -> dict[str, Any]:
    network = made.checkpoint
    return {
        "path": str(path),
        "network": network.model.architecture.name,
        "architecture_string": network.model.architecture.string,
        "classes": list(network.classes),
        "preprocess": network.preprocess.to_dict(),
        "changes": list(made.changes),
        "new": list(made.new),
    }


def _say_made(made: Pretrained, path: Path) -> None:
    for change in made.changes:
        err().print(f"Note: {change}", markup=False, soft_wrap=True)
    network = made.checkpoint
    what = f"{len(network.classes):,} classes" if network.classes else "features only"
    is_trained = network.classes and not made.new
    use = f" Use it: verydeep predict {path} photo.jpg" if is_trained else ""
    console().print(
        f"Wrote {path}: {network.model.architecture.name}, {what}.{use}", markup=False, soft_wrap=True
    )


def export(
    run: Annotated[Path, Parameter(name="RUN")],
    /,
    *,
    project: Annotated[Project, Parameter(name="--as")],
    out: Path | None = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Write the weights of RUN to a file that torchvision, timm or Keras loads.

    Parameters
    ----------
    run
        A run folder, a checkpoint, or a weight file of another project.
    project
        Whose names and layout.
    out
        The file to write; its suffix says the kind. RUN's name with the project's usual suffix by default.
    json
        Print one JSON object.
    """
    target = out or Path(f"{run.resolve().stem}-{project}{SUFFIXES[project][0]}")
    if target.exists():
        raise CheckpointError(f"{target} exists already; name another file by --out")
    exported = export_weights(load(run), project, target)
    if json:
        print_json(asdict(exported) | {"path": str(target), "preprocess": exported.preprocess.to_dict()})
    else:
        _say_exported(exported)
    return 0


def _say_exported(exported: Exported) -> None:
    console().print(f"Wrote {exported.path}: {exported.tensors} tensors", markup=False, soft_wrap=True)
    mode = keras_mode(exported.preprocess) if exported.project == "keras" else None
    fed = f'preprocess_input(images, mode="{mode}")' if mode else seen_in_words(exported.preprocess)
    err().print(f"Load it: {exported.how}\nFeed it: {fed}", markup=False, soft_wrap=True)
