# Everything runs in .venv, made on first use by $(PYTHON), 3.11 or newer.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo quick test lint types numba fuzz matrix diff-codegen bench clean

demo: .venv/.stamp
	$(BIN)/python examples/digits.py

quick: .venv/.stamp
	$(BIN)/python -m pytest -n 2 tests/ir tests/compiler/passes tests/test_golden.py

test: .venv/.stamp
	$(BIN)/python -m pytest -n 2

lint: .venv/.stamp
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: .venv/.stamp
	$(BIN)/pyright --pythonpath $(BIN)/python

# What is tested with every backend, with numba: an hour, for it compiles in seconds.
numba: .venv/.stamp
	$(BIN)/python -m pytest -n 2 --backends=numba

fuzz: .venv/.stamp
	$(BIN)/python -m pytest -n 2 -m fuzz

# Every Python, old and new dependencies, processors; some with ROWS='py312-* nohup'.
matrix:
	$(PYTHON) tests/matrix.py $(ROWS)

# Plans and kernels of the bench models against those of a commit, BASE.
diff-codegen: .venv/.stamp
	$(BIN)/python tests/diff_codegen.py $(BASE)

bench: .venv/.bench.stamp
	$(BIN)/python -m benchmarks

clean:
	rm -rf build dist *.egg-info .pytest_cache .hypothesis .ruff_cache .coverage
	find . -path ./.venv -prune -o -name __pycache__ -type d -exec rm -rf {} +

.venv/.stamp: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -e '.[test,examples,lint]'
	touch $@

.venv/.bench.stamp: .venv/.stamp
	$(BIN)/python -m pip install -e '.[bench]'
	touch $@
