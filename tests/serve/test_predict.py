"""Requests that are right, over HTTP, compared with ``verydeep predict`` and with the checkpoint in torch."""

import base64
import json
import sys
import threading
from dataclasses import replace

import pytest
import torch

from verydeep.cli.serve_checkpoint import serve_checkpoint
from verydeep.decoding.decode import decode_pixels
from verydeep.embed.embedder import Embedder
from verydeep.explain.heat_maps import heat_maps
from verydeep.models.feature_steps import last_map_name
from verydeep.prediction.predict import predict

from .conftest import encoded, form_of, opacity, serving


def test_the_answer_is_that_of_predict(client, checkpoint, png, tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(png)
    ((expected,),) = predict(checkpoint, [path])
    (answer,) = client.form([("a.png", png)]).json
    assert list(answer) == list(expected.values)
    assert answer["label"] == expected.label
    assert list(answer["probabilities"]) == [name for name, _ in expected.top_classes]
    assert list(answer["probabilities"].values()) == pytest.approx([p for _, p in expected.top_classes])


def test_three_forms_of_a_request_have_one_answer(client, png):
    as_json = json.dumps({"images": [{"file": "a.png", "content": base64.b64encode(png).decode()}]})
    answers = [
        client.form([("a.png", png)]),
        client.image(png),
        client.send("POST", "/v1/predict", png, content_type="application/octet-stream"),
        client.send("POST", "/v1/predict", as_json, content_type="application/json"),
    ]
    assert [answer.json[0]["file"] for answer in answers] == ["a.png", "image", "image", "a.png"]
    assert len({json.dumps(answer.json[0]["probabilities"]) for answer in answers}) == 1


def test_several_images_keep_their_order_and_a_broken_one_has_its_reason(client, png):
    small = encoded(20, 20, "JPEG")
    answer = client.form([("a.png", png), ("b.txt", b"text"), ("c.jpg", small)])
    assert answer.status == 200
    assert [each["file"] for each in answer.json] == ["a.png", "b.txt", "c.jpg"]
    assert ["error" in each for each in answer.json] == [False, True, False]
    assert answer.json[2] == client.image(small).json[0] | {"file": "c.jpg"}


def test_top_and_reject_below(client, png):
    (answer,) = client.image(png, "?top=2&reject_below=0.99").json
    assert len(answer["probabilities"]) == 2
    assert answer["label"] == "none of these" and answer["rejected"] in answer["probabilities"]


@pytest.mark.parametrize("query", ["?top=0", "?top=a", "?reject_below=2", "?explain=magic"])
def test_a_wrong_parameter_is_a_problem_that_names_it(client, png, query):
    status, detail = client.image(png, query).problem
    assert status == 422 and query[1:].partition("=")[0] in detail


def test_a_heat_map_is_that_of_grad_cam_in_torch(client, checkpoint, png):
    (answer,) = client.image(png, "?explain=grad-cam").json
    heat_map = answer["heat_map"]
    assert heat_map["label"] == answer["label"] and heat_map["method"] == "grad-cam"
    pixels = torch.from_numpy(decode_pixels(png, checkpoint.preprocess))[None]
    (expected,) = heat_maps(checkpoint, pixels, method="grad-cam", layer=last_map_name(checkpoint.model))
    assert opacity(heat_map) == pytest.approx(expected.heat, abs=0.01)


def test_a_vector_is_that_of_the_embedder(client, checkpoint, png, tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(png)
    (batch,) = Embedder(checkpoint)([path])
    (answer,) = client.form([("a.png", png)], "/v1/embed").json
    assert answer["file"] == "a.png"
    assert answer["embedding"] == pytest.approx(batch.vectors[0].tolist(), rel=1e-4)


def test_a_checkpoint_is_served_alike(client, run_file, png):
    with serving(serve_checkpoint(run_file)) as other:
        for path, key in (("/v1/predict?explain=grad-cam", "confidence"), ("/v1/embed", "embedding")):
            (ours,), (theirs,) = (
                each.send("POST", path, png, content_type="image/png").json for each in (client, other)
            )
            assert ours.keys() == theirs.keys()
            assert ours[key] == pytest.approx(theirs[key], rel=1e-4)
        assert other.get("/v1/model").json["runtime"] == "torch"


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def test_a_checkpoint_computes_on_the_device(client, run_file, png, device):
    with serving(serve_checkpoint(run_file, device=device)) as other:
        assert other.get("/v1/model").json["device"] == device
        (ours,), (theirs,) = (each.image(png, "?explain=occlusion").json for each in (client, other))
        assert opacity(theirs["heat_map"]) == pytest.approx(opacity(ours["heat_map"]), abs=0.02)
        assert other.image(png, "?explain=grad-cam").status == 200
        assert other.send("POST", "/v1/embed", png, content_type="image/png").status == 200


def test_the_model_is_described(client):
    facts = client.get("/v1/model").json
    assert facts["classes"] == ["cat", "dog", "newt"] and facts["temperature"] == 0.5
    assert (facts["size"], facts["runtime"], facts["explain"]) == (
        16,
        "onnxruntime",
        ["grad-cam", "occlusion"],
    )


def test_every_format_that_the_model_names_is_read(client):
    pytest.importorskip("pillow_heif").register_heif_opener()
    formats = client.get("/v1/model").json["formats"]
    assert {"JPEG", "PNG", "WebP", "GIF", "BMP", "TIFF", "HEIC"} <= set(formats)
    for kind in formats:
        assert client.image(encoded(kind=kind.replace("HEIC", "HEIF").upper())).status == 200, kind


def test_without_its_extra_heic_is_not_named(client, monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    assert "HEIC" not in client.get("/v1/model").json["formats"]
    assert "HEIC" not in client.image(b"text").problem[1]


def test_a_token_is_needed_where_there_is_one(served, png):
    token = "a-token-of-24-characters"
    with serving(served, token) as client:
        for wrong in ({}, {"authorization": "Bearer wrong"}, {"authorization": token}):
            answer = client.image(png, **wrong)
            assert answer.problem[0] == 401 and answer.headers["www-authenticate"] == "Bearer"
            assert client.get("/metrics", **wrong).status == 401
        for scheme in ("Bearer", "bearer"):  # RFC 9110, section 11.1: in any case
            assert client.image(png, authorization=f"{scheme} {token}").status == 200
        assert client.get("/healthz").status == client.get("/").status == 200


def test_the_openapi_document_has_every_route_and_loads_nothing_from_elsewhere(client):
    document = client.get("/openapi.json").json
    assert {"/v1/predict", "/v1/embed", "/v1/model", "/healthz", "/readyz", "/metrics"} == set(
        document["paths"]
    )
    assert "multipart/form-data" in document["paths"]["/v1/predict"]["post"]["requestBody"]["content"]
    assert client.get("/redoc").problem[0] == 404


@pytest.mark.parametrize("path", ["/", "/page.css", "/healthz", "/readyz"])
def test_head_has_the_headers_of_get_and_no_body(client, path):
    head, get = client.send("HEAD", path), client.get(path)
    assert (head.status, head.body) == (200, b"")
    for name in ("content-type", "content-length"):
        assert head.headers[name] == get.headers[name]


def test_metrics_count_requests_images_and_batches(served, png):
    with serving(served, max_batch=2, max_wait_ms=5000.0) as client:
        client.form([("a.png", png), ("b.png", png), ("c.png", b"text")])
        lines = client.get("/metrics").body.decode().splitlines()
    assert 'verydeep_requests_total{route="/v1/predict",status="200"} 1' in lines
    assert 'verydeep_images_total{result="read"} 2' in lines
    assert 'verydeep_images_total{result="broken"} 1' in lines
    assert "verydeep_queue_images 0" in lines
    assert 'verydeep_batch_images_bucket{le="+Inf"} 1' in lines


def held(served):
    """``served`` with a network that computes only when it is let go; and the sizes of its batches."""
    go, sizes = threading.Event(), []

    class Held:
        preprocess, classes, origin = (
            getattr(served.network, name) for name in ("preprocess", "classes", "origin")
        )

        def logits(self, pixels):
            if pixels.any():  # not the batch that warms up
                assert go.wait(20)
                sizes.append(len(pixels))
            return served.network.logits(pixels)

    return replace(served, network=Held()), go, sizes


def test_a_full_queue_is_refused_at_once_and_images_become_full_batches(served, png):
    network, go, sizes = held(served)
    with serving(network, max_queue=9, max_batch=4) as client:
        answers = []
        threads = [
            threading.Thread(target=lambda: answers.append(client.image(png).status)) for _ in range(9)
        ]
        for thread in threads:
            thread.start()
        while "verydeep_queue_images 9" not in client.get("/metrics").body.decode():
            pass
        refused = client.image(png)
        assert refused.problem[0] == 503 and int(refused.headers["retry-after"]) >= 1
        not_ready = client.get("/readyz")
        assert not_ready.problem[0] == 503 and int(not_ready.headers["retry-after"]) >= 1
        go.set()
        for thread in threads:
            thread.join()
        assert answers == [200] * 9
        assert sum(sizes) == 9 and max(sizes) == 4
        assert client.image(png).status == client.get("/readyz").status == 200


def test_a_request_over_its_deadline_is_refused_and_the_next_is_answered(served, png):
    network, go, _ = held(served)
    with serving(network, deadline_seconds=0.3) as client:
        status, detail = client.image(png).problem
        assert status == 503 and "0.3 s" in detail
        go.set()
        assert client.image(png).status == 200


def test_a_failing_network_is_a_problem_without_its_text(served, png, caplog):
    class Failing:
        preprocess, classes, origin = (
            getattr(served.network, name) for name in ("preprocess", "classes", "origin")
        )

        def logits(self, pixels):
            if pixels.any():
                raise RuntimeError("secret")
            return served.network.logits(pixels)

    with serving(replace(served, network=Failing())) as client:
        answer = client.image(png)
        assert answer.problem[0] == 500 and b"secret" not in answer.body
        assert client.send("POST", "/v1/embed", png, content_type="image/png").status == 200
    assert "secret" in caplog.text


def test_a_form_in_another_field_is_refused(client, png):
    body, kind = form_of([("a.png", png)], field="photo")
    status, detail = client.send("POST", "/v1/predict", body, content_type=kind).problem
    assert status == 422 and "field `file`" in detail
