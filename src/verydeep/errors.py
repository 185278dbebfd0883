"""The tree of errors: each says what was given, what would do, and the next step.

VeryDeepError                 everything this package raises on purpose; the command exits with 2
├── ArchitectureError                 a line of text or a name that is no network
├── ShapeError                images and network do not fit each other
├── RecipeError               a recipe with an unknown key, a wrong type or a value out of range
├── DataError                 images or labels that cannot be used
│   ├── UnreadableError       an image that is empty, cut off, none at all, or too large
│   └── DownloadError            a data set or weights that no door gave whole
├── CheckpointError           weights that nobody publishes, or that are broken, foreign, or do not fit
├── HubError                  a model hub that refuses, or is not to be reached
├── LearningError             training that does not learn: a loss that is not finite, accuracy at chance
└── Interrupted               training that was stopped and saved, with the way to go on
"""

from typing import Literal

Damage = Literal["empty", "not there", "no image", "cut off", "broken", "too large", "32 bits"]
"""What can ail an image."""


class VeryDeepError(Exception):
    """Whatever this package raises on purpose, with a message written for the person who meets it."""


class ArchitectureError(VeryDeepError, ValueError):
    """A line of text or a name that is no network."""


class ShapeError(VeryDeepError, ValueError):
    """Images and network that do not fit each other."""


class RecipeError(VeryDeepError, ValueError):
    """A recipe with an unknown key, a wrong type or a value out of range."""


class DataError(VeryDeepError, ValueError):
    """Images or labels that cannot be used."""


class UnreadableError(DataError):
    """An image that cannot be decoded."""

    def __init__(self, words: str, kind: Damage) -> None:
        super().__init__(words)
        self.kind = kind


class DownloadError(DataError):
    """A file that no door gave whole: each door is named with what went wrong there."""


class CheckpointError(VeryDeepError, ValueError):
    """Weights that nobody publishes, or a checkpoint that is broken, foreign, or does not fit the network."""


class HubError(VeryDeepError):
    """A model hub that refuses, or is not to be reached; says who to be, or what to install."""


class LearningError(VeryDeepError, RuntimeError):
    """Training that does not learn, with the likely cause and the remedy for this very network."""


class Interrupted(VeryDeepError):
    """Training that was asked to stop, and was saved first."""
