"""Bundle adjustment: SciPy's `least_squares` with a sparse Jacobian.

Cameras look at points, and each observation says where one camera sees one point. Both
are unknown. So a residual depends on the six numbers of its camera and on the three of
its point, and on nothing else. A row of the Jacobian has eight elements, however many
cameras and points there are, for a shift up does not move what is seen to the side.

`sparse_jacobian` reads that off the plain NumPy code below, colours the columns, and
makes all elements by as many products as a row has elements.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import least_squares

from anabranch import Sparsity, jit, sparse_jacobian

Array = np.ndarray[Any, Any]


class Scene(NamedTuple):
    """Which camera saw which point, and where."""

    camera: Array
    point: Array
    seen: Array


def rotated(points: Array, turns: Array) -> Array:
    """Points turned about axes, by as many radians as these are long (Rodrigues)."""
    angle = np.sqrt(np.sum(turns**2, axis=1, keepdims=True) + 1e-12)
    axis = turns / angle
    along = np.sum(axis * points, axis=1, keepdims=True)
    across = np.cross(axis, points)
    return (
        np.cos(angle) * points
        + np.sin(angle) * across
        + (1 - np.cos(angle)) * along * axis
    )


def projected(cameras: Array, points: Array, camera: Array, point: Array) -> Array:
    """Where cameras see points: a turn, a shift, and a division by the depth."""
    pose = cameras[camera]
    here = rotated(points[point], pose[:, :3]) + pose[:, 3:]
    return here[:, :2] / here[:, 2:]


def residuals(cameras: Array, points: Array, scene: Scene) -> Array:
    """How far off each observation is, in both directions."""
    off = projected(cameras, points, scene.camera, scene.point) - scene.seen
    return off.ravel()


def world(cameras: int, points: int, views: int) -> tuple[Array, Array, Scene]:
    """Cameras around points, and ``views`` observations of each point."""
    rng = np.random.default_rng(0)
    poses = np.concatenate(
        [rng.normal(0, 0.2, (cameras, 3)), rng.normal(0, 0.3, (cameras, 3))], axis=1
    )
    places = rng.uniform(-1, 1, (points, 3)) + np.array([0, 0, 6])
    point = np.repeat(np.arange(points), views)
    camera = np.argsort(rng.random((points, cameras)), axis=1)[:, :views].ravel()
    seen = projected(poses, places, camera, point)
    return poses, places, Scene(camera, point, seen)


class Fit(NamedTuple):
    """What was fitted, how far it is off, and where the Jacobian is not zero."""

    off: Array
    jacobians: int
    pattern: Sparsity


def fit(cameras: int, points: int, views: int) -> Fit:
    """Find cameras and points again, from a start that is off."""
    poses, places, scene = world(cameras, points, views)
    rng = np.random.default_rng(1)
    shapes = poses.shape, places.shape
    start = np.concatenate([poses.ravel(), places.ravel()])
    start += rng.normal(0, 0.02, start.shape)

    def apart(x: Array) -> tuple[Array, Array]:
        first, rest = np.split(x, [poses.size])
        return first.reshape(shapes[0]), rest.reshape(shapes[1])

    off = jit(residuals)
    jacobian = sparse_jacobian(residuals, argnums=(0, 1))
    found = least_squares(
        lambda x: off(*apart(x), scene),
        start,
        jac=lambda x: jacobian(*apart(x), scene),  # pyright: ignore[reportArgumentType]
        x_scale="jac",
        method="trf",
    )
    return Fit(found.fun, found.njev, jacobian.sparsity(*apart(start), scene))


def main() -> Fit:
    """Fit 8 cameras and 100 points."""
    found = fit(cameras=8, points=100, views=4)
    print(f"Jacobian: {found.pattern}")
    print(f"largest residual {np.abs(found.off).max():.1e}", end=" ")
    print(f"after {found.jacobians} Jacobians")
    assert found.pattern.nnz == 8 * found.pattern.shape[0]
    assert found.pattern.colouring.products == 8
    assert np.abs(found.off).max() < 1e-6
    return found


if __name__ == "__main__":
    main()
