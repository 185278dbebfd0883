"""A form with files (``multipart/form-data``), parsed as it arrives; nothing is written to disk."""

from collections.abc import Iterator
from http import HTTPStatus

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from verydeep.serve.problems import Problem

FIELD = b"file"


def check_count(images: int, max_files: int) -> None:
    """Refuse a request with more than ``max_files`` images.

    Raises:
        Problem: 413.
    """
    if images > max_files:
        detail = f"a request has at most {max_files:,} images. Send several requests"
        raise Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail)


class FileForm:
    """The parts of a form with the name ``file``.

    Args:
        content_type: the header, with the boundary of the parts.
        max_files: of the form.

    Raises:
        Problem: if there is no boundary.
    """

    def __init__(self, content_type: str, max_files: int) -> None:
        self._max_files = max_files
        self._parts: list[tuple[bytes, bytearray]] = []
        self._field, self._value, self._disposition = bytearray(), bytearray(), b""
        self._is_file = self._is_complete = False
        boundary = parse_options_header(content_type)[1].get(b"boundary")
        if not boundary:
            raise _invalid("its content type has no boundary")
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._begin,
                    "on_header_field": lambda data, start, end: self._field.extend(data[start:end]),
                    "on_header_value": lambda data, start, end: self._value.extend(data[start:end]),
                    "on_header_end": self._end_header,
                    "on_headers_finished": self._end_headers,
                    "on_part_data": self._add,
                    "on_end": self._end,
                },
            )
        except FormParserError as error:
            raise _invalid(str(error)) from None

    def write(self, chunk: bytes) -> None:
        """Parse the next bytes.

        Raises:
            Problem: if they are no form, or there are too many files.
        """
        try:
            self._parser.write(chunk)
        except FormParserError as error:
            raise _invalid(str(error)) from None

    def files(self) -> Iterator[tuple[str, bytes]]:
        """The name and the content of each file.

        Raises:
            Problem: if the form is not complete, or has no file.
        """
        if not self._is_complete:
            raise _invalid("it is truncated")
        if not self._parts:
            raise _invalid("it has no file in the field `file`")
        for name, content in self._parts:
            yield name.decode(errors="replace") or "image", bytes(content)

    def _begin(self) -> None:
        self._disposition, self._is_file = b"", False

    def _end_header(self) -> None:
        if self._field.lower() == b"content-disposition":
            self._disposition = bytes(self._value)
        self._field.clear()
        self._value.clear()

    def _end_headers(self) -> None:
        options = parse_options_header(self._disposition)[1]
        self._is_file = options.get(b"name") == FIELD
        if self._is_file:
            check_count(len(self._parts) + 1, self._max_files)
            self._parts.append((options.get(b"filename", b""), bytearray()))

    def _add(self, data: bytes, start: int, end: int) -> None:
        if self._is_file:
            self._parts[-1][1].extend(data[start:end])

    def _end(self) -> None:
        self._is_complete = True


def _invalid(reason: str) -> Problem:
    detail = f"the form cannot be read: {reason}. Try: curl -F file=@photo.jpg"
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail)
