"""What the live page shows of a network: the package's own tables, diagram and messages as JSON.

It runs in the browser, and once in ``build.py`` for what the page shows before Python is loaded. JavaScript
only lays out what is here.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from textwrap import dedent
from typing import Any, get_args

from verydeep.analyze.compare import Comparison, compare
from verydeep.analyze.dtypes import Dtype, Optimizer
from verydeep.analyze.memory import MemoryEstimate, estimate_memory
from verydeep.analyze.memory_limit import DEFAULT_LIMIT, memory_limit
from verydeep.analyze.trace import trace
from verydeep.architecture import grammar, zoo
from verydeep.architecture.architecture import Architecture
from verydeep.errors import ArchitectureError, VeryDeepError
from verydeep.foreign_text import terminal_text
from verydeep.number_format import SPACE, bytes_text, rounded, thousands
from verydeep.report.architecture_diagram import architecture_diagram, render
from verydeep.tables.cost_tables import comparison_table, memory_table
from verydeep.tables.data_table import Cell, DataTable, cell_text
from verydeep.tables.network_table import layer_table

COLUMNS = ("layer", "output", "receptive_field", "parameters", "macs", "activations", "saved")
BARS = "The bars are the shares of a column's total."
FIRST = {"network": "vgg16", "batch": "32"}
"""The fields of the page where its address has none."""

Form = Mapping[str, str]
"""The fields of the page by name, which are the flags of ``verydeep show``; an empty field is no flag."""


def start() -> dict[str, Any]:
    """What the page needs before the first answer of Python, and the answer for ``FIRST``."""
    return {
        "zoo": [
            {"paper": paper, "networks": [_button(row) for row in rows]}
            for paper, rows in groupby(zoo.ROWS, key=lambda row: row.paper)
        ],
        "optimizers": get_args(Optimizer),
        "dtypes": get_args(Dtype),
        "memory": DEFAULT_LIMIT,
        "tokens": dedent((grammar.__doc__ or "").split("\n\n")[1]),
        "first": answer(FIRST),
    }


def answer_json(form: str) -> str:
    """``answer`` between texts, which pass from JavaScript to Python and back."""
    return json.dumps(answer(json.loads(form)))


def answer(form: Form) -> dict[str, Any]:
    """What the page shows for the fields of ``form``: an error and its field, or a network, or two."""
    field = "network"
    try:
        network = _network(form, form["network"])
        field = "batch"
        memory = _memory(form, network)
        field = "memory"
        limit = memory_limit(form.get("memory") or DEFAULT_LIMIT)
    except VeryDeepError as error:
        return {"error": terminal_text(str(error)), "field": field}
    try:
        second = _network(form, form["second"]) if form.get("second", "").strip() else None
    except VeryDeepError as error:
        return _of_network(form, network, memory, limit) | {"second_error": terminal_text(str(error))}
    if second is None:
        return _of_network(form, network, memory, limit)
    return _of_network(form, network, memory, limit, second) | {
        "comparison": _comparison(form, network, second)
    }


def _network(form: Form, text: str) -> Architecture:
    return zoo.resolve(text).with_options(
        channels=_number(form, "channels"),
        size=_number(form, "size"),
        classes=_number(form, "classes"),
        batch_norm=bool(form.get("norm")),
    )


def _number(form: Form, name: str) -> int | None:
    try:
        return int(form[name]) if form.get(name) else None
    except ValueError:
        raise ArchitectureError(f"--{name} is {form[name]!r}; expected a whole number, such as 32") from None


def _memory(form: Form, network: Architecture) -> MemoryEstimate:
    chosen: dict[str, Any] = {name: form[name] for name in ("optimizer", "dtype") if form.get(name)}
    if (batch := _number(form, "batch")) is not None:
        chosen["batch"] = batch
    return estimate_memory(network, **chosen)


def _of_network(
    form: Form, network: Architecture, memory: MemoryEstimate, limit: int, beside: Architecture | None = None
) -> dict[str, Any]:
    traced = trace(network)
    (counts,) = compare([network])
    peak = bytes_text(memory.peak.bytes(memory.batch))
    return {
        "name": network.name,
        "notes": network.notes,
        "command": _command(form, "show", form["network"]),
        "summary": f"{network.name}: {rounded(counts.parameters)} parameters, {rounded(counts.macs)} MACs, "
        f"{peak} to train with batch {memory.batch:,}",
        "tiles": _tiles(counts, memory, limit),
        "layers": _table(replace(layer_table(traced, COLUMNS, memory.saved), note=BARS)),
        "memory": _table(memory_table(memory, limit)),
        "diagram": render(architecture_diagram(network, beside)),
        "json": json.dumps(traced.to_dict() | {"memory": memory.to_dict(limit)}),
    }


def _tiles(counts: Comparison, memory: MemoryEstimate, limit: int) -> list[tuple[str, str, str]]:
    """Of each number in large type: its name, the number, and what stands below it."""
    peak = memory.peak
    return [
        ("parameters", rounded(counts.parameters), thousands(counts.parameters)),
        ("MACs", rounded(counts.macs), f"{thousands(counts.macs)} for one image"),
        (
            "training memory",
            bytes_text(peak.bytes(memory.batch)),
            f"peak with batch {memory.batch:,}: {peak.name}",
        ),
        ("largest batch", thousands(memory.largest_batch(limit)), f"in {bytes_text(limit)}"),
        ("depth", str(counts.depth), "layers with weights"),
        ("receptive field", f"{counts.receptive_field:,}{SPACE}px", "of the last convolution"),
    ]


def _comparison(form: Form, network: Architecture, second: Architecture) -> dict[str, Any]:
    has_options = any(form.get(name) for name in ("size", "channels", "classes", "norm"))
    return {
        "table": _table(_with_ratios(comparison_table(compare([network, second])))),
        "diagram": render(architecture_diagram(second, network)),
        "name": second.name,
        "command": "" if has_options else _command({}, "compare", form["network"], form["second"]),
    }


def _with_ratios(table: DataTable) -> DataTable:
    """``table`` of two networks with the ratio of the second to the first as its last row."""
    first, second = table.rows
    ratios = tuple(
        _ratio_text(after / before) if isinstance(before, int) and isinstance(after, int) and before else ""
        for before, after in zip(first[1:], second[1:], strict=True)
    )
    return replace(
        table, total=("ratio", *ratios), note=f"The ratio is second to first. {table.note}".strip()
    )


def _ratio_text(ratio: float) -> str:
    """``1.25``, or ``0.00197``: small ratios keep three digits."""
    return f"{ratio:,.2f}" if ratio >= 0.1 else f"{ratio:.3g}"


def _table(table: DataTable) -> dict[str, Any]:
    return {
        "title": table.title.plain.strip(),
        "columns": [{"title": column.title, "is_text": column.is_text} for column in table.columns],
        "rows": [list(map(cell_text, row)) for row in table.rows],
        "shares": [_shares(row, table.total) for row in table.rows],
        "total": None if table.total is None else list(map(_total_text, table.total)),
        "dimmed": sorted(table.dimmed),
        "definitions": table.definitions,
    }


def _total_text(cell: Cell) -> str:
    return "" if cell == "" else cell_text(cell)


def _shares(row: Sequence[Cell], total: Sequence[Cell] | None) -> list[float]:
    """Of each cell its part of the column's total, for its bar; 0 where there is none."""
    totals = total or [None] * len(row)
    return [
        round(cell / whole, 4) if isinstance(cell, int) and isinstance(whole, int) and whole else 0.0
        for cell, whole in zip(row, totals, strict=True)
    ]


def _button(row: zoo.ZooRow) -> dict[str, str]:
    return {"name": row.name, "title": f"{row.architecture_string} ({row.table})"}


def _command(form: Form, verb: str, *networks: str) -> str:
    """The command that prints the same numbers."""
    texts = (" ".join(network.split()) for network in networks)
    parts = ["verydeep", verb, *(f'"{text}"' if set(text) & set(" |()") else text for text in texts)]
    for name in ("size", "channels", "classes", "batch"):
        parts += [f"--{name}", form[name]] if form.get(name) else []
    defaults = {"optimizer": get_args(Optimizer)[0], "dtype": get_args(Dtype)[0], "memory": DEFAULT_LIMIT}
    for name, default in defaults.items():
        value = (form.get(name) or default).replace(" ", "")
        parts += [f"--{name}", value] if value != default else []
    parts += ["--norm"] if form.get("norm") else []
    return " ".join(parts + (["--training"] if verb == "show" and not form.get("batch") else []))
