"""Issues of images: unreadable, wrong suffix, blank, nearly black, tiny, or of a kind that one class has."""

from collections import Counter, defaultdict
from collections.abc import Iterator

from verydeep.check.check import MAX_UNREADABLE, CheckResult
from verydeep.check.examine import has_wrong_suffix
from verydeep.check.finding import Finding, count_images, each_name
from verydeep.check.perceptual_hash import is_blank

MIN_SIDE = 32
"""Smaller images, in px, are reported."""

DARK_PEAK = 64
"""Of 255: images without a brighter pixel are reported. 14 bits stored in 16 reach 64, and 12 bits 16."""


def file_findings(result: CheckResult) -> Iterator[Finding]:
    """Unreadable files, and files with the suffix of another format."""
    unreadable, samples = result.unreadable, result.samples
    if unreadable:
        kinds = Counter(each.kind for each in unreadable.values())
        counts = ", ".join(f"{count:,} {kind}" for kind, count in kinds.most_common())
        yield Finding(
            kind="unreadable",
            severity="error",
            message=f"{count_images(len(unreadable))} of {len(samples):,} cannot be read: {counts}.",
            next_step="Replace or remove these files. Training leaves them out, and stops with an error if "
            f"more than {100 * MAX_UNREADABLE:.0f} % are unreadable.",
            files=each_name(result, list(unreadable)),
        )
    wrong = [i for i, facts in result.readable.items() if has_wrong_suffix(samples.sources[i], facts)]
    if wrong:
        formats = Counter(result.readable[i].file_format for i in wrong)
        counts = ", ".join(f"{count:,} {name}" for name, count in formats.most_common())
        yield Finding(
            kind="wrong suffix",
            severity="note",
            message=f"{count_images(len(wrong), 'has', 'have')} the suffix of another format. "
            f"The real formats: {counts}.",
            next_step="They are read by their content. Rename them for programs that rely on the suffix.",
            files=each_name(result, wrong),
        )


def content_findings(result: CheckResult) -> Iterator[Finding]:
    """Images that show little, and classes that can be recognized without looking at the content."""
    readable = result.readable
    blank = [i for i, facts in readable.items() if is_blank(facts.thumbnail[None])[0]]
    if blank:
        yield Finding(
            kind="blank",
            severity="warning",
            message=f"{count_images(len(blank), 'has', 'have')} a single color.",
            next_step="Look at them, and remove them if they are not examples of their class.",
            files=each_name(result, blank),
        )
    tiny = [i for i, facts in readable.items() if min(facts.width, facts.height) < MIN_SIDE]
    if tiny:
        yield Finding(
            kind="tiny",
            severity="note",
            message=f"{count_images(len(tiny), 'is', 'are')} less than {MIN_SIDE} px wide or high.",
            next_step="They are enlarged for the network and may show little. Use a small input size.",
            files=each_name(result, tiny),
        )
    yield from _dark(result)
    yield from _shortcuts(result)


def _dark(result: CheckResult) -> Iterator[Finding]:
    """Images that use the lower part of their type's values only."""
    dark = {
        i: facts
        for i, facts in result.readable.items()
        if facts.peak <= DARK_PEAK and (facts.kind == "16-bit" or not is_blank(facts.thumbnail[None])[0])
    }
    if dark:
        brightest = max(facts.peak for facts in dark.values()) / 255
        deep = sum(facts.kind == "16-bit" for facts in dark.values())
        of_them = f", {deep:,} of them with 16 bits" if deep else ""
        yield Finding(
            kind="dark",
            severity="warning",
            message=f"{count_images(len(dark), 'is', 'are')} nearly black{of_them}: no pixel is above "
            f"{brightest:.0%} of the greatest value of its type.",
            next_step="If fewer bits are used than stored, such as 12 of 16, or if the values are class "
            "numbers, scale them to the full range and save the images again, all by the same factor.",
            files=each_name(result, list(dark)),
        )


def _shortcuts(result: CheckResult) -> Iterator[Finding]:
    """A kind of image, such as gray, that all images of one class have and no other class has."""
    labels_of_kind: dict[str, Counter[int]] = defaultdict(Counter)
    for index, facts in result.readable.items():
        labels_of_kind[facts.kind][int(result.samples.labels[index])] += 1
    sizes = list(result.samples.class_sizes.values())
    for kind, counts in labels_of_kind.items():
        ((label, count),) = counts.most_common(1)
        if len(counts) == 1 < len(labels_of_kind) and count >= max(2, 0.9 * sizes[label]):
            name = result.samples.classes[label]
            yield Finding(
                kind="shortcut",
                severity="warning",
                message=f"{name} is {kind}, and no other class is: a network can recognize the class by that "
                "alone (shortcut learning).",
                next_step="Take and save the images of all classes in the same way.",
            )
