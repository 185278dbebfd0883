"""The same network in LitServe, to compare with; it runs in an environment that has litserve."""

import argparse
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from fastapi import Request

from verydeep.decoding.decode import decode_pixels
from verydeep.prediction.predict import top_classes
from verydeep.runtime.exported_network import load_exported

litserve: Any = import_module("litserve")


def _setup(self: Any, device: str) -> None:
    self.network = load_exported(self.bundle, threads=self.threads)


def _decode_request(self: Any, request: Request) -> Any:
    form: Any = request  # LitServe gives the fields of a form for what it wants annotated as a request
    return decode_pixels(form["file"].file.read(), self.network.preprocess)


def _predict(self: Any, pixels: Any) -> Any:
    return top_classes(self.network.logits(np.stack(pixels)), self.network.classes, 5)


def _encode_response(self: Any, row: Any) -> Any:
    return [{"file": "image.jpg", "label": row[0][0], "probabilities": dict(row)}]


def _unchanged(self: Any, values: Any) -> Any:
    return values


Api = type(  # LitServe has no types to derive a class from
    "Api",
    (litserve.LitAPI,),
    {
        "__module__": __name__,  # it is sent to the processes of LitServe by this name
        "setup": _setup,
        "decode_request": _decode_request,
        "batch": _unchanged,
        "predict": _predict,
        "unbatch": _unchanged,
        "encode_response": _encode_response,
    },
)


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(description="LitServe, to compare with.")
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--max-batch", type=int, default=16)
    arguments = parser.parse_args()
    api = Api(max_batch_size=arguments.max_batch, batch_timeout=0.005, api_path="/v1/predict")
    api.bundle, api.threads = arguments.bundle, arguments.threads
    server = litserve.LitServer(api, accelerator="cpu")
    server.run(port=arguments.port, generate_client_file=False, log_level="warning")


if __name__ == "__main__":
    main()
