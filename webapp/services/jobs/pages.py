"""How large the pages of a Parquet file become, by their own headers: what its footer says need not be so."""

from __future__ import annotations

import struct
from typing import IO, Any, NamedTuple

from webapp.services.jobs.files import OF_A_FILE, Unreadable
from webapp.wording import said

#: Bytes in which the header of a page is looked for: nearly always, and at most (it may hold two values).
HEADER, LARGEST_HEADER = 512, 2**20
#: Of a page, unpacked.
LARGEST_PAGE = 64 * 2**20
#: Numbers of the format (parquet.thrift): kinds of pages, and the encodings that store a value in full.
DATA, DICTIONARY, DATA_V2 = 0, 2, 3
IN_FULL = {"PLAIN", "RLE", "BIT_PACKED", "DELTA_LENGTH_BYTE_ARRAY"}
BY_DICTIONARY = {"PLAIN_DICTIONARY", "RLE_DICTIONARY"}


class Sizes(NamedTuple):
    """Of one column in one row group: bytes of its largest page and its dictionary, of a value, and their number."""

    page: int
    dictionary: int
    #: On average where values are stored in full, else the largest that there may be.
    value: int
    values: int


def sizes(file: IO[bytes], column: Any) -> Sizes:
    """Read the headers of all pages of a column chunk (pyarrow's metadata of it); raises Unreadable."""
    at = column.data_page_offset
    if column.has_dictionary_page and 0 < column.dictionary_page_offset < at:
        at = column.dictionary_page_offset
    end, values, page, dictionary, mean, longest = at + column.total_compressed_size, 0, 0, 0, 0, 0
    while at < end and values < column.num_values:
        header, begins = _header(file, at)
        kind, unpacked, packed = header.get(1), header.get(2, -1), header.get(3, -1)
        if not (0 <= unpacked <= LARGEST_PAGE and packed >= 0):
            raise Unreadable(
                said(
                    "A page of this file is larger than {most} MB; write smaller pages.",
                    most=LARGEST_PAGE >> 20,
                )
            )
        if kind == DICTIONARY:
            dictionary = max(dictionary, unpacked)
            longest = max(longest, _longest(file, begins, packed, unpacked, column))
        elif kind in (DATA, DATA_V2):
            n = header.get(5 if kind == DATA else 8, {}).get(1, 0)
            values, page, mean = values + n, max(page, unpacked), max(mean, unpacked // max(1, n))
        at = begins + packed
    others = set(column.encodings) - IN_FULL - BY_DICTIONARY
    return Sizes(page, dictionary, max(mean, longest, page if others else 0), column.num_values)


def _longest(file: IO[bytes], at: int, packed: int, unpacked: int, column: Any) -> int:
    """Bytes of the longest value in a dictionary of texts; where that cannot be told, of all of them."""
    if column.physical_type != "BYTE_ARRAY" or unpacked < HEADER:
        return unpacked
    import pyarrow as pa

    file.seek(at)
    data, longest, place = file.read(packed), 0, 0
    try:
        if column.compression != "UNCOMPRESSED":
            data = pa.decompress(data, unpacked, column.compression.lower(), asbytes=True)
        while place < len(data):
            (length,) = struct.unpack_from("<I", data, place)
            longest, place = max(longest, length), place + 4 + length
    except (*OF_A_FILE, OSError, struct.error):
        return unpacked
    return min(longest, unpacked)


def _header(file: IO[bytes], at: int) -> tuple[dict[int, Any], int]:
    """A page's header, by the numbers of its fields, and where what follows it begins."""
    for size in (HEADER, LARGEST_HEADER):
        file.seek(at)
        data = file.read(size)
        try:
            header, length = _struct(data, 0)
            return header, at + length
        except IndexError:
            continue
    raise Unreadable(said("The file is damaged: {reason}", reason=f"no page at byte {at}"))


def _struct(data: bytes, at: int) -> tuple[dict[int, Any], int]:
    """A struct in Thrift's compact protocol: numbers and structs by field; the rest is passed over."""
    fields: dict[int, Any] = {}
    number = 0
    while head := data[at]:
        at, delta = at + 1, head >> 4
        if delta:
            number += delta
        else:
            number, at = _number(data, at)
        fields[number], at = _value(data, at, head & 15)
    return fields, at + 1


def _value(data: bytes, at: int, kind: int) -> tuple[Any, int]:
    if kind in (1, 2):  # true and false are in the kind
        return kind == 1, at
    if kind == 3:
        return data[at], at + 1
    if kind in (4, 5, 6):
        return _number(data, at)
    if kind == 7:
        return None, at + 8
    if kind == 8:
        length, at = _varint(data, at)
        return None, at + length
    if kind == 12:
        return _struct(data, at)
    raise ValueError(f"a field of kind {kind} in the header of a page")


def _number(data: bytes, at: int) -> tuple[int, int]:
    value, at = _varint(data, at)
    return (value >> 1) ^ -(value & 1), at


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value, at, shift = value | (byte & 127) << shift, at + 1, shift + 7
        if byte < 128:
            return value, at
