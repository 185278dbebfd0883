"""The images in the body of a request: a form with files, one image, or JSON with base64."""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated

from annotated_types import MaxLen, MinLen
from pydantic import BaseModel, ConfigDict, FailFast, ValidationError
from starlette.requests import Request

from verydeep.architecture.description import problems_of
from verydeep.serve.form import FileForm, check_count
from verydeep.serve.limits import Limits
from verydeep.serve.problems import Problem, busy

FORM, JSON, BYTES = "multipart/form-data", "application/json", "application/octet-stream"
MAX_NAME = 1000
"""Characters in the name of an image."""
EXPECTED = (
    f"expected {FORM} with the field `file`, an image with a type such as image/jpeg, or {JSON} with base64"
)


@dataclass(frozen=True)
class Upload:
    """An image that a client sent."""

    name: str
    """As the client calls it; it is shown, and names no file here."""
    content: bytes


class JsonImage(BaseModel):
    """An image in JSON."""

    model_config = ConfigDict(extra="forbid")

    file: Annotated[str, MaxLen(MAX_NAME)] = "image"
    """A name for the answer."""
    content: str
    """The file, in base64."""


class JsonImages(BaseModel):
    """The body of a request in JSON."""

    model_config = ConfigDict(extra="forbid")

    images: Annotated[list[JsonImage], MinLen(1), FailFast()]


class Receiver:
    """Receives bodies; the memory of all together is limited."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.held = 0
        """Bytes of all bodies whose requests are not answered yet."""

    @asynccontextmanager
    async def images(self, request: Request) -> AsyncIterator[list[Upload]]:
        """The images of ``request``, at least one; they count as held until the block ends.

        Raises:
            Problem: if it is too large, too slow, or has no images in one of the forms.
        """
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind not in (FORM, JSON, BYTES) and not kind.startswith("image/"):
            detail = f"the content type is {kind[:100]!r}; {EXPECTED}"
            raise Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, detail)
        body = _Body(self)
        try:
            yield await self._read(kind, request, body)
        finally:
            self.held -= body.size

    async def _read(self, kind: str, request: Request, body: "_Body") -> list[Upload]:
        try:
            async with asyncio.timeout(self.limits.body_seconds):
                chunks = body.chunks(request)
                if kind == FORM:
                    form = FileForm(request.headers["content-type"], self.limits.files)
                    async for chunk in chunks:
                        form.write(chunk)
                    return [Upload(name, content) for name, content in form.files()]
                content = b"".join([chunk async for chunk in chunks])
        except TimeoutError:
            detail = f"the body did not arrive in {self.limits.body_seconds:g} s"
            raise Problem(HTTPStatus.REQUEST_TIMEOUT, detail) from None
        if kind == JSON:
            return await asyncio.to_thread(_from_json, content, self.limits.files)
        return [Upload("image", content)]


class _Body:
    """The body of one request, as it arrives."""

    def __init__(self, receiver: Receiver) -> None:
        self.receiver, self.size = receiver, 0

    async def chunks(self, request: Request) -> AsyncIterator[bytes]:
        limits = self.receiver.limits
        announced = request.headers.get("content-length", "")
        size = int(announced) if announced.isdecimal() else 0
        if size > limits.max_bytes:
            raise _too_large(limits)
        async for chunk in request.stream():
            self.size += len(chunk)
            self.receiver.held += len(chunk)
            if self.size > limits.max_bytes:
                raise _too_large(limits)
            if self.receiver.held > limits.max_memory:
                raise busy("too many large uploads at once. Try again later", 5)
            yield chunk


def _too_large(limits: Limits) -> Problem:
    detail = f"the body is over the limit of {limits.max_bytes:,} bytes. Send fewer or smaller images"
    return Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail)


def _check_parts(body: bytes, max_files: int) -> None:
    """Refuse JSON of many more parts than images need: each takes far more memory than its bytes.

    Raises:
        Problem: 413.
    """
    parts = sum(body.count(sign) for sign in (b"{", b"[", b","))
    if parts > (max_files + 1) * (MAX_NAME + 10):  # a name may consist of these signs
        detail = f"the JSON has {parts:,} parts, far more than {max_files:,} images need"
        raise Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail)


def _from_json(body: bytes, max_files: int) -> list[Upload]:
    _check_parts(body, max_files)
    try:
        images = JsonImages.model_validate_json(body).images
        check_count(len(images), max_files)
        return [Upload(image.file, base64.b64decode(image.content, validate=True)) for image in images]
    except ValidationError as error:
        problem = problems_of(error)[:1000]
    except ValueError as error:
        problem = f"content is not base64: {error}"
    detail = f'{problem}. Expected {{"images": [{{"file": "cat.jpg", "content": "<base64>"}}]}}'
    raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail)
