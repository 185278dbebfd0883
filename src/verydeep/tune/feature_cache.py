"""The feature cache: features of a frozen network on disk, computed once for the content of each image file.

A cache folder belongs to one network with its preprocessing: its weights up to the last layer decide its
name, so that other weights use another folder. It holds chunks, safetensors files with

keys       (images, 16) uint8: a hash of all that is in the image's file
features   (images, values) fp32

so that a renamed file is found, a rewritten one is computed again, and what was computed before an
interruption is kept. A chunk that cannot be read is deleted, and its features are computed again.
"""

import hashlib
import json
import os
import re
import time
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import uuid4

import torch
from jaxtyping import Float, Float32, Int64, UInt8
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from verydeep.architecture.preprocess import Preprocess
from verydeep.atomic_write import atomic_write
from verydeep.data.normalize import normalize
from verydeep.data.samples import ImageSource, UnreadableImage
from verydeep.data.stream import stream
from verydeep.download.sources import cache_root
from verydeep.errors import DataError
from verydeep.foreign_text import one_line
from verydeep.models.classifier import Classifier

KEY_BYTES = 16
BATCH_PIXELS = 300_000
"""Of a batch: about 32 images of 96 px. Larger batches do not fit the caches of a processor."""
SECONDS_BETWEEN_SAVES = 20.0
"""The most that an interruption costs."""

Extract = Callable[[Classifier, Tensor], Tensor]
"""From a network and normalized images to features, one row per image."""
Progress = Callable[[int, int], None]
"""Called with the images computed so far, and the images to compute in all."""


def head_inputs(
    model: Classifier, images: Float[Tensor, "batch channels height width"]
) -> Float[Tensor, "batch values"]:
    """The inputs of the last layer: the pooled maps, or fc7 where there are hidden layers."""
    values: Tensor = model.pool(model.features(images)).flatten(1)
    for module in list(model.head_modules())[:-1]:
        values = module(values)
    return values


@dataclass(frozen=True, kw_only=True)
class Features:
    """The features of the images that can be read."""

    values: Float32[Tensor, "read values"]
    indices: Int64[Tensor, " read"]
    """The index of each among the images that were asked for, ascending."""
    unreadable: tuple[tuple[int, UnreadableImage], ...]
    """The others, with their indices."""
    computed: int
    """How many images went through the network."""
    cached: int
    """How many were in the cache."""
    seconds: float


class FeatureCache:
    """The features of one network, computed where they are not in the cache yet.

    Args:
        model: on the device that computes; it is put into evaluation mode.
        preprocess: of its images.
        root: where features are kept; a folder of the user's cache by default.
        extract: which features; its name is part of the folder's name.
    """

    def __init__(
        self,
        model: Classifier,
        preprocess: Preprocess,
        root: Path | None = None,
        extract: Extract = head_inputs,
    ) -> None:
        self.model = model.eval()
        self.preprocess, self.extract = preprocess, extract
        name = _network_key(model, preprocess, extract)
        self.folder = (root or cache_root() / "features") / name

    def __call__(
        self, sources: Sequence[ImageSource], progress: Progress = lambda done, total: None
    ) -> Features:
        """The features of every image of ``sources`` that can be read.

        Features are saved as they are computed, also where an interruption ends this.

        Raises:
            DataError: where none can be read.
        """
        began = time.perf_counter()
        keys = _content_keys(sources)
        rows = self._read(set(keys))
        cached = sum(key in rows for key in keys)
        missing = {key: source for key, source in zip(keys, sources, strict=True) if key not in rows}
        unreadable: dict[bytes, UnreadableImage] = {}
        with closing(self._compute(missing, progress)) as batches:
            for new, failed in batches:
                rows |= new
                unreadable |= failed
        read = [index for index, key in enumerate(keys) if key in rows]
        if not read:
            reason = next(iter(unreadable.values())).reason
            raise DataError(f"none of {len(sources)} images can be read: {reason}")
        return Features(
            values=torch.stack([rows[keys[index]] for index in read]),
            indices=torch.tensor(read),
            unreadable=tuple(
                (index, _renamed(unreadable[key], sources[index]))
                for index, key in enumerate(keys)
                if key in unreadable
            ),
            computed=len(missing) - len(unreadable),
            cached=cached,
            seconds=time.perf_counter() - began,
        )

    def _compute(
        self, missing: dict[bytes, ImageSource], progress: Progress
    ) -> Generator[tuple[dict[bytes, Tensor], dict[bytes, UnreadableImage]], None, None]:
        """The rows of ``missing``, and its images that cannot be read, batch by batch."""
        keys, pending = list(missing), dict[bytes, Tensor]()
        batch_size = max(1, BATCH_PIXELS // self.preprocess.size**2)
        saved, done = time.perf_counter(), 0
        try:
            for batch in stream(list(missing.values()), self.preprocess, batch_size):
                wanted_keys = keys[done : done + batch_size]
                done += len(wanted_keys)
                read = [keys[index] for index in batch.indices.tolist()]
                new = dict(zip(read, self._extracted(batch.pixels), strict=True)) if read else {}
                pending |= new
                yield (
                    new,
                    dict(zip((key for key in wanted_keys if key not in new), batch.broken, strict=True)),
                )
                progress(done, len(keys))
                if time.perf_counter() - saved > SECONDS_BETWEEN_SAVES:
                    self._save(pending)
                    pending, saved = {}, time.perf_counter()
        finally:
            self._save(pending)

    @torch.inference_mode()
    def _extracted(
        self, pixels: UInt8[Tensor, "batch channels size size"]
    ) -> Float32[Tensor, "batch values"]:
        parameter = next(self.model.parameters())
        images = normalize(pixels.to(parameter.device), self.preprocess)
        images = images.contiguous(memory_format=torch.channels_last)
        return self.extract(self.model, images).float().cpu()

    def _save(self, rows: dict[bytes, Tensor]) -> None:
        if not rows:
            return
        keys = torch.frombuffer(bytearray(b"".join(rows)), dtype=torch.uint8).view(-1, KEY_BYTES)
        with atomic_write(self.folder / f"{uuid4().hex}.safetensors") as temporary:
            save_file({"keys": keys, "features": torch.stack(list(rows.values()))}, temporary)

    def _read(self, wanted: set[bytes]) -> dict[bytes, Tensor]:
        """The rows of ``wanted`` that are in the cache."""
        found: dict[bytes, Tensor] = {}
        for chunk in sorted(self.folder.glob("*.safetensors")):
            try:
                tensors = load_file(chunk)
                keys = [row.tobytes() for row in tensors["keys"].numpy()]
                found |= {
                    key: row for key, row in zip(keys, tensors["features"], strict=True) if key in wanted
                }
            except (SafetensorError, OSError, KeyError, ValueError):
                chunk.unlink(missing_ok=True)
        return found


def _renamed(image: UnreadableImage, source: ImageSource) -> UnreadableImage:
    """The same error for ``source``, a file with the same content."""
    return replace(
        image, source=source, reason=image.reason.replace(one_line(str(image.source)), one_line(str(source)))
    )


def _network_key(model: Classifier, preprocess: Preprocess, extract: Extract) -> str:
    """A name that no other network, weights or preprocessing have."""
    architecture = model.architecture
    described = [architecture.string, architecture.norm, preprocess.to_dict(), extract.__name__]
    digest = hashlib.blake2b(json.dumps(described).encode(), digest_size=KEY_BYTES)
    last = {id(parameter) for parameter in list(model.head_modules())[-1].parameters()}
    for name, tensor in model.state_dict(keep_vars=True).items():
        if id(tensor) not in last:
            digest.update(name.encode())
            digest.update(tensor.detach().cpu().contiguous().numpy())
    readable = re.sub(r"[^\w-]", "", architecture.name.split()[0])  # for people who open the folder
    return f"{readable}-{preprocess.size}-{digest.hexdigest()}"


def _content_keys(sources: Sequence[ImageSource]) -> list[bytes]:
    """A hash of the content of each source; a unique one for what cannot be read, which decoding reports."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(_content_key, sources))


def _content_key(source: ImageSource) -> bytes:
    try:
        content = source.read_bytes() if isinstance(source, Path) else source.read()
    except (OSError, DataError):
        content = f"unreadable {source}".encode()
    return hashlib.blake2b(content, digest_size=KEY_BYTES).digest()
