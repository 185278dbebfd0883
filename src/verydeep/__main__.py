"""``python -m verydeep``."""

from verydeep.cli.main import run

run()
