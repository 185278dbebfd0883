"""The live page in a real Chromium: equal to the command, its address, keyboard, phone, print, offline."""

import json
import shutil
from pathlib import Path

import pytest

from verydeep.architecture import zoo

from .modules import live_page

pytestmark = pytest.mark.network

READY = "#status:has-text('loaded in')"


@pytest.fixture(scope="module")
def tab(browser, address):
    """The page with Python loaded, once for the tests of this file; it asks its own server only."""
    tab = browser.new_page()
    tab.set_default_timeout(60_000)  # on a busy computer
    problems, requested = [], []
    tab.on("console", lambda message: problems.append(message.text))
    tab.on("pageerror", lambda error: problems.append(str(error)))
    tab.on("request", lambda request: requested.append(request.url))
    tab.goto(address)
    tab.wait_for_selector(READY)
    yield tab
    tab.close()
    assert not problems
    assert requested and all(url.startswith((address, f"blob:{address}")) for url in requested)


@pytest.fixture
def page(tab):
    """The tab as it is with an empty address."""
    tab.emulate_media(media="screen", color_scheme="light")
    tab.set_viewport_size({"width": 1180, "height": 900})
    tab.evaluate("() => { location.hash = '#batch=1'; location.hash = '#network=vgg16'; }")
    tab.wait_for_selector("#command:text-is('verydeep show vgg16 --batch 32')")
    tab.wait_for_selector("#comparison", state="hidden")
    return tab


def saved_json(page):
    with page.expect_download() as download:
        page.click("#save-json")
    return json.loads(Path(download.value.path()).read_text(encoding="utf-8"))


def test_every_network_of_the_zoo_is_that_of_the_command(page, command):
    buttons = page.locator("#papers button").all_inner_texts()
    assert buttons == list(zoo.names())
    for name in buttons:
        page.click(f"#papers button:text-is('{name}')")
        page.wait_for_selector(f"#name:text-is('{name}')")
        assert saved_json(page) == json.loads(command(f"verydeep show {name} --batch 32 --json").out)


def test_what_is_typed_is_shown_and_announced(page):
    page.fill("#network", "64x2 M 128x2 M | gap")
    page.fill("#size", "32")
    page.fill("#second", "vgg11")
    page.wait_for_selector("#comparison:visible")
    expected = live_page.answer(
        {"network": "64x2 M 128x2 M | gap", "size": "32", "second": "vgg11", "batch": "32"}
    )
    assert page.inner_text("#said") == expected["summary"]
    assert page.get_attribute("#said", "role") == "status"
    for place, table in (
        ("#layers", expected["layers"]),
        ("#comparison-table", expected["comparison"]["table"]),
    ):
        rows = page.locator(f"{place} tbody tr").all()
        assert [[cell.inner_text() for cell in row.locator("th, td").all()] for row in rows] == table["rows"]
    for picture in ("#diagram", "#second-diagram"):
        assert page.evaluate(f"document.querySelector('{picture}').decode().then(() => true)")


def test_an_error_is_that_of_the_command_and_the_last_network_stays(page, command):
    page.fill("#network", "64 Q | gap")
    page.wait_for_selector("#error:visible")
    assert page.inner_text("#error") + "\n" == command("verydeep show '64 Q | gap'").err
    assert page.inner_text("#said") == page.inner_text("#error")
    assert page.get_attribute("#network", "aria-invalid") == "true"
    assert page.is_visible("#stale") and page.inner_text("#name") == "vgg16"
    page.fill("#network", "vgg11")
    page.wait_for_selector("#name:text-is('vgg11')")
    assert page.is_hidden("#error") and page.is_hidden("#stale")


def test_after_a_batch_that_cannot_be_the_page_goes_on(page):
    page.fill("#batch", "9" * 308)
    page.wait_for_selector("#error:has-text('a batch has at most 1,000,000,000 images')")
    assert page.get_attribute("#batch", "aria-invalid") == "true"
    assert page.get_attribute("#batch", "aria-describedby") == "error"
    assert page.get_attribute("#network", "aria-invalid") == "false"
    page.fill("#batch", "1")
    page.wait_for_selector("#command:text-is('verydeep show vgg16 --batch 1')")
    assert page.get_attribute("#batch", "aria-invalid") == "false"
    assert page.is_hidden("#error")


def test_markup_is_text(page):
    page.fill("#network", "<img src=x onerror=document.title=1> | gap")
    page.wait_for_selector("#error:has-text('<img src=x')")
    assert page.locator("#error img").count() == 0


SENT = {
    "network": "64x2 M | gap", "second": "D", "size": "32", "channels": "1", "classes": "10", "batch": "8",
    "optimizer": "adam", "dtype": "bf16", "memory": "8GB",
}  # fmt: skip


def test_the_address_has_every_field_and_back_goes_back(page):
    for name, value in SENT.items():
        fill = page.select_option if name in ("optimizer", "dtype") else page.fill
        fill(f"#{name}", value)
    page.check("#norm")
    flags = "--size 32 --channels 1 --classes 10 --batch 8 --optimizer adam --dtype bf16 --memory 8GB --norm"
    page.wait_for_selector(f"#command:text-is('verydeep show \"64x2 M | gap\" {flags}')")
    link = page.url
    page.click("#papers button:text-is('vgg19')")
    page.wait_for_selector("#name:text-is('vgg19_bn')")
    assert page.url != link
    page.go_back()
    page.wait_for_selector("#name:has-text('64x2 M | gap')")
    assert page.url == link and "network=64x2+M+%7C+gap&second=D&size=32" in link
    assert {name: page.input_value(f"#{name}") for name in SENT} == SENT and page.is_checked("#norm")


def test_a_link_fills_the_fields_and_ignores_what_they_do_not_take(browser, address):
    page = browser.new_page()
    page.goto(f"{address}#network=vgg11&batch=x&dtype=fp8&optimizer=adam&unknown=1&size=64")
    page.wait_for_selector("#status:has-text('Python 3.14')")
    assert page.input_value("#network") == "vgg11"
    shown = {name: page.input_value(f"#{name}") for name in ("batch", "dtype", "optimizer", "size")}
    assert shown == {"batch": "", "dtype": "fp32", "optimizer": "adam", "size": "64"}
    page.close()


def test_what_is_typed_while_the_page_starts_stays(browser, address):
    page, held = browser.new_page(), []
    page.route("**/start.json", lambda route: held.append(route))
    page.goto(address)
    page.fill("#network", "vgg11")
    held[0].continue_()
    page.wait_for_selector("#papers button", state="attached")
    assert page.input_value("#network") == "vgg11"
    page.close()


def test_the_first_network_is_there_before_python(browser, address):
    page = browser.new_page()
    page.route("**/pyodide.asm.wasm", lambda _: None)  # never answered
    page.goto(address)
    page.wait_for_selector("#name:text-is('vgg16')")
    assert "Loading Python 3.14" in page.inner_text("#status")
    assert page.is_visible("#progress")
    page.close()


def test_the_page_answers_while_python_computes_and_only_the_newest_is_shown(page):
    page.fill("#network", "alexnet")
    page.wait_for_selector("#name:text-is('alexnet')")  # Python has nothing else to do then
    page.evaluate("""() => {
      let last = performance.now();
      [window.longest, window.begin, window.names] = [0, last, []];
      window.watch = setInterval(() => {
        window.longest = Math.max(window.longest, performance.now() - last);
        last = performance.now();
      }, 5);
      new MutationObserver(() => window.names.push(document.getElementById("name").textContent))
        .observe(document.getElementById("name"), { childList: true });
    }""")
    # The page asks by its own clock: where the machine is busy, this process would come too late.
    page.evaluate(
        """(deep) => {
          const ask = (text) => {
            document.getElementById("network").value = text;
            document.getElementById("form").requestSubmit();
          };
          ask(deep);
          setTimeout(ask, 50, "vgg11");
          setTimeout(ask, 100, "vgg13");
        }""",
        f"{'64x1000 ' * 9} | gap",  # Python needs longer for it than both pauses
    )
    page.wait_for_selector("#name:text-is('vgg13')")
    longest, took, names = page.evaluate(
        "() => { clearInterval(watch); return [longest, performance.now() - begin, names]; }"
    )
    assert names == ["vgg13"]
    assert longest < took / 2


def test_the_keyboard_alone_does_all(page):
    page.focus("#network")
    order = ["network"]
    for _ in range(2 + len(zoo.names()) + 14):
        page.keyboard.press("Tab")
        order.append(page.evaluate("document.activeElement.id || document.activeElement.textContent"))
    fields = [
        "network",
        "second",
        "vgg11",
        "resnet110",
        "size",
        "batch",
        "norm",
        "copy",
        "save-diagram",
        "save-json",
    ]
    assert [each for each in order if each in fields] == fields
    page.focus("#papers button:text-is('vgg19')")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Tab")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineWidth") == "3px"
    page.keyboard.press("Enter")
    page.wait_for_selector("#name:text-is('vgg19')")
    page.focus("#layers .scroll")  # a wide table scrolls by the arrow keys


def test_the_link_is_copied(page):
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.click("#copy")
    page.wait_for_selector("#copy:text-is('Copied')")
    assert page.evaluate("navigator.clipboard.readText()") == page.url


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_scrolls_only_down_in_both_color_schemes(page, scheme):
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": 390, "height": 844})
    page.fill("#second", "64k7s2 Mk3s2p1 (64 64)x3 (128s2 128) (128 128)x3 (256s2 256) (256 256)x5 | gap")
    page.wait_for_selector("#comparison:visible")
    page.click("#syntax summary")
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    page.click("#syntax summary")
    brightness = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0]")
    assert (int(brightness) > 128) == (scheme == "light")


def test_the_print_has_results_and_no_controls(page):
    page.emulate_media(media="print", color_scheme="dark")
    shown = {
        name: page.is_visible(name) for name in ("#tiles", "#layers", "#diagram", "#form", "#copy", "#status")
    }
    assert [name for name, is_shown in shown.items() if is_shown] == ["#tiles", "#layers", "#diagram"]
    assert (
        page.evaluate("getComputedStyle(document.querySelector('section')).backgroundColor")
        == "rgb(255, 255, 255)"
    )


def test_the_page_is_accessible_in_the_light(accessibility_faults, address):
    assert (
        accessibility_faults(address, lambda page: page.wait_for_selector("#result:visible"), "light") == []
    )


def test_the_page_is_accessible_in_the_dark_with_errors(accessibility_faults, address):
    def show_all(page):
        page.wait_for_selector("#comparison:visible", timeout=60_000)
        page.click("#syntax summary")
        page.fill("#network", "64 Q | gap")
        page.wait_for_selector("#error:visible")

    assert accessibility_faults(f"{address}#network=vgg16&second=resnet34", show_all, "dark") == []


@pytest.mark.parametrize("name", ["Worker", "WebAssembly"])
def test_an_old_browser_is_told_what_it_has_not(browser, address, name):
    page = browser.new_page()
    page.add_init_script(f"delete globalThis.{name}")
    page.goto(address)
    page.wait_for_selector(f"#status:has-text('Python cannot be loaded: this browser has no {name}')")
    page.close()


@pytest.fixture
def folder(live_folder, tmp_path):
    """The page in a folder for one test."""
    return shutil.copytree(live_folder, tmp_path / "live")


@pytest.mark.parametrize("name", ["app.zip", "start.json", "python_stdlib.zip"])
def test_a_missing_file_is_an_error(browser, serve, folder, name):
    (folder / name).unlink()
    page = browser.new_page()
    page.goto(serve(folder))
    page.wait_for_selector("#status:has-text('Python cannot be loaded: ')", timeout=60_000)
    page.close()


def test_the_worker_has_the_policy_of_the_page(browser, serve, folder, site):
    """Another server that would answer is not asked."""
    site.serve("/", headers={"Access-Control-Allow-Origin": "*"})
    worker = folder / "worker.js"
    worker.write_text(
        worker.read_text().replace("() {\n  try {\n", f"() {{\n  try {{\n await fetch('{site.address}');\n")
    )
    page = browser.new_page()
    page.goto(serve(folder))
    page.wait_for_selector("#status:has-text('Python cannot be loaded: Failed to fetch')")
    page.close()
    assert not site.requests


def test_opened_as_a_file_the_page_says_how_to_serve_it(browser, live_folder):
    page = browser.new_page()
    page.goto((live_folder / "index.html").as_uri())
    page.wait_for_selector("#status:has-text('python -m http.server')")
    page.close()
