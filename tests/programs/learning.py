"""Networks and their layers, with the loops that people write first."""

from __future__ import annotations

import numpy as np

from tests.programs.record import program

RNG = np.random.default_rng(5)


def weights(*shape):
    return 0.5 * RNG.normal(size=shape)


def sigmoid(x):
    return 1.0 / (1.0 + np.exp(-x))


XS = weights(4, 3)


@program({"w": weights(12, 7), "b": weights(12)}, XS, wrt=(0, 1))
def long_short_term_memory(p, xs):
    steps, size = len(xs), len(p["b"]) // 4
    h, c = np.zeros((steps + 1, size)), np.zeros((steps + 1, size))
    for t in range(steps):
        z = p["w"][:, : size + 3] @ np.concatenate([xs[t], h[t]]) + p["b"]
        i, f, o = [sigmoid(z[k * size : (k + 1) * size]) for k in range(3)]
        c[t + 1] = f * c[t] + i * np.tanh(z[3 * size :])
        h[t + 1] = o * np.tanh(c[t + 1])
    return h[1:]


@program(weights(3, 3, 3), weights(3, 3, 3), XS, wrt=(0, 1, 2))
def gated_recurrent_unit(w, u, xs):
    steps, size = xs.shape[0], u.shape[1]
    hs = np.zeros((steps, size))
    h = np.zeros(size)
    for t in range(steps):
        z = sigmoid(w[0] @ xs[t] + u[0] @ h)
        r = sigmoid(w[1] @ xs[t] + u[1] @ h)
        candidate = np.tanh(w[2] @ xs[t] + u[2] @ (r * h))
        h = (1 - z) * h + z * candidate
        hs[t] = h
    return hs


@program(weights(3, 3), weights(3, 3), XS, wrt=(0, 1, 2), second=True)
def elman_network(wx, wh, xs):
    hs = np.zeros((len(xs), 3))
    for t in range(len(xs)):
        before = hs[t - 1] if t > 0 else np.zeros(3)
        hs[t] = np.tanh(wx @ xs[t] + wh @ before)
    return np.sum(hs[-1] ** 2), hs


TEXT = "hello"
LETTERS = sorted(set(TEXT))


@program(
    (weights(3, 4), weights(3, 3), weights(4, 3), weights(3, 1), weights(4, 1)), TEXT
)
def character_network(params, text):
    wxh, whh, why, bh, by = params
    index = {letter: i for i, letter in enumerate(LETTERS)}
    xs, hs, ps = {}, {-1: np.zeros((3, 1))}, {}
    loss = 0
    for t in range(len(text) - 1):
        xs[t] = np.zeros((len(LETTERS), 1))
        xs[t][index[text[t]]] = 1
        hs[t] = np.tanh(np.dot(wxh, xs[t]) + np.dot(whh, hs[t - 1]) + bh)
        y = np.dot(why, hs[t]) + by
        ps[t] = np.exp(y) / np.sum(np.exp(y))
        loss += -np.log(ps[t][index[text[t + 1]], 0])
    return loss


class BatchNorm:
    """Normalization that keeps running means."""

    def __init__(self, size, momentum=0.9):
        self.mean, self.var = np.zeros(size), np.ones(size)
        self.momentum = momentum

    def __call__(self, x, scale, shift, training):
        if training:
            mean, var = x.mean(axis=0), x.var(axis=0)
            self.mean = self.momentum * self.mean + (1 - self.momentum) * mean
            self.var = self.momentum * self.var + (1 - self.momentum) * var
        else:
            mean, var = self.mean, self.var
        return scale * (x - mean) / np.sqrt(var + 1e-5) + shift


@program(weights(3, 5, 2), np.ones(2), np.zeros(2), wrt=(0, 1, 2), second=True)
def batch_norm(batches, scale, shift):
    norm = BatchNorm(2)
    y = 0.0
    for x in batches:
        y = norm(x, scale, shift, training=True)
    return y, norm(batches[0], scale, shift, training=False), norm.mean, norm.var


@program(weights(5, 5), weights(2, 3, 3), wrt=(0, 1))
def convolution(image, kernels):
    count, k, _ = kernels.shape
    n, m = image.shape[0] - k + 1, image.shape[1] - k + 1
    out = np.zeros((count, n, m))
    for f in range(count):
        for i in range(n):
            for j in range(m):
                out[f, i, j] = np.sum(image[i : i + k, j : j + k] * kernels[f])
    return np.maximum(out, 0.0)


@program(weights(4, 6))
def max_pooling(x):
    n, m = x.shape[0] // 2, x.shape[1] // 2
    out = np.zeros((n, m))
    for i in range(n):
        for j in range(m):
            out[i, j] = x[2 * i, 2 * j]
            for a in range(2):
                for b in range(2):
                    if x[2 * i + a, 2 * j + b] > out[i, j]:
                        out[i, j] = x[2 * i + a, 2 * j + b]
    return out


@program(weights(4, 3), weights(4, 3), weights(4, 3), wrt=(0, 1, 2), second=True)
def causal_attention(q, k, v):
    n, d = q.shape
    out = np.zeros((n, v.shape[1]))
    for i in range(n):
        scores = np.zeros(i + 1)
        for j in range(i + 1):
            scores[j] = np.dot(q[i], k[j]) / np.sqrt(d)
        scores = np.exp(scores - np.max(scores))
        scores /= scores.sum()
        for j in range(i + 1):
            out[i] += scores[j] * v[j]
    return out


def layer_norm(x):
    mean = np.mean(x, axis=-1, keepdims=True)
    return (x - mean) / np.sqrt(np.var(x, axis=-1, keepdims=True) + 1e-5)


def softmax(x):
    e = np.exp(x - np.max(x, axis=-1, keepdims=True))
    return e / np.sum(e, axis=-1, keepdims=True)


def attention(block, x, heads):
    n, d = x.shape
    q, k, v = np.split(x @ block["qkv"], 3, axis=-1)
    size = d // heads
    mask = (1 - np.tri(n)) * -1e10
    found = []
    for h in range(heads):
        part = slice(h * size, (h + 1) * size)
        a = softmax(q[:, part] @ k[:, part].T / np.sqrt(size) + mask)
        found.append(a @ v[:, part])
    return np.hstack(found) @ block["out"]


GPT = {
    "tokens": weights(5, 4),
    "places": weights(4, 4),
    "blocks": [
        {
            "qkv": weights(4, 12),
            "out": weights(4, 4),
            "up": weights(4, 8),
            "down": weights(8, 4),
        }
        for _ in range(2)
    ],
}


@program(GPT, [3, 0, 4])
def transformer(p, tokens):
    x = p["tokens"][tokens] + p["places"][: len(tokens)]
    for block in p["blocks"]:
        x = x + attention(block, layer_norm(x), heads=2)
        u = layer_norm(x) @ block["up"]
        u = 0.5 * u * (1 + np.tanh(np.sqrt(2 / np.pi) * (u + 0.044715 * u**3)))
        x = x + u @ block["down"]
    return layer_norm(x) @ p["tokens"].T
