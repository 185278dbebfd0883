"""What a checkup comes to, for a person: each finding with how bad it is, and what to do next."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from verydeep.check.check import Checkup, labels_of
from verydeep.check.examine import misnamed
from verydeep.check.group_names import same_name
from verydeep.check.perceptual_hash import blank
from verydeep.data.samples import Part

Severity = Literal["error", "warning", "note"]
"""What harms, what may harm, and what is good to know."""

IMBALANCE = 3
"""Times that the largest class may have the images of the smallest."""
FEW = 20
"""Images of a class from which something can be learned by a network that has seen others."""
_TINY = 32  # px


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that was found."""

    kind: str
    """In a word or two, always the same: for programs."""
    severity: Severity
    said: str
    """In plain words."""
    next: str
    """What to do."""
    files: tuple[tuple[str, ...], ...] = ()
    """Names of the images it is about, those together that belong together."""


def findings(checkup: Checkup) -> tuple[Finding, ...]:
    """All that was found, the worst first."""
    found = [
        *_damaged(checkup),
        *_labels(checkup),
        *_duplicates(checkup),
        *_groups(checkup),
        *_classes(checkup),
        *_looks(checkup),
    ]
    order = get_args(Severity)
    return tuple(sorted(found, key=lambda finding: order.index(finding.severity)))


def _damaged(checkup: Checkup) -> Iterator[Finding]:
    damaged, samples = checkup.damaged, checkup.samples
    kinds = Counter(each.kind for each in damaged.values())
    if damaged:
        which = ", ".join(f"{count:,} {kind}" for kind, count in kinds.most_common())
        yield Finding(
            kind="damaged",
            severity="error",
            said=f"{_images(len(damaged))} of {len(samples):,} cannot be read: {which}.",
            next="Get these files again, or take them out. Training leaves them out, and refuses to begin "
            "where more than 5 % are damaged.",
            files=_names(checkup, [[place] for place in damaged]),
        )
    wrong = [p for p, seen in checkup.readable.items() if misnamed(samples.sources[p], seen)]
    if wrong:
        formats = Counter(checkup.readable[place].file_format for place in wrong)
        yield Finding(
            kind="wrong suffix",
            severity="note",
            said=f"{_images(len(wrong), 'has', 'have')} a suffix that says another format: "
            f"{', '.join(f'{count:,} in truth {name}' for name, count in formats.most_common())}.",
            next="They are read by what they are; rename them before other programs stumble.",
            files=_names(checkup, [[place] for place in wrong]),
        )


def _labels(checkup: Checkup) -> Iterator[Finding]:
    """The same image in two classes: certain where the bytes are the same, likely where the looks are."""
    torn = [each for each in checkup.duplicates.clusters if len(labels_of(checkup.samples, each)) > 1]
    certain = [each for each in torn if any(_same_bytes(checkup, each))]
    likely = [each for each in torn if each not in certain]
    if certain:
        yield Finding(
            kind="label conflict",
            severity="error",
            said=f"{_images(len(certain), 'lies', 'lie')} in two classes, byte for byte: one of the labels "
            "is wrong.",
            next="Look at them on the page, and keep each in one class.",
            files=_names(checkup, certain),
        )
    if likely:
        yield Finding(
            kind="likely label conflict",
            severity="warning",
            said=f"{_times(len(likely))} images that look the same lie in different classes.",
            next="Look at them on the page: one of the labels may be wrong.",
            files=_names(checkup, likely),
        )


def _same_bytes(checkup: Checkup, cluster: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Pairs in ``cluster`` of one content and two labels."""
    first: dict[bytes, int] = {}
    for place in cluster:
        other = first.setdefault(checkup.readable[place].digest, place)
        if len(labels_of(checkup.samples, [place, other])) > 1:
            yield other, place


def _duplicates(checkup: Checkup) -> Iterator[Finding]:
    samples, clusters = checkup.samples, checkup.duplicates.clusters
    across = [each for each in clusters if len({samples.parts[place] for place in each}) > 1]
    if across:
        shared = sum(len(each) for each in across)
        yield Finding(
            kind="duplicates across splits",
            severity="error",
            said=f"{_images(shared)} are the same as one in another split: what is measured there was seen "
            "in training.",
            next="Keep each in one split; or put all images into one folder a class, and let verydeep cut "
            "the split with --group-by duplicates.",
            files=_names(checkup, across),
        )
    if clusters:
        spare = sum(len(each) - 1 for each in clusters)
        exact = sum(pair.how == "same bytes" for pair in checkup.duplicates.pairs)
        yield Finding(
            kind="duplicates",
            severity="warning",
            said=f"{_images(spare, 'is', 'are')} there already: {exact:,} byte for byte, {spare - exact:,} "
            "saved again, cut otherwise, turned, or taken twice.",
            next="Take the spare ones out, or keep them on one side of every split: --group-by duplicates.",
            files=_names(checkup, clusters),
        )
    yield from _joined_groups(checkup)


def _joined_groups(checkup: Checkup) -> Iterator[Finding]:
    """Groups that show the same thing: they leak into each other although no group is cut."""
    groups = checkup.samples.groups or (checkup.proposal.groups if checkup.proposal else None)
    if groups is None:
        return
    joining = [each for each in checkup.duplicates.clusters if len({groups[place] for place in each}) > 1]
    if joining:
        pattern = checkup.proposal and f"--group-by 'duplicates:{checkup.proposal.pattern}'"
        yield Finding(
            kind="duplicates across groups",
            severity="warning",
            said=f"{_times(len(joining))} images of different groups look the same, as where something was "
            "photographed twice: whole groups alone do not keep a split honest.",
            next=f"Join such groups: {pattern or 'put duplicates: before what you group by'}.",
            files=_names(checkup, joining),
        )


def _groups(checkup: Checkup) -> Iterator[Finding]:
    samples, proposal = checkup.samples, checkup.proposal
    groups = samples.groups or (proposal.groups if proposal else None)
    if proposal:
        yield Finding(
            kind="ungrouped",
            severity="warning",
            said=f"File names look like groups: {proposal}, such as {proposal.groups[0]}. Images of one "
            "group are often alike; on both sides of a split they make results look better than they are.",
            next=f"If they belong together, say so: --group-by '{proposal.pattern}'.",
        )
    places: dict[str, list[int]] = defaultdict(list)
    for place, group in enumerate(groups or ()):
        places[group].append(place)
    cut = [each for each in places.values() if len({samples.parts[place] for place in each}) > 1]
    if cut:
        yield Finding(
            kind="groups across splits",
            severity="error" if samples.groups else "warning",
            said=f"{len(cut):,} of {len(places):,} groups {'lies' if len(cut) == 1 else 'lie'} on both "
            "sides of a split.",
            next="Put all images into one folder a class, and let verydeep cut the split by groups; or move "
            "each group to one side.",
            files=_names(checkup, cut),
        )


def _classes(checkup: Checkup) -> Iterator[Finding]:
    sizes = checkup.samples.class_sizes
    empty = [name for name, size in sizes.items() if not size]
    few = {name: size for name, size in sizes.items() if 0 < size < FEW}
    if len(sizes) == 1:
        yield _error("one class", f"There is one class only, {next(iter(sizes))}.", "Add a folder of others.")
    if empty:
        fix = "Add images, or take the folder away."
        yield _error("empty class", f"Classes without an image: {', '.join(empty)}.", fix)
    if alone := [name for name, size in few.items() if size == 1]:
        yield _error(
            "single image",
            f"Classes of one image: {_some(alone)}. One image cannot be both learned from and tested on.",
            f"Add images: {FEW} a class are a beginning, 100 are better.",
        )
    if few and len(few) > len(alone):
        listed = _some([f"{name} {size}" for name, size in few.items() if size > 1])
        yield Finding(
            kind="few images",
            severity="warning",
            said=f"Classes of fewer than {FEW} images: {listed}. Their accuracy will be little more than "
            "a guess.",
            next="Add images, or join classes.",
        )
    for each in same_name(tuple(sizes)):
        said = f"{' and '.join(map(repr, each))} look like one class under {len(each)} names."
        yield _error("same class twice", said, "If they are, move all images into one folder.")
    yield from _missing_in_parts(checkup)
    largest, smallest = max(sizes.values()), min((size for size in sizes.values() if size), default=0)
    if smallest and largest > IMBALANCE * smallest:
        names = {size: name for name, size in sizes.items()}
        yield Finding(
            kind="imbalance",
            severity="warning",
            said=f"The largest class, {names[largest]}, has {largest / smallest:.1f} times the images of the "
            f"smallest, {names[smallest]} ({largest:,} to {smallest:,}): who always says {names[largest]} "
            f"is right {largest / len(checkup.samples):.0%} of the time.",
            next="Judge by balanced accuracy and macro-F1, not by accuracy.",
        )


def _error(kind: str, said: str, fix: str) -> Finding:
    return Finding(kind=kind, severity="error", said=said, next=fix)


def _missing_in_parts(checkup: Checkup) -> Iterator[Finding]:
    samples = checkup.samples
    there: dict[Part, set[int]] = defaultdict(set)
    for part, label in zip(samples.parts, samples.labels.tolist(), strict=True):
        if part:
            there[part].add(label)
    for part, labels in there.items():
        missing = [name for label, name in enumerate(samples.classes) if label not in labels]
        if missing and labels:
            yield Finding(
                kind="class missing in a split",
                severity="error",
                said=f"{part} has no image of {_some(missing)}.",
                next="A class must be learned from and measured: move some of its images there.",
            )


def _looks(checkup: Checkup) -> Iterator[Finding]:
    seen = checkup.readable
    shades = [place for place, one in seen.items() if blank(one.thumbnail[None])[0]]
    if shades:
        yield Finding(
            kind="blank",
            severity="warning",
            said=f"{_images(len(shades), 'is', 'are')} of one shade, without anything to see.",
            next="Look at them, and take them out if they are no examples of their class.",
            files=_names(checkup, [[place] for place in shades]),
        )
    tiny = [place for place, one in seen.items() if min(one.width, one.height) < _TINY]
    if tiny:
        yield Finding(
            kind="tiny",
            severity="note",
            said=f"{_images(len(tiny), 'is', 'are')} less than {_TINY} px wide or high.",
            next="Networks enlarge them; there may be little to see. Choose a small input size.",
            files=_names(checkup, [[place] for place in tiny]),
        )
    yield from _one_class_only(checkup)


def _one_class_only(checkup: Checkup) -> Iterator[Finding]:
    """A kind of image that all of one class are of, and no other: a network learns that instead."""
    classes_of: dict[str, Counter[int]] = defaultdict(Counter)
    for place, one in checkup.readable.items():
        classes_of[one.kind][int(checkup.samples.labels[place])] += 1
    sizes = list(checkup.samples.class_sizes.values())
    for kind, counts in classes_of.items():
        ((label, count),) = counts.most_common(1)
        if len(counts) == 1 < len(classes_of) and count >= max(2, 0.9 * sizes[label]):
            name = checkup.samples.classes[label]
            yield Finding(
                kind="shortcut",
                severity="warning",
                said=f"{name} is {kind}, and no other class is: a network can tell it by that alone.",
                next="Save all images in one way, and take them in one way.",
            )


def _images(count: int, one: str = "", more: str = "") -> str:
    """How many, and the verb that goes with so many."""
    verb = one if count == 1 else more
    return f"{count:,} image{'s' * (count != 1)} {verb}".rstrip()


def _times(count: int) -> str:
    return "Once" if count == 1 else f"{count:,} times"


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5:,} more" if len(names) > 5 else "")


def _names(checkup: Checkup, places: Sequence[Sequence[int]]) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(checkup.samples.names[place] for place in each) for each in places)
