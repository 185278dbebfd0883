"""``verydeep info`` as a user calls it."""

import json
import subprocess
import sys


def test_the_information_is_text_or_json(here):
    text, values = here("info"), here("info", "--json")
    assert text.returncode == values.returncode == 0
    assert {"verydeep:", "Python:", "PyTorch:", "GPU:", "cache:"} <= set(text.stdout.split())
    assert json.loads(values.stdout)["torch"].startswith("2.")


def test_nothing_that_computes_is_imported():
    code = (
        "import sys; from verydeep.info import accelerator; accelerator.CPU_BUILD = ''; "  # every version
        "from verydeep.cli.main import main; assert main(['info']) == 0; "
        "assert not {'torch', 'numpy', 'pydantic'} & set(sys.modules), sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
