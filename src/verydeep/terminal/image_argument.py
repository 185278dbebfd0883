"""The images that a command reads, with one help text for all commands."""

IMAGES_HELP = (
    "Image files of any size and mode, folders of images, or globs; a CSV, TSV or Parquet list; tar shards "
    "such as cells-{000..012}.tar; a Hugging Face data set such as hf:owner/name."
)
