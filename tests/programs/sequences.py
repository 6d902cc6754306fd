"""Dynamic programming, filters and transforms along a sequence or a tree."""

from __future__ import annotations

import numpy as np

from tests.programs.record import program

RNG = np.random.default_rng(4)


def rows_of_chances(*shape):
    made = 0.2 + RNG.random(shape)
    return made / made.sum(axis=-1, keepdims=True)


@program(np.where(np.eye(4) == 1, 0.1, 1.0 + 5.0 * RNG.random((4, 4))))
def floyd_warshall(distance):
    n = len(distance)
    for k in range(n):
        for i in range(n):
            for j in range(n):
                through = distance[i, k] + distance[k, j]
                if through < distance[i, j]:
                    distance[i, j] = through


@program(RNG.normal(size=5), RNG.normal(size=4), wrt=(0, 1))
def time_warping(a, b):
    cost = np.full((len(a) + 1, len(b) + 1), np.inf)
    cost[0, 0] = 0.0
    for i in range(1, len(a) + 1):
        for j in range(1, len(b) + 1):
            d = (a[i - 1] - b[j - 1]) ** 2
            cost[i, j] = d + min(cost[i - 1, j], cost[i, j - 1], cost[i - 1, j - 1])
    return cost[-1, -1]


@program("kitten", "sitting", np.array([1.0, 1.1, 1.3]), wrt=2)
def edit_distance(a, b, prices):
    insert, delete, replace = prices
    row = np.arange(len(b) + 1) * insert
    for i in range(1, len(a) + 1):
        old, row = row, np.zeros(len(b) + 1)
        row[0] = i * delete
        for j in range(1, len(b) + 1):
            same = a[i - 1] == b[j - 1]
            change = old[j - 1] if same else old[j - 1] + replace
            row[j] = min(old[j] + delete, row[j - 1] + insert, change)
    return row[-1]


SEEN = np.array([0, 2, 1, 1, 0])


@program(
    rows_of_chances(3),
    rows_of_chances(3, 3),
    rows_of_chances(3, 3),
    SEEN,
    wrt=(0, 1, 2),
    second=True,
)
def forward_of_a_markov_model(start, move, emit, seen):
    steps, states = len(seen), len(start)
    alpha = np.zeros((steps, states))
    alpha[0] = start * emit[:, seen[0]]
    for t in range(1, steps):
        for j in range(states):
            for i in range(states):
                alpha[t, j] += alpha[t - 1, i] * move[i, j]
            alpha[t, j] *= emit[j, seen[t]]
    return np.log(np.sum(alpha[-1]))


@program(
    rows_of_chances(3),
    rows_of_chances(3, 3),
    rows_of_chances(3, 3),
    SEEN,
    wrt=(0, 1, 2),
)
def viterbi(start, move, emit, seen):
    states = len(start)
    score = np.log(start) + np.log(emit[:, seen[0]])
    for o in seen[1:]:
        new = np.empty(states)
        for j in range(states):
            best = -np.inf
            for i in range(states):
                candidate = score[i] + np.log(move[i, j])
                if candidate > best:
                    best = candidate
            new[j] = best + np.log(emit[j, o])
        score = new
    return np.max(score)


@program(RNG.normal(size=6), 0.1, 0.5, wrt=(0, 1, 2), second=True)
def kalman_filter(z, q, r):
    f, h = np.array([[1.0, 1.0], [0.0, 1.0]]), np.array([[1.0, 0.0]])
    x, p = np.zeros(2), np.eye(2)
    found = np.zeros((len(z), 2))
    score = 0.0
    for t in range(len(z)):
        x = f @ x
        p = f @ p @ f.T + q * np.eye(2)
        s = (h @ p @ h.T)[0, 0] + r
        y = z[t] - (h @ x)[0]
        gain = (p @ h.T)[:, 0] / s
        x = x + gain * y
        p = p - np.outer(gain, h @ p)
        score -= 0.5 * (np.log(2 * np.pi * s) + y * y / s)
        found[t] = x
    return score, found


@program(RNG.normal(size=(5, 1)), 0.1, 0.5, wrt=(0, 1, 2), second=True)
def kalman_smoother(z, q, r):
    """Means and covariances by what came before and after (Rauch et al. 1965)."""
    f, h = np.array([[1.0, 1.0], [0.0, 1.0]]), np.array([[1.0, 0.0]])
    x, p = np.zeros(2), np.eye(2)
    ahead, filtered = [], []
    for seen in z:
        x, p = f @ x, f @ p @ f.T + q * np.eye(2)
        ahead.append((x, p))
        gain = np.linalg.solve(h @ p @ h.T + r * np.eye(1), h @ p).T
        x, p = x + gain @ (seen - h @ x), p - gain @ h @ p
        filtered.append((x, p))
    means, covariances = [x], [p]
    for k in range(len(z) - 2, -1, -1):
        (x, p), (x_ahead, p_ahead) = filtered[k], ahead[k + 1]
        gain = np.linalg.solve(p_ahead, f @ p).T
        means.append(x + gain @ (means[-1] - x_ahead))
        covariances.append(p + gain @ (covariances[-1] - p_ahead) @ gain.T)
    return np.array(means[::-1]), np.array(covariances[::-1])


@program(RNG.normal(size=6), 0.7, wrt=(0, 1), second=True)
def horner(coefficients, x):
    y, slope = 0.0, 0.0
    for c in coefficients[::-1]:
        slope = slope * x + y
        y = y * x + c
    return y, slope


@program(RNG.normal(size=6), np.linspace(-0.9, 0.9, 4), wrt=(0, 1))
def clenshaw(coefficients, x):
    b1, b2 = np.zeros_like(x), np.zeros_like(x)
    for k in range(len(coefficients) - 1, 0, -1):
        b1, b2 = coefficients[k] + 2 * x * b1 - b2, b1
    return coefficients[0] + x * b1 - b2


@program(RNG.normal(size=8), RNG.normal(size=8), wrt=(0, 1))
def fourier_transform(re, im):
    """Cooley and Tukey's, in place, with real and imaginary parts."""
    n = len(re)
    j = 0
    for i in range(1, n):
        bit = n >> 1
        while j & bit:
            j ^= bit
            bit >>= 1
        j |= bit
        if i < j:
            re[i], re[j] = re[j], re[i]
            im[i], im[j] = im[j], im[i]
    size = 2
    while size <= n:
        for start in range(0, n, size):
            for k in range(size // 2):
                angle = -2 * np.pi * k / size
                wr, wi = np.cos(angle), np.sin(angle)
                p, q = start + k, start + k + size // 2
                tr = wr * re[q] - wi * im[q]
                ti = wr * im[q] + wi * re[q]
                re[q], im[q] = re[p] - tr, im[p] - ti
                re[p], im[p] = re[p] + tr, im[p] + ti
        size *= 2


LEAVES = {
    "human": np.array([1.0, 0.0, 0.0, 0.0]),
    "chimp": np.array([1.0, 0.0, 0.0, 0.0]),
    "mouse": np.array([0.0, 0.0, 1.0, 0.0]),
}
TREE = ((("human", 0), ("chimp", 1)), 2), ("mouse", 3)


@program(TREE, np.array([0.1, 0.15, 0.3, 0.5]), 1.3, wrt=(1, 2))
def pruning(tree, lengths, rate):
    """Felsenstein's likelihood of one site, after Jukes and Cantor."""

    def likelihood(node):
        if isinstance(node, str):
            return LEAVES[node]
        made = np.ones(4)
        for child, edge in node:
            stays = 0.25 + 0.75 * np.exp(-4 / 3 * rate * lengths[edge])
            change = np.full((4, 4), (1 - stays) / 3)
            for i in range(4):
                change[i, i] = stays
            made = made * (change @ likelihood(child))
        return made

    return np.log(np.mean(likelihood(tree)))
