"""The result of a data check as tables for the terminal, and as values for JSON."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.table import Table
from rich.text import Text

from verydeep.check.check import CheckResult
from verydeep.check.finding import Finding, Severity
from verydeep.foreign_text import one_line, terminal_text
from verydeep.name_list import first_names
from verydeep.number_format import TIMES, thousands

MAX_CLASSES = 12
"""Classes in the summary."""
MAX_FILES = 3
"""Files of each finding in the terminal; JSON has all of them."""
MAX_NAMES = 10
"""Names of each cluster in the terminal."""
NO_FINDINGS = "No data quality issues found."
_STYLES: dict[Severity, str] = {"error": "bold red", "warning": "yellow", "note": "dim"}


def summary_table(result: CheckResult) -> Table:
    """The summary, one row per fact."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for name, value in summary(result).items():
        table.add_row(name, Text(one_line(value)))
    return table


def summary(result: CheckResult) -> dict[str, str]:
    """Images, classes, kinds, sizes and groups of the data set, as text."""
    samples, sizes = result.samples, result.sizes
    parts = [f"{thousands(samples.parts.count(part))} {part}" for part in ("train", "val", "test")
             if part in samples.parts]  # fmt: skip
    classes = [f"{name} {thousands(size)}" for name, size in samples.class_sizes.items()]
    facts = {
        "images": f"{thousands(len(samples))}" + (f": {', '.join(parts)}" if parts else ""),
        "classes": f"{len(classes):,}: {first_names(classes, MAX_CLASSES)}",
        "kinds": ", ".join(f"{thousands(count)} {kind}" for kind, count in result.kinds.items()),
    }
    if sizes:
        smallest, median, largest = (
            f"{w} {TIMES} {h}" for w, h in (sizes.smallest, sizes.median, sizes.largest)
        )
        facts["sizes"] = f"smallest {smallest}, median {median}, largest {largest} px"
    if samples.groups:
        facts["groups"] = thousands(len(set(samples.groups)))
    return {name: value for name, value in facts.items() if value}


def findings_table(findings: Sequence[Finding]) -> Table | Text:
    """Each finding with its next step and its first files."""
    if not findings:
        return Text(NO_FINDINGS, "bold green")
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 1, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for finding in findings:
        shown = (first_names(each, MAX_NAMES, " = ") for each in finding.files[:MAX_FILES])
        files = "\n".join(map(one_line, shown))
        rest = len(finding.files) - MAX_FILES
        more = f"\nand {rest:,} more: --json or --out check.html" if rest > 0 else ""
        text = Text.assemble(
            terminal_text(finding.message),
            (f"\n{finding.next_step}", "cyan"),
            (f"\n{files}{more}" if files else "", "dim"),
        )
        table.add_row(Text(finding.severity, _STYLES[finding.severity]), text)
    return table


def as_values(result: CheckResult, findings: Sequence[Finding]) -> dict[str, Any]:
    """The whole result, for JSON."""
    names, sizes = result.samples.names, result.sizes
    return {
        "name": result.samples.name,
        "images": len(result.samples),
        "classes": result.samples.class_sizes,
        "skipped": dict(result.samples.reading.skipped),
        "notes": result.samples.reading.notes,
        "findings": [asdict(finding) for finding in findings],
        "damaged": [
            {"file": names[index], "kind": each.kind, "why": each.reason}
            for index, each in result.unreadable.items()
        ],
        "duplicates": {
            "clusters": [[names[index] for index in each] for each in result.duplicates.clusters],
            "pairs": [
                {"first": names[pair.first], "second": names[pair.second], "similarity": pair.similarity,
                 "how": pair.how} for pair in result.duplicates.pairs
            ],
        },
        "sizes": sizes and {"smallest": sizes.smallest, "median": sizes.median, "largest": sizes.largest},
        "kinds": result.kinds,
        "groups": _group_values(result),
    }  # fmt: skip


def _group_values(result: CheckResult) -> dict[str, Any] | None:
    """The groups of the data set, or those that file names suggest, which alone have a pattern."""
    groups, proposal = result.samples.groups, result.proposal
    if groups:
        return _sizes_of_groups(groups, None)
    return None if proposal is None else _sizes_of_groups(proposal.groups, proposal.pattern)


def _sizes_of_groups(groups: Sequence[str], pattern: str | None) -> dict[str, Any]:
    sizes = Counter(groups).values()
    return {"pattern": pattern, "count": len(sizes), "smallest": min(sizes), "largest": max(sizes)}
