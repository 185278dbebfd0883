"""What the doctor of data found: tables for the terminal, values for JSON, and a page with the pictures."""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from verydeep.atomic_write import atomic_write
from verydeep.check.check import Checkup
from verydeep.check.duplicates import Pair
from verydeep.check.findings import Finding
from verydeep.data.decode import finished, open_image
from verydeep.report import line_plots as plots
from verydeep.report import scatter_plot as scatter
from verydeep.tables.format import TIMES, thousands
from verydeep.templates.environment import environment

MOST_PAIRS, MOST_SAMPLES, MOST_CLASSES, MOST_FILES = 120, 6, 60, 200
"""What the page shows at most, so that it opens on a phone; JSON has everything."""
_SIDE = 160  # px of a picture on the page
_STYLES = {"error": "bold red", "warning": "yellow", "note": "dim"}
_FEW_FILES = 3


def summary_table(checkup: Checkup) -> Table:
    """One line a fact: images, classes, sizes, kinds, groups."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for name, value in summary(checkup).items():
        table.add_row(name, Text(value))
    return table


def summary(checkup: Checkup) -> dict[str, str]:
    """What the set is, in words."""
    samples, sizes = checkup.samples, checkup.sizes
    parts = [f"{thousands(samples.parts.count(part))} {part}" for part in ("train", "val", "test")
             if part in samples.parts]  # fmt: skip
    classes = [f"{name} {thousands(size)}" for name, size in samples.class_sizes.items()]
    more = f" and {len(classes) - 12:,} more" if len(classes) > 12 else ""
    facts = {
        "images": f"{thousands(len(samples))}" + (f": {', '.join(parts)}" if parts else ""),
        "classes": f"{len(classes):,}: {', '.join(classes[:12])}{more}",
        "kinds": ", ".join(f"{thousands(count)} {kind}" for kind, count in checkup.kinds.items()),
    }
    if sizes:
        smallest, median, largest = (
            f"{w} {TIMES} {h}" for w, h in (sizes.smallest, sizes.median, sizes.largest)
        )
        facts["sizes"] = f"smallest {smallest}, median {median}, largest {largest} px"
    if samples.groups:
        facts["groups"] = thousands(len(set(samples.groups)))
    return {name: value for name, value in facts.items() if value}


def findings_table(found: Sequence[Finding]) -> Table | Text:
    """Each finding with what to do next, and its first files."""
    if not found:
        return Text("Nothing is wrong that can be seen.", "bold green")
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 1, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for finding in found:
        shown = "\n".join(" = ".join(each) for each in finding.files[:_FEW_FILES])
        rest = len(finding.files) - _FEW_FILES
        more = f"\nand {rest:,} more: --json or --out check.html" if rest > 0 else ""
        words = [
            (finding.said, ""),
            (f"\n{finding.next}", "cyan"),
            (f"\n{shown}{more}" if shown else "", "dim"),
        ]
        table.add_row(Text(finding.severity, _STYLES[finding.severity]), Text.assemble(*words))
    return table


def as_values(checkup: Checkup, found: Sequence[Finding]) -> dict[str, Any]:
    """Everything, for programs."""
    names, sizes, proposal = checkup.samples.names, checkup.sizes, checkup.proposal
    return {
        "name": checkup.samples.name,
        "images": len(checkup.samples),
        "classes": checkup.samples.class_sizes,
        "findings": [
            asdict(one) for one in found
        ],
        "damaged": [
            {"file": names[place], "kind": each.kind, "why": each.why}
            for place, each in checkup.damaged.items()
        ],
        "duplicates": {
            "clusters": [[names[place] for place in each] for each in checkup.duplicates.clusters],
            "pairs": [
                {"first": names[pair.first], "second": names[pair.second], "similarity": pair.similarity,
                 "how": pair.how} for pair in checkup.duplicates.pairs
            ],
        },
        "sizes": sizes and {"smallest": sizes.smallest, "median": sizes.median, "largest": sizes.largest},
        "kinds": checkup.kinds,
        "groups": proposal and {"pattern": proposal.pattern, "count": len(proposal.sizes),
                                "smallest": proposal.sizes[0], "largest": proposal.sizes[-1]},
    }  # fmt: skip


@dataclass(frozen=True)
class _Picture:
    name: str
    label: str
    part: str
    uri: str


@dataclass(frozen=True)
class _Row:
    """A class: its bar and some of its images."""

    name: str
    count: int
    share: float
    """Of the largest class."""
    pictures: tuple[_Picture, ...]


def write_page(checkup: Checkup, found: Sequence[Finding], path: Path) -> None:
    """The checkup as a page at ``path``, which needs no other file."""
    with atomic_write(path) as temporary:
        temporary.write_text(render(checkup, found), encoding="utf-8")


def render(checkup: Checkup, found: Sequence[Finding]) -> str:
    """The page as HTML, all text escaped."""
    pairs = sorted(checkup.duplicates.pairs, key=lambda pair: not _matters(checkup, pair))[:MOST_PAIRS]
    names = checkup.samples.names
    return (
        environment()
        .get_template("doctor.html.j2")
        .render(
            checkup=checkup,
            found=found,
            counts={level: sum(one.severity == level for one in found) for level in _STYLES},
            summary=summary(checkup),
            rows=_rows(checkup),
            pairs=[(pair, _picture(checkup, pair.first), _picture(checkup, pair.second)) for pair in pairs],
            damaged=[(names[place], each) for place, each in list(checkup.damaged.items())[:MOST_FILES]],
            scatter=_sizes(checkup),
            most_files=MOST_FILES,
            plots=plots,
            scatter_height=scatter.HEIGHT,
        )
    )


def _matters(checkup: Checkup, pair: Pair) -> bool:
    """Whether the two images have different labels, or are in different splits: these come first."""
    labels, parts = checkup.samples.labels, checkup.samples.parts
    return bool(labels[pair.first] != labels[pair.second]) or parts[pair.first] != parts[pair.second]


def _rows(checkup: Checkup) -> list[_Row]:
    """The largest class first; of each some images, from all over it."""
    labels, sizes = checkup.samples.labels.tolist(), checkup.samples.class_sizes
    members: dict[int, list[int]] = {}
    for place in checkup.readable:
        members.setdefault(labels[place], []).append(place)
    most = max(sizes.values())
    rows = []
    for label, (name, count) in enumerate(sizes.items()):
        places = members.get(label, [])
        shown = (
            places[:: max(1, len(places) // MOST_SAMPLES)][:MOST_SAMPLES]
            if len(sizes) <= MOST_CLASSES
            else []
        )
        pictures = tuple(_picture(checkup, place) for place in shown)
        rows.append(_Row(name, count, count / most, pictures))
    return sorted(rows, key=lambda row: -row.count)


def _picture(checkup: Checkup, place: int) -> _Picture:
    samples = checkup.samples
    name, part = samples.names[place], samples.parts[place] or ""
    with open_image(samples.sources[place], name) as opened:
        opened.draft(None, (_SIDE, _SIDE))
        image = finished(opened, name).convert("RGB")
    image.thumbnail((_SIDE, _SIDE))
    buffer = BytesIO()
    image.save(buffer, "JPEG", quality=80)
    uri = f"data:image/jpeg;base64,{b64encode(buffer.getvalue()).decode()}"
    return _Picture(name, samples.classes[int(samples.labels[place])], part, uri)


def _sizes(checkup: Checkup) -> scatter.Scatter | None:
    labels = checkup.samples.labels.tolist()
    seen = checkup.readable
    return scatter.size_scatter(
        [(one.width, one.height) for one in seen.values()], [labels[place] for place in seen],
        checkup.samples.classes,
    ) if seen else None  # fmt: skip
