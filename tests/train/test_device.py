"""The device and the precision follow the request and the machine."""

import subprocess
import sys

import pytest
import torch

from verydeep.errors import RecipeError
from verydeep.train.device import choose_device, choose_precision, describe
from verydeep.train.run import fabric_on

CPU = torch.device("cpu")


@pytest.fixture
def machine(monkeypatch):
    """A machine with the given accelerators and processor flags."""

    def machine(*, cuda=False, mps=False, flags=""):
        monkeypatch.setattr("torch.cuda.is_available", lambda: cuda)
        monkeypatch.setattr("torch.backends.mps.is_available", lambda: mps)
        cpuinfo = {"flags": flags, "model name": "a processor"}
        monkeypatch.setattr("verydeep.machine._cpuinfo", lambda: cpuinfo)

    return machine


@pytest.mark.parametrize(
    ("has", "chosen"),
    [({}, "cpu"), ({"mps": True}, "mps"), ({"cuda": True}, "cuda"), ({"cuda": True, "mps": True}, "cuda")],
)
def test_auto_takes_the_first_accelerator_that_there_is(machine, has, chosen):
    machine(**has)
    assert choose_device("auto").type == chosen
    assert choose_device("cpu").type == "cpu"


def test_each_process_of_torchrun_takes_a_gpu_of_its_own(machine, as_rank, monkeypatch):
    as_rank(2, 4)
    machine(cuda=True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 4)
    assert choose_device("auto") == torch.device("cuda:2")
    assert choose_device("cpu") == CPU
    monkeypatch.setattr("torch.cuda.device_count", lambda: 3)
    with pytest.raises(RecipeError, match="4 processes need as many GPUs, and this machine has 3"):
        choose_device("auto")


def test_several_processes_cannot_share_a_gpu_of_apple(machine, as_rank):
    as_rank(2, 4)
    machine(mps=True)
    with pytest.raises(RecipeError, match="4 processes cannot share mps; use --device cpu"):
        choose_device("auto")


@pytest.mark.parametrize("wanted", ["cuda", "mps"])
def test_a_device_is_given_as_asked_for_or_refused(machine, wanted):
    machine(**{wanted: True})
    assert choose_device(wanted).type == wanted
    machine()
    with pytest.raises(RecipeError, match=f"no device '{wanted}' .*--device cpu"):
        choose_device(wanted)


@pytest.mark.parametrize(
    ("flags", "precision"),
    [("sse avx512_bf16 fma", "bf16-mixed"), ("amx_bf16", "bf16-mixed"), ("avx512f bf16", "32-true")],
)
def test_auto_precision_on_a_cpu_is_bf16_where_the_processor_computes_it(machine, flags, precision):
    machine(flags=flags)
    assert choose_precision("auto", CPU) == precision
    assert choose_precision("bf16", CPU) == "bf16-mixed"
    assert choose_precision("fp32", CPU) == "32-true"
    assert fabric_on(CPU)._precision.precision == precision


def test_auto_precision_elsewhere(machine, monkeypatch):
    machine(flags="avx512_bf16")
    assert choose_precision("auto", torch.device("mps")) == "32-true"
    for has_bf16, precision in ((True, "bf16-mixed"), (False, "32-true")):
        monkeypatch.setattr(
            "torch.cuda.is_bf16_supported",
            lambda *, including_emulation, has=has_bf16: has or including_emulation,
        )
        assert choose_precision("auto", torch.device("cuda")) == precision


def test_the_description_is_of_this_machine(machine):
    machine()
    described = describe(CPU, "bf16-mixed")
    assert (described["device"], described["processor"]) == ("CPU", "a processor")
    assert described["precision"] == "bf16, weights in fp32"
    assert describe(CPU, "32-true")["precision"] == "fp32"
    assert described["torch"] == torch.__version__


def test_memory_is_in_decimal_gigabytes_or_unknown(monkeypatch):
    pages = {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 6_000_000}
    monkeypatch.setattr("os.sysconf", pages.__getitem__)
    assert describe(CPU, "32-true")["memory"] == "25 GB"

    def unknown(name):
        raise ValueError(f"unrecognized configuration name {name}")

    monkeypatch.setattr("os.sysconf", unknown)
    assert describe(CPU, "32-true")["memory"] == "unknown"


@pytest.mark.slow
def test_commands_that_do_not_train_import_no_fabric():
    commands = ", ".join(f"verydeep.cli.{name}" for name in ("embed", "evaluate", "explain", "similar.run"))
    code = f"import sys, {commands}\nassert 'torch' in sys.modules and 'lightning_fabric' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
