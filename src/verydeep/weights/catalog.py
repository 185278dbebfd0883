"""Published pretrained weights: the rows of ``catalog.toml``. Needs no torch and no network connection."""

import os
import shlex
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from verydeep.architecture.preprocess import Preprocess
from verydeep.architecture.zoo import resolve
from verydeep.download.checksum import Checksum
from verydeep.download.sources import PublishedFile, PublishedFiles
from verydeep.errors import ArchitectureError, CheckpointError
from verydeep.user_path import user_path

HUB = "https://huggingface.co"
_ROUNDING_ERROR = 525  # bytes: a size in MiB with three decimals is off by up to half a thousandth of 2**20


@dataclass(frozen=True, kw_only=True)
class PublishedWeights:
    """One weight file, as its publisher describes it. None means that the publisher does not state it."""

    name: str
    """The architecture, a period, the tag of the publisher: "vgg16.imagenet1k_v1"."""
    publisher: str
    """"torchvision", "keras" or "timm", whose keys and layout the tensors have."""
    file: str
    addresses: tuple[str, ...]
    """The URLs of the file, in the order in which they are tried."""
    checksum: Checksum
    preprocess: Preprocess
    license: str | None = None
    top1: float | None = None
    """On the ImageNet validation set, one crop, as the publisher measured it, in [0, 1]."""
    top5: float | None = None
    features_only: bool = False
    """Whether the file has no head, or a head with meaningless values."""
    note: str | None = None
    is_default: bool = False
    """Whether the name of the architecture alone selects these weights."""

    @property
    def architecture(self) -> str:
        """The name in the zoo."""
        return self.name.split(".")[0]

    @property
    def source(self) -> PublishedFiles:
        """The download sources of the file, and its folder in the cache."""
        folders = tuple(address.removesuffix(self.file) for address in self.addresses)
        file = PublishedFile(self.file, self.checksum)
        return PublishedFiles(self.name, f"weights/{self.name}", (file,), folders)

    @property
    def values(self) -> dict[str, Any]:
        """For JSON; null means that the publisher does not state it."""
        algorithm, _, digest = (self.checksum.digest or "").rpartition(":")
        return {
            "name": self.name,
            "architecture": self.architecture,
            "publisher": self.publisher,
            "file": self.file,
            "addresses": list(self.addresses),
            "sha256": digest if algorithm == "sha256" else None,
            "md5": digest if algorithm == "md5" else None,
            "bytes": self.checksum.size,
            "bytes_rounded": bool(self.checksum.size_tolerance),
            "license": self.license,
            "preprocess": self.preprocess.to_dict(),
            "top1": self.top1,
            "top5": self.top5,
            "features_only": self.features_only,
            "note": self.note,
            "default": self.is_default,
        }


@cache
def catalog() -> tuple[PublishedWeights, ...]:
    """All rows of ``catalog.toml``, in its order."""
    text = files("verydeep.weights").joinpath("catalog.toml").read_text(encoding="utf-8")
    return tuple(_rows(tomllib.loads(text)))


def _rows(table: dict[str, Any]) -> Iterator[PublishedWeights]:
    preprocesses = {name: Preprocess.from_dict(values) for name, values in table["preprocess"].items()}
    for publisher, common in table["publishers"].items():
        for row in common["weights"]:
            values = {key: common[key] for key in ("preprocess", "license") if key in common} | row
            checksum = _pop_checksum(values)
            values["preprocess"] = preprocesses[values["preprocess"]]
            yield PublishedWeights(
                publisher=publisher,
                addresses=tuple(_address(folder, values) for folder in common["addresses"]),
                checksum=checksum,
                is_default=row["name"] in table["default"],
                **values,
            )


def _pop_checksum(values: dict[str, Any]) -> Checksum:
    """The hash and the size, removed from ``values``."""
    digests = [
        f"{algorithm}:{values.pop(algorithm)}" for algorithm in ("sha256", "md5") if algorithm in values
    ]
    size, mib = values.pop("bytes", None), values.pop("mib", None)
    if mib is not None:
        return Checksum(digests[0], round(mib * 2**20), _ROUNDING_ERROR)
    return Checksum(digests[0] if digests else None, size)


def _address(folder: str, values: dict[str, Any]) -> str:
    architecture = values["name"].split(".")[0]
    return f"{folder.format(name=values['name'], architecture=architecture)}{values['file']}"


def find_published(name: str) -> PublishedWeights:
    """The published weights with this name.

    Accepted are the names of the catalog; the name or letter of an architecture, for its default weights; the
    spellings of timm and torchvision ("timm/vgg16.tv_in1k", "VGG16_Weights.IMAGENET1K_V1"); file names.

    Raises:
        CheckpointError: where there are none, with the closest names.
    """
    rows = {row.name: row for row in catalog()}
    wanted = name.strip().lower().removeprefix("hf-hub:").removeprefix("timm/").replace("_weights.", ".")
    if row := rows.get(wanted):
        return row
    architecture = _architecture(wanted)
    for row in rows.values():
        is_file = (
            row.publisher != "timm" and row.file.lower() == wanted
        )  # all files of timm have the same name
        if is_file or (row.is_default and row.architecture == architecture):
            return row
    known = [*rows, *(row.architecture for row in rows.values() if row.is_default)]
    closest = get_close_matches(wanted, known, n=3)
    hint = f"Did you mean {' or '.join(closest)}? " if closest else ""
    if architecture:
        hint = f"{architecture} is in the zoo, but no published weights are known for it. "
    raise CheckpointError(
        f"there are no published weights with the name {name!r}. {hint}`verydeep weights list` shows all"
    )


def is_published(name: str) -> bool:
    """Whether ``find_published`` knows the name, which may have a period or a slash as a path has."""
    try:
        find_published(name)
    except CheckpointError:
        return False
    return True


def published_at(path: Path) -> PublishedWeights | None:
    """The published weights at ``path`` in the cache of this package, or in that of Hugging Face."""
    place = path.absolute()
    for row in catalog():
        ours, of_hub = f"{row.name}/{row.file}", f"models--timm--{row.name}/snapshots/*/{row.file}"
        if place.match(ours) or place.match(of_hub):
            return row
    return None


def refuse_published_name(path: Path | str) -> None:
    """Refuse the name of published weights in place of a file, which does not exist.

    Raises:
        CheckpointError: with the command that downloads them.
    """
    if not user_path(path).exists() and is_published(str(path)):
        raise CheckpointError(
            f"there is no checkpoint at {path}; it is the name of published weights. Download them, and give "
            f"the file that is printed: verydeep weights get {shlex.quote(str(path))}"
        )


def _architecture(name: str) -> str | None:
    try:
        return resolve(name).name
    except ArchitectureError:
        return None


def hub_endpoint() -> str:
    """The URL of the Hugging Face Hub: ``$HF_ENDPOINT``, otherwise huggingface.co."""
    return (os.environ.get("HF_ENDPOINT") or HUB).rstrip("/")
