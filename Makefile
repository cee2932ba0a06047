# make demo      convert a real recording with two shipped voices
# make test      what .ci/run runs: style, types, tests, and the wheel outside the clone
# make test-all  the same with the slow tests
# make lecture   train and measure every system of the lecture, and build docs/lecture
# make docs      the documentation as a site, into site/
# make release   wheel, sdist, the list of their dependencies (SBOM) and checksums into dist/
# Each sets up .venv first, `make demo` the small one without PyTorch. PYTHON=python3.12 chooses another interpreter.

PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test test-all lecture docs release check

demo: .venv/demo.stamp
	$(BIN)/python recipes/demo.py

test: check
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder
	bash tests/wheel_check.sh $(BIN)/python

test-all: check
	$(BIN)/pytest -m "not gpu"
	bash tests/wheel_check.sh $(BIN)/python

lecture: .venv/lecture.stamp
	PYTHON=$(BIN)/python bash egs/images/run.sh

docs: .venv/docs.stamp
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

# From committed files alone, as old as the commit: whoever builds it gets the same bits.
release: .venv/release.stamp
	test -z "$$(git status --porcelain)" || { echo "commit or remove your changes first" >&2; exit 2; }
	rm -rf dist
	SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) $(BIN)/python -m hatchling build -d dist
	$(PYTHON) -m venv --clear --without-pip .venv/release
	$(BIN)/python -m pip --python .venv/release install --disable-pip-version-check --quiet dist/*.whl
	$(BIN)/cyclonedx-py environment .venv/release --output-reproducible --output-format JSON \
		--pyproject pyproject.toml --output-file dist/sbom.cdx.json
	cd dist && sha256sum -- * >SHA256SUMS

check: .venv/test.stamp
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy voxcycle

.venv/demo.stamp: EXTRAS =
.venv/lecture.stamp: EXTRAS = [images]
.venv/docs.stamp: EXTRAS = [docs]
.venv/release.stamp: EXTRAS = [release]
.venv/test.stamp: EXTRAS = [dev,docs,eval,images,cluster,web]
.venv/demo.stamp .venv/docs.stamp .venv/lecture.stamp .venv/release.stamp .venv/test.stamp: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --disable-pip-version-check --quiet -e ".$(EXTRAS)"
	touch $@
