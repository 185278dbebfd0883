"""The feature cache: features of a frozen network on disk, computed once for the content of each image file.

A cache folder belongs to one network with its preprocessing and precision: its weights up to the last layer
decide its name, so that other weights use another folder. It holds chunks (feature_chunks.py), so that a
renamed file is found, a rewritten one is computed again, and what was computed before an interruption is
kept.

Processes that need the same features share the work: each claims some of the images before it computes them.
"""

import hashlib
import json
import re
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from jaxtyping import Float, Float32, Int64, UInt8
from torch import Tensor
from torch.nn import functional

from verydeep.architecture.preprocess import Preprocess
from verydeep.atomic_write import remove_leftovers, require_room
from verydeep.claim import claim_file, remove_dead_claims
from verydeep.data.content import content_hashes
from verydeep.data.normalize import normalize
from verydeep.data.stream import stream
from verydeep.download.sources import cache_root
from verydeep.errors import DataError, InUseError
from verydeep.foreign_text import one_line
from verydeep.image_sources.image_source import ImageSource, UnreadableImage
from verydeep.machine import InferencePrecision
from verydeep.models.classifier import Classifier
from verydeep.models.precision import autocast
from verydeep.tune.feature_chunks import KEY_BYTES, Chunks

BATCH_PIXELS = 300_000
"""Of a batch: about 32 images of 96 px. Larger batches do not fit the caches of a processor."""
BATCHES_OF_CLAIM = 8
"""What a process claims before it computes it: other processes wait for no more than that."""
MULTIPLE = 4
"""Batches are filled up to multiples of this: a single image has other last bits than in a batch."""
SECONDS_BETWEEN_SAVES = 20.0
"""The most that an interruption costs."""
SECONDS_BETWEEN_LOOKS = 0.2
"""While another process computes all that is left."""

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
class _Batch:
    """Some rows by the keys of their images, and the images that cannot be read."""

    rows: dict[bytes, Float32[Tensor, " values"]]
    unreadable: dict[bytes, UnreadableImage] = field(default_factory=dict)
    is_computed: bool = False
    """Whether they were computed here, and not read from the cache."""


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
        precision: that they are computed in; they are kept in fp32 either way.
    """

    def __init__(
        self,
        model: Classifier,
        preprocess: Preprocess,
        root: Path | None = None,
        extract: Extract = head_inputs,
        precision: InferencePrecision = "fp32",
    ) -> None:
        self.model = model.eval()
        self.preprocess, self.extract, self.precision = preprocess, extract, precision
        name = _network_key(model, preprocess, extract, precision)
        self.folder = (root or cache_root() / "features") / name

    def __call__(
        self,
        sources: Sequence[ImageSource],
        progress: Progress = lambda done, total: None,
        content: Sequence[bytes] | None = None,
    ) -> Features:
        """The features of every image of ``sources`` that can be read.

        Features are saved as they are computed, also where an interruption ends this.

        Args:
            sources: of the images.
            progress: called as images are done.
            content: ``content_hashes(sources)``, where that is known.

        Raises:
            DataError: where none can be read, or the cache cannot be written to.
        """
        began = time.perf_counter()
        keys, chunks = content or content_hashes(sources), Chunks(self.folder)
        rows = chunks.read_new(set(keys))
        missing = {key: source for key, source in zip(keys, sources, strict=True) if key not in rows}
        computed, finished = set[bytes](), set[bytes]()
        unreadable: dict[bytes, UnreadableImage] = {}
        with closing(self._share(missing, chunks)) as batches:
            for batch in batches:
                rows |= batch.rows
                unreadable |= batch.unreadable
                computed |= batch.rows.keys() if batch.is_computed else set()
                finished |= batch.rows.keys() | batch.unreadable.keys()
                progress(len(finished), len(missing))
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
            computed=len(computed),
            cached=sum(key in rows and key not in computed for key in keys),
            seconds=time.perf_counter() - began,
        )

    def _share(self, missing: dict[bytes, ImageSource], chunks: Chunks) -> Generator[_Batch, None, None]:
        """The rows of ``missing``: those that no other process has claimed are computed here."""
        left = dict[int, dict[bytes, ImageSource]]()
        for key, source in missing.items():
            left.setdefault(key[0], {})[key] = source
        with _writing(self.folder):
            remove_leftovers(self.folder)
        remove_dead_claims(self.folder)
        while left:
            with ExitStack() as claims:
                claimed = self._claim(left, claims)
                found = chunks.read_new(set(missing))
                if found or not claimed:  # waiting can be stopped too
                    yield _Batch(rows=found)
                mine = {key: source for key, source in claimed.items() if key not in found}
                not_written = len(mine) + sum(key not in found for images in left.values() for key in images)
                yield from self._compute(mine, not_written, chunks)
            for share, images in list(left.items()):
                left[share] = {key: source for key, source in images.items() if key not in found}
                if not left[share]:
                    del left[share]
            if not claimed and left:
                time.sleep(SECONDS_BETWEEN_LOOKS)

    def _claim(
        self, left: dict[int, dict[bytes, ImageSource]], claims: ExitStack
    ) -> dict[bytes, ImageSource]:
        """Images for some batches, in shares that no other process has; they are taken out of ``left``."""
        claimed: dict[bytes, ImageSource] = {}
        for share in list(left):
            if len(claimed) >= BATCHES_OF_CLAIM * self._batch_size:
                break
            try:
                with _writing(self.folder):
                    claims.enter_context(claim_file(self.folder / f"{share:02x}"))
            except InUseError:
                continue
            claimed |= left.pop(share)
        return claimed

    @property
    def _batch_size(self) -> int:
        return max(1, BATCH_PIXELS // self.preprocess.size**2)

    def _compute(
        self, images: dict[bytes, ImageSource], total: int, chunks: Chunks
    ) -> Generator[_Batch, None, None]:
        """The rows of ``images``, and those that cannot be read, batch by batch.

        Args:
            images: by the hash of their content.
            total: how many rows are not written yet, by any process, for which there must be room.
            chunks: where they are saved.
        """
        keys, pending = list(images), dict[bytes, Tensor]()
        saved, done = time.perf_counter(), 0
        try:
            for batch in stream(list(images.values()), self.preprocess, self._batch_size):
                wanted = keys[done : done + self._batch_size]
                read = [keys[index] for index in batch.indices.tolist()]
                new = dict(zip(read, self._extracted(batch.pixels), strict=True)) if read else {}
                if new and not done:
                    with _writing(self.folder):
                        require_room(self.folder, total * next(iter(new.values())).nbytes)
                done += len(wanted)
                pending |= new
                failed = (key for key in wanted if key not in new)
                yield _Batch(
                    rows=new, unreadable=dict(zip(failed, batch.broken, strict=True)), is_computed=True
                )
                if time.perf_counter() - saved > SECONDS_BETWEEN_SAVES:
                    with _writing(self.folder):
                        chunks.save(pending)
                    pending, saved = {}, time.perf_counter()
        finally:
            with _writing(self.folder):
                chunks.save(pending)

    @torch.inference_mode()
    def _extracted(
        self, pixels: UInt8[Tensor, "batch channels size size"]
    ) -> Float32[Tensor, "batch values"]:
        count, parameter = len(pixels), next(self.model.parameters())
        pixels = functional.pad(pixels, (0, 0, 0, 0, 0, 0, 0, -count % MULTIPLE))
        images = normalize(pixels.to(parameter.device), self.preprocess)
        images = images.contiguous(memory_format=torch.channels_last)
        with autocast(self.precision, parameter.device):
            return self.extract(self.model, images).float().cpu()[:count]


@contextmanager
def _writing(folder: Path) -> Generator[None, None, None]:
    """Says what to do where the cache cannot be written to."""
    try:
        yield
    except OSError as error:
        raise DataError(
            f"the feature cache {folder} cannot be written to: {error.strerror or error}. Free some disk "
            "space, or set VERYDEEP_CACHE to another folder"
        ) from None


def _renamed(image: UnreadableImage, source: ImageSource) -> UnreadableImage:
    """The same error for ``source``, a file with the same content."""
    return replace(
        image, source=source, reason=image.reason.replace(one_line(str(image.source)), one_line(str(source)))
    )


def _network_key(
    model: Classifier, preprocess: Preprocess, extract: Extract, precision: InferencePrecision
) -> str:
    """A name that no other network, weights, preprocessing or precision have."""
    architecture = model.architecture
    described = [architecture.string, architecture.norm, preprocess.to_dict(), extract.__name__]
    if precision != "fp32":
        described.append(precision)
    digest = hashlib.blake2b(json.dumps(described).encode(), digest_size=KEY_BYTES)
    last = {id(parameter) for parameter in list(model.head_modules())[-1].parameters()}
    for name, tensor in model.state_dict(keep_vars=True).items():
        if id(tensor) not in last:
            digest.update(name.encode())
            digest.update(tensor.detach().cpu().contiguous().numpy())
    readable = re.sub(r"[^\w-]", "", architecture.name.split()[0])  # for people who open the folder
    return f"{readable}-{preprocess.size}-{digest.hexdigest()}"
