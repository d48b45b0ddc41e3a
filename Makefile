# make search   a virtual environment, lightnas with its light dependencies, and a first search
# make test     what the tests need, and the tests
# make lint     ruff and mypy, in the tested versions
# make wheel    the wheel, installed into an environment of its own and tried outside the checkout
# make bench    the figures of the README;  make picture  its picture

PYTHON ?= python3
BIN := .venv/bin

# Two OpenMP threads that spin against each other can be slower than one.
export OMP_WAIT_POLICY := passive

.PHONY: search test lint wheel bench picture clean

search: .venv/ready
	$(BIN)/lightnas search --budget-flops resnet50

test: .venv/ready-test
	$(BIN)/python -m pytest

lint: .venv/ready-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: .venv/ready-test
	$(BIN)/python -m benchmarks.search

picture: .venv/ready-test
	$(BIN)/pip install --quiet -c tests/constraints.txt -e '.[plot]'
	$(BIN)/python -m benchmarks.picture docs/search.png

wheel: .venv/ready
	rm -rf build dist/env
	$(BIN)/pip wheel --quiet --no-deps --wheel-dir dist .
	$(PYTHON) -m venv dist/env
	dist/env/bin/pip install --quiet dist/lightnas-*.whl
	cd dist/env && bin/lightnas search --preset maedet-s --output run --overwrite
	cd dist/env && bin/lightnas export-structure run | cmp - ../../configs/structures/maedet_s.txt

.venv/ready: setup.cfg pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet -e .
	touch $@

.venv/ready-test: .venv/ready tests/constraints.txt
	$(BIN)/pip install --quiet -c tests/constraints.txt -e '.[test,dask,torch]'
	touch $@

clean:
	rm -rf .venv build dist *.egg-info
