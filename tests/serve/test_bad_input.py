"""Wrong and hostile requests to a real server: each gets an answer or a problem, and the server goes on."""

import io
import json
import select
import socket
import struct
import threading
import zlib

import pytest
from PIL import Image

from .conftest import connect, encoded, form_of, post, received, serving, wait_until


@pytest.fixture(scope="module")
def strict(served):
    """A server with short times and small limits."""
    limits = {
        "max_bytes": 100_000, "max_files": 3, "max_pixels": 1_000_000,
        "header_seconds": 0.4, "body_seconds": 0.4,
    }  # fmt: skip
    with serving(served, **limits) as client:
        yield client
        assert client.image(encoded()).status == 200
        assert "verydeep_queue_images 0" in client.get("/metrics").body.decode()


def png_of(width, height, *chunks):
    """A PNG with a header of that size, and no pixels that fit it."""
    header = (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in (header, *chunks, (b"IEND", b""))
    )


def animated_gif():
    frames = [Image.new("RGB", (40, 30), color) for color in ("red", "green", "blue")]
    file = io.BytesIO()
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:], duration=50)
    return file.getvalue()


BOMB = png_of(3000, 3000, (b"IDAT", zlib.compress(bytes(3000 * 9001), 9)))
TEXT_BOMB = png_of(9, 9, (b"zTXt", b"Comment\0\0" + zlib.compress(bytes(90_000_000), 9)))
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><image href="http://127.0.0.1:9/"/></svg>'
HIDDEN_EPS = b"%!PSftyp\n%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 40 30\n{} loop\n"
EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 40 30\n(%pipe%id) (r) file\n"


@pytest.mark.parametrize(
    ("content", "status", "reason"),
    [
        pytest.param(b"", 422, "0 bytes", id="0 bytes"),
        pytest.param(b"this is no image", 415, "not an image", id="text"),
        pytest.param(encoded(200, 200, "JPEG")[:3000], 422, "truncated", id="truncated JPEG"),
        pytest.param(encoded()[:-200], 422, "", id="truncated PNG"),
        pytest.param(png_of(50_000, 50_000), 413, "2500000000 pixels", id="50,000 px"),
        pytest.param(BOMB, 413, "limit of 1,000,000 pixels", id="bomb"),
        pytest.param(TEXT_BOMB, 422, "cannot be decoded", id="text bomb"),
        pytest.param(SVG, 415, "not an image", id="SVG"),
        pytest.param(EPS, 415, "not an image", id="EPS"),
        pytest.param(HIDDEN_EPS, 415, "PostScript", id="EPS with the mark of HEIC"),
        pytest.param(b"GIF89a", 415, "", id="GIF header"),
        pytest.param(b"BM" + bytes(60), 422, "", id="BMP of zeros"),
        pytest.param(bytes(100_001), 413, "100,000 bytes", id="too large"),
    ],
)
def test_a_wrong_image_is_a_problem_with_its_reason(strict, content, status, reason):
    for answer in (strict.image(content), strict.form([("a.png", content)])):
        assert (answer.problem[0], reason in answer.problem[1]) == (status, True), answer.problem


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(animated_gif(), id="animated GIF"),
        pytest.param(encoded(kind="JPEG", mode="CMYK"), id="CMYK"),
        pytest.param(encoded(kind="PNG", mode="P"), id="palette"),
        pytest.param(encoded(kind="PNG", mode="LA"), id="gray with transparency"),
        pytest.param(encoded(kind="TIFF"), id="TIFF"),
        pytest.param(encoded(kind="WEBP"), id="WebP"),
        pytest.param(encoded(1, 1), id="1 px"),
    ],
)
def test_an_unusual_image_is_classified(strict, content):
    assert strict.image(content).status == 200


def test_an_image_is_turned_by_its_exif_orientation(strict):
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = Image.open(io.BytesIO(encoded(40, 40))).transpose(Image.Transpose.ROTATE_90)
    file = io.BytesIO()
    turned.save(file, "PNG", exif=exif)
    upright, rotated = (
        strict.image(each).json[0]["probabilities"] for each in (encoded(40, 40), file.getvalue())
    )
    assert rotated == pytest.approx(upright, rel=1e-5)


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "..\\..\\a.png", "/dev/zero", "katze-\u732b.png", "\u202egnp.exe", "<b>.png"]
)
def test_a_name_is_text_and_nothing_else(strict, png, name):
    (answer,) = strict.form([(name, png)]).json
    assert answer["file"].replace("\\u202e", "\u202e").replace("\\\\", "\\") == name


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("text/plain", b"hello", 415),
        ("", b"hello", 415),
        ("multipart/form-data", b"hello", 422),
        ("multipart/form-data; boundary=limit", b"hello", 422),
        ("multipart/form-data; boundary=limit", b"", 422),
        ("multipart/form-data; boundary=limit", b"--limit\r\n\r\nx", 422),
        ("multipart/form-data; boundary=" + "b" * 3000, b"", 422),
        ("application/json", b"{", 422),
        ("application/json", b"[" * 90_000, 413),
        ("application/json", b'{"images": [' + b"{}," * 30_000 + b"{}]}", 413),
        ("application/json", b'{"images": [' + b"{}," * 1_000 + b"{}]}", 422),
        ("application/json", b'{"images": [{"file": "' + b"\x7f" * 90_000 + b'", "content": ""}]}', 422),
        ("application/json", b'{"images": []}', 422),
        ("application/json", b'{"images": [{"content": "!"}]}', 422),
        ("application/json", b'{"images": [{"content": "", "url": "http://127.0.0.1/"}]}', 422),
        ("application/x-www-form-urlencoded", b"file=a", 415),
    ],
)
def test_a_wrong_body_is_a_problem(strict, kind, body, status):
    assert strict.send("POST", "/v1/predict", body, content_type=kind).problem[0] == status


def test_no_address_is_fetched(strict):
    """A path or an address in place of an image is text."""
    for text in ("http://127.0.0.1/a.png", "file:///etc/hostname", "/etc/hostname"):
        assert strict.image(text.encode()).problem[0] == 415
        body = json.dumps({"images": [{"content": text}]})
        assert strict.send("POST", "/v1/predict", body, content_type="application/json").problem[0] == 422


def test_too_many_files_are_a_problem(strict, png):
    status, detail = strict.form([("a.png", png)] * 4).problem
    assert status == 413 and "3 images" in detail
    assert strict.form([("a.png", png)] * 3).status == 200


# Connections


@pytest.mark.parametrize(
    "start",
    [
        pytest.param(b"GET /healthz HTTP/1.1\r\nHost: a\r\nX-A: ", id="headers"),
        pytest.param(post(1000) + b"\x89PNG", id="body"),
    ],
)
def test_a_request_of_a_byte_now_and_then_is_cut_off(strict, start):
    with connect(strict) as connection:
        connection.sendall(start)
        try:
            for _ in range(100):
                if select.select([connection], [], [], 0.05)[0]:
                    break
                connection.sendall(b"a")
            assert received(connection).startswith(b"HTTP/1.1 408 ")
        except ConnectionError:  # a byte was on its way when the server closed
            pass


def test_a_silent_connection_is_closed(strict):
    with connect(strict) as connection:
        assert received(connection).startswith(b"HTTP/1.1 408 ")


def test_headers_over_the_limit_are_a_problem(strict):
    with connect(strict) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nX-A: " + b"a" * 40_000)
        answer = received(connection)
    assert answer.startswith(b"HTTP/1.1 400 ") and b"application/problem+json" in answer


def test_garbage_is_a_problem(strict):
    with connect(strict) as connection:
        connection.sendall(b"\x16\x03\x01\x02\x00\r\n\r\n")
        assert received(connection).startswith(b"HTTP/1.1 400 ")


def test_a_body_without_a_length_is_counted(strict):
    with connect(strict) as connection:
        head = post(0).replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
        connection.sendall(head)
        for _ in range(3):
            connection.sendall(b"%x\r\n%s\r\n" % (40_000, bytes(40_000)))
        assert connection.recv(100).startswith(b"HTTP/1.1 413 ")


def test_a_client_that_goes_on_after_a_refusal_is_disconnected(strict):
    with connect(strict) as connection, pytest.raises(OSError, match=r"reset|Broken pipe"):
        connection.sendall(post(10**12))
        for _ in range(50_000):
            connection.sendall(bytes(100_000))


def test_a_half_closed_connection_gets_its_answer(strict, png):
    with connect(strict) as connection:
        connection.sendall(post(len(png)) + png)
        connection.shutdown(socket.SHUT_WR)
        assert received(connection).startswith(b"HTTP/1.1 200 ")


def test_a_connection_that_is_closed_inside_the_body_leaves_nothing(served, png):
    with serving(served) as client:  # whose time for a body is long, also on a busy machine
        for _ in range(20):
            with connect(client) as connection:
                connection.sendall(post(len(png)) + png[:-9])
        wait_until(lambda: b'status="499"} 20' in client.get("/metrics").body)
        assert b"verydeep_queue_images 0" in client.get("/metrics").body


def test_a_connection_that_is_half_closed_inside_the_body_is_closed(strict, png):
    with connect(strict) as connection:
        connection.sendall(post(len(png)) + png[:-9])
        connection.shutdown(socket.SHUT_WR)
        assert received(connection) == b""


def test_a_client_that_does_not_wait_leaves_nothing(strict, png):
    for _ in range(20):
        with connect(strict) as connection:
            connection.sendall(post(len(png)) + png)
    wait_until(lambda: b"verydeep_queue_images 0" in strict.get("/metrics").body)


def test_bodies_of_all_requests_together_are_limited(served):
    with serving(served, max_memory=150_000) as client:
        with connect(client) as first:
            first.sendall(post(120_000) + bytes(100_000))
            wait_until(lambda: client.image(bytes(90_000)).status == 503)
        wait_until(lambda: client.image(bytes(90_000)).status == 415)


def test_requests_in_progress_are_answered_when_the_server_stops(served, png):
    with serving(served, max_wait_ms=500.0) as client:
        answers = []
        thread = threading.Thread(target=lambda: answers.append(client.image(png).status))
        thread.start()
        wait_until(lambda: b"verydeep_queue_images 1" in client.get("/metrics").body)
    thread.join()
    assert answers == [200]


def test_fields_that_are_no_file_are_left_out(strict, png):
    body, kind = form_of([("a.png", png)])
    more = b'--limit\r\nContent-Disposition: form-data; name="note"\r\n\r\nhello\r\n' + body
    assert strict.send("POST", "/v1/predict", more, content_type=kind).status == 200
