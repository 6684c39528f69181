# The commands of this project. `make demo` is all a user needs; CI runs `make check`.
# PYTHON=python3.12 chooses another interpreter, DIR=... what evaluate and train work on, ARGS=... passes options on.

.DEFAULT_GOAL := help
.PHONY: help demo test check lint format evaluate card benchmark audit train samples lock clean

VENV ?= .venv
ifeq ($(OS),Windows_NT)
BIN := $(VENV)/Scripts
else
BIN := $(VENV)/bin
endif
PY := $(BIN)/python
APP := $(VENV)/.app-installed
ALL := $(VENV)/.all-installed
# Most tests wait, for a browser or for sound in real time: three at once use two cores well, browsers first.
PYTEST := $(PY) -m pytest -n 3 --dist loadfile --no-loadscope-reorder
PIP := $(PY) -m pip --disable-pip-version-check install --prefer-binary
# The first interpreter that fits: the usual one, else any that is installed.
FITS := import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))
PYTHON ?= $(shell for name in python3 python3.13 python3.12 python3.11 python; do \
	$$name -c '$(FITS)' 2>/dev/null && { echo $$name; exit; }; done; echo python3)

help:  ## show this
	@grep -hE '^[a-z]+:.*##' $(firstword $(MAKEFILE_LIST)) | sed -E 's/:.*## */|/' | awk -F'|' '{printf "  make %-10s %s\n", $$1, $$2}'

demo: $(APP)  ## set up once, then open the app on 127.0.0.1
	$(PY) -m demo $(ARGS)

test: $(ALL)  ## the fast tests, a few minutes (ARGS="-k audio" for some)
	$(PYTEST) -m "not slow" $(ARGS)

check: lint  ## all that CI does: rules, and all tests, with a real browser and a virtual microphone
	$(PYTEST) $(ARGS)

lint: $(ALL)  ## ruff: rules and format
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .

format: $(ALL)  ## let ruff repair what it can
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

evaluate: DIR ?= ../shared/speech/dev
evaluate: $(ALL)  ## accuracy and error rates on DIR (one folder per speaker)
	$(PY) scripts/evaluate.py $(DIR) $(ARGS)

card: DIR ?= ../shared/speech/dev
card: $(ALL)  ## measure DIR again and write the model card; ARGS="--embedder resemblyzer,campplus": rivals too
	$(PY) scripts/evaluate.py $(DIR) --channel all --json pretrained/evaluation.json $(ARGS)
	$(PY) scripts/evaluate.py $(DIR) --channel clean --seconds 1,2,3,5 --json pretrained/evaluation_lengths.json
	$(PY) scripts/evaluate.py $(DIR) --channel clean,mic --speakers 10 --json pretrained/evaluation_10.json
	$(PY) scripts/evaluate.py $(DIR) --channel clean,mic --speakers 20 --json pretrained/evaluation_20.json
	$(PY) scripts/model_card.py

benchmark: $(ALL)  ## speed of stages, batch, start, people; ARGS=--check: against the history
	$(PY) scripts/benchmark.py $(ARGS)

audit: $(ALL)  ## locked versions against advisories; ARGS=--platforms: wheels for all systems
	$(PY) scripts/audit.py $(ARGS)

train: DIR ?= dataset
train: $(ALL)  ## train both networks on the dataset folder DIR
	$(PY) scripts/train_cnn.py $(DIR) $(ARGS)
	$(PY) scripts/train_ann.py $(DIR) $(ARGS)

samples: $(APP)  ## synthesise demo/samples again (needs flite and espeak-ng)
	$(PY) scripts/make_samples.py

lock: $(PY)  ## resolve requirements.txt again from pyproject.toml
	$(PIP) --quiet uv
	$(PY) -m uv pip compile pyproject.toml --universal --python-version 3.11 --all-extras --fork-strategy fewest \
		--no-emit-index-url --no-emit-find-links --upgrade --quiet --custom-compile-command "make lock" -o requirements.txt

clean:  ## remove the environment and caches
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(PY):
	@$(PYTHON) -c '$(FITS)' || \
		{ echo "Python 3.11, 3.12 or 3.13 is needed, found $$($(PYTHON) --version 2>&1 | head -n 1): try make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
		{ rm -rf $(VENV); echo "no virtual environment could be made; on Debian and Ubuntu: sudo apt-get install python3-venv"; exit 1; }

# The app's part of pyproject.toml, at the versions of the lock. A stamp makes the second start immediate.
$(APP): pyproject.toml requirements.txt | $(PY)
	@echo "Setting up $(VENV): a few minutes, once."
	@$(PY) -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["dependencies"], sep="\n")' > $(VENV)/app.txt
	$(PIP) --quiet --requirement $(VENV)/app.txt --constraint requirements.txt
	@touch $@

# Everything: app, training, tests.
$(ALL): requirements.txt | $(PY)
	@echo "Setting up $(VENV) with training and tests (about 2.5 GB): a few minutes, once."
	$(PIP) --quiet --requirement requirements.txt
	@touch $@ $(APP)
