"""A Bloom filter in a file (B. H. Bloom, 1970): a compact set of texts without false negatives.

The file is one line of JSON metadata, followed by the bits. Reading it needs only the standard library.
"""

import hashlib
import json
import math
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any


class BloomFilter:
    """The set; `text in filter` is True for every member, and for other texts at the false-positive rate in `facts`."""

    def __init__(self, facts: dict[str, Any], bits: bytes) -> None:
        self.facts = facts
        self._bits = bits
        self._size, self._hashes = int(facts["bits"]), int(facts["hashes"])

    @classmethod
    def read(cls, path: Path) -> "BloomFilter":
        """Raises ValueError when the file is truncated."""
        head, _, bits = path.read_bytes().partition(b"\n")
        facts = json.loads(head)
        if len(bits) * 8 != facts["bits"]:
            raise ValueError(f"{path.name} has {len(bits) * 8} bits instead of {facts['bits']}")
        return cls(facts, bits)

    @classmethod
    def of(cls, texts: Collection[str], *, false_positive_rate: float, **facts: Any) -> "BloomFilter":
        """A filter of these texts, as small as the false-positive rate allows; `facts` are written into its file."""
        hashes = round(-math.log2(false_positive_rate))
        size = math.ceil(len(texts) * hashes / math.log(2) / 8) * 8
        bits = bytearray(size // 8)
        for text in texts:
            for position in _positions(text, size, hashes):
                bits[position >> 3] |= 1 << (position & 7)
        known = {"entries": len(texts), "bits": size, "hashes": hashes, "false_positive_rate": false_positive_rate}
        return cls(known | facts, bytes(bits))

    def write(self, path: Path) -> None:
        """The same filter always gives the same bytes."""
        path.write_bytes(json.dumps(self.facts, sort_keys=True).encode() + b"\n" + self._bits)

    def __contains__(self, text: str) -> bool:
        return all(self._bits[at >> 3] >> (at & 7) & 1 for at in _positions(text, self._size, self._hashes))


def _positions(text: str, size: int, hashes: int) -> Iterator[int]:
    """Double hashing (Kirsch and Mitzenmacher, 2006): equivalent to independent hash functions."""
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
    first, step = int.from_bytes(digest[:8], "big"), int.from_bytes(digest[8:], "big") | 1
    return ((first + number * step) % size for number in range(hashes))
