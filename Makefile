# make demo      convert a real recording with two shipped voices
# make test      what .ci/run runs: style, types, tests, and the wheel outside the clone
# make test-all  the same with the slow tests
# make lecture   train and measure every system of the lecture, and build docs/lecture
# Each sets up .venv first, `make demo` the small one without PyTorch. PYTHON=python3.12 chooses another interpreter.

PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test test-all lecture check

demo: .venv/demo.stamp
	$(BIN)/python recipes/demo.py

test: check
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadfile
	bash tests/wheel_check.sh $(BIN)/python

test-all: check
	$(BIN)/pytest -m "not gpu"
	bash tests/wheel_check.sh $(BIN)/python

lecture: .venv/lecture.stamp
	PYTHON=$(BIN)/python bash egs/images/run.sh

check: .venv/test.stamp
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy voxcycle

.venv/demo.stamp: EXTRAS =
.venv/lecture.stamp: EXTRAS = [images]
.venv/test.stamp: EXTRAS = [dev,eval,images,cluster]
.venv/demo.stamp .venv/lecture.stamp .venv/test.stamp: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --disable-pip-version-check --quiet -e ".$(EXTRAS)"
	touch $@
