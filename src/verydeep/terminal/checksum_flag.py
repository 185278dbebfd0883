"""``--no-verify``: the same flag for all commands that use a checkpoint."""

from typing import Annotated

from cyclopts import Parameter

NoVerify = Annotated[
    bool,
    Parameter(
        name="--no-verify",
        negative="",
        show_default=False,
        help="Do not compare the tensors of a checkpoint with the checksum in it: for a file whose tensors "
        "you changed yourself.",
    ),
]
"""Whether to leave out the comparison."""
