"""A bundle: an exported network with all that is needed to use it, as an ``.onnx`` file or a folder.

The JSON of a checkpoint (``architecture/description.py``) with one key more, ``export``, is in the metadata
of an ONNX file under ``verydeep``, and beside the files of other formats as ``verydeep.json``. Reading it
needs neither torch nor a runtime.
"""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Ge
from pydantic import TypeAdapter, ValidationError

from verydeep.architecture.architecture import Architecture
from verydeep.architecture.description import Description, problems_of
from verydeep.architecture.preprocess import Preprocess
from verydeep.errors import CheckpointError
from verydeep.runtime.file_checksum import FileChecksum, check_file
from verydeep.runtime.onnx_metadata import onnx_metadata

Format = Literal["onnx", "openvino", "ncnn"]
Precision = Literal["fp32", "bf16", "int8"]

KEY = "verydeep"
LOGITS, EMBEDDING, CLASS_MAPS = "logits", "embedding", "class_maps"
"""The outputs of an exported network; ``export/graph.py`` says what they are."""
DESCRIPTION = "verydeep.json"
FILES: dict[Format, str] = {"onnx": "model.onnx", "openvino": "model.xml", "ncnn": "model.ncnn.param"}
"""The file of a folder that the runtime is given."""
PAGE_NETWORK = "model.onnx"
"""The bundle in the folder of a page for the browser."""
MAX_DESCRIPTION_BYTES = 64_000_000


@dataclass(frozen=True, kw_only=True)
class ExportInfo:
    """How a network was exported, and what was measured then."""

    format: Format
    precision: Precision
    size: Annotated[int, Ge(1)] | None
    """The side of the only images that it accepts, in px; None where every size fits."""
    outputs: tuple[str, ...]
    parity: dict[str, Any] = field(default_factory=dict)
    """How its logits differ from those of the checkpoint."""
    files: dict[str, FileChecksum] = field(default_factory=dict)
    """The checksums of the files of a folder by name; empty for an ``.onnx`` file and in older folders."""


@dataclass(frozen=True)
class Bundle:
    """The description of an exported network, and its file."""

    path: Path
    """The ``.onnx`` file or the folder."""
    description: Description
    export: ExportInfo

    @property
    def file(self) -> Path:
        """The file that the runtime is given."""
        return self.path / FILES[self.export.format] if self.path.is_dir() else self.path

    @property
    def architecture(self) -> Architecture:
        """The architecture of the network."""
        return self.description.architecture

    @property
    def preprocess(self) -> Preprocess:
        """The preprocessing of images."""
        return self.description.preprocess

    def check_files(self) -> None:
        """Compare the files of a folder with their checksums.

        Raises:
            CheckpointError: if one is missing, truncated or another one.
        """
        for name, checksum in self.export.files.items():
            check_file(self.path / Path(name).name, checksum)


def bundle_json(description: Description, export: ExportInfo) -> str:
    """The JSON of a bundle."""
    return json.dumps(description.to_dict() | {"export": asdict(export)})


def is_bundle(path: Path) -> bool:
    """Whether ``path`` is a bundle, by its description; an ONNX file of another program is none."""
    if path.is_dir():
        return (path / DESCRIPTION).is_file()
    return path.suffix == ".onnx" and path.is_file() and KEY in onnx_metadata(path)


def read_bundle(path: Path) -> Bundle:
    """The bundle at ``path``; its network is not loaded yet.

    Raises:
        CheckpointError: if there is none, or its description is broken.
    """
    text = _text(path)
    try:
        values = json.loads(text)
        export = TypeAdapter(ExportInfo).validate_python(values.pop("export"))
        description = Description.from_json(json.dumps(values))
    except ValidationError as error:
        raise CheckpointError(f"{path} has a wrong export: {problems_of(error)}. Export it again") from None
    except CheckpointError as error:
        raise CheckpointError(f"{path} {error}") from None
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError) as error:
        raise CheckpointError(f"the description of {path} is broken: {error!r}. Export it again") from None
    bundle = Bundle(path, description, export)
    if not bundle.file.is_file():
        raise CheckpointError(f"{path} has no {bundle.file.name}. Export the network again")
    return bundle


def _text(path: Path) -> str | bytes:
    if not path.is_dir():
        metadata = onnx_metadata(path)
        if KEY not in metadata:
            raise CheckpointError(f"{path} is not a network that verydeep exported")
        return metadata[KEY]
    file = path / DESCRIPTION
    if not file.is_file() or file.stat().st_size > MAX_DESCRIPTION_BYTES:
        raise CheckpointError(f"{path} has no {DESCRIPTION} of at most {MAX_DESCRIPTION_BYTES:,} bytes")
    return file.read_bytes()
