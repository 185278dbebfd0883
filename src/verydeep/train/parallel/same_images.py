"""Whether all ranks have the same images: each host has files of its own."""

import xxhash

from verydeep.data.images import Images
from verydeep.data.images_on_disk import ImagesOnDisk
from verydeep.image_sources.samples import Samples
from verydeep.train.parallel.collectives import require_same
from verydeep.train.parallel.ranks import is_alone
from verydeep.train.prepare import Prepared
from verydeep.weight_files.tensor_checksum import tensor_checksum


def require_same_images(prepared: Prepared) -> None:
    """Refuse to train where a rank has other images, or prepares them otherwise.

    Raises:
        RankError: naming what differs.
    """
    if is_alone():
        return
    dataset = prepared.dataset
    parts = {"training": dataset.train, "validation": dataset.val, "test": dataset.test}
    values = {f"the {part} images": images_text(images) for part, images in parts.items()}
    if prepared.samples is not None:
        values["the names of the images"] = _names_checksum(prepared.samples)
    require_same(values | {"preprocessing": str(prepared.network.preprocess)})


def images_text(images: Images | ImagesOnDisk | None) -> str:
    """How many there are, and a checksum of their labels."""
    if images is None:
        return "none"
    return f"{len(images):,} {tensor_checksum({'labels': images.labels.cpu()})}"


def _names_checksum(samples: Samples) -> str:
    digest = xxhash.xxh3_128()
    for name, part in zip(samples.names, samples.parts, strict=True):
        digest.update(f"{name}\0{part}\0".encode(errors="surrogatepass"))
    return digest.hexdigest()
