"""Many short texts, one after another in memory."""

from array import array


class Texts:
    """Texts by number; each takes its bytes in UTF-8 and 8 more, a Python string 49 more and a reference.

    They may hold what Python makes of bytes that are not UTF-8 (PEP 383).
    """

    def __init__(self) -> None:
        self._bytes, self._ends = bytearray(), array("Q")

    def append(self, text: str) -> None:
        """Add a text after the others."""
        self._bytes += text.encode(errors="surrogatepass")
        self._ends.append(len(self._bytes))

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, index: int) -> str:
        start = self._ends[index - 1] if index else 0
        return self._bytes[start : self._ends[index]].decode(errors="surrogatepass")
