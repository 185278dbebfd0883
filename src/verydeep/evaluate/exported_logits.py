"""The logits of an exported network for labeled images; only the protocol single is for it."""

from collections.abc import Iterable, Iterator

import numpy as np

from verydeep.decoding.stream import PixelBatch
from verydeep.errors import DataError
from verydeep.evaluate.protocols import LogitBatch, Protocol
from verydeep.runtime.exported_network import ExportedNetwork


def exported_logits(
    network: ExportedNetwork, batches: Iterable[PixelBatch], protocol: Protocol
) -> Iterator[LogitBatch]:
    """The logits of ``batches`` of images of the input size, in order; broken files are reported.

    Raises:
        DataError: if ``protocol`` is not single.
    """
    if protocol.name != "single":
        raise DataError(
            f"an exported network has only the protocol single, not {protocol.name}. Evaluate the run that "
            "it was exported from"
        )
    empty = np.zeros((0, len(network.classes)), np.float32)
    for indices, pixels, broken in batches:
        yield LogitBatch(indices, network.logits(pixels) if len(indices) else empty, broken)
