# make demo, quick, test, slow, peers, docs, dist ...: each sets up .venv first and finds it ready the second time.
# make demo EXTRAS=gpu installs CUDA's libraries too; extras are those of pyproject.toml, with commas between them.
PYTHON ?= python3
EXTRAS ?=
comma := ,
BIN := .venv/bin
INSTALL := PIP_DISABLE_PIP_VERSION_CHECK=1 $(BIN)/pip install --quiet --constraint constraints.txt
export TF_CPP_MIN_LOG_LEVEL ?= 2

NUMERIC := $(wildcard $(addprefix tests/,layers weights evaluation analysis theory backends test_blocks.py \
	test_models.py test_shortcuts.py test_deployment.py detection/test_detector.py detection/test_losses.py \
	detection/test_faster_rcnn.py detection/test_roi_pooling.py \
	$(addprefix training/stepping/test_,training_model.py freezing.py optimizer.py)))

PYTEST := $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --durations 10  # files in order, the small ones last

.PHONY: demo quick test slow numeric reliability backends compat peers docs dist lint clean

demo: .venv/installed
	$(BIN)/python recipes/imagenet.py

quick: .venv/installed  # no training, no long program
	$(PYTEST) -m "not long and not slow and not peers"

test: .venv/installed lint  # every promise
	$(PYTEST) -m "not slow and not peers"

slow: .venv/installed  # what make test leaves out
	OPTIMIZED_GRAPHS=1 $(PYTEST) -m "slow and not peers"

numeric: .venv/installed  # numbers with other threads and kernels, in random order and from another seed
	for setting in TF_NUM_INTRAOP_THREADS=1 TF_NUM_INTRAOP_THREADS=2 TF_ENABLE_ONEDNN_OPTS=0 TF_ENABLE_ONEDNN_OPTS=1 \
		'TF_ENABLE_ONEDNN_OPTS=1 ONEDNN_MAX_CPU_ISA=AVX2'; do \
		echo "$$setting"; env OPTIMIZED_GRAPHS=1 $$setting $(BIN)/python -m pytest -q -m 'not peers' -p randomly --seed 1 $(NUMERIC) || exit 1; \
	done

reliability: .venv/installed  # hostile and damaged input, and faults while programs run: the tables of docs/reliability.md
	$(BIN)/python tests/reliability/measure.py --cases 350 --json docs/results/reliability.json
	$(BIN)/python tests/reliability/measure.py --families processes --cases 40 --json docs/results/reliability-processes.json

backends: .venv/installed-peers  # what works on TensorFlow, JAX and PyTorch: a table of docs/compatibility.md
	$(BIN)/python tests/backends/measure.py --json docs/results/backends.json

compat: .venv/installed  # each Python that is found, with the lowest and newest versions: the other table
	$(BIN)/python tests/compatibility/measure.py --json docs/results/compat.json

peers: .venv/installed-peers
	$(BIN)/python -m pytest -m peers

docs: .venv/installed  # the pages of docs/ and the reference of the package, in site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build

dist: .venv/installed  # the wheel and the source distribution, in dist/
	$(BIN)/python tests/compatibility/distributions.py dist

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

.venv/installed: setup.cfg pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || \
		{ echo 'Python 3.11, 3.12 or 3.13 is needed, for which TensorFlow 2.21 has wheels: make PYTHON=python3.12 ...'; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2> /dev/null || \
		{ echo 'This Python has no venv module: install it (Debian and Ubuntu: python3-venv), or make PYTHON=...'; exit 1; }
	$(PYTHON) -m venv .venv
	$(INSTALL) --editable '.[dev$(if $(EXTRAS),$(comma)$(EXTRAS))]'
	@touch $@

.venv/installed-peers: .venv/installed
	$(INSTALL) --editable '.[peers,hub,mlflow,wandb]'
	@touch $@

clean:
	rm -rf .venv build dist site *.egg-info .pytest_cache .ruff_cache .mypy_cache
