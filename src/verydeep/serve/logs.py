"""Log lines in JSON on stdout, without images, names of files or tokens."""

import json
import logging
import sys
import time
from collections.abc import Iterable
from itertools import accumulate, takewhile

LOGGER = logging.getLogger("verydeep.serve")
MAX_LINE = 4095
"""Bytes of a line, without its end: the kernel mixes lines of several processes above 4,096 bytes."""
MAX_TEXT = 700
"""Bytes of each text but the exception, which has the rest of the line."""


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, message, and the fields of a request."""

    def format(self, record: logging.LogRecord) -> str:
        """``record`` as JSON."""
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        values = {
            "time": f"{moment}.{int(record.msecs):03}Z",
            "level": record.levelname.lower(),
            "message": record.getMessage().strip(),
            **getattr(record, "fields", {}),
        }
        for name, value in values.items():
            if isinstance(value, str):
                values[name] = value[: _fitting(value, MAX_TEXT)]
        if record.exc_info:
            text = self.formatException(record.exc_info)
            room = MAX_LINE - len(json.dumps(values | {"exception": ""}))
            values["exception"] = text[len(text) - _fitting(reversed(text), room) :]
        return json.dumps(values)


def _fitting(characters: Iterable[str], room: int) -> int:
    """How many of the ``characters`` take at most ``room`` bytes in JSON, where one may take twelve."""
    ends = accumulate(len(json.dumps(character)) - 2 for character in characters)
    return sum(1 for _ in takewhile(lambda end: end <= room, ends))


def log_to_stdout() -> None:
    """Let the server and uvicorn log to stdout."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter())
    for logger, level in ((LOGGER, logging.INFO), (logging.getLogger("uvicorn.error"), logging.WARNING)):
        logger.handlers = [handler]
        logger.setLevel(level)
        logger.propagate = False
