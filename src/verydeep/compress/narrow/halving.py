"""The widest, or the narrowest, architecture of the search that meets the limit, by measurement."""

from collections.abc import Callable, Iterator, Sequence

from verydeep.compress.latency import LayerTimer
from verydeep.compress.narrow.narrowing import Narrowing
from verydeep.compress.narrow.search import Point, Weights, narrowing_path
from verydeep.compress.settings import Limit

Try = Callable[[int], bool]
"""Makes and measures the network of the point at an index; whether it meets the limit."""

WEIGHTS = {
    "drop": Weights(latency=1.0, parameters=1.0),
    "latency": Weights(latency=1.0, parameters=0.01),
    "bytes": Weights(latency=0.01, parameters=1.0),
}
"""What the search saves, by the kind of the limit."""
STEP = 0.92
"""Of what is saved, from one point that may be tried to the next: the clock tells no finer ones apart."""


def search_path(narrowing: Narrowing, limit: Limit, batch: int, threads: int) -> tuple[Point, ...]:
    """The points of the search, from the widest to the narrowest, about ``STEP`` apart."""
    weights = WEIGHTS[limit.kind]
    path = narrowing_path(narrowing, LayerTimer(batch, threads), weights)
    return tuple(_thinned(path, weights))


def _thinned(path: Sequence[Point], weights: Weights) -> Iterator[Point]:
    """Those of ``path`` that cost at most ``STEP`` of the one before, and the last."""
    before = weights.latency + weights.parameters
    for point in path:
        cost = weights.latency * point.latency + weights.parameters * point.parameters
        if cost <= STEP * before or point is path[-1]:
            before = cost
            yield point


def try_points(indices: range, limit: Limit, is_met: Try) -> None:
    """Try points by halving: the narrowest that loses little enough, or the widest that is small enough.

    The loss grows along the points, and latency and bytes shrink, so about log2 of them are tried.
    """
    met_beyond = limit.kind != "drop"  # whether narrower points meet the limit more easily
    low, high = indices.start - 1, indices.stop
    while high - low > 1:
        middle = (low + high) // 2
        if is_met(middle) == met_beyond:
            high = middle
        else:
            low = middle


def tries(points: Sequence[Point]) -> int:
    """At most so many points are tried by halving."""
    return len(points).bit_length()
