# Everything runs in .venv, made on first use by $(PYTHON), 3.11 or newer.
PYTHON ?= python3
BIN := .venv/bin
# Tests of one file share what they compile, so each worker has half of the files.
TWO := -n 2 --dist worksteal
# Threads of BLAS would spin on the cores that the other worker is on.
quick test numba fuzz: export OPENBLAS_NUM_THREADS := 1

.PHONY: demo quick test lint types numba fuzz matrix diff-codegen bench clean

demo: .venv/.demo.stamp
	$(BIN)/python examples/digits.py

quick: .venv/.stamp
	$(BIN)/python -m pytest $(TWO) tests/ir tests/compiler/passes tests/test_golden.py

test: .venv/.stamp
	$(BIN)/python -m pytest $(TWO)

lint: .venv/.stamp
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: .venv/.stamp
	$(BIN)/pyright --pythonpath $(BIN)/python

# What is tested with every backend, with numba: an hour, for it compiles in seconds.
numba: .venv/.stamp
	$(BIN)/python -m pytest $(TWO) --backends=numba

fuzz: .venv/.fuzz.stamp
	$(BIN)/python -m pytest $(TWO) -m fuzz

# Every Python, old and new dependencies, processors; some with ROWS='py312-* nohup'.
matrix:
	$(PYTHON) tests/matrix.py $(ROWS)

# Plans and kernels of the bench models against those of a commit, BASE.
diff-codegen: .venv/.stamp
	$(BIN)/python -m benchmarks.codegen $(BASE)

# With BASE=REV also against the library as it was at that commit.
bench: .venv/.bench.stamp build/old-jax/.stamp
	$(BIN)/python -m benchmarks $(if $(BASE),--base $(BASE))

clean:
	rm -rf build dist *.egg-info .pytest_cache .hypothesis .ruff_cache .coverage
	find . -path ./.venv -prune -o -name __pycache__ -type d -exec rm -rf {} +

# What pip has installed already stays, so each of these adds to the others.
.venv/.demo.stamp: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -e '.[demo]'
	touch $@

.venv/.stamp: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -e '.[test,demo,examples,lint]'
	touch $@

# The last JAX before its slower runtime for CPUs, with a NumPy that it knows.
build/old-jax/.stamp:
	$(PYTHON) -m venv build/old-jax
	build/old-jax/bin/python -m pip install jax==0.4.31 jaxlib==0.4.31 'numpy<2.3' scipy
	touch $@

.venv/.fuzz.stamp: .venv/.stamp
	$(BIN)/python -m pip install -e '.[fuzz]'
	touch $@

.venv/.bench.stamp: .venv/.stamp
	$(BIN)/python -m pip install -e '.[bench]'
	touch $@
