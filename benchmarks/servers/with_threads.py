"""The plainest server to compare with: FastAPI calls the network in its threads, an image at a time."""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import uvicorn
from fastapi import FastAPI, UploadFile

from verydeep.decoding.decode import decode_pixels
from verydeep.prediction.predict import top_classes
from verydeep.runtime.exported_network import load_exported


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(description="FastAPI without batches, to compare with.")
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--threads", type=int)
    arguments = parser.parse_args()
    network, app = load_exported(arguments.bundle, threads=arguments.threads), FastAPI()

    @app.post("/v1/predict")
    def predict(file: UploadFile) -> list[dict[str, Any]]:
        pixels = decode_pixels(file.file.read(), network.preprocess)
        (row,) = top_classes(network.logits(np.stack([pixels])), network.classes, 5)
        return [{"file": file.filename, "label": row[0][0], "probabilities": dict(row)}]

    uvicorn.run(app, port=arguments.port, access_log=False, log_level="warning")


if __name__ == "__main__":
    main()
