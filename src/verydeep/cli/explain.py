"""``verydeep explain``: what in images spoke for a class, and what channels look for."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from rich.progress import track

from verydeep.cli.explain_layers import say_broken, show_filters, show_patches
from verydeep.data.decode import decode
from verydeep.data.image_files import image_files
from verydeep.data.samples import UnreadableImage
from verydeep.errors import DataError, UnreadableError
from verydeep.explain.heat_maps import HeatMap, Method, heat_maps
from verydeep.models.checkpoint import Checkpoint
from verydeep.pictures.heat_map_image import in_words, method_in_words, write_overlay
from verydeep.report.heat_map_page import Shown, shown, write_heat_sheet
from verydeep.terminal.console import err, out, print_json
from verydeep.train.device import Device, choose_device
from verydeep.weights.load import load


def explain(
    run: Annotated[Path, Parameter(name="RUN")],
    images: Annotated[list[str] | None, Parameter(name="IMAGE")] = None,
    /,
    *,
    method: Method = "grad-cam",
    class_: Annotated[str | None, Parameter(name="--class")] = None,
    layer: str | None = None,
    patches: Annotated[bool, Parameter(negative="")] = False,
    filters: Annotated[bool, Parameter(negative="")] = False,
    out_: Annotated[Path, Parameter(name="--out")] = Path("explained"),
    device: Device = "auto",
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Show where in each IMAGE the network of RUN saw a class: a picture each, and all on one page.

    With --patches, what the channels of a layer look for in the images; with --filters, and no image, the
    filters of the first layer. A broken file is reported, and the rest goes on; the exit code is then 1.

    Parameters
    ----------
    run
        A run folder, a checkpoint, or a weight file of others; patches and filters need no head.
    images
        Image files, folders of them, or globs.
    method
        grad-cam and grad-cam++ take about a prediction; the others look at an image 50 times and more.
    class_
        The class to ask about; the predicted one by default, image by image.
    layer
        Such as relu4_3, for grad-cam, grad-cam++ and --patches; by default the last map before a closing
        pool, and for patches the last whose values see half of an image at most.
    patches
        The patches of all images that stirred the foremost channels of a layer most.
    filters
        The filters of the first convolution.
    out_
        The folder to write to.
    device
        Where to compute; auto takes a GPU where there is one.
    json
        Print one JSON object: files written, and of each image class, probability, method, layer.
    """
    if filters and (patches or images):
        raise DataError("--filters shows weights: it takes no images, and --patches is another picture")
    if not (filters or images):
        raise DataError("no image is given; name files, folders or globs, or ask for --filters")
    if class_ and (filters or patches):
        raise DataError("--class is for heat maps; --patches and --filters belong to no class")
    network = load(run)
    network.model.to(choose_device(device))
    if filters:
        return show_filters(network, out_, json)
    files = image_files(images or [])
    if patches:
        return show_patches(network, files, layer, out_, json)
    broken: list[UnreadableImage] = []
    explained = list(_explained(network, files, (method, layer, class_), out_, broken))
    sheet = _sheet(network, explained, out_) if explained else None
    if json:
        values = {"page": str(sheet) if sheet else None, "images": [one.values for one in explained]}
        print_json(values | {"broken": [one.values for one in broken]})
    else:
        _say(explained, broken, sheet)
    return 1 if broken else 0


@dataclass(frozen=True)
class _Explained:
    """A file with its heat map: in words, on the page, and as a picture."""

    file: Path
    picture: Path
    words: str
    method: str
    """With its layer, in words."""
    shown: Shown
    values: dict[str, Any]
    """For JSON."""


def _explained(
    network: Checkpoint,
    files: list[Path],
    asked: tuple[Method, str | None, str | None],
    folder: Path,
    broken: list[UnreadableImage],
) -> Iterator[_Explained]:
    """Each file that can be read, its picture written; one at a time, since most methods make it a batch."""
    method, layer, name = asked
    taken: set[Path] = set()
    for file in track(files, "Explaining", console=err(), transient=True):
        try:
            pixels = decode(file, network.preprocess)
        except UnreadableError as error:
            broken.append(UnreadableImage.from_error(file, error))
            continue
        (found,) = heat_maps(network, pixels[None], name and [name], method, layer=layer)
        picture = _free(folder / f"{file.stem}-{method}.png", taken)
        write_overlay(found, file.name, picture)
        yield _Explained(
            file, picture, in_words(found), method_in_words(found), shown(found, file.name),
            _values(file, picture, found),
        )  # fmt: skip


def _free(path: Path, taken: set[Path]) -> Path:
    """``path``, with a number where this call has given it before: folders may hold images of one name."""
    free, number = path, 1
    while free in taken:
        number += 1
        free = path.with_stem(f"{path.stem}-{number}")
    taken.add(free)
    return free


def _values(file: Path, picture: Path, found: HeatMap) -> dict[str, Any]:
    said = ("label", "probability", "predicted", "confidence", "method", "layer")
    return {"file": str(file), "picture": str(picture)} | {name: getattr(found, name) for name in said}


def _sheet(network: Checkpoint, explained: list[_Explained], folder: Path) -> Path:
    path = folder / "index.html"
    method = f"{network.model.architecture.name} · {explained[0].method}"
    write_heat_sheet([one.shown for one in explained], method, path)
    return path


def _say(explained: list[_Explained], broken: list[UnreadableImage], sheet: Path | None) -> None:
    say_broken(broken)
    for one in explained:
        out().print(f"{one.file}: {one.words}, {one.method}: {one.picture}", markup=False, soft_wrap=True)
    if sheet:
        err().print(f"All on one page: {sheet}", markup=False, soft_wrap=True)
