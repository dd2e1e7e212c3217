# make demo   set up, then masks on the bundled photograph
# make test   set up, then all tests
# make test-cluster   set up with Ray, then the tests that need it
# make lint   ruff and mypy
# make torture   break things on purpose; SEED and SHARE say which and how often
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

SEED ?= 0
SHARE ?= 1

.PHONY: demo test test-cluster torture lint format clean
.DELETE_ON_ERROR:

# The stamps make the virtual environment be reused until a list of packages changes.
$(VENV)/run.stamp: requirements.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

$(VENV)/dev.stamp: $(VENV)/run.stamp
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@

$(VENV)/cluster.stamp: $(VENV)/dev.stamp
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[bucket,cluster]'
	touch $@

demo: $(VENV)/run.stamp
	$(BIN)/ifcn-tf propose savedmodels/sample/coffee.jpg --output=demo_output
	@echo "picture: demo_output/overlays/coffee.png"
	@echo "your own photographs: $(BIN)/ifcn-tf propose FOLDER"

test: $(VENV)/dev.stamp
	$(BIN)/python -m pytest --numprocesses=2 --dist=loadfile

test-cluster: $(VENV)/cluster.stamp
	$(BIN)/python -m pytest tests/cluster

torture: $(VENV)/dev.stamp
	TF_CPP_MIN_LOG_LEVEL=3 $(BIN)/python -m tests.torture --seed=$(SEED) --share=$(SHARE)

lint: $(VENV)/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/dev.stamp
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) demo_output
