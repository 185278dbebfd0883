"""The page in a real Chromium while answers are on their way: what is pressed meanwhile, and what is gone."""

from dataclasses import replace

import pytest

from .conftest import choose, serving, wait_until

KEEP_STREAMS = """() => {
  const devices = navigator.mediaDevices;
  const ask = devices.getUserMedia.bind(devices);
  window.streams = [];
  devices.getUserMedia = async (wanted) => {
    const stream = await ask(wanted);
    window.streams.push(stream);
    return stream;
  };
}"""
TWICE = "document.getElementById('camera').click(); document.getElementById('camera').click()"
STATES = "streams.flatMap((stream) => stream.getTracks()).map((track) => track.readyState)"


@pytest.fixture
def held(page):
    """The requests of the page that are held: each goes on by ``continue_``."""
    routes = []
    page.route("**/v1/predict?*", lambda route: routes.append(route))
    yield routes
    page.unroute("**/v1/predict?*")


def wait_for(page, condition):
    """Wait until ``condition``, while the page goes on."""
    wait_until(lambda: page.evaluate("true") and condition())


def ask_for_heat_map(page, held, png):
    """Classify two images, and ask for the heat map of the first, the third request that is held."""
    choose(page, ("a.png", png), ("b.png", png))
    wait_for(page, lambda: len(held) == 2)
    for route in held:
        route.continue_()
    page.wait_for_selector("#rows tr:nth-child(2)")
    page.check("#explain")
    wait_for(page, lambda: len(held) == 3)


def test_a_heat_map_is_asked_for_once(page, held, png):
    ask_for_heat_map(page, held, png)
    page.focus("#threshold")
    for _ in range(10):
        page.keyboard.press("ArrowRight")
    page.click("#rows [aria-current] button")
    assert page.evaluate("true") and len(held) == 3 and page.is_hidden("#heat")
    held[2].continue_()
    page.wait_for_selector("#heat:visible")


def test_without_class_maps_the_heat_map_has_the_name_of_its_method(browser, served):
    with serving(replace(served, explain=None)) as client:
        page = browser.new_page()
        page.goto(f"http://127.0.0.1:{client.port}/")
        page.wait_for_selector("#facts:has-text('3 classes')")
        assert "(occlusion)" in page.text_content("#heat-tools")
        page.close()


def test_images_that_are_cleared_are_not_sent(page, held, png):
    choose(page, *((f"{number}.png", png) for number in range(8)))
    wait_for(page, lambda: len(held) == 4)
    held[0].continue_()
    wait_for(page, lambda: len(held) == 5)
    page.click("#clear")
    for route in held[1:]:
        route.continue_()
    choose(page, ("new.png", png))
    wait_for(page, lambda: len(held) == 6)
    held[5].continue_()
    page.wait_for_selector("#file:text-is('new.png')")
    assert len(held) == 6 and page.is_hidden("#list") and page.is_hidden("#errors p")


def test_a_heat_map_of_a_cleared_image_is_not_missed(page, held, png):
    ask_for_heat_map(page, held, png)
    page.click("#clear")
    held[2].abort()
    choose(page, ("c.png", png))
    wait_for(page, lambda: len(held) == 4)
    held[3].continue_()
    page.wait_for_selector("#file:text-is('c.png')")
    assert page.is_hidden("#errors p")


def test_a_file_that_was_changed_is_not_a_server_that_is_gone(page, held, png, tmp_path):
    files = [tmp_path / f"{number}.png" for number in range(5)]
    for file in files:
        file.write_bytes(png)
    page.set_input_files("#files", files)
    wait_for(page, lambda: len(held) == 4)
    files[4].write_bytes(png + b"changed")
    for route in held:
        route.continue_()
    page.wait_for_selector("#errors:has-text('4.png: cannot be read: it is a folder, or was changed')")
    assert len(held) == 4


def test_the_camera_is_off_once_it_is_closed(page):
    page.evaluate(KEEP_STREAMS)
    page.evaluate(TWICE)
    wait_until(lambda: page.evaluate("document.getElementById('video').videoWidth"))
    page.click("#camera")
    page.click("#close")
    assert page.evaluate(STATES) == ["ended"]
