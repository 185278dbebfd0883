"""The page in a real Chromium: uploads, paste, camera, errors, heat map, table."""

from dataclasses import replace

import pytest

from verydeep.prediction.prediction_rows import CsvRows

from .conftest import choose, encoded, serving, wait_until

TRANSFER = """(bytes) => {
  const data = new DataTransfer();
  data.items.add(new File([new Uint8Array(bytes)], "given.png", { type: "image/png" }));
  return data;
}"""
PASTE = f"""(bytes) =>
  document.dispatchEvent(new ClipboardEvent("paste", {{ clipboardData: ({TRANSFER})(bytes) }}))
"""
FETCH = "(address) => fetch(address).then(() => 'answered', (error) => error.message)"


def test_an_image_is_classified_with_bars_and_latency(page, client, png):
    choose(page, ("a.png", png))
    page.wait_for_selector("#bars li")
    (answer,) = client.image(png).json
    assert page.inner_text("#label") == answer["label"]
    assert page.locator("#bars li").count() == 3
    assert " ms " in page.inner_text("#latency")
    assert page.locator("#list").is_hidden()
    width, filled = (page.locator(each).first.bounding_box()["width"] for each in (".track", ".bar"))
    assert filled / width == pytest.approx(answer["confidence"], abs=0.02)


def test_the_formats_are_those_of_the_server(page, client):
    for each in client.get("/v1/model").json["formats"]:
        assert each in page.inner_text("#limits")


def test_below_the_threshold_it_is_none_of_these(page, png):
    choose(page, ("a.png", png))
    page.wait_for_selector("#bars li")
    page.focus("#threshold")
    page.keyboard.press("End")
    assert page.inner_text("#label") == "none of these"


def test_the_heat_map_lies_over_the_crop(page, png):
    choose(page, ("a.png", png))
    page.wait_for_selector("#bars li")
    assert "(Grad-CAM)" in page.inner_text("#heat-tools")
    page.check("#explain")
    page.wait_for_selector("#heat:visible")
    page.focus("#opacity")
    page.keyboard.press("Home")
    assert page.evaluate("getComputedStyle(document.getElementById('heat')).opacity") == "0"
    heat, image = (page.locator(each).bounding_box() for each in ("#heat", "#preview"))
    assert heat["height"] == pytest.approx(image["height"], abs=1)
    assert heat["width"] == pytest.approx(image["width"] * 30 / 40, abs=1)


@pytest.mark.parametrize(("fit", "width", "height"), [("pad", 1, 4 / 3), ("squash", 1, 1)])
def test_the_heat_map_lies_over_all_that_the_network_sees(browser, served, png, fit, width, height):
    class Fitted:
        preprocess = served.network.preprocess.with_fit(fit)
        classes, origin, logits = served.network.classes, served.network.origin, served.network.logits

    with serving(replace(served, network=Fitted())) as client:
        page = browser.new_page()
        page.goto(f"http://127.0.0.1:{client.port}/")
        page.wait_for_selector("#facts:has-text('3 classes')")
        choose(page, ("a.png", png))
        page.wait_for_selector("#bars li")
        page.check("#explain")
        page.wait_for_selector("#heat:visible")
        heat, image = (page.locator(each).bounding_box() for each in ("#heat", "#preview"))
        page.close()
    assert heat["width"] / image["width"] == pytest.approx(width, abs=0.01)
    assert heat["height"] / image["height"] == pytest.approx(height, abs=0.01)


def test_a_pasted_image_is_classified(page, png):
    page.evaluate(PASTE, list(png))
    page.wait_for_selector("#bars li")
    assert page.inner_text("#file") == "given.png"


def test_a_dropped_image_is_classified(page, png):
    page.dispatch_event("body", "drop", {"dataTransfer": page.evaluate_handle(TRANSFER, list(png))})
    page.wait_for_selector("#bars li")
    assert page.inner_text("#file") == "given.png"


def test_a_photo_of_the_camera_is_classified(page):
    page.click("#camera")
    wait_until(lambda: page.evaluate("document.getElementById('video').videoWidth"))
    page.click("#shoot")
    page.wait_for_selector("#bars li")
    assert page.inner_text("#file") == "photo.png"
    page.click("#close")


def test_a_wrong_file_and_one_that_is_too_large_are_errors(page, png, tmp_path):
    choose(page, ("a.txt", b"text"))
    page.wait_for_selector("#errors p")
    assert "a.txt: " in page.inner_text("#errors") and "expected JPEG" in page.inner_text("#errors")
    big = tmp_path / "big.png"
    big.write_bytes(bytes(33_000_000))
    page.set_input_files("#files", big)
    page.wait_for_selector("#errors:has-text('larger than 32 MB')")
    choose(page, ("a.png", png))
    page.wait_for_selector("#bars li")


def test_several_images_are_a_table_to_download(page, png):
    choose(page, ("=a.png", png), ("b.txt", b"text"), ("c.png", encoded(20, 20)))
    page.wait_for_selector("#rows tr:nth-child(3)")
    page.wait_for_selector("#status:has-text('3 images, 1 of them')")
    with page.expect_download() as download:
        page.click("#csv")
    lines = download.value.path().read_text().splitlines()
    assert f"{lines[0]}\n" == CsvRows(3).header.decode() and lines[1].startswith("'=a.png,")
    page.click("#rows button >> nth=1")
    assert page.inner_text("#file") == "c.png"


def test_a_server_that_is_gone_is_an_error(browser, served, png):
    page = browser.new_page()
    with serving(served) as client:
        page.goto(f"http://127.0.0.1:{client.port}/")
        page.wait_for_selector("#facts:has-text('3 classes')")
    choose(page, ("a.png", png))
    page.wait_for_selector("#errors:has-text('The server does not answer')")
    page.close()


def test_the_page_asks_for_the_token(browser, served, png):
    with serving(served, "a-token-of-24-characters") as client:
        page = browser.new_page()
        page.goto(f"http://127.0.0.1:{client.port}/")
        page.fill("#token", "a-token-of-24-characters…")  # no header can hold it
        page.click("#login button")
        assert page.locator("#token:invalid").count() == 1
        page.fill("#token", "a-token-of-24-characters ")
        page.click("#login button")
        page.wait_for_selector("#facts:has-text('3 classes')")
        choose(page, ("a.png", png))
        page.wait_for_selector("#bars li")
        page.close()


def test_a_full_queue_makes_the_page_wait(browser, served, png):
    with serving(served, max_queue=1) as client:
        page = browser.new_page()
        statuses = []
        page.on("response", lambda response: statuses.append(response.status))
        page.goto(f"http://127.0.0.1:{client.port}/")
        page.wait_for_selector("#facts:has-text('3 classes')")
        choose(page, *((f"{number}.png", png) for number in range(8)))
        page.wait_for_selector("#status:text-is('8 images')")
        wait_until(lambda: page.locator("#rows td button").count() == 8)
        page.close()
    assert 503 in statuses


def test_the_policy_stops_inline_scripts_and_other_servers(browser, client, site):
    site.serve("/", headers={"Access-Control-Allow-Origin": "*"})
    page = browser.new_page()
    page.goto(f"http://127.0.0.1:{client.port}/")
    page.evaluate("""() => {
      const script = document.createElement("script");
      script.textContent = "document.title = 'changed'";
      document.body.append(script);
    }""")
    assert page.title() == "verydeep: classify images"
    assert page.evaluate(FETCH, site.address) == "Failed to fetch"
    assert not site.requests
    page.goto(site.address.replace("127.0.0.1", "localhost"))  # another site without a policy may ask
    assert page.evaluate(FETCH, site.address) == "answered"
    page.close()


def test_the_footer_leads_to_the_page_of_the_api_which_fits_a_phone(page):
    page.click("#link")
    page.wait_for_selector("h1:has-text('HTTP API')")
    assert page.locator("section pre").count() == 6
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_the_keyboard_alone_chooses_an_image_of_the_table(page, png):
    choose(page, ("a.png", png), ("b.png", encoded(20, 20)))
    page.wait_for_selector("#rows tr:nth-child(2)")
    page.focus("#clear")
    for _ in range(3):  # the table, which scrolls, and its two images
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.inner_text("#file") == "b.png"
    assert page.evaluate("document.activeElement.textContent") == "b.png"


@pytest.mark.network
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_form_for_the_token_is_accessible(accessibility_faults, served, scheme):
    def refused(page):
        page.fill("#token", "another-token-of-24-characters")
        page.click("#login button")
        page.wait_for_selector("#login [role=alert]:has-text('this needs the token')")

    with serving(served, "a-token-of-24-characters") as client:
        assert accessibility_faults(f"http://127.0.0.1:{client.port}/", refused, scheme) == []


@pytest.mark.network
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_of_the_api_is_accessible(accessibility_faults, client, scheme):
    address = f"http://127.0.0.1:{client.port}/docs"
    assert accessibility_faults(address, lambda page: page.wait_for_selector("pre >> nth=5"), scheme) == []


def test_a_phone_scrolls_only_down_and_every_control_has_a_name(browser, client, png):
    page = browser.new_page(viewport={"width": 390, "height": 844})
    page.goto(f"http://127.0.0.1:{client.port}/")
    page.wait_for_selector("#facts:has-text('3 classes')")  # until then it takes no images
    choose(page, ("a-very-long-name" * 9 + ".png", png), ("b.png", png))
    page.wait_for_selector("#rows tr:nth-child(2)")
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    unnamed = page.evaluate(
        "[...document.querySelectorAll('input, button')].filter("
        "(each) => !(each.labels?.length || each.textContent.trim())).map((each) => each.id)"
    )
    assert unnamed == []
    page.close()
