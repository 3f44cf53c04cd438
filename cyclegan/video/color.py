"""Frames as a file codes them, and as a player shows them: upright, RGB, eight bits.

Numbers of matrices, ranges, primaries and transfers are those of ITU-T H.273, as in libav.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np
from av import VideoFrame
from av.video.reformatter import Interpolation

from cyclegan.video.frames import FramePixels

# Without these flags colours bleed, and drift by several grey levels in a few conversions.
SCALER_FLAGS = (
    Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT | Interpolation.FULL_CHR_H_INP
)
UNSPECIFIED_MATRIX = 2
LIMITED_RANGE, FULL_RANGE = 1, 2
HD_ROWS = 720  # from here on players take an untagged video for BT.709, below for BT.601
BT709, BT601 = 1, 5
SCALER_MATRICES = {1: BT709, 4: 4, 5: BT601, 6: BT601, 7: 7, 9: 9, 10: 9}  # tag -> matrix that libav's scaler knows


@dataclass(frozen=True)
class Orientation:
    """How a stored frame is shown: transposed first, then flipped."""

    transposed: bool = False
    flip_horizontal: bool = False
    flip_vertical: bool = False

    @classmethod
    def of(cls, frame: VideoFrame) -> "Orientation":
        """Read a frame's display matrix; other angles are rounded to right angles."""
        matrix = display_matrix(frame)
        if not matrix:
            return cls()
        a, b, _, c, d, *_ = matrix  # x' = a x + c y, y' = b x + d y
        if abs(b) > abs(a):
            return cls(True, flip_horizontal=c < 0, flip_vertical=b < 0)
        return cls(False, flip_horizontal=a < 0, flip_vertical=d < 0)

    def to_upright(self, stored: FramePixels) -> FramePixels:
        """Turn a frame from how it is stored to how it is shown."""
        transposed = stored.transpose(1, 0, 2) if self.transposed else stored
        return np.ascontiguousarray(self._flipped(transposed))

    def to_stored(self, upright: FramePixels) -> FramePixels:
        """Turn a frame from how it is shown to how it is stored."""
        flipped = self._flipped(upright)
        return np.ascontiguousarray(flipped.transpose(1, 0, 2) if self.transposed else flipped)

    def _flipped(self, pixels: FramePixels) -> FramePixels:
        return pixels[:: -1 if self.flip_vertical else 1, :: -1 if self.flip_horizontal else 1]


def display_matrix(frame: VideoFrame) -> tuple[int, ...]:
    """Return the nine numbers of a frame's display matrix; an empty tuple if it has none."""
    data = cast(Mapping[str, bytes], frame.side_data)
    return tuple(np.frombuffer(data["DISPLAYMATRIX"], np.int32).tolist()) if "DISPLAYMATRIX" in data else ()


def frame_to_pixels(frame: VideoFrame) -> FramePixels:
    """Return a decoded frame as stored, as RGB of full range, uint8 h w 3."""
    rgb = frame.reformat(
        format="rgb24",
        src_colorspace=_matrix_of(frame),
        src_color_range=_range_of(frame),
        dst_color_range=FULL_RANGE,
        interpolation=SCALER_FLAGS,
    )
    return rgb.to_ndarray()


def to_frame(
    stored: FramePixels, like: VideoFrame, pixel_format: str, size: tuple[int, int], tags: tuple[int, int] | None = None
) -> VideoFrame:
    """Return RGB coded as the frame `like`, with its times and tags, at another width and height.

    `tags`, of matrix and range, stand in for the frame's own.
    """
    matrix, color_range = tags or (matrix_tag(like, size[1]), like.color_range)
    frame = VideoFrame.from_ndarray(stored, "rgb24").reformat(
        *size,
        format=pixel_format,
        dst_colorspace=_scaler_matrix(matrix, size[1]),
        dst_color_range=color_range or _range_of(like),
        interpolation=SCALER_FLAGS,
    )
    frame.colorspace, frame.color_range = matrix, color_range
    frame.color_primaries, frame.color_trc = like.color_primaries, like.color_trc
    frame.pts, frame.time_base, frame.duration = like.pts, like.time_base, like.duration
    return frame


def matrix_tag(like: VideoFrame, rows: int) -> int:
    """Return the matrix tag for a frame of so many rows; an untagged one stays so if players assume the same."""
    same_default = (rows >= HD_ROWS) == (like.height >= HD_ROWS)
    if like.colorspace in SCALER_MATRICES or (like.colorspace == UNSPECIFIED_MATRIX and same_default):
        return like.colorspace
    return _matrix_of(like)


def _matrix_of(frame: VideoFrame) -> int:
    return _scaler_matrix(frame.colorspace, frame.height)


def _scaler_matrix(tag: int, rows: int) -> int:
    """Return the tagged matrix, or the one that players assume for so many rows."""
    return SCALER_MATRICES.get(tag, BT709 if rows >= HD_ROWS else BT601)


def _range_of(frame: VideoFrame) -> int:
    return frame.color_range or (FULL_RANGE if frame.format.name.startswith(("yuvj", "gray")) else LIMITED_RANGE)
