"""What convolutions and poolings depend on: unions over windows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...ir.graph import Node
from ...ir.ops import OPS
from .unions import Numbers, Sets

if TYPE_CHECKING:
    from .walk import Walk

__all__ = [
    "conv",
    "conv_input",
    "conv_kernel",
    "fold",
    "gathered",
    "max_pool",
    "max_pool_input",
]

Ints = tuple[int, ...]


def gathered(walk: Walk, node: Node, x: Numbers, where: Numbers) -> Numbers:
    """The union of all that is added at each place; ``where`` says at which."""
    flat = x.reshape(-1), where.reshape(-1)
    return walk.unions.grouped(*flat, node.type.size).reshape(node.type.shape)


def fold(walk: Walk, node: Node, x: Sets, *, shape: Ints, stride: Ints) -> Sets:
    """Elements of windows are added where they came from."""
    if x is None:
        return None
    size = x.shape[x.ndim - len(shape) :]
    return gathered(walk, node, x, _places(node.type.shape, size, stride))


def _places(shape: Ints, size: Ints, stride: Ints) -> Numbers:
    """The places of an array in its windows."""
    where = np.arange(np.prod(shape, dtype=np.int64)).reshape(shape)
    return OPS["windows"].reference(where, size=size, stride=stride)


def _over(walk: Walk, x: Sets, size: Ints, stride: Ints, axes: Ints) -> Numbers | None:
    """The union over windows and further axes."""
    if x is None:
        return None
    view = OPS["windows"].reference(x, size=size, stride=stride)
    window = tuple(range(view.ndim - len(size), view.ndim))
    return walk.unions.along(view, (*axes, *window))


def _to_windows(
    walk: Walk, y: Numbers, shape: Ints, size: Ints, stride: Ints
) -> Numbers:
    """The union of what windows send to the elements of an array that they show."""
    where = _places(shape, size, stride)
    spread = np.broadcast_to(y.reshape(y.shape + (1,) * len(size)), where.shape)
    flat = spread.reshape(-1), where.reshape(-1)
    total = int(np.prod(shape, dtype=np.int64))
    return walk.unions.grouped(*flat, total).reshape(shape)


def _channels(walk: Walk, w: Sets, axis: int) -> Sets:
    """The union for each channel along an axis of a kernel or an image."""
    if w is None:
        return None
    return walk.unions.along(w, tuple(a for a in range(w.ndim) if a != axis))


def _joined(walk: Walk, node: Node, image: Sets, channels: Sets, axis: int) -> Sets:
    """What is the same for all channels, and what for all but them, together."""
    shape = node.type.shape
    if image is not None:
        image = np.broadcast_to(np.expand_dims(image, axis), shape)
    if channels is not None:
        rest = tuple(a for a in range(len(shape)) if a != axis)
        channels = np.broadcast_to(np.expand_dims(channels, rest), shape)
    return walk.both(image, channels)


def conv(walk: Walk, node: Node, x: Sets, w: Sets, *, stride: Ints) -> Sets:
    """A window over all channels, and the kernel of a channel."""
    size = walk.operand(node, 1).type.shape[2:]
    image = _over(walk, x, size, stride, (1,))
    return _joined(walk, node, image, _channels(walk, w, 0), 1)


def conv_input(
    walk: Walk, node: Node, y: Sets, w: Sets, *, shape: Ints, stride: Ints
) -> Sets:
    """The windows that show an element, and the kernel of a channel."""
    size = walk.operand(node, 1).type.shape[2:]
    image: Sets = None
    if y is not None:
        united = walk.unions.along(y, (1,))
        whole = (united.shape[0], *shape)
        image = _to_windows(walk, united, whole, size, stride)
    return _joined(walk, node, image, _channels(walk, w, 1), 1)


def conv_kernel(
    walk: Walk, node: Node, x: Sets, y: Sets, *, shape: Ints, stride: Ints
) -> Sets:
    """All places of an offset in windows, and all results of a channel."""
    image: Sets = None
    if x is not None:
        view = OPS["windows"].reference(x, size=shape, stride=stride)
        image = walk.unions.along(view, (0, *range(2, 2 + len(shape))))
    return _joined(walk, node, image, _channels(walk, y, 1), 0)


def max_pool(walk: Walk, node: Node, x: Sets, *, size: Ints, stride: Ints) -> Sets:
    """A window."""
    return _over(walk, x, size, stride, ())


def max_pool_input(
    walk: Walk, node: Node, g: Sets, x: Sets, *, size: Ints, stride: Ints
) -> Sets:
    """The windows that show an element."""
    if g is None:
        return None
    return _to_windows(walk, g, node.type.shape, size, stride)
