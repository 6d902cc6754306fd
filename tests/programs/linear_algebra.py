"""Factorizations and solvers, with the loops of the textbook."""

from __future__ import annotations

import numpy as np

from tests.programs.record import program

RNG = np.random.default_rng(1)
GENERAL = RNG.normal(size=(4, 4)) + 4 * np.eye(4)
SPD = GENERAL @ GENERAL.T / 4
LOWER = np.tril(RNG.normal(size=(5, 5))) + 3 * np.eye(5)
B4, B5 = RNG.normal(size=4), RNG.normal(size=5)


@program(SPD, second=True)
def cholesky(a):
    n = a.shape[0]
    low = np.zeros((n, n))
    for j in range(n):
        s = a[j, j]
        for k in range(j):
            s -= low[j, k] ** 2
        low[j, j] = np.sqrt(s)
        for i in range(j + 1, n):
            s = a[i, j]
            for k in range(j):
                s -= low[i, k] * low[j, k]
            low[i, j] = s / low[j, j]
    return low


@program(GENERAL)
def lu_in_place(a):
    n = len(a)
    for k in range(n - 1):
        for i in range(k + 1, n):
            a[i, k] /= a[k, k]
            a[i, k + 1 :] -= a[i, k] * a[k, k + 1 :]


@program(GENERAL[:, :3])
def gram_schmidt(a):
    m, n = a.shape
    q, r = np.zeros((m, n)), np.zeros((n, n))
    for j in range(n):
        v = a[:, j].copy()
        for i in range(j):
            r[i, j] = q[:, i] @ v
            v -= r[i, j] * q[:, i]
        r[j, j] = np.sqrt(np.sum(v * v))
        q[:, j] = v / r[j, j]
    return q, r


@program(GENERAL[:, :3])
def householder(a):
    m, n = a.shape
    r, q = a.copy(), np.eye(m)
    for k in range(n):
        x = r[k:, k]
        alpha = np.linalg.norm(x)
        if x[0] > 0:
            alpha = -alpha
        v = x.copy()
        v[0] -= alpha
        v /= np.linalg.norm(v)
        r[k:, k:] -= 2 * np.outer(v, v @ r[k:, k:])
        q[:, k:] -= 2 * np.outer(q[:, k:] @ v, v)
    return q, r


@program(LOWER, B5, wrt=(0, 1), second=True)
def forward_substitution(low, b):
    x = np.zeros_like(b)
    for i in range(len(b)):
        s = 0.0
        for j in range(i):
            s += low[i, j] * x[j]
        x[i] = (b[i] - s) / low[i, i]
    return x


@program(LOWER.T, B5, wrt=(0, 1))
def back_substitution(up, b):
    x = b.copy()
    for i in range(len(b) - 1, -1, -1):
        x[i] = (x[i] - np.dot(up[i, i + 1 :], x[i + 1 :])) / up[i, i]
    return x


@program(np.array([2.0, 0.9, 0.4, -0.1, 0.05]), second=True)
def levinson_durbin(r):
    order = len(r) - 1
    a = np.zeros(order + 1)
    a[0] = 1.0
    error = r[0]
    for m in range(1, order + 1):
        acc = r[m]
        for j in range(1, m):
            acc += a[j] * r[m - j]
        k = -acc / error
        old = a.copy()
        for j in range(1, m):
            a[j] = old[j] + k * old[m - j]
        a[m] = k
        error *= 1 - k * k
    return a, error


@program(GENERAL, B4, wrt=(0, 1))
def gauss_seidel(a, b):
    n = len(b)
    x = np.zeros(n)
    for _ in range(4):
        for i in range(n):
            sigma = 0.0
            for j in range(n):
                if j != i:
                    sigma += a[i, j] * x[j]
            x[i] = (b[i] - sigma) / a[i, i]
    return x


@program(SPD, B4, wrt=(0, 1), second=True)
def conjugate_gradients(a, b):
    x = np.zeros_like(b)
    r = b - a @ x
    p = r.copy()
    rs = r @ r
    for _ in range(3):
        ap = a @ p
        alpha = rs / (p @ ap)
        x += alpha * p
        r -= alpha * ap
        new = r @ r
        p = r + new / rs * p
        rs = new
    return x


class Pattern:
    """Where the entries of a sparse matrix stand, by rows."""

    def __init__(self, dense):
        self.pointers = np.concatenate([[0], np.cumsum((dense != 0).sum(axis=1))])
        self.columns = np.nonzero(dense)[1]


DENSE = np.where(RNG.random((6, 6)) < 0.4, RNG.normal(size=(6, 6)), 0.0)


@program(Pattern(DENSE), DENSE[DENSE != 0], RNG.normal(size=6), wrt=(1, 2), second=True)
def sparse_times_vector(pattern, data, x):
    n = len(pattern.pointers) - 1
    y = np.zeros(n)
    for i in range(n):
        for k in range(pattern.pointers[i], pattern.pointers[i + 1]):
            y[i] += data[k] * x[pattern.columns[k]]
    return y
