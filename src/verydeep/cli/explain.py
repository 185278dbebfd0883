"""``verydeep explain``: heat maps such as Grad-CAM, strongest patches of channels, first-layer filters."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from verydeep.cli.load_network import load_network
from verydeep.errors import DataError
from verydeep.explain.exported_heat_maps import exported_heat_maps
from verydeep.explain.heat_map import Method
from verydeep.foreign_text import one_line
from verydeep.image_sources.find_images import FoundImages, find_images
from verydeep.machine import Device
from verydeep.report.explain_images import ExplainedImages, HeatMaps, explain_images
from verydeep.runtime.exported_network import ExportedNetwork
from verydeep.runtime.extras import RuntimeFlag
from verydeep.terminal.broken_images import print_broken
from verydeep.terminal.checksum_flag import NoVerify
from verydeep.terminal.console import err, out, print_json
from verydeep.terminal.image_argument import IMAGES_HELP, Location
from verydeep.terminal.output_path import require_writable_folder
from verydeep.terminal.progress import ImageProgress
from verydeep.terminal.reading_lines import print_found
from verydeep.terminal.unfit_flags import refuse_beside

if TYPE_CHECKING:
    from verydeep.models.checkpoint import Checkpoint

    Loaded = Checkpoint | ExportedNetwork


def explain(
    run: Annotated[Path, Parameter(name="RUN")],
    images: Annotated[list[Location] | None, Parameter(name="IMAGE", help=IMAGES_HELP)] = None,
    /,
    *,
    method: Method = "grad-cam",
    class_: Annotated[str | None, Parameter(name="--class")] = None,
    layer: str | None = None,
    patches: Annotated[bool, Parameter(negative="")] = False,
    filters: Annotated[bool, Parameter(negative="")] = False,
    out_: Annotated[Path, Parameter(name="--out")] = Path("explained"),
    device: Device = "auto",
    runtime: RuntimeFlag | None = None,
    no_verify: NoVerify = False,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Show the evidence for a class in each IMAGE: write heat maps (Grad-CAM and others) as pictures and a
    page.

    With --patches, draw the image patches that activate the channels of a layer most. With --filters and no
    image, draw the filters of the first layer. Broken images are reported and left out; the exit code is then
    1.

    Parameters
    ----------
    run
        A run folder, a checkpoint, or a weight file; --patches and --filters work without a head. An exported
        network has grad-cam where its head is gap, and occlusion.
    images
        The images.
    method
        grad-cam and grad-cam++ take about as long as a prediction; the others need 50 passes or more.
    class_
        The class to explain; by default the predicted class of each image.
    layer
        Such as relu4_3, for grad-cam, grad-cam++ and --patches. By default the last feature map before the
        last pool; for --patches the last ReLU with a receptive field of at most half of the image's side.
    patches
        Draw the patches of all images that activate the most selective channels of a layer.
    filters
        Draw the filters of the first convolution.
    out_
        The folder for the output.
    device
        Where to compute; auto uses a GPU if there is one.
    runtime
        What computes an exported network; by default the usual one for its format. auto is the fastest one
        on this machine, which is timed once.
    no_verify
        Leave out the comparison with the checksum.
    json
        Print one JSON object: the written files, and for each image class, probability, method and layer.
    """
    if filters and (patches or images):
        raise DataError("--filters draws weights: it takes no images, and cannot be combined with --patches")
    if not (filters or images):
        raise DataError("no image is given; name files, folders, lists or shards, or use --filters")
    if class_ and (filters or patches):
        raise DataError("--class is for heat maps; --patches and --filters have no class")
    has_method = method != "grad-cam"
    if filters:
        refuse_beside("--filters", {"--layer": layer, f"--method {method}": has_method})
    if patches:
        refuse_beside("--patches", {f"--method {method}": has_method})
    require_writable_folder(out_)
    network = load_network(run, device, runtime, verify=not no_verify, needs_head=False)
    if filters:
        return _filters(_with_weights(network, "--filters"), out_, json)
    found = find_images(images or [])
    print_found(found)
    if patches:
        return _patches(_with_weights(network, "--patches"), found, layer, out_, json)
    with ImageProgress(err(), "Explaining") as progress:
        result = explain_images(
            _heat_maps(network, method, layer), found.sources, out_,
            network=network.description.architecture.name, preprocess=network.preprocess,
            class_name=class_, progress=progress,
        )  # fmt: skip
    if json:
        print_json(result.values | {"skipped": dict(found.reading.skipped)})
    else:
        _print(result)
    return 1 if result.broken else 0


def _heat_maps(network: "Loaded", method: Method, layer: str | None) -> HeatMaps:
    if isinstance(network, ExportedNetwork):
        return partial(exported_heat_maps, network, method=method, layer=layer)
    from verydeep.explain.decoded_heat_maps import decoded_heat_maps  # torch, which a bundle does without

    return partial(decoded_heat_maps, network, method=method, layer=layer)


def _with_weights(network: "Loaded", flag: str) -> "Checkpoint":
    if isinstance(network, ExportedNetwork):
        raise DataError(f"{flag} needs the layers of the network; give the run that it was exported from")
    return network


def _filters(checkpoint: "Checkpoint", folder: Path, json: bool) -> int:
    from verydeep.explain.patches import first_filters
    from verydeep.pictures.filters_image import write_filters_image

    filters, path = first_filters(checkpoint), folder / "filters.png"
    write_filters_image(filters, checkpoint.model.architecture.name, path)
    if json:
        print_json({"picture": str(path), "filters": len(filters), "kernel_size": filters.shape[2]})
    else:
        out().print(f"{path}: {len(filters)} filters", markup=False, soft_wrap=True)
    return 0


def _patches(
    checkpoint: "Checkpoint", found: FoundImages, layer: str | None, folder: Path, json: bool
) -> int:
    from verydeep.explain.image_patches import patches_of_images
    from verydeep.pictures.patches_image import write_patches_image

    with ImageProgress(err(), "Searching") as progress:
        result = patches_of_images(checkpoint, found.sources, layer, progress)
    patches = result.patches
    path = folder / f"patches-{patches.layer}.png"
    write_patches_image(result, path)
    if json:
        print_json({"picture": str(path), **result.values, "skipped": dict(found.reading.skipped)})
    else:
        print_broken(result.broken)
        text = f"{len(patches.channels)} channels of {patches.layer}, {patches.images:,} images"
        out().print(f"{path}: {text}", markup=False, soft_wrap=True)
    return 1 if result.broken else 0


def _print(result: ExplainedImages) -> None:
    print_broken(result.broken)
    for image in result.images:
        text = f"{image.file}: {image.class_text}, {image.method_text}: {image.picture}"
        out().print(one_line(text), markup=False, soft_wrap=True)
    if result.page:
        err().print(f"Heat maps: {result.page}", markup=False, soft_wrap=True)
