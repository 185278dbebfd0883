"""The machine as this process may use it."""

import os

import pytest

from verydeep import machine
from verydeep.machine import computes_bf16, system_name, usable_cores, usable_memory_bytes


@pytest.fixture
def container(tmp_path, monkeypatch):
    """A container with the given limits, as Linux writes them."""

    def container(cpu, memory):
        for name, text in (("_QUOTA", cpu), ("_LIMIT", memory)):
            (tmp_path / name).write_text(f"{text}\n")
            monkeypatch.setattr(machine, name, tmp_path / name)

    return container


@pytest.mark.parametrize(
    ("cpu", "cores"), [("max 100000", 8), ("400000 100000", 4), ("150000 100000", 2), ("1000 100000", 1)]
)
def test_cores_are_those_of_the_container(container, monkeypatch, cpu, cores):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    container(cpu, "max")
    assert usable_cores() == cores


def test_memory_is_that_of_the_container_if_it_is_less(container, monkeypatch):
    monkeypatch.setattr(machine, "memory_bytes", lambda: 16 * 10**9)
    for limit, usable in (("4000000000", 4 * 10**9), ("max", 16 * 10**9), (str(2**63), 16 * 10**9)):
        container("max 100000", limit)
        assert usable_memory_bytes() == usable
    monkeypatch.setattr(machine, "memory_bytes", lambda: None)
    container("max 100000", "max")
    assert usable_memory_bytes() is None


def test_a_system_without_containers_has_what_the_machine_has(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "_QUOTA", tmp_path / "none")
    monkeypatch.setattr(machine, "_LIMIT", tmp_path / "none")
    assert usable_cores() >= 1 and usable_memory_bytes() == machine.memory_bytes()


def test_bf16_needs_an_instruction_that_multiplies_it(monkeypatch):
    for flags, has in (("avx512_bf16", True), ("amx_bf16 sse", True), ("avx512f bf16", False), ("", False)):
        monkeypatch.setattr(machine, "_cpuinfo", lambda flags=flags: {"flags": flags})
        assert computes_bf16() is has


def test_the_system_has_no_name_of_the_machine(monkeypatch):
    monkeypatch.setattr("platform.node", lambda: "anna-laptop")
    assert "anna-laptop" not in system_name()
