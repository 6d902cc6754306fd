"""Programs as users of HIPS autograd write them, around its differential operators.

Each takes the namespace of NumPy, ``np``, and that of the operators, ``d``, which has
autograd's names, and returns what it computed. No operator is compiled as a whole: they
are called where they stand, in loops of Python and within each other.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy

__all__ = ["PROGRAMS"]

RNG = numpy.random.default_rng(11)
PROGRAMS: dict[str, Callable[[Any, Any], Any]] = {}


def program(function: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Keep it under its name."""
    PROGRAMS[function.__name__] = function
    return function


@program
def derivatives_of_tanh(np, d):
    """One elementwise derivative of another, as one plots them."""
    x = np.linspace(-3.0, 3.0, 9)
    rows, f = [], np.tanh
    for _ in range(5):
        rows.append(f(x))
        f = d.elementwise_grad(f)
    return rows


@program
def arm_that_reaches(np, d):
    """Inverse kinematics of three links by the pseudoinverse of a Jacobian."""
    lengths = numpy.array([1.0, 0.8, 0.5])

    def hand(angles):
        along = np.cumsum(angles)
        return np.array(
            [np.sum(lengths * np.cos(along)), np.sum(lengths * np.sin(along))]
        )

    reach, angles = d.jacobian(hand), numpy.array([0.3, 0.4, 0.2])
    for _ in range(6):
        off = numpy.array([0.9, 1.1]) - hand(angles)
        angles = angles + numpy.linalg.pinv(reach(angles)) @ off
    return angles, reach(angles)


@program
def levenberg_and_marquardt(np, d):
    """A fit of three parameters by the Jacobian of its residuals."""
    t = numpy.linspace(0.0, 3.0, 12)
    data = 1.5 * numpy.exp(-0.7 * t) + 0.3

    def residuals(p):
        return p[0] * np.exp(-p[1] * t) + p[2] - data

    slope, p = d.jacobian(residuals), numpy.array([1.0, 1.0, 0.0])
    for k in range(8):
        j, r = slope(p), residuals(p)
        p = p - numpy.linalg.solve(j.T @ j + 0.1**k * numpy.eye(3), j.T @ r)
    return p, residuals(p)


FEATURES = RNG.normal(size=(30, 4))
LABELS = numpy.sign(FEATURES @ numpy.array([1.0, -2.0, 0.5, 0.0]) + RNG.normal(size=30))


def regression(np):
    """The loss of a logistic regression."""

    def loss(w):
        return np.sum(np.log(1 + np.exp(-LABELS * np.dot(FEATURES, w)))) + np.dot(w, w)

    return loss


@program
def error_bars(np, d):
    """Newton's method, and the inverse Hessian at its end."""
    loss, w = regression(np), numpy.zeros(4)
    slope, bend = d.grad(loss), d.hessian(loss)
    for _ in range(6):
        w = w - numpy.linalg.solve(bend(w), slope(w))
    return w, numpy.sqrt(numpy.diag(numpy.linalg.inv(bend(w))))


@program
def conjugate_gradients(np, d):
    """A Newton step that never sees the Hessian, by products at one point."""
    product, slope = d.make_hvp(regression(np))(numpy.ones(4))
    x, r = numpy.zeros(4), -slope
    p = r
    for _ in range(4):
        hp = product(p)
        step = r @ r / (p @ hp)
        x, before, r = x + step * p, r, r - step * hp
        p = r + (r @ r) / (before @ before) * p
    return x, slope


@program
def largest_curvature(np, d):
    """Power iterations with Hessian-vector products of a network's loss."""
    x, y = FEATURES, LABELS

    def loss(flat):
        w, u = np.reshape(flat[:12], (4, 3)), flat[12:]
        return np.mean((np.dot(np.tanh(np.dot(x, w)), u) - y) ** 2)

    at, product = numpy.cos(numpy.arange(15.0)), d.hessian_vector_product(loss)
    v = numpy.ones(15)
    for _ in range(10):
        v = product(at, v)
        v = v / numpy.linalg.norm(v)
    return v @ product(at, v)


@program
def differential_equation_by_a_network(np, d):
    """The gradient of the residual of u'' = -u, whose u is a network of x."""
    x = numpy.linspace(0.0, 1.0, 7)

    def network(w, x):
        h = np.tanh(np.outer(x, w["in"]) + w["shift"])
        return np.dot(h, w["out"])

    first = d.elementwise_grad(network, 1)
    second = d.elementwise_grad(first, 1)

    def loss(w):
        left_over = second(w, x) + network(w, x)
        return np.mean(left_over**2) + network(w, x)[0] ** 2

    w = {"in": numpy.ones(3), "shift": numpy.arange(3.0), "out": numpy.ones(3) / 3}
    value, slopes = d.value_and_grad(loss)(w)
    return value, slopes["in"], slopes["shift"], slopes["out"], first(w, x)


@program
def double_pendulum(np, d):
    """Accelerations from a Lagrangian alone, as Euler and Lagrange say."""

    def lagrangian(q, v):
        x = np.array([v[0] * np.cos(q[0]), v[0] * np.sin(q[0])])
        y = x + np.array([v[1] * np.cos(q[1]), v[1] * np.sin(q[1])])
        height = -2 * np.cos(q[0]) - np.cos(q[1])
        return 0.5 * np.sum(x**2) + 0.5 * np.sum(y**2) - 9.81 * height

    force, mass = d.grad(lagrangian, 0), d.hessian(lagrangian, 1)
    mixed = d.jacobian(d.grad(lagrangian, 1), 0)
    q, v = numpy.array([0.8, -0.4]), numpy.array([0.0, 1.0])
    for _ in range(5):
        a = numpy.linalg.solve(mass(q, v), force(q, v) - mixed(q, v) @ v)
        v = v + 0.01 * a
        q = q + 0.01 * v
    return q, v


@program
def stress_and_stiffness(np, d):
    """First and second derivatives of an elastic energy by a matrix."""

    def energy(f):
        j = np.linalg.det(f)
        return 0.5 * (np.trace(np.dot(f.T, f)) - 3 - 2 * np.log(j)) + np.log(j) ** 2

    f = numpy.eye(3) + 0.1 * numpy.cos(numpy.arange(9.0)).reshape(3, 3)
    return d.grad(energy)(f), d.jacobian(d.grad(energy))(f)


@program
def geodesic(np, d):
    """Christoffel symbols of a torus out of the Jacobian of its metric."""

    def metric(q):
        r = 2.0 + np.cos(q[0])
        return np.array([[1.0, 0.0], [0.0, 1.0]]) + np.array(
            [[0.0, 0.0], [0.0, 1.0]]
        ) * (r * r - 1.0)

    change = d.jacobian(metric)
    q, v = numpy.array([0.5, 0.0]), numpy.array([0.3, 0.4])
    symbols = numpy.zeros((2, 2, 2))
    for _ in range(6):
        g = change(q)  # [i, j, k] is the derivative of g_ij by q_k
        turned = numpy.einsum("ikj->ijk", g) - numpy.einsum("jki->ijk", g)
        lowered = 0.5 * (g + turned)
        symbols = numpy.linalg.solve(metric(q), lowered.reshape(2, 4)).reshape(2, 2, 2)
        v = v - 0.05 * numpy.einsum("ijk,j,k->i", symbols, v, v)
        q = q + 0.05 * v
    return q, v, symbols


@program
def regulator(np, d):
    """One sweep of iterated linear-quadratic control along a trajectory."""

    def moved(x, u):
        return np.array([x[0] + 0.1 * x[1], x[1] + 0.1 * (u[0] - np.sin(x[0]))])

    def cost(x, u):
        return 1 - np.cos(x[0]) + 0.1 * x[1] ** 2 + 0.05 * u[0] ** 2

    by_x, by_u = d.jacobian(moved, 0), d.jacobian(moved, 1)
    xs, u = [numpy.array([1.0, 0.0])], numpy.array([0.1])
    for _ in range(5):
        xs.append(moved(xs[-1], u))
    value = d.hessian(cost, 0)(xs[-1], u)
    gains = []
    for x in reversed(xs[:-1]):
        a, b = by_x(x, u), by_u(x, u)
        inner = d.hessian(cost, 1)(x, u) + b.T @ value @ b
        gain = numpy.linalg.solve(inner, b.T @ value @ a)
        gains.append(gain)
        value = d.hessian(cost, 0)(x, u) + a.T @ value @ (a - b @ gain)
    return gains, value


@program
def greeks(np, d):
    """Sensitivities of options for many prices at once."""

    def price(spot, spread):
        high = (np.log(spot / 1.1) + 0.5 * spread**2) / spread
        low = high - spread
        return spot * d.norm.cdf(high) - 1.1 * d.norm.cdf(low)

    spot, spread = numpy.linspace(0.6, 1.8, 7), numpy.full(7, 0.3)
    delta = d.elementwise_grad(price, 0)
    gamma, vanna = d.elementwise_grad(delta, 0), d.elementwise_grad(delta, 1)
    return [f(spot, spread) for f in (delta, gamma, vanna)]
