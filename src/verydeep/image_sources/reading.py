"""What was found while images were looked up: how many files were passed over and why, and what to know."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Reading:
    """What a reader of the images should be told."""

    skipped: Mapping[str, int] = field(default_factory=dict)
    """How many files were passed over, by reason: a suffix such as ``.pdf``, or words such as ``hidden``."""
    notes: tuple[str, ...] = ()
    """How the images were understood where that is not obvious, in sentences without a full stop."""

    def noted(self, *notes: str) -> "Reading":
        """The same with more notes."""
        return Reading(self.skipped, (*self.notes, *notes))

    def line(self, images: int, classes: int | None = None) -> str:
        """Such as ``1,204 images in 3 classes; skipped: 12 .pdf, 3 hidden``."""
        inside = "" if classes is None else f" in {classes:,} {'class' if classes == 1 else 'classes'}"
        found = f"{images:,} image{'s' * (images != 1)}{inside}"
        return f"{found}; skipped: {self.skipped_text}" if self.skipped else found

    def lines(self, images: int, classes: int | None = None) -> tuple[str, ...]:
        """The counts and the notes, for messages."""
        return (self.line(images, classes), *(f"Note: {note}" for note in self.notes))

    @property
    def skipped_text(self) -> str:
        """Such as ``12 .pdf, 3 hidden``, the most frequent first."""
        ordered = sorted(self.skipped.items(), key=lambda item: (-item[1], item[0]))
        return ", ".join(f"{count:,} {reason}" for reason, count in ordered)


def joined(readings: Iterable[Reading]) -> Reading:
    """The counts of all ``readings`` added up, and every note once."""
    skipped: Counter[str] = Counter()
    notes: dict[str, None] = {}
    for reading in readings:
        skipped.update(reading.skipped)
        notes |= dict.fromkeys(reading.notes)
    return Reading(dict(skipped), tuple(notes))
