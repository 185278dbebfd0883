"""Counters of the server, in the text format of Prometheus."""

import threading
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
SIZES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0)


class Histogram:
    """Counts of values up to each of ``bounds``."""

    def __init__(self, name: str, help_text: str, bounds: Sequence[float]) -> None:
        self.name, self.help_text, self.bounds = name, help_text, bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def add(self, value: float) -> None:
        """Count ``value``."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value

    def lines(self) -> Iterator[str]:
        """In the text format."""
        yield from _header(self.name, self.help_text, "histogram")
        total = 0
        for bound, count in zip((*map(str, self.bounds), "+Inf"), self.counts, strict=True):
            total += count
            yield f'{self.name}_bucket{{le="{bound}"}} {total}'
        yield f"{self.name}_sum {self.sum:.6f}"
        yield f"{self.name}_count {total}"


class Metrics:
    """What the server counts."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: Counter[tuple[str, int]] = Counter()
        self._images: Counter[str] = Counter()
        self._latency = Histogram("verydeep_request_seconds", "Seconds of requests to /v1.", SECONDS)
        self._batch_size = Histogram("verydeep_batch_images", "Images in a batch.", SIZES)
        self._batch_time = Histogram("verydeep_batch_seconds", "Seconds of the network, a batch.", SECONDS)

    def count_request(self, route: str, status: int, seconds: float) -> None:
        """Count a request to ``route``, the path of one of our own routes."""
        with self._lock:
            self._requests[route, status] += 1
            if route.startswith("/v1/"):
                self._latency.add(seconds)

    def count_images(self, images: int, broken: int) -> None:
        """Count the images of a request that was answered."""
        with self._lock:
            self._images["read"] += images - broken
            self._images["broken"] += broken

    def count_batch(self, images: int, seconds: float) -> None:
        """Count a batch."""
        with self._lock:
            self._batch_size.add(float(images))
            self._batch_time.add(seconds)

    def text(self, waiting: int) -> str:
        """All metrics; ``waiting`` is the number of images in the queue."""
        with self._lock:
            return "\n".join([*self._lines(waiting), ""])

    def _lines(self, waiting: int) -> Iterator[str]:
        yield from _header("verydeep_requests_total", "Requests by route and status.", "counter")
        for (route, status), count in sorted(self._requests.items()):
            yield f'verydeep_requests_total{{route="{route}",status="{status}"}} {count}'
        yield from _header("verydeep_images_total", "Images by whether they could be read.", "counter")
        for result in ("read", "broken"):
            yield f'verydeep_images_total{{result="{result}"}} {self._images[result]}'
        yield from _header("verydeep_queue_images", "Images accepted and not answered.", "gauge")
        yield f"verydeep_queue_images {waiting}"
        for histogram in (self._latency, self._batch_size, self._batch_time):
            yield from histogram.lines()


def _header(name: str, help_text: str, kind: str) -> Iterator[str]:
    yield f"# HELP {name} {help_text}"
    yield f"# TYPE {name} {kind}"
