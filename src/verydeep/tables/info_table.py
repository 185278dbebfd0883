"""The information of a bug report as lines of text, to be copied into it."""

from itertools import groupby

from verydeep.info.accelerator import Accelerator
from verydeep.info.info import Info
from verydeep.info.versions import Library
from verydeep.number_format import bytes_text

ABSENT = "not installed"


def info_text(info: Info) -> str:
    """One line for each fact: its name, a colon, its value."""
    accelerator = info.accelerator
    of_machine = f" of {info.cores_of_machine}" if info.cores_of_machine != info.cores else ""
    memory = "unknown" if info.memory is None else bytes_text(info.memory)
    facts = {
        info.distribution or "verydeep": f"{info.verydeep or ABSENT}, in {info.installed_in}",
        "Python": info.python,
        "PyTorch": _torch(info),
        **_libraries(info.libraries),
        "system": info.system,
        "processor": f"{info.processor}; {info.cores}{of_machine} cores usable, {memory} of memory",
        "GPU": _gpu(accelerator),
        "precision": "bf16 in hardware" if accelerator.bf16 else "fp32; no bf16 in hardware",
        "cache": f"{info.cache}, {bytes_text(info.cache_bytes)}",
        "text": f"locale {info.locale}, output {info.output_encoding}, file names {info.file_name_encoding}",
        "variables": ", ".join(f"{name}={value}" for name, value in info.variables.items()) or "none",
    }
    width = max(map(len, facts))
    return "\n".join(f"{f'{name}:':{width + 1}} {value}" for name, value in facts.items())


def _torch(info: Info) -> str:
    problem = f"; {info.accelerator.problem}" if info.accelerator.problem and info.torch else ""
    cuda = f", built with CUDA {info.accelerator.cuda}" if info.accelerator.cuda else ""
    return f"{info.torch or ABSENT}{cuda}{problem}"


def _gpu(accelerator: Accelerator) -> str:
    if accelerator.gpu is None:
        return "none that torch can use"
    memory = f", {bytes_text(accelerator.gpu_memory)}" if accelerator.gpu_memory else ""
    return f"{accelerator.gpu}{memory}"


def _libraries(libraries: tuple[Library, ...]) -> dict[str, str]:
    """One line for what is required, and one for each extra."""
    lines = {}
    for extra, members in groupby(libraries, key=lambda library: library.extra):
        texts = [f"{each.name} {each.version or ABSENT}" for each in members if each.name != "torch"]
        lines["required" if extra is None else f"[{extra}]"] = ", ".join(texts)
    return lines
