"""Builds the live page: ``python docs/live/build.py OUT`` makes a folder for any server of static files.

Python itself comes from the npm package of Pyodide, and what verydeep imports as wheels; both are downloaded
once, in pinned versions whose hashes are checked. After that the page, and its build, need no network.
"""

import argparse
import base64
import gzip
import hashlib
import json
import shlex
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SOURCE = ROOT / "src"
CACHE = HERE / ".cache"

PYODIDE, PYTHON = "314.0.7", "3.14"
INTEGRITY = "0YvXxEhfEdpLfb/XkM2BFAeMROq0iMUX2bzzH9pOttyMcWkwq+HbE5uyuGD82LN7y2q+SNvi/6V5JEsOlD2R1A=="
"""SHA-512 of the npm package, as npm writes it into lock files."""
RUNTIME = ("pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm", "python_stdlib.zip", "pyodide-lock.json")
FETCHED = ("pyodide.asm.wasm", "python_stdlib.zip", "pyodide-lock.json", "app.zip")
"""What the worker fetches: the bar of the page shows how much of it is there."""
TIME = (2026, 1, 1, 0, 0, 0)
"""Of every file in the zip, so that two builds are equal."""


class BuildError(Exception):
    """A page that cannot be built; says why, and what to do."""


class MissingDownload(BuildError):
    """What could not be downloaded, as without a network."""


def build(out: Path, cache: Path = CACHE) -> None:
    """Write the page into the folder ``out``, which is replaced.

    Raises:
        BuildError: where a download is missing or is not the pinned one, or ``out`` holds something else.
    """
    if out.exists() and any(out.iterdir()) and not (out / "start.json").exists():
        raise BuildError(f"{out} holds other files than a live page; name an empty or a new folder")
    package, wheels = pyodide_package(cache), pinned_wheels(cache)
    new = out.with_name(f".{out.name}.part")
    shutil.rmtree(new, ignore_errors=True)
    _write(new, package, wheels)
    shutil.rmtree(out, ignore_errors=True)
    new.rename(out)


def _write(out: Path, package: Path, wheels: list[Path]) -> None:
    shutil.copytree(HERE / "page", out)
    shutil.copyfile(SOURCE / "verydeep/web_page/shared/icon.svg", out / "icon.svg")
    with tarfile.open(package) as archive:
        for name in RUNTIME:
            (out / name).write_bytes(_member(archive, f"package/{name}"))
    _write_zip(out / "app.zip", {**dict(_wheel_files(wheels)), **dict(_own_files())})
    _write_licenses(out / "licenses", wheels)
    (out / "start.json").write_text(json.dumps(_start(out)), encoding="utf-8")


def pyodide_package(cache: Path) -> Path:
    """The npm package of Pyodide, downloaded if ``cache`` does not have it.

    Raises:
        MissingDownload: where npm is missing, or cannot download it.
        BuildError: where what it downloads has another hash.
    """
    cache.mkdir(parents=True, exist_ok=True)
    package = cache / f"pyodide-{PYODIDE}.tgz"
    if not package.exists():
        _run(["npm", "pack", f"pyodide@{PYODIDE}", "--pack-destination", str(cache), "--fetch-retries=0"])
    if base64.b64encode(hashlib.sha512(package.read_bytes()).digest()).decode() != INTEGRITY:
        package.unlink()
        raise BuildError(
            f"the npm package pyodide {PYODIDE} has another hash than INTEGRITY in {Path(__file__).name}"
        )
    return package


def pinned_wheels(cache: Path) -> list[Path]:
    """The wheels of requirements.txt, downloaded if ``cache`` does not have them; pip checks the hashes.

    MarkupSafe has no wheel without compiled code: any platform will do, as only its Python files are used.

    Raises:
        MissingDownload: where pip cannot download them, or their hashes are other ones.
    """
    pins = HERE / "requirements.txt"
    folder = cache / f"wheels-{hashlib.sha256(pins.read_bytes()).hexdigest()[:16]}"
    if not folder.exists():
        new = folder.with_suffix(".part")
        shutil.rmtree(new, ignore_errors=True)
        target = ["--platform", "manylinux_2_28_x86_64", "--python-version", PYTHON, "--implementation", "cp"]
        flags = [
            "--quiet",
            "--no-deps",
            "--only-binary",
            ":all:",
            *target,
            "--abi",
            "cp314",
            "--require-hashes",
        ]
        _run([sys.executable, "-m", "pip", "download", *flags, "-r", str(pins), "-d", str(new)])
        new.rename(folder)
    return sorted(folder.glob("*.whl"))


def _run(command: list[str]) -> None:
    if shutil.which(command[0]) is None:
        raise MissingDownload(f"there is no {command[0]}, which downloads Pyodide: install Node.js")
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise MissingDownload(
            f"`{' '.join(command)}` has failed: {(done.stderr or done.stdout).strip()[-600:]}"
        )


def _member(archive: tarfile.TarFile, name: str) -> bytes:
    file = archive.extractfile(name)
    if file is None:
        raise BuildError(f"the npm package of Pyodide has no {name}")
    return file.read()


def _wheel_files(wheels: list[Path]) -> Iterator[tuple[str, bytes]]:
    """The Python files of the wheels and their licenses, by name."""
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            for name in archive.namelist():
                if name.endswith(".py") or ".dist-info/" in name:
                    yield name, archive.read(name)


def _own_files() -> Iterator[tuple[str, bytes]]:
    """The modules of verydeep that the page imports, their template, and ``live_page.py``."""
    program = "import sys, live_page; live_page.start(); print(*sys.modules)"
    modules = _python(program).split()
    for module in sorted(name for name in modules if name.partition(".")[0] == "verydeep"):
        path = SOURCE / module.replace(".", "/")
        file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        yield file.relative_to(SOURCE).as_posix(), file.read_bytes()
    template = SOURCE / "verydeep/templates/diagram.svg.j2"
    yield template.relative_to(SOURCE).as_posix(), template.read_bytes()
    yield "live_page.py", (HERE / "python/live_page.py").read_bytes()


def _python(program: str) -> str:
    """What ``program`` prints in a process that imports verydeep from this checkout."""
    paths = f"import sys; sys.path[:0] = {[str(SOURCE), str(HERE / 'python')]!r}; "
    return subprocess.run(
        [sys.executable, "-c", paths + program], check=True, capture_output=True, text=True
    ).stdout


def _write_zip(path: Path, files: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, content in sorted(files.items()):
            archive.writestr(zipfile.ZipInfo(name, TIME), content, zipfile.ZIP_DEFLATED, 9)


def _write_licenses(folder: Path, wheels: list[Path]) -> None:
    """The license of everything in the page, and a list of what is under which."""
    shutil.copytree(HERE / "licenses", folder)
    shutil.copyfile(ROOT / "LICENSE", folder / "verydeep.txt")
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            texts = [archive.read(name) for name in archive.namelist() if ".dist-info/licenses/" in name]
        if not any(texts):
            raise BuildError(f"{wheel.name} has no license file")
        (folder / f"{wheel.name.partition('-')[0]}.txt").write_bytes(b"\n".join(filter(None, texts)))


def _start(out: Path) -> dict[str, object]:
    """``live_page.start()`` with the versions and the sizes."""
    package = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lock = json.loads((out / "pyodide-lock.json").read_text(encoding="utf-8"))
    loaded = {name: (out / name).read_bytes() for name in {*FETCHED, *RUNTIME}}
    return {
        **json.loads(_python("import json, live_page; print(json.dumps(live_page.start()))")),
        "version": package["version"],
        "pyodide": PYODIDE,
        "python": lock["info"]["python"],
        "fetched": sum(len(loaded[name]) for name in FETCHED),
        "bytes": sum(map(len, loaded.values())),
        "compressed": sum(len(gzip.compress(content, 9)) for content in loaded.values()),
    }


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Build the live page into a folder.")
    parser.add_argument("out", type=Path, help="the folder, which is replaced")
    parser.add_argument("--cache", type=Path, default=CACHE, help="the folder for downloads")
    arguments = parser.parse_args()
    try:
        build(arguments.out, arguments.cache)
    except BuildError as error:
        sys.exit(f"Error: {error}")
    size = sum(file.stat().st_size for file in arguments.out.rglob("*") if file.is_file())
    print(f"Wrote {arguments.out}: {size / 1e6:.1f} MB")
    folder = shlex.quote(str(arguments.out))
    print(f"To open it: {Path(sys.executable).name} -m http.server --bind 127.0.0.1 --directory {folder}")


if __name__ == "__main__":
    main()
