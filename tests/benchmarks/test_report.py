from __future__ import annotations

from xml.etree import ElementTree

import numpy as np
import pytest

from benchmarks.measure import Bench, disagreements
from benchmarks.models import find_model
from benchmarks.peers import OURS
from benchmarks.picture import draw
from benchmarks.process import Failure, Worker
from benchmarks.report import as_markdown, make_sheets

ROW = {
    OURS: {"first": 0.2, "cold": 0.6, "warm": 0.5, "memory": 10**6, "steady": 1e-4},
    "JAX": {
        "first": 0.4,
        "cold": 1.4,
        "warm": 1.0,
        "memory": 4 * 10**6,
        "steady": 2e-4,
    },
    "PyTorch": {"failed": "no answer in 120 s", "over": 120.0},
    "floor": {"steady": 5e-5},
}
RESULTS = {
    "peers": [OURS, "JAX", "PyTorch"],
    "cores": [2],
    "models": {"net": {"2": ROW}, "bare": {"2": {}}},
    "extras": {},
}


def rows(title):
    sheet = next(s for s in make_sheets(RESULTS) if s.title.startswith(title))
    return [list(row) for row in sheet.rows]


def test_ratios_are_to_the_best_peer_and_to_the_floor():
    assert rows("Steady") == [
        ["net", "100", "200", "-", "50.0", "0.50", "2.00"],
        ["bare", "-", "-", "-", "-", "-", "-"],
        ["geometric mean", "", "", "", "", "0.50", "2.00"],
    ]


def test_who_was_stopped_is_shown_with_the_limit():
    assert rows("First")[0] == ["net", "0.20", "0.40", "> 120 s", "0.50"]


def test_starts_are_those_of_libraries_with_a_cache():
    assert rows("From")[0] == ["net", "0.60", "0.50", "1.40", "1.00", "0.50"]


def test_markdown_has_a_cell_for_every_column():
    lines = [line for line in as_markdown(make_sheets(RESULTS)).split("\n") if line]
    tables = [line.count("|") for line in lines if line.startswith("|")]
    assert tables[:5] == [8] * 5


def test_the_picture_has_a_bar_for_each_time_and_a_tick_for_each_floor():
    svg = ElementTree.fromstring(draw(RESULTS, 2))
    kinds = [element.get("class") for element in svg.iter()]
    legend = 1
    assert [kinds.count(kind) - legend for kind in ("ours", "peer0", "peer1")] == [
        1,
        1,
        0,
    ]
    assert kinds.count("floor") - legend == 1


@pytest.mark.parametrize("wrong", [1.001, np.nan])
def test_a_gradient_that_is_off_is_found(wrong):
    answers = {OURS: (1.0, [np.array([wrong])]), "JAX": (1.0, [np.array([1.0])])}
    assert list(disagreements(answers)) == [OURS]


def test_a_worker_serves_a_model_and_then_ends(tmp_path):
    worker = Worker(OURS, "nested 2x2, f64", cores=1, cache=tmp_path, limit=600)
    assert worker.receive() > 0
    value, gradient = worker.receive()
    assert np.isfinite(value)
    assert [part.shape for part in gradient] == [(2, 2), (2,)]
    assert worker.ask(0.001) > 0
    worker.close()


def test_a_worker_weighs_a_model(tmp_path):
    name = "elementwise 2^20, f64"
    worker = Worker(OURS, f"memory {name}", cores=1, cache=tmp_path, limit=600)
    peak = worker.receive()
    worker.close()
    assert peak is None or 8 * 2**20 < peak < 2**30


def test_a_failing_library_is_one_cell_and_its_reason_is_said_once(tmp_path):
    said: list[str] = []
    bench = Bench(
        rounds=1, batch_seconds=0.001, limit=600, cache=tmp_path, say=said.append
    )
    model = find_model("nested 2x2, f64")
    for brief in False, True:
        figures = bench.measure(model, [OURS, "none"], 1, brief=brief)
        assert "steady" in figures[OURS]
        assert figures["none"] == {"failed": "KeyError: 'none'"}
    assert "".join(said).count("KeyError") == 1


def test_a_late_worker_is_stopped(tmp_path):
    worker = Worker(OURS, "nested 2x2, f64", cores=1, cache=tmp_path, limit=0)
    with pytest.raises(Failure, match="no answer") as caught:
        worker.receive()
    assert caught.value.late


def test_only_steady_times_make_only_their_table():
    row = {peer: {"steady": 1e-4} for peer in (OURS, "JAX", "floor")}
    brief = {**RESULTS, "models": {"sort": {"2": row}}}
    assert [sheet.columns[-1] for sheet in make_sheets(brief)] == ["to floor"]
