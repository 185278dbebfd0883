"""The files of onnxruntime-web, which a page for the browser computes with; without torch."""

from pathlib import Path

from verydeep.errors import CheckpointError

ORT_PACKAGE = "onnxruntime-web@1.30.0"
"""The version that was tested."""
ORT_FOLDER = Path("node_modules/onnxruntime-web/dist")
ORT_FILES = ("ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm")
"""What the page needs of onnxruntime-web: its code, and the compiled runtime."""


def ort_files(folder: Path | None = None) -> list[Path]:
    """The files in ``folder``, the ``dist`` of onnxruntime-web; by default that of ``npm install`` here.

    Raises:
        CheckpointError: if one of them is missing.
    """
    found = [(folder or ORT_FOLDER) / name for name in ORT_FILES]
    for file in found:
        if not file.is_file():
            raise CheckpointError(
                f"the page needs onnxruntime-web, and there is no {file}. Run: npm install {ORT_PACKAGE}, or "
                "name its folder dist with --ort"
            )
    return found
