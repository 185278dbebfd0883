"""The error messages of the command for failures of the machine; the help pages."""

import io
import itertools
import shlex
import subprocess
import sys
import tomllib

import pytest
import torch
from rich.console import Console
from safetensors import SafetensorError

from verydeep.cli import main
from verydeep.train.recipe import Recipe, to_toml

COMMANDS = [name for name in main.app if not name.startswith("-")]


def failing(error):
    def app(_):
        raise error

    return app


def test_a_full_disk_is_a_short_message(monkeypatch, capsys):
    error = SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")
    monkeypatch.setattr(main, "app", failing(error))
    assert main.main(["tune"]) == 2
    assert "the disk: Error while serializing: I/O error: No space left" in capsys.readouterr().err


def test_a_full_gpu_is_a_short_message(monkeypatch, capsys):
    error = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nGPU 0 has 1 MiB free.")
    monkeypatch.setattr(main, "app", failing(error))
    assert main.main(["predict"]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "the GPU has too little memory: CUDA out of memory. Tried to allocate 2.00 GiB. Compute" in said
    assert "(--slices 4 in training; --batch where a command has it)" in said and "1 MiB" not in said


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (MemoryError(), "there is no more"),
        (
            RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to\nallocate"),
            "tried to",
        ),
    ],
)
def test_too_little_memory_is_a_short_message(monkeypatch, capsys, error, reason):
    monkeypatch.setattr(main, "app", failing(error))
    assert main.main(["predict"]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "the machine has too little memory: " in said and f"{reason}. Compute fewer images" in said


def test_an_internal_error_is_not_hidden(monkeypatch):
    monkeypatch.setattr(main, "app", failing(SafetensorError("InvalidHeader")))
    with pytest.raises(SafetensorError):
        main.main(["tune"])


def test_the_help_has_a_summary_of_every_command(here):
    text = " ".join(here("--help").stdout.replace("│", "").split())
    assert all(command in text for command in COMMANDS)
    assert "Train a classifier on a folder of your own images (transfer learning)." in text


def test_the_help_of_a_command_ends_with_the_step_after_it(here):
    steps = {command: step for command, (*_, step) in main._COMMANDS.items() if step}
    for command, step in steps.items():
        assert " ".join(here(command, "--help").stdout.split()).endswith(f"Next: {step}")
    assert len(set(steps.values())) > len(steps) / 2


@pytest.mark.slow
def test_help_lists_and_mistakes_do_not_wait_for_torch(trained, tmp_path):
    code = (
        "import sys; from contextlib import suppress; from verydeep.cli.main import main\n"
        "for line in sys.argv[1:]:\n"
        "    with suppress(SystemExit): print(line, main(line.split()))\n"
        "sys.exit(bool({'torch', 'lightning_fabric', 'matplotlib'} & set(sys.modules)))"
    )
    helped = ("train", "tune", "compress", "export", "bench", "similar")
    helped += ("weights show", "weights import", "weights export")
    lines = (*(f"{command} --help" for command in helped), "study", f"runs {trained}")
    wrong = (
        "train fashion-mnist --epochs 0",
        "tune x --size 0",
        "study dept",
        "compress x --steps shrink",
        "export x --to ncnn --int8 photos",
        "export x --to onnx --out x.bin",
        "bench x --batch 0",
        "similar x photos y.png --count 0",
        "weights import x --out y.txt",
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *lines, *wrong], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert f"runs {trained} 0\n" in done.stdout and "8 M 16 M" in done.stdout
    assert all(f"{line} 2\n" in done.stdout for line in wrong)


def test_a_step_after_a_command_is_a_valid_command():
    for *_, step in main._COMMANDS.values():
        if step:
            main.app.parse_args(shlex.split(step)[1:], exit_on_error=False, print_error=False)


def test_a_mistyped_path_gets_a_suggestion(here, tmp_path):
    (tmp_path / "solar").mkdir()
    done = here("data", "check", "solr", cwd=tmp_path)
    assert done.returncode == 2 and done.stderr.rstrip().endswith("Did you mean solar?")


def test_shell_completion_is_installed_into_the_home_of_the_user(tmp_path, monkeypatch, here):
    monkeypatch.setenv("HOME", str(tmp_path))
    done = here("--install-completion", "--shell", "bash")
    script = tmp_path / ".local/share/bash-completion/completions/verydeep"
    assert done.returncode == 0 and str(script) in done.stdout
    assert "--reject-below" in script.read_text() and str(script) in (tmp_path / ".bashrc").read_text()
    (tmp_path / "solar").mkdir()

    def completed(*words):
        line = f"COMP_WORDS=({shlex.join(words)}); COMP_CWORD={len(words) - 1}"
        shell = f'cd {tmp_path}; . {script}; {line}; _verydeep; echo "${{COMPREPLY[@]}}"'
        return subprocess.run(["bash", "-c", shell], capture_output=True, text=True).stdout.split()

    assert completed("verydeep", "tu") == ["tune"]
    assert completed("verydeep", "predict", "--rej") == ["--reject-below"]
    for command in ("tune", "train", "evaluate solar", "predict solar", "data relabel", "data check"):
        assert completed("verydeep", *command.split(), "sol") == ["solar"], command


def pages(app=main.app, path=""):
    """Every command and subcommand, such as "weights get"."""
    for name in app:
        if not name.startswith("-"):
            command = f"{path} {name}".strip()
            yield command
            yield from pages(app[name], command)


@pytest.mark.parametrize("command", list(pages()))
def test_each_help_page_ends_with_an_example_and_the_step_after_it(here, command):
    example, step = here(*command.split(), "--help").stdout.rstrip().rsplit("\n\n", 1)[-1].split("Next: ")
    assert example.startswith(f"Example: verydeep {command}")
    for line in (example.removeprefix("Example: "), step):
        main.app.parse_args(shlex.split(line)[1:], exit_on_error=False, print_error=False)
    assert step.strip() != example.removeprefix("Example: ").strip()


def test_ctrl_c_in_any_command_is_a_short_message(monkeypatch, capsys):
    monkeypatch.setattr("verydeep.cli.recipes.recipe_names", lambda: failing(KeyboardInterrupt())(None))
    assert main.main(["recipes"]) == 130
    assert "Stopped: interrupted" in capsys.readouterr().err


def flags_of(command):
    """The flags of a command, also those that its help does not list; not the tables of a recipe."""
    arguments = main.app[command].assemble_argument_collection(parse_docstring=True)
    return [each for each in arguments if each.parse and not each.children]


def help_page(command, columns):
    console = Console(width=columns, record=True, file=io.StringIO())
    main.app.help_print([command], console=console)
    return console.export_text()


@pytest.mark.parametrize("command", COMMANDS)
def test_no_line_of_a_help_page_ends_before_it_is_full(command):
    """The line breaks of a docstring are not those of the page."""
    rows = [line[2:-2] for line in help_page(command, 80).splitlines() if line.startswith("│")]
    for line, following in itertools.pairwise(rows):
        if following.startswith(" " * 8) and following.strip():
            assert len(f"{line.rstrip()} {following.split()[0]}") > len(line), line


@pytest.mark.parametrize("command", ["train", "tune"])
@pytest.mark.parametrize("columns", [80, 100])
def test_every_flag_is_on_the_help_page_in_one_piece_and_has_a_text(command, columns):
    lines = help_page(command, columns).splitlines()
    assert max(map(len, lines)) <= columns
    words = {word for line in lines for word in line.split()}
    for flag in flags_of(command):
        if flag.show:
            assert flag.parameter.help, flag.name
            assert flag.name in words


def test_the_help_of_tune_lists_the_flags_of_fine_tuning_and_names_those_of_scratch(here):
    text = here("tune", "--help").stdout
    shown, hidden = (
        {flag.name for flag in flags_of("tune") if flag.show is wanted} for wanted in (True, False)
    )
    assert "--fine-tune.optimizer.stage-lr-decay" in shown and "--fine-tune.norm" not in shown
    assert hidden and all(name.startswith("--scratch.") for name in hidden)
    assert {"--scratch.epochs", "--scratch.norm", "--scratch.schedule.milestones"} <= hidden
    assert "such flags too: --scratch.epochs" in text and "--scratch.schedule" not in text


def test_the_flags_of_train_are_all_fields_of_a_recipe():
    names = {flag.name.removeprefix("--") for flag in flags_of("train")}
    fields = tomllib.loads(to_toml(Recipe()))
    tables = {key for key, value in fields.items() if isinstance(value, dict)}
    expected = {key.replace("_", "-") for key in fields.keys() - tables}
    expected |= {f"{table}.{key.replace('_', '-')}" for table in tables for key in fields[table]}
    assert expected <= names
