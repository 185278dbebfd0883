"""The flags of commands that write parts into a folder, and how far such a job is, in lines."""

from collections.abc import Sequence
from pathlib import Path

from verydeep.errors import DataError
from verydeep.parts.shard import Shard, parse_shard, shard_of_process
from verydeep.parts.work import PartsSummary, is_parts_folder
from verydeep.terminal.console import err, out
from verydeep.terminal.output_path import require_writable_folder
from verydeep.terminal.torchrun_error import fail_on_all_ranks
from verydeep.torchrun import world_size

PARTS_SHOWN = 10


def check_parts_flags(folder: Path | None, shard: str | None, *, check: bool) -> Shard:
    """The shard of this process.

    Raises:
        DataError: if ``shard`` is none, or the flags need a folder and there is none to write to.
        RankError: if torchrun has started several processes, and there is no folder for their parts.
    """
    is_folder = folder is not None and is_parts_folder(folder)
    if world_size() > 1 and not is_folder:
        fail_on_all_ranks(
            "the processes of torchrun share the images by writing parts into a folder; name one with --out "
            "parts/, or run the command without torchrun"
        )
    if (shard is not None or check) and not is_folder:
        flag = "--check" if shard is None else "--shard"
        raise DataError(f"{flag} needs a folder for the parts; name one with --out parts/")
    if folder is not None and is_folder and not check:
        require_writable_folder(folder)
    return shard_of_process() if shard is None else parse_shard(shard)


def print_parts(summary: PartsSummary) -> None:
    """Print how far the job is."""
    written = summary.parts - len(summary.missing)
    line = f"{summary.out}: {written:,} of {summary.parts:,} parts, {summary.images:,} images in all"
    if summary.computed:
        line += f"; {summary.computed:,} computed now"
    out().print(line, markup=False, soft_wrap=True)
    if summary.broken:
        files = _some([file.name for file in summary.broken_parts])
        text = (
            f"{summary.broken:,} broken; the column error has the reasons. To read them again, delete "
            f"{files} and run the same command"
        )
        err().print(text, markup=False, soft_wrap=True)
    if summary.missing:
        text = (
            f"Missing: parts {_some(summary.missing)}. Another process may be at them; without --shard and "
            "--check the same command computes what is left"
        )
        err().print(text, markup=False, soft_wrap=True)


def _some(parts: Sequence[object]) -> str:
    more = " and others" if len(parts) > PARTS_SHOWN else ""
    return ", ".join(map(str, parts[:PARTS_SHOWN])) + more
