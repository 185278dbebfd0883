"""Numbers of several processes in one memory."""

from verydeep.serve.limits import Limits
from verydeep.serve.metrics import READY, Metrics
from verydeep.serve.processes.counts import Counts, shared_counts

from ..conftest import serving


def test_sums_are_over_all_processes_and_go_on_after_a_restart():
    memory = shared_counts(2)
    first, second = Counts(memory, 0), Counts(memory, 1)
    first.add("a")
    second.add("a", 2.0)
    second.set("b", 5.0)
    assert first.sums() == second.sums() == {"a": 3.0, "b": 5.0}
    again = Counts(memory, 1)
    again.add("a")
    again.set("b", 0.0)
    assert (again.value("a"), again.value("c")) == (3.0, 0.0)
    assert first.sums() == {"a": 4.0, "b": 0.0} and first.processes == 2


def test_metrics_are_those_of_all_processes():
    memory = shared_counts(2)
    for number, seconds in enumerate((0.004, 0.3)):
        metrics = Metrics(Counts(memory, number))
        metrics.count_request("/v1/predict", 200, seconds)
        metrics.count_images(3, 1)
        metrics.set_queue(2)
        metrics.set_ready(number == 0)
    lines = metrics.text().splitlines()
    for line in (
        'verydeep_requests_total{route="/v1/predict",status="200"} 2',
        'verydeep_images_total{result="read"} 4',
        "verydeep_queue_images 4",
        "verydeep_ready_processes 1",
        'verydeep_request_seconds_bucket{le="0.005"} 1',
        'verydeep_request_seconds_bucket{le="0.25"} 1',
        'verydeep_request_seconds_bucket{le="+Inf"} 2',
        "verydeep_request_seconds_sum 0.304000",
        "verydeep_request_seconds_count 2",
    ):
        assert line in lines


def test_a_process_is_ready_when_all_are(served, png):
    memory = shared_counts(2)
    with serving(served, counts=Counts(memory, 0)) as client:
        problem = client.get("/readyz")
        assert problem.problem == (503, "1 of 2 processes are ready. Try again later")
        assert problem.headers["retry-after"] == "1" and client.image(png).status == 200
        Counts(memory, 1).set(READY, 1)
        assert client.get("/readyz").status == 200


def test_processes_hold_as_many_bytes_together_as_one_alone():
    assert [Limits().shared_among(count).max_memory for count in (1, 4)] == [512_000_000, 128_000_000]
    assert Limits().shared_among(64).max_memory == Limits().max_bytes  # a body must fit
