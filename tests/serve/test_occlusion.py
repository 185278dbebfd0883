"""Heat maps by occlusion over HTTP: those of ``verydeep explain``, in turn with other requests."""

import queue
import threading
import time
from dataclasses import replace

import pytest

from verydeep.cli.serve_checkpoint import serve_checkpoint
from verydeep.decoding.decode import decode_pixels
from verydeep.explain.decoded_heat_maps import decoded_heat_maps
from verydeep.explain.exported_heat_maps import exported_heat_maps
from verydeep.serve.batcher import Batcher, Job

from .conftest import form_of, opacity, serving, wait_until


@pytest.fixture(scope="module")
def pixels(checkpoint, png):
    return decode_pixels(png, checkpoint.preprocess)[None]


def test_the_heat_map_is_that_of_explain(client, served, pixels, png):
    (answer,) = client.image(png, "?explain=occlusion").json
    (expected,) = exported_heat_maps(served.network, pixels, method="occlusion")
    assert (answer["heat_map"]["method"], answer["heat_map"]["label"]) == ("occlusion", expected.label)
    assert answer["confidence"] == pytest.approx(expected.confidence, rel=1e-4)
    assert opacity(answer["heat_map"]) == pytest.approx(expected.heat, abs=0.01)


def test_the_heat_map_of_a_checkpoint_is_that_of_explain(checkpoint, run_file, pixels, png):
    with serving(serve_checkpoint(run_file)) as client:
        (answer,) = client.image(png, "?explain=occlusion").json
    (expected,) = decoded_heat_maps(checkpoint, pixels, method="occlusion")
    assert opacity(answer["heat_map"]) == pytest.approx(expected.heat, abs=0.01)


def test_a_broken_image_beside_others_has_its_reason(client, png):
    body, kind = form_of([("a.png", png), ("b.png", b"text")])
    answer = client.send("POST", "/v1/predict?explain=occlusion", body, content_type=kind)
    assert ["heat_map" in each for each in answer.json] == [True, False]
    assert "not an image" in answer.json[1]["error"]


def test_without_class_maps_grad_cam_becomes_occlusion_as_in_explain(client, served, png):
    with serving(replace(served, explain=None)) as plain:
        assert plain.get("/v1/model").json["explain"] == ["occlusion"]
        assert plain.image(png, "?explain=grad-cam").json == client.image(png, "?explain=occlusion").json


@pytest.fixture
def slow(served):
    """A network that needs 20 ms for a slice, and the number of slices so far."""
    slices = []

    def covered_logits(pixels, windows):
        time.sleep(0.02)
        slices.append(len(windows))
        return served.covered_logits(pixels, windows)

    return replace(served, covered_logits=covered_logits), slices


def test_other_requests_are_answered_between_the_slices(slow, png):
    network, slices = slow
    with serving(network, max_batch=8) as client:
        explaining = [
            threading.Thread(target=client.image, args=(png, "?explain=occlusion")) for _ in range(3)
        ]
        for thread in explaining:
            thread.start()
        wait_until(lambda: slices)
        start, before = time.monotonic(), len(slices)
        assert client.image(png).status == 200
        assert time.monotonic() - start < 0.5 and len(slices) - before <= 3
        for thread in explaining:
            thread.join()
    assert max(slices) == 8 and len(slices) == 3 * 29  # 225 windows of 16 px


def test_a_slice_waits_for_no_companions_and_counts_its_images(served, png):
    with serving(served, max_batch=16, max_wait_ms=500.0) as client:
        start = time.monotonic()
        assert client.image(png, "?explain=occlusion").status == 200
        assert time.monotonic() - start < 4  # the image itself waits once, its 15 slices do not
        lines = client.get("/metrics").body.decode().splitlines()
    assert "verydeep_batch_images_sum 226.000000" in lines
    assert "verydeep_batch_images_count 16" in lines


def test_an_image_does_not_wait_while_a_slice_is_behind_it(pixels):
    sizes, done = [], queue.Queue()
    batcher = Batcher(max_batch=16, max_wait=10.0, on_batch=lambda images, _: sizes.append(images))
    for images, is_batch in ((1, False), (9, True), (8, True)):
        job = Job(len_of_each, done.put, time.monotonic() + 10, images, is_batch)
        job.pixels = pixels[0]
        batcher.submit(job)
    assert [done.get(timeout=5) for _ in range(3)] == [1, 1, 1]
    batcher.stop()
    assert sizes == [1, 9, 8]


def len_of_each(batch):
    return [len(batch)] * len(batch)


def test_after_the_deadline_no_slice_is_computed(slow, png):
    network, slices = slow
    with serving(network, max_batch=1, deadline_seconds=0.3) as client:
        assert client.image(png, "?explain=occlusion").problem[0] == 503
        assert client.image(png).status == 200
        done = len(slices)
        time.sleep(0.2)
        assert len(slices) == done < 20
