"""Hooks of schemathesis: where the OpenAPI document has a file, it sends one of these images."""

import base64
import io

import schemathesis
from hypothesis import strategies
from PIL import Image


def encoded(kind, *size):
    file = io.BytesIO()
    Image.new("RGB", size, "teal").save(file, kind)
    return file.getvalue()


IMAGES = [encoded("PNG", 1, 1), encoded("JPEG", 40, 30), encoded("WEBP", 30, 40)]

files = strategies.sampled_from(IMAGES)
schemathesis.openapi.format("binary", files)
schemathesis.openapi.format("byte", files.map(lambda image: base64.b64encode(image).decode()))
