"""The modules of docs/live, which are in no package."""

import importlib.util
from pathlib import Path

LIVE = Path(__file__).parents[2] / "docs/live"


def _module(file):
    spec = importlib.util.spec_from_file_location(f"docs_{file.stem}", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


build = _module(LIVE / "build.py")
live_page = _module(LIVE / "python/live_page.py")
