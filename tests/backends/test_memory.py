"""The arena: nothing alive shares memory, and nothing reads what it did not write."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from anabranch.backends.llvm.plan.arena import ALIGNMENT, Lifetime, place
from anabranch.backends.llvm.run.executable import prepare
from anabranch.compiler.pipeline import optimise
from tests.strategies import random_sample

lifetimes = st.lists(
    st.tuples(st.integers(0, 30), st.integers(0, 12), st.integers(0, 500)).map(
        lambda t: Lifetime(t[0], t[0] + t[1], t[2])
    ),
    max_size=40,
)


@given(lifetimes)
def test_buffers_that_live_together_lie_apart(buffers: list[Lifetime]) -> None:
    offsets, total = place(buffers)
    placed = list(zip(buffers, offsets, strict=True))
    for buffer, offset in placed:
        assert offset % ALIGNMENT == 0
        assert offset + buffer.nbytes <= total or buffer.nbytes == 0
    for i, (a, start) in enumerate(placed):
        for b, other in placed[:i]:
            together = a.first <= b.last and b.first <= a.last
            overlap = start < other + b.nbytes and other < start + a.nbytes
            sized = a.nbytes and b.nbytes
            assert not (together and overlap and sized)


def alive(buffers: list[Lifetime]) -> int:
    """The most bytes alive at one step, each buffer rounded up to the alignment."""
    sizes = [-(-buffer.nbytes // ALIGNMENT) * ALIGNMENT for buffer in buffers]
    return max(
        (
            sum(
                size
                for buffer, size in zip(buffers, sizes, strict=True)
                if buffer.first <= step <= buffer.last
            )
            for step in {buffer.first for buffer in buffers}
        ),
        default=0,
    )


@given(lifetimes)
def test_the_arena_lies_between_what_is_alive_and_all(buffers: list[Lifetime]) -> None:
    _, total = place(buffers)
    everything = sum(-(-b.nbytes // ALIGNMENT) * ALIGNMENT for b in buffers)
    assert alive(buffers) <= total <= everything


@given(lifetimes)
def test_buffers_of_one_size_need_no_more_than_is_alive(
    buffers: list[Lifetime],
) -> None:
    same = [Lifetime(buffer.first, buffer.last, 100) for buffer in buffers]
    assert place(same)[1] == alive(same)


@given(lifetimes)
def test_time_may_run_backwards(buffers: list[Lifetime]) -> None:
    backwards = [Lifetime(-b.last, -b.first, b.nbytes) for b in buffers]
    assert place(backwards)[1] == place(buffers)[1]


def test_random_lifetimes_waste_little() -> None:
    """Best fit is no optimum, but on random sizes it stays near the bytes alive."""
    rng = np.random.default_rng(0)
    for _ in range(20):
        starts, lengths = rng.integers(300, size=300), rng.integers(1, 60, size=300)
        sizes = rng.integers(1, 100_000, size=300)
        triples = zip(starts.tolist(), lengths.tolist(), sizes.tolist(), strict=True)
        buffers = [Lifetime(first, first + span, size) for first, span, size in triples]
        assert place(buffers)[1] <= 1.3 * alive(buffers)


def test_a_chain_needs_two_places() -> None:
    _, total = place([Lifetime(i, i + 1, 1000) for i in range(100)])
    assert total == 2 * 1024


def test_results_do_not_depend_on_what_the_arena_held() -> None:
    for seed in range(40):
        sample = random_sample(seed)
        run = prepare(optimise(sample.graph))
        first = run(sample.point)
        for poison in (0x00, 0xFF):
            for frame in run._frames:
                frame.arena[:] = poison
            again = run(sample.point)
            assert [r.tobytes() for r in again] == [r.tobytes() for r in first]


def test_results_are_never_in_the_arena() -> None:
    sample = random_sample(3)
    run = prepare(optimise(sample.graph))
    results = run(sample.point)
    for result in results:
        assert all(not np.shares_memory(result, frame.arena) for frame in run._frames)
