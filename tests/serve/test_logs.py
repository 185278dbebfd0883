"""Log lines are one write of JSON, which lines of other processes do not mix with."""

import json
import logging
import sys

import pytest

from verydeep.serve.logs import JsonFormatter


def line(message, fields=None, error=None):
    record = logging.LogRecord("a", logging.INFO, "", 0, message, (), error)
    record.fields = fields or {}
    return JsonFormatter().format(record)


def raised(text):
    try:
        raise ValueError(text)
    except ValueError:
        return sys.exc_info()


@pytest.mark.parametrize("letter", ["a", '"', "\n", "\u00e9", "\U0001f600", "\udc80"])
def test_a_line_has_at_most_4096_bytes_whatever_it_escapes(letter):
    text = letter * 20_000
    logged = line(text, {"method": text, "path": text, "client": text, "status": 500}, raised(f"{text} end"))
    assert 2_000 < len(logged.encode()) <= 4_095 and "\n" not in logged
    values = json.loads(logged)
    assert values["status"] == 500 and values["path"] == letter * len(values["path"]) != ""
    assert values["exception"].endswith(f"{letter} end")


def test_a_short_line_is_whole():
    values = json.loads(line("request", {"path": "/v1/predict", "ms": 1.5}, raised("caf\u00e9")))
    assert (values["message"], values["path"], values["ms"]) == ("request", "/v1/predict", 1.5)
    assert values["exception"].startswith("Traceback") and values["exception"].endswith("caf\u00e9")
