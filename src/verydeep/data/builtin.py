"""The built-in data sets (Fashion-MNIST, CIFAR-10, CIFAR-100, synthetic), and `load_dataset`."""

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from verydeep.data import synthetic
from verydeep.data.builtin_names import NAMES, canonical_name
from verydeep.data.idx_cifar import read_cifar10, read_cifar100, read_fashion_mnist
from verydeep.data.images import Dataset
from verydeep.download.checksum import Checksum
from verydeep.download.download import Progress
from verydeep.download.sources import Package, PublishedFile, PublishedFiles, cache_root, obtain
from verydeep.errors import DataError


@dataclass(frozen=True, kw_only=True)
class PublishedDataset(PublishedFiles):
    """A published data set."""

    read: Callable[[Path], Dataset]
    """Reads the data set from the folder that holds the files."""


# Debian compresses Fashion-MNIST's files again, without name and time in the gzip header. With these two
# restored, the bytes and hashes are those of the published files.
FASHION_MNIST = PublishedDataset(
    name="fashion-mnist",
    folder="data/fashion-mnist",
    files=(
        PublishedFile(
            "train-images-idx3-ubyte.gz",
            Checksum("sha256:3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84", 26_421_880),
            Checksum("sha256:b0564c3eedabfbf835052cff8503ea422014ce006caf5b757f851416ee8300c7", 26_421_856),
        ),
        PublishedFile(
            "train-labels-idx1-ubyte.gz",
            Checksum("sha256:a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845", 29_515),
            Checksum("sha256:0ae29f65d86684f32d1b9c85147786c547b9c6aebcaf235f0400a0cce308b056", 29_491),
        ),
        PublishedFile(
            "t10k-images-idx3-ubyte.gz",
            Checksum("sha256:346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073", 4_422_102),
            Checksum("sha256:cc1d090a38ace84dfa1aa66e3ada7c336ef481a96936906477e6dd344da56eaa", 4_422_079),
        ),
        PublishedFile(
            "t10k-labels-idx1-ubyte.gz",
            Checksum("sha256:67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5", 5_148),
            Checksum("sha256:8d3605d196f4be44669e46906da9733c8131fef761fdbfec72c424d5222f1a05", 5_125),
        ),
    ),
    addresses=(
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
    ),
    read=read_fashion_mnist,
    package=Package("dataset-fashion-mnist", "usr/share/datasets/fashion-mnist"),
)

CIFAR10 = PublishedDataset(
    name="cifar10",
    folder="data/cifar10",
    files=(
        PublishedFile(
            "cifar-10-binary.tar.gz",
            Checksum("sha256:c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd", 170_052_171),
        ),
    ),
    addresses=("https://www.cs.toronto.edu/~kriz/",),
    read=read_cifar10,
)

CIFAR100 = PublishedDataset(
    name="cifar100",
    folder="data/cifar100",
    files=(
        PublishedFile(
            "cifar-100-binary.tar.gz",
            Checksum("sha256:58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec", 168_513_733),
        ),
    ),
    addresses=("https://www.cs.toronto.edu/~kriz/",),
    read=read_cifar100,
)

SOURCES = {source.name: source for source in (FASHION_MNIST, CIFAR10, CIFAR100)}


def load_dataset(name: str, cache: Path | None = None, progress: Progress | None = None) -> Dataset:
    """A built-in data set in memory. It is downloaded on first use; its checksums are verified on every use.

    Args:
        name: one of `NAMES`; "synthetic" is drawn, without a download.
        cache: the folder for downloaded files; `cache_root()` by default.
        progress: called during a download with the bytes done and the total bytes.

    Raises:
        DataError: if the name is not known.
        DownloadError: if the download fails; lists every download source and its error.
    """
    canonical = canonical_name(name)
    if canonical == "synthetic":
        return synthetic.dataset()
    if canonical not in SOURCES:
        close = get_close_matches(canonical, NAMES, n=1)
        hint = f" Did you mean {close[0]}?" if close else ""
        raise DataError(f"{name!r} is not a built-in data set; expected one of {', '.join(NAMES)}.{hint}")
    return load(SOURCES[canonical], cache, progress)


def load(source: PublishedDataset, cache: Path | None = None, progress: Progress | None = None) -> Dataset:
    """The data set that ``source`` describes, in memory.

    Raises:
        DataError: if a file matches its checksum but not its format.
        DownloadError: if the download fails; lists every download source and its error.
    """
    return source.read(obtain(source, cache or cache_root(), progress))
