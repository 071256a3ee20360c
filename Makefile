# Everything runs in .venv, made from the pinned requirements by the first command that needs it.
PYTHON ?= python3
BIN := .venv/bin
CITIES ?= var/cities

.PHONY: run demo test test-all check bench lock clean

run: .venv/.ready demo  ## build the demo city once and open the app
	CRESCENT_CITIES=$(CITIES) $(BIN)/streamlit run app.py

demo: .venv/.ready $(CITIES)/demo/city.toml

$(CITIES)/demo/city.toml:
	$(BIN)/python -m data demo --out $(CITIES)/demo --seed 7

test: .venv/.ready-dev  ## all tests but the slow ones, on two cores, a file on one of them
	$(BIN)/python -m pytest -m "not slow" -n 2 --dist loadfile

test-all: .venv/.ready-dev
	$(BIN)/python -m pytest -n 2 --dist loadfile

check: .venv/.ready-dev  ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: .venv/.ready-dev  ## speed and memory, against what a user would use instead
	CRESCENT_WRITE_TABLE=1 $(BIN)/python -m pytest -q benchmarks

lock: .venv/.ready-dev  ## pin what pyproject.toml asks for
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --no-annotate pyproject.toml -o requirements.txt
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --no-annotate -c requirements.txt \
		--group dev -o requirements-dev.txt

.venv/.ready: requirements.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Crescent needs Python 3.11 or newer")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q --disable-pip-version-check -r requirements.txt
	touch $@

.venv/.ready-dev: .venv/.ready requirements-dev.txt
	$(BIN)/python -m pip install -q --disable-pip-version-check -r requirements-dev.txt
	touch $@

clean:
	rm -rf .venv var .pytest_cache .mypy_cache .ruff_cache .hypothesis .benchmarks
