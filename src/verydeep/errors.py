"""The exception classes. A message states what was given, what was expected, and the next step.

VeryDeepError                 base class of the errors that this package raises; the command exits with 2
├── ArchitectureError         an architecture string or a name that does not describe a network
├── ShapeError                images that do not fit the network
├── RecipeError               a recipe with an unknown key, a wrong type or a value out of range
├── DataError                 images or labels that cannot be used
│   ├── UnreadableError       an image that is empty, truncated, corrupt, too large, or not an image
│   └── DownloadError         a data set or weights that could not be downloaded
├── CheckpointError           weights that are unknown or corrupt, or do not fit the network
├── CompressionError          a network that cannot be compressed so, or a limit that cannot be met
├── HubError                  a model hub that refuses a request or cannot be reached
├── InUseError                an output folder or file that another process is writing to
├── RankError                 training on many devices that has lost one of them, or where they differ
├── StoppedByOtherRank        what the other ranks of a training raise where one has failed, and says why
├── LearningError             training that does not learn: a loss that is not finite, accuracy at chance
└── Interrupted               training that was stopped and saved; states how to resume it
"""

from typing import Literal

UnreadableKind = Literal[
    "empty",
    "missing",
    "not an image",
    "truncated",
    "corrupt",
    "too large",
    "too narrow",
    "32-bit",
    "unsupported",
]
"""Why an image cannot be read, in a word or two."""


class VeryDeepError(Exception):
    """The base class of the errors that this package raises, with messages for its users."""


class ArchitectureError(VeryDeepError, ValueError):
    """An architecture string or a name that does not describe a network."""


class ShapeError(VeryDeepError, ValueError):
    """Images that do not fit the network."""


class RecipeError(VeryDeepError, ValueError):
    """A recipe with an unknown key, a wrong type or a value out of range."""


class DataError(VeryDeepError, ValueError):
    """Images or labels that cannot be used."""


class UnreadableError(DataError):
    """An image that cannot be decoded."""

    def __init__(self, message: str, kind: UnreadableKind) -> None:
        super().__init__(message)
        self.kind = kind


class DownloadError(DataError):
    """A file that could not be downloaded; lists every download source with its error."""


class CheckpointError(VeryDeepError, ValueError):
    """Weights that are unknown, or a checkpoint that is corrupt, unknown, or does not fit the network."""


class CompressionError(VeryDeepError, ValueError):
    """A network that a step of compression cannot change, or a limit that cannot be met."""


class HubError(VeryDeepError):
    """A model hub that refuses a request or cannot be reached; states how to log in, or what to install."""


class InUseError(VeryDeepError):
    """An output folder or file that another process is writing to."""


class RankError(VeryDeepError):
    """Training on many devices where one of the processes has ended, or has other images or weights."""


class StoppedByOtherRank(VeryDeepError):
    """Another rank of a training has failed, and says why; this one has nothing to add."""


class LearningError(VeryDeepError, RuntimeError):
    """Training that does not learn; states the likely cause, and what to change for this network."""


class Interrupted(VeryDeepError):
    """Training that was stopped by the user, after it was saved."""
