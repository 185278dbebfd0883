"""The images that a command reads: one help text for all commands, and a type that the shell completes."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    Location = str
else:
    # A text, which need not be a path: cells.csv:label, hf:owner/name. That a path would do as well is what
    # makes cyclopts let the shell complete file names; of a union it takes the first type that fits.
    Location = str | Path

IMAGES_HELP = (
    "Image files of any size and mode, folders of images, or globs; a CSV, TSV or Parquet list; tar shards "
    "such as cells-{000..012}.tar; a Hugging Face data set such as hf:owner/name; a pack (.pack)."
)
