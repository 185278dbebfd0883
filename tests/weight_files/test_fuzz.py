"""Mutated weight files of every format are refused in one line or loaded; a small part of the benchmark."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "fuzz_weights.py"


@pytest.fixture(scope="module")
def fuzz():
    spec = importlib.util.spec_from_file_location("fuzz_weights", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.filterwarnings("ignore")
def test_no_mutant_ends_in_a_traceback(fuzz, tmp_path):
    random = np.random.default_rng(0)
    for original in fuzz.write_originals(tmp_path):
        for number in range(6):
            mutant = tmp_path / f"mutant-{original.name}"
            mutant.write_bytes(fuzz.mutated(original.read_bytes(), random))
            assert fuzz.outcome(mutant) in ("refused", "loaded"), (original.name, number)
