"""What all kinds of files of rows share: how one is read, what comes of it, how much at once, and lines of text."""

from __future__ import annotations

import codecs
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from webapp.errors import printable
from webapp.wording import said

#: Characters of a line (or value), and columns: beyond them a file is damaged, or no table.
LONGEST_LINE, MOST_COLUMNS = 1_000_000, 12_000
#: Where a chunk ends, whatever the number of its rows: by then its cells take some ten MB, its texts as much.
CELLS, CHARACTERS = 200_000, 4 * 2**20
#: Levels of lists and objects in a cell, as in a body that a program sends.
DEEPEST = 16
#: Bytes read at once, and how many such reads pass between two looks whether to go on.
BLOCK, PATIENCE = 256 * 1024, 16
#: What the content of a file may make Python or pyarrow raise; faults of disk, database and model are others.
OF_A_FILE = (
    ArithmeticError,
    LookupError,
    MemoryError,
    NotImplementedError,
    RecursionError,
    TypeError,
    ValueError,
)

#: Called every so often while a file is read; what it raises ends the reading.
GoOn = Callable[[], None]


class Unreadable(Exception):
    """The file as a whole cannot be used; `detail` says where, why and what to do."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


@dataclass(frozen=True, slots=True)
class How:
    """How a file is to be read: csv, jsonl or parquet; the rest counts for csv, the encoding for jsonl too."""

    format: str
    encoding: str = "utf-8"
    delimiter: str = ","
    decimal: str = "."

    def to_dict(self) -> dict[str, str]:
        """Plain values, that `How(**…)` takes back."""
        return asdict(self)


@dataclass(slots=True)
class Chunk:
    """Some rows; `columns` in the order of the heading. Cells are texts in csv, else values, ABSENT if not there."""

    #: The number of the first row among the data rows, from 1.
    first: int
    #: Where each row begins: the line of the file, or its number.
    lines: list[int]
    columns: Sequence[Sequence[object]]
    #: Place in the chunk → what is wrong with the row as a whole.
    broken: dict[int, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.lines)


def go_on_always() -> None:
    """For who reads a file and never has to stop."""


def reason(error: BaseException) -> str:
    """The first line of what a library says of a file."""
    return printable((str(error).splitlines() or [type(error).__name__])[0][:200])


def blame(error: BaseException, row: int) -> Unreadable:
    """What to raise for an error OF_A_FILE that came up after `row` rows: no further attempt would fare better."""
    if isinstance(error, MemoryError):
        return Unreadable(
            said("What follows row {n} takes more memory than there is; write shorter rows.", n=row)
        )
    return Unreadable(
        said(
            "What follows row {n} cannot be read ({reason}); mend it there, or send the file in another format.",
            n=row,
            reason=reason(error),
        )
    )


class Lines:
    """The lines of a text file, with their ends; iterating raises Unreadable at one that is too long or no text."""

    def __init__(self, path: Path, encoding: str, go_on: GoOn = go_on_always) -> None:
        self._path, self._encoding, self._go_on = path, encoding, go_on
        #: Characters read so far, and those by which the row that is being read has to end.
        self.taken, self.most = 0, 0
        #: The line that the present block begins with.
        self._line = 1

    def row_begins(self) -> int:
        """Give the row that begins now, and those that end along with it, their room; returns where that is full."""
        full = self.taken + CHARACTERS
        self.most = full + CHARACTERS
        return full

    def __iter__(self) -> Iterator[str]:
        decoder, rest, turn = codecs.getincrementaldecoder(self._encoding)(), "", 0
        with self._path.open("rb", buffering=0) as file:
            while data := file.read(BLOCK):
                turn += 1
                if not turn % PATIENCE:
                    self._go_on()
                text = rest + self._decoded(decoder, data)
                cut = _end_of_lines(text)
                rest = text[cut:]
                yield from self._checked(text[:cut], rest)
            yield from self._checked(rest + self._decoded(decoder, b"", final=True), "")

    def _decoded(self, decoder: codecs.IncrementalDecoder, data: bytes, *, final: bool = False) -> str:
        try:
            return decoder.decode(data, final)
        except UnicodeError as error:  # that of a missing mark of UTF-16 is no UnicodeDecodeError
            raise Unreadable(self._not_encoded(error)) from None

    def _checked(self, whole: str, rest: str) -> Iterator[str]:
        """An iterator of the lines of `whole`; one that is made in C, so that a line costs next to nothing."""
        if len(whole) + len(rest) > LONGEST_LINE:
            for number, line in enumerate(io.StringIO(whole + rest, newline=""), self._line):
                if len(line) > LONGEST_LINE:
                    raise Unreadable(_too_long(number))
        if (at := whole.find("\0")) >= 0:
            raise Unreadable(
                said(
                    "Line {number} holds a NUL byte, so this is no text; save the file anew.",
                    number=self._line + _line_ends(whole[:at]),
                )
            )
        if 0 < self.most < self.taken:
            raise Unreadable(
                said(
                    "The row that goes on at line {number} is longer than {most} characters; look for a quotation "
                    "mark before it that is not closed.",
                    number=self._line,
                    most=CHARACTERS,
                )
            )
        self._line += _line_ends(whole)
        self.taken += len(whole)
        return io.StringIO(whole, newline="")

    def _not_encoded(self, error: UnicodeError) -> str:
        if not isinstance(error, UnicodeDecodeError):
            return said("The text is not {encoding}; choose another.", encoding=self._encoding.upper())
        before = error.object[: error.start].decode(self._encoding, "replace")
        return said(
            "The text near line {number} is not {encoding}: there is a byte 0x{byte}. It may be Windows-1252 "
            "(Latin-1): choose that, or save the file as UTF-8.",
            number=self._line + _line_ends(before),
            encoding=error.encoding.upper(),
            byte=f"{error.object[error.start]:02X}",
        )


def _end_of_lines(text: str) -> int:
    """Where the last whole line ends; a carriage return at the very end may be half of an end."""
    return text.rfind("\n") + 1 or text.rfind("\r", 0, -1) + 1


def _line_ends(text: str) -> int:
    return text.count("\n") or text.count("\r")


def _too_long(number: int) -> str:
    return said(
        "Line {number} is longer than {most} characters; look for a missing line break there.",
        number=number,
        most=LONGEST_LINE,
    )
