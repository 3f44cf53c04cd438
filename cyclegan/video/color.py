"""Frames as a file codes them, and as a person sees them: upright, RGB, eight bits.

Numbers of matrices, ranges, primaries and transfers are those of ITU-T H.273, as libav has them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from av import VideoFrame
from av.video.reformatter import Interpolation

from cyclegan.video.frames import Pixels

# without these, colours bleed, and drift by several grey levels in a few conversions
FINEST = (
    Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT | Interpolation.FULL_CHR_H_INP
)
UNTAGGED = 2
LIMITED, FULL = 1, 2
HD = 720  # rows from which players take an untagged clip for BT.709, below for BT.601
MATRICES = {1: 1, 4: 4, 5: 5, 6: 5, 7: 7, 9: 9, 10: 9}  # a tag, and what libav's scaler calls it; it knows no others


@dataclass(frozen=True)
class Orientation:
    """What is done to a stored frame so that it is seen upright: transposed first, then mirrored."""

    transposed: bool = False
    left_right: bool = False
    top_down: bool = False

    @classmethod
    def of(cls, frame: VideoFrame) -> "Orientation":
        """Read a frame's display matrix; turns that are no right angles are taken for the nearest."""
        matrix = display_matrix(frame)
        if not matrix:
            return cls()
        a, b, _, c, d, *_ = matrix  # x' = a x + c y, y' = b x + d y
        if abs(b) > abs(a):
            return cls(True, left_right=c < 0, top_down=b < 0)
        return cls(False, left_right=a < 0, top_down=d < 0)

    def upright(self, stored: Pixels) -> Pixels:
        """Turn a stored frame as it is seen."""
        turned = stored.transpose(1, 0, 2) if self.transposed else stored
        return np.ascontiguousarray(self._mirrored(turned))

    def stored(self, upright: Pixels) -> Pixels:
        """Turn a frame as it is seen back to how it is stored."""
        mirrored = self._mirrored(upright)
        return np.ascontiguousarray(mirrored.transpose(1, 0, 2) if self.transposed else mirrored)

    def _mirrored(self, pixels: Pixels) -> Pixels:
        return pixels[:: -1 if self.top_down else 1, :: -1 if self.left_right else 1]


def display_matrix(frame: VideoFrame) -> Sequence[int]:
    """Return the nine numbers that say how a frame is turned when it is shown, or none."""
    data = cast(Mapping[str, bytes], frame.side_data)  # as far as buffers go
    return tuple(np.frombuffer(data["DISPLAYMATRIX"], np.int32).tolist()) if "DISPLAYMATRIX" in data else ()


def to_pixels(frame: VideoFrame) -> Pixels:
    """Return a decoded frame as stored, as RGB of full range, uint8 h w 3."""
    rgb = frame.reformat(
        format="rgb24",
        src_colorspace=_matrix(frame),
        src_color_range=_range(frame),
        dst_color_range=FULL,
        interpolation=FINEST,
    )
    return rgb.to_ndarray()


def to_frame(
    stored: Pixels, like: VideoFrame, pixel_format: str, size: tuple[int, int], tags: tuple[int, int] | None = None
) -> VideoFrame:
    """Return RGB coded as the frame `like` is, at a width and height, with its time and its tags.

    `tags` are those of matrix and range where they are not the frame's own.
    """
    matrix, color_range = tags or (matrix_tag(like, size[1]), like.color_range)
    frame = VideoFrame.from_ndarray(stored, "rgb24").reformat(
        *size,
        format=pixel_format,
        dst_colorspace=_scaler_matrix(matrix, size[1]),
        dst_color_range=color_range or _range(like),
        interpolation=FINEST,
    )
    frame.colorspace, frame.color_range = matrix, color_range
    frame.color_primaries, frame.color_trc = like.color_primaries, like.color_trc
    frame.pts, frame.time_base, frame.duration = like.pts, like.time_base, like.duration
    return frame


def matrix_tag(like: VideoFrame, rows: int) -> int:
    """Return the tag for a frame of some rows coded like another: the same, unless it would be read otherwise."""
    read_alike = (rows >= HD) == (like.height >= HD)
    return (
        like.colorspace
        if like.colorspace in MATRICES or (like.colorspace == UNTAGGED and read_alike)
        else _matrix(like)
    )


def _matrix(frame: VideoFrame) -> int:
    """Return the scaler's name of the matrix between a frame's RGB and its luma and chroma."""
    return _scaler_matrix(frame.colorspace, frame.height)


def _scaler_matrix(tag: int, rows: int) -> int:
    """Return the scaler's name of the matrix that is tagged, or that players assume for so many rows."""
    return MATRICES.get(tag, 1 if rows >= HD else 5)


def _range(frame: VideoFrame) -> int:
    return frame.color_range or (FULL if frame.format.name.startswith(("yuvj", "gray")) else LIMITED)
