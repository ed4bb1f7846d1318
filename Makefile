# make demo, make test, make peers: each sets up .venv first and finds it ready the second time.
PYTHON ?= python3
BIN := .venv/bin
INSTALL := PIP_DISABLE_PIP_VERSION_CHECK=1 $(BIN)/pip install --quiet --constraint constraints.txt
export TF_CPP_MIN_LOG_LEVEL ?= 2

.PHONY: demo test peers lint clean

demo: .venv/installed
	$(BIN)/python recipes/imagenet.py

test: .venv/installed lint
	$(BIN)/python -m pytest -m "not peers" -n 2 --dist loadfile --durations 20

peers: .venv/installed-peers
	$(BIN)/python -m pytest -m peers

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

.venv/installed: setup.cfg pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo 'Python 3.11 or newer is needed: make PYTHON=python3.12 ...'; exit 1; }
	$(PYTHON) -m venv .venv
	$(INSTALL) --editable '.[dev]'
	@touch $@

.venv/installed-peers: .venv/installed
	$(INSTALL) --editable '.[peers]'
	@touch $@

clean:
	rm -rf .venv build dist *.egg-info .pytest_cache .ruff_cache
