"""Batch prediction of very many images into a folder of Parquet parts, by any number of processes."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from verydeep.image_sources.image_source import ImageSource
from verydeep.parts.job import Job
from verydeep.parts.shard import Shard
from verydeep.parts.work import OnImages, PartsSummary, compute_parts
from verydeep.prediction.network import Network
from verydeep.prediction.predict import Prediction, predict, usable_temperature
from verydeep.prediction.prediction_table import write_table


def predict_to_parts(
    network: Network,
    sources: Sequence[ImageSource],
    folder: Path,
    job: Job,
    shard: Shard,
    *,
    batch_size: int | None = None,
    progress: OnImages | None = None,
) -> PartsSummary:
    """Predict the missing parts of ``shard`` into ``folder``: the same rows as ``predict_to_file`` writes.

    Args:
        network: a network, or an exported network.
        sources: all images of the job.
        folder: of the parts.
        job: its options are ``top`` and ``reject_below``, as of ``predict``.
        shard: which parts.
        batch_size: images per batch; by default it depends on their size.
        progress: called after each batch.

    Raises:
        CheckpointError: if the network's temperature is not a valid number.
        DataError: if a class is called like the answer for rejected images, and as ``compute_parts``.
        OSError, Interrupted: as ``compute_parts``.
    """
    top, reject_below = min(job.options["top"], len(network.classes)), job.options["reject_below"]
    usable_temperature(network, reject_below)  # a network without one leaves no file

    def rows(images: Sequence[ImageSource], count: Callable[[int], None]) -> Iterator[Prediction]:
        for batch in predict(network, images, top=top, batch_size=batch_size, reject_below=reject_below):
            yield from batch
            count(len(batch))

    def write(file: Path, images: Sequence[ImageSource], count: Callable[[int], None]) -> None:
        write_table(rows(images, count), file, top, reject_below is not None)

    return compute_parts(folder, job, sources, shard, write, progress)
