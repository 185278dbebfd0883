"""The weights that others publish, read from ``catalog.toml`` into frozen values; without torch or net."""

import os
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from typing import Any

from verydeep.architecture.preprocess import Preprocess
from verydeep.architecture.zoo import resolve
from verydeep.download.checksum import Checksum
from verydeep.download.sources import PublishedFile, PublishedFiles
from verydeep.errors import ArchitectureError, CheckpointError

HUB = "https://huggingface.co"
_ROUNDED = 525  # bytes: a length in MiB with three decimals is off by half a thousandth of 2**20


@dataclass(frozen=True, kw_only=True)
class PublishedWeights:
    """One file of weights, as its publisher describes it. None is what the publisher does not state."""

    name: str
    """The architecture, a full stop, the publisher's tag: "vgg16.imagenet1k_v1"."""
    publisher: str
    """"torchvision", "keras" or "timm": whose names and layouts the tensors have."""
    file: str
    addresses: tuple[str, ...]
    """Of the file, the first to be tried first."""
    checksum: Checksum
    preprocess: Preprocess
    license: str | None = None
    top1: float | None = None
    """On ImageNet's validation images, one crop, as the publisher measured it, in [0, 1]."""
    top5: float | None = None
    features_only: bool = False
    """Whether there is no head, or none that means anything."""
    note: str | None = None
    is_default: bool = False
    """Whether the architecture's name alone means these."""

    @property
    def architecture(self) -> str:
        """The name in the zoo."""
        return self.name.split(".")[0]

    @property
    def source(self) -> PublishedFiles:
        """Where the file is to be had, and where it lies in the cache."""
        folders = tuple(address.removesuffix(self.file) for address in self.addresses)
        file = PublishedFile(self.file, self.checksum)
        return PublishedFiles(self.name, f"weights/{self.name}", (file,), folders)

    @property
    def values(self) -> dict[str, Any]:
        """For JSON; null is what is not stated."""
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
    """Every row of ``catalog.toml``, in its order."""
    text = files("verydeep.weights").joinpath("catalog.toml").read_text(encoding="utf-8")
    return tuple(_rows(tomllib.loads(text)))


def _rows(table: dict[str, Any]) -> Iterator[PublishedWeights]:
    kinds = {name: Preprocess.from_dict(values) for name, values in table["preprocess"].items()}
    for publisher, common in table["publishers"].items():
        for row in common["weights"]:
            values = {key: common[key] for key in ("preprocess", "license") if key in common} | row
            fingerprint = _fingerprint(values)
            values["preprocess"] = kinds[values["preprocess"]]
            yield PublishedWeights(
                publisher=publisher,
                addresses=tuple(_address(folder, values) for folder in common["addresses"]),
                checksum=fingerprint,
                is_default=row["name"] in table["default"],
                **values,
            )


def _fingerprint(values: dict[str, Any]) -> Checksum:
    """Takes the hash and the length out of ``values``."""
    digests = [f"{kind}:{values.pop(kind)}" for kind in ("sha256", "md5") if kind in values]
    size, mib = values.pop("bytes", None), values.pop("mib", None)
    if mib is not None:
        return Checksum(digests[0], round(mib * 2**20), _ROUNDED)
    return Checksum(digests[0] if digests else None, size)


def _address(folder: str, values: dict[str, Any]) -> str:
    architecture = values["name"].split(".")[0]
    return f"{folder.format(name=values['name'], architecture=architecture)}{values['file']}"


def find_published(name: str) -> PublishedWeights:
    """The weights that ``name`` means.

    Known are the names of the catalog; an architecture's name or letter, which means its default; timm's and
    torchvision's own ways to write them ("timm/vgg16.tv_in1k", "VGG16_Weights.IMAGENET1K_V1"); file names.

    Raises:
        CheckpointError: with the nearest names.
    """
    rows = {row.name: row for row in catalog()}
    wanted = name.strip().lower().removeprefix("hf-hub:").removeprefix("timm/").replace("_weights.", ".")
    if row := rows.get(wanted):
        return row
    architecture = _architecture(wanted)
    for row in rows.values():
        is_file = row.publisher != "timm" and row.file.lower() == wanted  # all of timm's have one name
        if is_file or (row.is_default and row.architecture == architecture):
            return row
    known = [*rows, *(row.architecture for row in rows.values() if row.is_default)]
    near = get_close_matches(wanted, known, n=3)
    hint = f"Did you mean {' or '.join(near)}? " if near else ""
    if architecture:
        hint = f"{architecture} is in the zoo, but nobody is known to publish weights for it. "
    raise CheckpointError(
        f"no published weights are called {name!r}. {hint}`verydeep weights list` shows them all"
    )


def _architecture(name: str) -> str | None:
    try:
        return resolve(name).name
    except ArchitectureError:
        return None


def hub_endpoint() -> str:
    """The address of Hugging Face's hub: ``$HF_ENDPOINT``, else huggingface.co."""
    return (os.environ.get("HF_ENDPOINT") or HUB).rstrip("/")
