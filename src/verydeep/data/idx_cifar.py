"""Readers of the published file formats: idx (Fashion-MNIST) and CIFAR's binary records."""

import gzip
import math
import tarfile
import zlib
from pathlib import Path

import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

from verydeep.data.images import Dataset, Images
from verydeep.errors import DataError

_UNSIGNED_BYTES = 0x08  # the code for unsigned bytes in an idx header


def read_idx(path: Path) -> UInt8[Tensor, "..."]:
    """The array in a gzip-compressed idx file of unsigned bytes; the file states its shape.

    Raises:
        DataError: if the file does not match the format.
    """
    content = _gunzip(path)
    if len(content) < 4 or content[:3] != bytes([0, 0, _UNSIGNED_BYTES]) or not content[3]:
        raise DataError(
            f"{path} starts with {content[:4].hex(' ')}; "
            "expected an idx file of bytes, which starts with 00 00 08"
        )
    rank = content[3]
    header = 4 + 4 * rank
    if len(content) < header:
        raise DataError(
            f"{path} ends within its header: {len(content)} bytes, expected {header} bytes and the values"
        )
    shape = tuple(int.from_bytes(content[at : at + 4], "big") for at in range(4, header, 4))
    if len(content) != header + math.prod(shape):
        raise DataError(
            f"{path} has {len(content) - header:,} values; its header states "
            f"{' x '.join(map(str, shape))} = {math.prod(shape):,}"
        )
    return torch.frombuffer(bytearray(content), dtype=torch.uint8)[header:].view(shape)


def _gunzip(path: Path) -> bytes:
    try:
        with gzip.open(path) as file:
            return file.read()
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path} is not a complete gzip file: {error}") from error


def read_fashion_mnist(folder: Path) -> Dataset:
    """Fashion-MNIST from its four files in ``folder``: 28 x 28 px, gray, bright clothes on black.

    Xiao, Rasul and Vollgraf 2017, arXiv 1708.07747.

    Raises:
        DataError: if a file does not match its format.
    """
    train, test = (
        _gray(folder / f"{part}-images-idx3-ubyte.gz", folder / f"{part}-labels-idx1-ubyte.gz")
        for part in ("train", "t10k")
    )
    return Dataset("fashion-mnist", train, test)


FASHION_MNIST_CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)


def _gray(images: Path, labels: Path) -> Images:
    pixels, numbers = read_idx(images), read_idx(labels)
    for path, array, rank in ((images, pixels, 3), (labels, numbers, 1)):
        if array.ndim != rank:
            raise DataError(f"{path} has {array.ndim} dimensions; expected {rank}")
    return Images(pixels[:, None], numbers.long(), FASHION_MNIST_CLASSES)


def read_cifar10(folder: Path) -> Dataset:
    """CIFAR-10 from its binary archive in ``folder``: 32 x 32 px, color; class names from the archive.

    Krizhevsky 2009.

    Raises:
        DataError: if the archive does not match its format.
    """
    path = folder / "cifar-10-binary.tar.gz"
    members = _members(path, "cifar-10-batches-bin")
    classes = _names(members, "batches.meta.txt", path)
    train = b"".join(_member(members, f"data_batch_{number}.bin", path) for number in range(1, 6))
    return Dataset(
        "cifar10",
        _records(train, 1, classes, path),
        _records(_member(members, "test_batch.bin", path), 1, classes, path),
    )


def read_cifar100(folder: Path) -> Dataset:
    """CIFAR-100 with its 100 fine labels from its binary archive in ``folder``: 32 x 32 px, color.

    Krizhevsky 2009.

    Raises:
        DataError: if the archive does not match its format.
    """
    path = folder / "cifar-100-binary.tar.gz"
    members = _members(path, "cifar-100-binary")
    classes = _names(members, "fine_label_names.txt", path)
    return Dataset(
        "cifar100",
        _records(_member(members, "train.bin", path), 2, classes, path),
        _records(_member(members, "test.bin", path), 2, classes, path),
    )


def _members(path: Path, folder: str) -> dict[str, bytes]:
    """The files in ``folder`` of an archive, by name; nothing is written to disk."""
    try:
        with tarfile.open(path, "r:gz") as archive:
            files = [
                member for member in archive if member.isfile() and Path(member.name).parent.name == folder
            ]
            return {Path(member.name).name: _extract(archive, member) for member in files}
    except (EOFError, tarfile.TarError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path} is not a complete tar.gz archive: {error}") from error


def _extract(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = archive.extractfile(member)
    return file.read() if file else b""


def _member(members: dict[str, bytes], name: str, path: Path) -> bytes:
    if name not in members:
        raise DataError(f"{path} has no {name}; it has {', '.join(sorted(members)) or 'no CIFAR files'}")
    return members[name]


def _names(members: dict[str, bytes], name: str, path: Path) -> tuple[str, ...]:
    return tuple(_member(members, name, path).decode().split())


def _records(content: bytes, labels: int, classes: tuple[str, ...], path: Path) -> Images:
    """Images from records of ``labels`` label bytes, the last one the fine label, and 3 x 32 x 32 pixels."""
    length = labels + 3 * 32 * 32
    if len(content) % length or not content:
        raise DataError(f"{path} has {len(content):,} bytes of records; expected a multiple of {length:,}")
    records = torch.frombuffer(bytearray(content), dtype=torch.uint8).view(-1, length)
    fine: Int64[Tensor, " count"] = records[:, labels - 1].long()
    return Images(records[:, labels:].reshape(-1, 3, 32, 32), fine, classes)
