"""Requests generated from the OpenAPI document, right and wrong ones: the answers are as it says."""

import os
import subprocess
import sys
from pathlib import Path

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
