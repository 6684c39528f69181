"""MPEG audio frames: where the first one begins in a piece cut out of a file, and how many bytes a second takes.

Headers as in ISO/IEC 11172-3 (MPEG-1) and 13818-3 (MPEG-2), layer III.
"""

from __future__ import annotations

from dataclasses import dataclass

BITRATES_1 = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)  # kbit/s of MPEG-1, by index
BITRATES_2 = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)  # kbit/s of MPEG-2 and 2.5
RATES = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}  # Hz by version
WITHIN = 40  # frames: about a second
IN_A_ROW = 3  # frames that must follow each other before a header is believed


@dataclass(frozen=True)
class Frame:
    """A header: `length` of the frame in bytes, `bitrate` in bit/s, `rate` in Hz."""

    length: int
    bitrate: int
    rate: int


def frame_at(data: bytes, at: int) -> Frame | None:
    """The layer III header at a place, None when there is none."""
    if at + 4 > len(data) or data[at] != 0xFF or data[at + 1] & 0xE0 != 0xE0:
        return None
    version, layer = data[at + 1] >> 3 & 3, data[at + 1] >> 1 & 3
    bitrate, rate, padding = data[at + 2] >> 4, data[at + 2] >> 2 & 3, data[at + 2] >> 1 & 1
    if version == 1 or layer != 1 or bitrate in (0, 15) or rate == 3:
        return None
    bits, hertz = 1000 * (BITRATES_1 if version == 3 else BITRATES_2)[bitrate], RATES[version][rate]
    return Frame((144 if version == 3 else 72) * bits // hertz + padding, bits, hertz)


def first_frame(data: bytes) -> tuple[int, Frame] | None:
    """Where the first frame begins that two others follow, and its header; None when there is no MP3 in it."""
    at = data.find(b"\xff")
    while at >= 0:
        found = frame_at(data, at)
        if found and _followed(data, at, found.rate):
            return at, found
        at = data.find(b"\xff", at + 1)
    return None


def independent_frame(data: bytes) -> tuple[int, Frame] | None:
    """Like `first_frame`, but one that needs no bits of the frames before it, where there is one within a second."""
    found = first_frame(data)
    if found is None:
        return None
    at, frame = found
    for _ in range(WITHIN):
        here = frame_at(data, at)
        if here is None or at + 8 > len(data):
            break
        side = at + (4 if data[at + 1] & 1 else 6)  # after the header, and its check sum where there is one
        if data[side] == 0 and (here.rate < 32_000 or data[side + 1] < 128):  # main_data_begin, 8 or 9 bits
            return at, here
        at += here.length
    return found


def _followed(data: bytes, at: int, rate: int) -> bool:
    for _ in range(IN_A_ROW):
        here = frame_at(data, at)
        if here is None or here.rate != rate:
            return False
        at += here.length
    return True
