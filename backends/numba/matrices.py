"""What printed code calls for matrices, as Numba Python: plain loops, one matrix each.

They share nothing with LAPACK, so that they can convict what calls it.
"""

from __future__ import annotations

__all__ = ["MATRICES"]

MATRICES = '''
def cholesky_over(a):
    """L over the lower triangle of A = L L^H, zeros above; whether there is one."""
    n = a.shape[0]
    for j in range(n):
        size = a[j, j].real
        for k in range(j):
            size -= (a[j, k] * np.conj(a[j, k])).real
        if not size > 0 and size == size:
            return False
        a[j, j] = np.sqrt(size)
        for i in range(j + 1, n):
            total = a[i, j]
            for k in range(j):
                total -= a[i, k] * np.conj(a[j, k])
            a[i, j] = total / a[j, j]
            a[j, i] = a[j, j] - a[j, j]
    return True

def undo_cholesky(l, x):
    """The cotangent of A over that of its factor L, whose lower triangle is read."""
    n = l.shape[0]
    for k in range(n - 1, -1, -1):
        total = x[k, k]
        for i in range(k + 1, n):
            x[i, k] /= l[k, k]
            total -= x[i, k] * l[i, k]
        total /= l[k, k]
        x[k, k] = total / 2
        for j in range(k):
            x[k, j] -= total * l[k, j]
            for i in range(k + 1, n):
                x[k, j] -= x[i, k] * l[i, j]
                x[i, j] -= x[i, k] * l[k, j]
    for i in range(n):
        for j in range(i):
            x[i, j] /= 2
            x[j, i] = x[i, j]

def has_zero(a):
    """Whether there is a zero on the diagonal."""
    for i in range(a.shape[0]):
        if a[i, i] == 0:
            return True
    return False

def divide_triangular(a, x, lower, transposed, unit):
    """T^-1 x or T^-T x over x, of the triangle T of A."""
    n = a.shape[0]
    forwards = lower != transposed
    for step in range(n):
        i = step if forwards else n - 1 - step
        for c in range(x.shape[1]):
            total = x[i, c]
            for other in range(step):
                k = other if forwards else n - 1 - other
                total -= (a[k, i] if transposed else a[i, k]) * x[k, c]
            x[i, c] = total if unit else total / a[i, i]

def size_of(z):
    """The sizes of the parts, added up."""
    return abs(z.real) + abs(z.imag)

def lu_over(a, order):
    """L and U over A[order]; the order of rows, and its sign."""
    n = a.shape[0]
    sign = 1
    for i in range(n):
        order[i] = i
    for k in range(n):
        best = k
        for i in range(k + 1, n):
            if size_of(a[i, k]) > size_of(a[best, k]):
                best = i
        if best != k:
            sign = -sign
            order[k], order[best] = order[best], order[k]
            for j in range(n):
                a[k, j], a[best, j] = a[best, j], a[k, j]
        for i in range(k + 1, n):
            if a[k, k] != 0:
                a[i, k] /= a[k, k]
            for j in range(k + 1, n):
                a[i, j] -= a[i, k] * a[k, j]
    return sign

def divide_lu(factors, order, x, transposed):
    """A^-1 x or A^-T x over x, by the factors of A."""
    moved = x.copy()
    if transposed:
        divide_triangular(factors, moved, False, True, False)
        divide_triangular(factors, moved, True, True, True)
        for i in range(order.shape[0]):
            x[order[i]] = moved[i]
    else:
        for i in range(order.shape[0]):
            x[i] = moved[order[i]]
        divide_triangular(factors, x, True, False, True)
        divide_triangular(factors, x, False, False, False)

def schur_of(a):
    """The complex Schur form of a matrix, by SciPy."""
    with objmode(triangle="complex128[:,::1]", vectors="complex128[:,::1]"):
        triangle, vectors = scipy_linalg.schur(a, "complex")
        triangle = np.ascontiguousarray(triangle, np.complex128)
        vectors = np.ascontiguousarray(vectors, np.complex128)
    return triangle, vectors

def eig_of(a):
    """Eigenvalues and vectors, complex ones, by NumPy."""
    with objmode(values="complex128[::1]", vectors="complex128[:,::1]"):
        values, vectors = np.linalg.eig(a)
        values = np.ascontiguousarray(values, np.complex128)
        vectors = np.ascontiguousarray(vectors, np.complex128)
    return values, vectors
'''
