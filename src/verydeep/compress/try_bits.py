"""The step ``quantize``: the fewest bits that lose little enough, or the most that fit."""

from functools import partial

from verydeep.compress.candidate import Candidate, Measured
from verydeep.compress.compression import Compression, refuse
from verydeep.compress.judge import Latency
from verydeep.compress.steps.quantize import BITS, quantized_bytes
from verydeep.models.checkpoint import Checkpoint

BITS_TO_TRY = {"drop": (3, BITS, 5, 8), "latency": (BITS,), "bytes": (8, 5, BITS, 3)}
"""Until the limit is met, by its kind."""
ESTIMATE = 0.06
"""How far, as a share, the size of a quantized network may be from what is known without images."""


def try_bits(state: Compression) -> None:
    """Quantize the network that is kept.

    Raises:
        CompressionError: where its file is too large in any number of bits.
    """
    limit, before, source = state.settings.limit, state.kept, state.network
    tried: list[Candidate] = []
    fewest = BITS_TO_TRY[limit.kind][-1]
    for bits in BITS_TO_TRY[limit.kind]:
        estimated = quantized_bytes(source, bits) if limit.kind == "bytes" else 0
        if bits != fewest and estimated > (1 + ESTIMATE) * limit.value:
            continue
        tried.append(
            state.tried(f"quantize {bits}", partial(_quantized, state, source, before.measured, bits))
        )
        if tried[-1].kept:
            state.kept = tried[-1]
            return
    if limit.kind == "bytes":
        refuse(state, tried)


def _quantized(state: Compression, source: Checkpoint, before: Measured, bits: int) -> Candidate:
    result = state.in_integers(source, bits)
    # It computes in fp32 as before: another time is noise, which must not decide.
    latency = Latency(before.latency_ms, before.original_ms)
    measured = state.measure(result.checkpoint, state.size(result.checkpoint, is_quantized=True), latency)
    limit = state.settings.limit
    why = f"{result.done}; {limit.how_near(measured)}"
    return Candidate("quantize", result.checkpoint, measured, limit.excess(measured) <= 0, why)
