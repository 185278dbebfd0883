"""Log lines in JSON on stdout, without images, names of files or tokens."""

import json
import logging
import sys
import time

LOGGER = logging.getLogger("verydeep.serve")
MAX_EXCEPTION = 3000
"""Characters of an exception, its end: the kernel mixes lines of several processes above 4,096 bytes."""


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
        if record.exc_info:
            values["exception"] = self.formatException(record.exc_info)[-MAX_EXCEPTION:]
        return json.dumps(values)


def log_to_stdout() -> None:
    """Let the server and uvicorn log to stdout."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter())
    for logger, level in ((LOGGER, logging.INFO), (logging.getLogger("uvicorn.error"), logging.WARNING)):
        logger.handlers = [handler]
        logger.setLevel(level)
        logger.propagate = False
