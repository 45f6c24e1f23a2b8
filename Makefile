# make demo    lift the shipped clip: out/motion.npz, out/motion.bvh, out/overlay.mp4
# make test    run the tests
# make lint    check the style
# make docs    build the documentation: site/
# make dist-check PYTHONS="python3.10 python3.12"
#              build wheel and sdist, and lift the shipped clip with them in an empty environment of each Python
# make mmpose  set up mmpose in an environment of its own, for --keypoints vitpose-mmpose
#
# Each sets up .venv from nothing. On Linux, PyPI's torch brings CUDA (gigabytes); for the small CPU build:
#   make demo TORCH_INDEX=https://download.pytorch.org/whl/cpu

PYTHON ?= python3
VENV ?= .venv
TORCH_INDEX ?=
PYTHONS ?= $(PYTHON)

BIN := $(VENV)/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
PIP := $(BIN)/python -m pip --disable-pip-version-check
OPENCV := $(shell sed -n 's/^opencv-contrib-python==//p' constraints.txt)
INDEX := $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX))

.PHONY: demo test lint docs dist-check mmpose clean

demo: $(VENV)/installed
	$(BIN)/anylift run examples/demo.mp4 --out out/motion.npz --overlay out/overlay.mp4

test: $(VENV)/installed
	$(BIN)/python -m pytest -m alone
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "not alone" --numprocesses logical --dist loadfile

lint: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

docs: $(VENV)/docs-installed
	$(BIN)/python -m mkdocs build --strict

dist-check: $(VENV)/installed
	$(BIN)/python .ci/dist_check.py $(PYTHONS)

$(VENV)/docs-installed: $(VENV)/installed
	$(PIP) install --quiet --constraint constraints.txt --editable '.[docs]'
	touch $@

mmpose: $(VENV)/installed
	PYTHON=$(BIN)/python third_party/vitpose-mmpose/setup.sh

# mediapipe asks for the OpenCV build with windows, which needs libGL from the system; the headless build of the same
# version has the same modules and needs nothing.
$(VENV)/installed: setup.cfg pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet $(INDEX) --constraint constraints.txt --editable '.[dev]'
	$(PIP) uninstall --quiet --yes opencv-contrib-python
	$(PIP) install --quiet --no-deps --force-reinstall opencv-contrib-python-headless==$(OPENCV)
	touch $@

clean:
	rm -rf $(VENV) out build dist anylift_cli.egg-info
