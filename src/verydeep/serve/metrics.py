"""Counters of the server over all its processes, in the text format of Prometheus."""

import threading
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence

from verydeep.serve.processes.counts import Counts

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
SIZES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0)
REQUESTS, IMAGES = "verydeep_requests_total", "verydeep_images_total"
QUEUE, READY = "verydeep_queue_images", "verydeep_ready_processes"


class Histogram:
    """Counts of values up to each of ``bounds``, which end with infinity."""

    def __init__(self, counts: Counts, name: str, help_text: str, bounds: Sequence[float]) -> None:
        self._counts, self.name, self.help_text = counts, name, help_text
        self._bounds = bounds
        self._buckets = [f'{name}_bucket{{le="{bound}"}}' for bound in (*bounds, "+Inf")]

    def add(self, value: float) -> None:
        """Count ``value``."""
        self._counts.add(self._buckets[bisect_left(self._bounds, value)])
        self._counts.add(f"{self.name}_sum", value)

    def lines(self, sums: Mapping[str, float]) -> Iterator[str]:
        """In the text format."""
        yield from _header(self.name, self.help_text, "histogram")
        total = 0
        for bucket in self._buckets:
            total += round(sums[bucket])
            yield f"{bucket} {total}"
        yield f"{self.name}_sum {sums[f'{self.name}_sum']:.6f}"
        yield f"{self.name}_count {total}"


class Metrics:
    """What one process of the server counts, and the text with the sums over all of them."""

    def __init__(self, counts: Counts) -> None:
        self._lock, self._counts = threading.Lock(), counts
        self._latency = Histogram(counts, "verydeep_request_seconds", "Seconds of requests to /v1.", SECONDS)
        self._batch_size = Histogram(counts, "verydeep_batch_images", "Images in a batch.", SIZES)
        self._batch_time = Histogram(
            counts, "verydeep_batch_seconds", "Seconds of the network, a batch.", SECONDS
        )

    @property
    def processes(self) -> int:
        """The processes of the server."""
        return self._counts.processes

    @property
    def ready_processes(self) -> int:
        """Those that have loaded the network and do not stop."""
        return round(self._counts.sums()[READY])

    def count_request(self, route: str, status: int, seconds: float) -> None:
        """Count a request to ``route``, the path of one of our own routes."""
        with self._lock:
            self._counts.add(f'{REQUESTS}{{route="{route}",status="{status}"}}')
            if route.startswith("/v1/"):
                self._latency.add(seconds)

    def count_images(self, images: int, broken: int) -> None:
        """Count the images of a request that was answered."""
        with self._lock:
            self._counts.add(_images("read"), images - broken)
            self._counts.add(_images("broken"), broken)

    def count_batch(self, images: int, seconds: float) -> None:
        """Count a batch."""
        with self._lock:
            self._batch_size.add(float(images))
            self._batch_time.add(seconds)

    def set_queue(self, images: int) -> None:
        """Set how many images this process has accepted and not answered."""
        with self._lock:
            self._counts.set(QUEUE, images)

    def set_ready(self, is_ready: bool) -> None:
        """Set whether this process can answer."""
        with self._lock:
            self._counts.set(READY, is_ready)

    def text(self) -> str:
        """All metrics."""
        return "\n".join([*self._lines(self._counts.sums()), ""])

    def _lines(self, sums: Mapping[str, float]) -> Iterator[str]:
        yield from _header(REQUESTS, "Requests by route and status.", "counter")
        yield from (f"{name} {round(sums[name])}" for name in sorted(sums) if name.startswith(REQUESTS))
        yield from _header(IMAGES, "Images by whether they could be read.", "counter")
        yield from (f"{name} {round(sums[name])}" for name in map(_images, ("read", "broken")))
        yield from _header(QUEUE, "Images accepted and not answered.", "gauge")
        yield f"{QUEUE} {round(sums[QUEUE])}"
        yield from _header(READY, "Processes of the server that can answer.", "gauge")
        yield f"{READY} {round(sums[READY])}"
        for histogram in (self._latency, self._batch_size, self._batch_time):
            yield from histogram.lines(sums)


def _images(result: str) -> str:
    return f'{IMAGES}{{result="{result}"}}'


def _header(name: str, help_text: str, kind: str) -> Iterator[str]:
    yield f"# HELP {name} {help_text}"
    yield f"# TYPE {name} {kind}"
