"""Refuses flags that would do nothing beside another one."""

from collections.abc import Mapping

from verydeep.errors import DataError


def refuse_beside(flag: str, others: Mapping[str, object]) -> None:
    """Check that none of ``others`` is given beside ``flag``; None and False are not given.

    Raises:
        DataError: naming the first one that is.
    """
    unfit = [name for name, value in others.items() if value is not None and value is not False]
    if unfit:
        raise DataError(f"{flag} has no use for {unfit[0]}; leave one of them out")
