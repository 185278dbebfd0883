"""Text files in the encodings that editors and spreadsheets save."""

import pytest

from verydeep.errors import DataError
from verydeep.text_file import read_text

TEXT = "고양이\n개\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_unicode_is_read_in_every_form(tmp_path, encoding):
    text = f"{TEXT}cat and dog\r\n" + "a" * 20
    (tmp_path / "names.txt").write_bytes(text.encode(encoding))
    assert read_text(tmp_path / "names.txt") == text


@pytest.mark.parametrize(
    ("encoding", "text"), [("cp949", TEXT), ("cp1252", "chat siamois, chien b\u00e2tard\n")]
)
def test_another_encoding_is_named_with_the_way_to_convert_it(tmp_path, encoding, text):
    (tmp_path / "names.txt").write_text(text, encoding=encoding)
    with pytest.raises(DataError, match=f"names.txt is not UTF-8; .*iconv -f {encoding} -t UTF-8") as error:
        read_text(tmp_path / "names.txt")
    assert text.splitlines()[0] in str(error.value) and "\n" not in str(error.value)


def test_bytes_that_are_no_text_are_named_with_their_line(tmp_path):
    (tmp_path / "names.txt").write_bytes(b"cat\n\xff\xfe\x81dog")
    with pytest.raises(DataError, match=r"names.txt, line 2 is not text in UTF-8 \(byte 0xff\)"):
        read_text(tmp_path / "names.txt")
