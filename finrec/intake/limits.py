"""How much an uploaded file may be, so that none can exhaust the machine."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

MIB = 2**20


@dataclass(frozen=True)
class Limits:
    """Bounds of one intake; beyond them a file is refused with a sentence, never half read.

    Args:
        file_mib: size of one file, packed or not.
        unpacked_mib: size of everything that archives unpack to.
        ratio: unpacked over packed size, once more than 16 MiB came out.
        members: files in one archive.
        rows: of one table.
        columns: of one table.
        cell: characters of one cell; a row with a longer one is rejected.
        lines: physical lines of one record (embedded line ends).
        memory_mib: resident memory of the process that parses.
        seconds: time of the process that parses.
    """

    file_mib: int = 8192
    unpacked_mib: int = 16384
    ratio: int = 200
    members: int = 100
    rows: int = 50_000_000
    columns: int = 2_000
    cell: int = 100_000
    lines: int = 200
    memory_mib: int = 3072
    seconds: int = 3600

    def to_json(self) -> dict[str, Any]:
        """Plain dict."""
        return asdict(self)


USUAL = Limits()
