"""Commands on names that hold markup, escapes, formulas and undecodable bytes; any locale; a closed pipe."""

import csv
import io
import os
import subprocess
import sys

import pytest
from PIL import Image

from verydeep.data import synthetic
from verydeep.data.split_file import read_split
from verydeep.terminal.console import err, out

EUC_KR = "고양이".encode("euc-kr").decode(errors="surrogateescape")
CLASSES = ("cat [", "[red]x", "=1+1", EUC_KR)
STRANGE = (
    "a\rb", "\x1b[31mred", "\u202egnp.x", EUC_KR, "=cmd", "@x", "new\nline", "<img src=x>", "'-1",
)  # fmt: skip


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Four classes with strange names, of twelve images each."""
    folder = tmp_path_factory.mktemp("strange") / "photos"
    drawn = synthetic.shapes(48, size=16, channels=3, classes=4)
    for number, (pixels, label) in enumerate(zip(drawn.pixels, drawn.labels.tolist(), strict=True)):
        names = dict(enumerate(STRANGE))
        path = folder / CLASSES[label] / f"{names.get(number // 4, number)}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels.permute(1, 2, 0).numpy()).save(path)
    return folder


def controls(text):
    """The characters that a terminal would obey, or could not show."""
    return {
        character
        for character in text
        if (character < " " and character != "\n") or character in "\u202e\x7f"
    }


@pytest.mark.slow
def test_a_folder_of_strange_names_becomes_a_run(here, photos, tiny, tmp_path):
    done = here("tune", photos, "--weights", tiny, "--strategy", "linear-probe", "--out", "run", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    printed = done.stdout + done.stderr
    assert not controls(printed)
    for name in ("cat [ ", "[red]x ", "=1+1 ", r"\xb0\xed\xbe\xe7\xc0\xcc"):
        assert name in done.stdout
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert "<img src=x>" not in page and not controls(page)
    assert set(read_split(tmp_path / "run" / "split.csv")) == {
        f"{file.parent.name}/{file.name}" for file in photos.rglob("*.png")
    }

    files = sorted(photos.rglob("*.png"))
    for expected in (f"{len(files)} images", f"0 images, and {len(files)} from before"):
        predicted = here("predict", "run", *files, "--out", "p.csv", "--resume", cwd=tmp_path)
        assert predicted.returncode == 0 and predicted.stdout == f"p.csv: {expected}\n", predicted.stderr
    written = (tmp_path / "p.csv").read_bytes().decode(errors="surrogateescape")
    rows = list(csv.reader(io.StringIO(written, newline="")))
    assert {row[0] for row in rows[1:]} == set(map(str, files))
    assert all(not cell.startswith(("=", "@", "+")) for row in rows for cell in row)

    lines = here("predict", "run", *files, cwd=tmp_path).stdout.splitlines()
    assert len(lines) == len(files) and not controls("\n".join(lines))

    explained = here("explain", "run", *files[:20], "--out", "maps", cwd=tmp_path)
    assert explained.returncode == 0 and not controls(explained.stdout), explained.stderr
    assert len(list((tmp_path / "maps").glob("*.png"))) == 20

    checked = here("data", "check", photos, "--out", "check.html", cwd=tmp_path)
    assert not controls(checked.stdout + checked.stderr)
    assert not controls((tmp_path / "check.html").read_text(encoding="utf-8"))


@pytest.mark.slow
def test_classes_of_a_list_with_markup(here, shapes, tiny, tmp_path):
    rows = [
        f"{file},{'cat [/b]' if file.parent.name == 'circle' else '[red]x'}"
        for file in sorted(shapes.rglob("*.png"))
    ]
    (tmp_path / "list.csv").write_text("\n".join(["file,label", *rows]))
    done = here(
        "tune", "list.csv", "--weights", tiny, "--strategy", "linear-probe", "--out", "r", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert "cat [/b] " in done.stdout and "[red]x " in done.stdout


def test_a_broken_image_has_one_line(here, trained, tmp_path):
    (tmp_path / "a\n\x1b[2Jb.png").write_bytes(b"no")
    done = here("predict", trained, tmp_path / "a\n\x1b[2Jb.png")
    assert done.returncode == 1
    assert r"/a\n\x1b[2Jb.png is not an image" in done.stderr and done.stderr.count("\n") == 1


@pytest.mark.parametrize("word", ["--x\x1b[31m[/b]", "\x1b[31m[/b]"])
def test_a_wrong_word_is_quoted_without_effect(here, word):
    done = here(word)
    assert done.returncode != 0
    assert r"\x1b[31m[/b]" in done.stdout + done.stderr and "\x1b" not in done.stdout + done.stderr


@pytest.mark.parametrize("encoding", ["ascii", "cp949", "latin-1"])
def test_the_output_is_readable_in_any_encoding(verydeep, encoding):
    done = subprocess.run(
        [sys.executable, "-m", "verydeep", "compare", "vgg16", "alexnet"],
        capture_output=True, env={**os.environ, "PYTHONIOENCODING": encoding, "COLUMNS": "100"}, timeout=300,
    )  # fmt: skip
    printed = done.stdout.decode(encoding)
    assert done.returncode == 0, done.stderr
    assert (
        "138 M" in printed.replace("\N{NO-BREAK SPACE}", " ")
        and "\\u" not in printed
        and "\\x" not in printed
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    ["list", "list --json", "show vgg16 --csv", "--help", "tune --help", "weights get --help", "--version"],
)
def test_a_closed_pipe_ends_the_command_quietly(command):
    process = subprocess.Popen(
        [sys.executable, "-m", "verydeep", *command.split()], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    process.stdout.close()
    assert process.stderr.read() == b"" and process.wait(60) == 141
    process.stderr.close()


@pytest.mark.slow
@pytest.mark.parametrize("command", ["show nothing", "nothing", "tune --nothing"])
def test_a_command_goes_on_without_a_reader_of_its_messages(command):
    process = subprocess.Popen([sys.executable, "-m", "verydeep", *command.split()], stderr=subprocess.PIPE)
    process.stderr.close()
    assert process.wait(60) == 2


def test_no_markup_takes_effect_in_a_table_or_a_message(capsys):
    from rich.table import Table

    table = Table("[red]head[/]")
    table.add_row("[/b] \x1b[1m")
    out().print(table, "[bold]text")
    err().print("[/i]")
    printed = capsys.readouterr()
    assert "[red]head[/]" in printed.out and r"[/b] \x1b[1m" in printed.out and "[bold]text" in printed.out
    assert printed.err == "[/i]\n"
