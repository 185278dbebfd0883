"""Running the command as a user does, and once a trained run to use."""

import os
import subprocess
import sys

import pytest

from verydeep.cli.main import main
from verydeep.data import synthetic
from verydeep.train.optimizer import OptimizerConfig
from verydeep.train.recipe import Recipe
from verydeep.train.train import start

TINY = Recipe(
    model="8 M 16 M | gap", norm="batch", epochs=1, batch_size=50, precision="fp32",
    optimizer=OptimizerConfig(name="muon", lr=0.05),
)  # fmt: skip


@pytest.fixture(scope="session")
def verydeep():
    """Runs ``python -m verydeep`` and gives the finished process."""

    def run(*arguments, cwd=None, **environment):
        return subprocess.run(
            [sys.executable, "-m", "verydeep", *map(str, arguments)],
            capture_output=True, text=True, cwd=cwd, timeout=300,
            env={**os.environ, "COLUMNS": "100", "OMP_NUM_THREADS": "1", **environment},
        )  # fmt: skip

    return run


@pytest.fixture
def here(capsys, monkeypatch):
    """As ``verydeep``, in this process, which has torch already: for help and for what is refused."""
    monkeypatch.setenv("COLUMNS", "100")

    def run(*arguments, cwd=None):
        if cwd is not None:
            monkeypatch.chdir(cwd)
        capsys.readouterr()
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as stopped:
            code = stopped.code
        said = capsys.readouterr()
        return subprocess.CompletedProcess(arguments, code, said.out, said.err)

    return run


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """A run on the built-in synthetic data."""
    run = tmp_path_factory.mktemp("cli") / "run"
    start(TINY, synthetic.dataset(), run, device="cpu")
    return run
