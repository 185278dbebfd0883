"""Requests generated from the OpenAPI document, right and wrong ones: the answers are as it says."""

import html
import os
import re
import subprocess
import sys
from http import HTTPStatus
from pathlib import Path

from .conftest import serving

ROOT = Path(__file__).parents[2]
HOOKS = Path(__file__).with_name("generated_images.py")


def test_generated_requests_are_answered_as_the_document_says(client, tmp_path):
    address = f"http://127.0.0.1:{client.port}/openapi.json"
    command = [
        sys.executable, "-m", "schemathesis.cli", "run", address,
        "--seed", "1", "--max-examples", "10", "--generation-database", "none",
    ]  # fmt: skip
    environment = os.environ | {"SCHEMATHESIS_HOOKS": str(HOOKS)}
    done = subprocess.run(command, env=environment, cwd=tmp_path, text=True, capture_output=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_can_be_busy_says_when_to_try_again(client):
    paths = client.get("/openapi.json").json["paths"]
    for path, method in (("/v1/predict", "post"), ("/v1/embed", "post"), ("/readyz", "get")):
        busy = paths[path][method]["responses"]["503"]
        assert list(busy["content"]) == ["application/problem+json"]
        assert "Retry-After" in busy["headers"]


def test_the_docs_explain_every_status():
    code = "".join(path.read_text() for path in (ROOT / "src/verydeep/serve").glob("*.py"))
    answered = {HTTPStatus[name] for name in re.findall(r"HTTPStatus\.([A-Z_]+)", code)} - {HTTPStatus.OK}
    explained = re.findall(r"^\| (\d{3}) \|", (ROOT / "docs/serve.md").read_text(), re.MULTILINE)
    assert answered | {404, 405} == set(map(int, explained))  # these two are the router's


def test_the_token_is_in_the_document_where_it_is_needed(client, served):
    assert "securitySchemes" not in client.get("/openapi.json").json.get("components", {})
    with serving(served, "a-token-of-24-characters") as guarded:
        document = guarded.get("/openapi.json").json
    assert document["components"]["securitySchemes"] == {"token": {"type": "http", "scheme": "bearer"}}
    for path, operations in document["paths"].items():
        for operation in operations.values():
            is_guarded = path in ("/v1/predict", "/v1/embed", "/v1/model", "/metrics")
            assert operation.get("security") == ([{"token": []}] if is_guarded else None)


def test_the_page_of_the_api_has_every_route_and_runs_no_script(served):
    with serving(served, "a-token-of-24-characters") as guarded:
        document = guarded.get("/openapi.json").json
        answer = guarded.get("/docs")
    text = html.unescape(answer.body.decode())
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "'unsafe-inline'" not in answer.headers["content-security-policy"]
    assert not re.search("<script|<style|style=| on[a-z]+=", text)
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            (section,) = re.findall(
                f'<section aria-label="{method.upper()} {path}">.*?</section>', text, re.DOTALL
            )
            (curl,) = re.findall(r"<pre>(curl .*)</pre>", section)
            assert curl.endswith(f"http://127.0.0.1:{guarded.port}{path}")
            assert ("Bearer $TOKEN" in curl) == ("security" in operation)
            for parameter in operation.get("parameters", ()):
                assert parameter["name"] in section and parameter["schema"]["description"] in section
            for status in operation["responses"]:
                assert f"<td>{status.replace('default', 'other')}</td>" in section
