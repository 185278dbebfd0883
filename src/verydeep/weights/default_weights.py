"""The weights of transfer learning where none are named: VGG16 features, or what is in the cache.

Where VGG16 takes too long, there are lighter networks.
"""

from collections.abc import Callable, Sequence
from importlib.util import find_spec

from verydeep.download.download import Progress
from verydeep.download.offline import offline
from verydeep.download.sources import cache_root
from verydeep.errors import CheckpointError, DownloadError
from verydeep.number_format import rounded
from verydeep.weights.catalog import PublishedWeights, catalog, find_published
from verydeep.weights.download_weights import cached_weights, download_weights

KERAS_FEATURES = "vgg16.keras_notop"
"""A ninth of the bytes of the other file, and read by h5py, an extra."""
FEATURES = ("vgg16.imagenet1k_features",)
WITH_HIDDEN_LAYERS = ("vgg16.imagenet1k_v1",)
LIGHTER = ("resnet34.imagenet1k_v1", "resnet18.imagenet1k_v1", "alexnet.imagenet1k_v1")
"""The more accurate on ImageNet first: a 4th, an 8th and a 23rd of the MACs of VGG16."""


def default_weights(
    tell: Callable[[str], None], progress: Progress | None = None, *, features: bool = True
) -> str:
    """The name of the weights that are used where none are named; they are in a cache afterwards.

    VGG16 from a cache or a download; without a connection, the most accurate on ImageNet of
    those that a cache has.

    Args:
        tell: called with one line for people: which weights, and where from.
        progress: called during a download, with the bytes received and the bytes in total.
        features: whether the convolutions are enough; otherwise the hidden layers of VGG16 are needed too.

    Raises:
        CheckpointError: where there are none; it names three ways to get some.
    """
    wanted = [find_published(name) for name in (_feature_names() if features else WITH_HIDDEN_LAYERS)]
    for weights in wanted:
        if cached_weights(weights):
            tell(f"Weights: {weights.name} from the cache, as no --weights was given")
            return weights.name
    problem = ""
    for weights in wanted:
        try:
            return _downloaded(weights, tell, progress)
        except DownloadError as error:
            problem = problem or _reason(error)
    for weights in sorted(catalog(), key=lambda row: -(row.top1 or 0)):
        if (features or not weights.features_only) and _is_readable(weights) and cached_weights(weights):
            tell(f"Weights: {weights.name} from the cache, as VGG16 could not be downloaded: {problem}")
            return weights.name
    folder = cache_root() / wanted[-1].source.folder
    raise CheckpointError(
        f"no --weights was given, VGG16 could not be downloaded ({problem}), and no cache has other weights. "
        "Connect to the internet and repeat the command; or give --weights: a weight file, a run "
        f"folder, or a name after its file was put into the cache, such as {wanted[-1].file} into {folder}; "
        "or train without weights by --strategy scratch --model vgg-tiny"
    )


def lighter_weights(
    names: Sequence[str], tell: Callable[[str], None], progress: Progress | None = None
) -> str | None:
    """The first of ``names`` that a cache has or that can be downloaded; it is in a cache afterwards."""
    for weights in map(find_published, names):
        if cached_weights(weights):
            return weights.name
        try:
            return _downloaded(weights, tell, progress)
        except DownloadError:
            continue
    return None


def _feature_names() -> tuple[str, ...]:
    return (KERAS_FEATURES, *FEATURES) if find_spec("h5py") else FEATURES


def _downloaded(weights: PublishedWeights, tell: Callable[[str], None], progress: Progress | None) -> str:
    if not offline():
        size = f", {rounded(weights.checksum.size)}B" if weights.checksum.size else ""
        tell(f"Weights: downloading {weights.name}{size}, as no --weights was given")
    download_weights(weights, progress=progress)
    return weights.name


def _is_readable(weights: PublishedWeights) -> bool:
    return weights.publisher != "keras" or find_spec("h5py") is not None


def _reason(error: DownloadError) -> str:
    """The reason of the first address, in a few words."""
    if variable := offline():
        return f"{variable} is set"
    lines = [line.removeprefix("- ") for line in str(error).splitlines()]
    return lines[min(1, len(lines) - 1)].rstrip(".")
