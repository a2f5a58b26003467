# make demo   set everything up and reconstruct the kettle
# make test   set everything up and run what CI runs
# make help   the other targets
#
# Variables: PYTHON=python3.12   the Python that .venv is made from
#            TORCH="torch==2.13.0 --index-url https://download.pytorch.org/whl/cpu"
#                                 another torch than the pinned one: anything pip understands;
#                                 .venv remembers it
#            PYTEST_ARGS="-k camera"   for fast-tests and test-all
#            WORKERS=0           tests one after the other; auto: a process per core, eight at most

PYTHON ?= python3
TORCH ?= $(shell cat .venv/.torch 2>/dev/null || grep '^torch==' requirements.lock)
PYTEST_ARGS ?=
WORKERS ?= auto
CONFIG ?= configs/kettle.yaml
OUT ?= build/gpu-check

SHELL := /bin/sh
PY := .venv/bin/python
PYTEST := $(PY) -m pytest
# A file's tests stay together: they share what the file builds once.
AT_ONCE := -n $(WORKERS) --maxprocesses 8 --dist loadfile
NATIVE := CMakeLists.txt $(shell find csrc -type f)

# Another project's paths have no business in this environment.
unexport PYTHONPATH PYTHONHOME
export PIP_DISABLE_PIP_VERSION_CHECK = 1
# Warnings stop CI, not a user with another compiler.
export SKBUILD_CMAKE_DEFINE = LRAST_WERROR=$(if $(CI),ON,OFF)

.PHONY: help setup build demo test test-all lint format types layers fast-tests wheel-test cuda-check gpu-check docs lock clean
.DELETE_ON_ERROR:

help:
	@echo 'make demo        set up, then reconstruct the kettle (CONFIG=configs/....yaml for another)'
	@echo 'make test        set up, then everything CI runs: lint, types, layers, tests, wheel, CUDA compile'
	@echo 'make test-all    the same with the slow tests'
	@echo 'make fast-tests  the tests alone; some of them: PYTEST_ARGS="-k camera"'
	@echo 'make setup       .venv with the pinned packages and the compiled libraries'
	@echo 'make format      format and fix the Python files'
	@echo 'make docs        the API reference from the docstrings, build/api/index.html'
	@echo 'make wheel-test  build the wheel, install it elsewhere, try it from another folder'
	@echo 'make cuda-check  compile the CUDA kernels for every architecture, list registers and spills'
	@echo 'make gpu-check   on a machine with a GPU: build, CUDA tests, times, sanitizers (PYTHON=, WHEELS=folder, OUT=folder, MINUTES=)'
	@echo '                 ONLY="PART ..." of packages configure build tests operators training peers memcheck racecheck synccheck initcheck'
	@echo '                 PRETEND=1 without a GPU: tries what can run on the CPU'
	@echo 'make lock        renew requirements.lock (needs uv)'
	@echo 'make clean       remove what was built; .venv and logs stay'

setup: build

demo: setup
	$(PY) train.py --config $(CONFIG)

test: lint types layers fast-tests wheel-test cuda-check
	@echo 'make test: all checks passed'

test-all: lint types layers wheel-test cuda-check
	$(PYTEST) $(AT_ONCE) --ignore=tests/packaging $(PYTEST_ARGS)

lint: build
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .

format: build
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

types: build
	$(PY) -m basedpyright --pythonpath $(PY)

layers: build
	$(PY) -c 'from importlinter.cli import lint_imports_command; lint_imports_command()'

fast-tests: build
	$(PYTEST) $(AT_ONCE) -m "not slow" $(PYTEST_ARGS)

wheel-test: build
	$(PYTEST) -m "slow or not slow" tests/packaging

cuda-check: build
	$(PY) tests/packaging/cuda_check.py

# Needs no .venv: the Python that has torch for this GPU is the one to check.
gpu-check:
	$(if $(filter file,$(origin PYTHON)),$(firstword $(wildcard $(PY)) $(PYTHON)),$(PYTHON)) benchmarks/gpu_check.py \
	  --out $(OUT) $(if $(WHEELS),--wheels $(WHEELS)) $(if $(ONLY),--only $(ONLY)) \
	  $(if $(MINUTES),--minutes $(MINUTES)) $(if $(PRETEND),--pretend)

docs: build
	$(PY) docs/make_api.py

clean:
	rm -rf build dist lightning_rast/_core.* lightning_rast/_cuda.*

# --- .venv: made once, offline afterwards ------------------------------------------------------

# Rewritten only when its text changes: a moved folder, another compiler or torch, a toolkit that
# has come or gone since.
.venv/.choices: FORCE
	@mkdir -p .venv
	@$(if $(filter file,$(origin TORCH)),,printf '%s\n' "$(TORCH)" > .venv/.torch)
	@printf '%s\n' "$(CURDIR)" "$(TORCH)" "CXX=$(if $(filter default,$(origin CXX)),,$(CXX))" "CI=$(CI)" \
	  "nvcc=$$(command -v "$${CUDACXX:-nvcc}" || ls /usr/local/cuda/bin/nvcc 2>/dev/null)" > $@.new
	@if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi

# An editable installation lists the Python files by name, so it is renewed when one comes or goes.
.venv/.modules: FORCE
	@mkdir -p .venv
	@find lightning_rast -name '*.py' | sort > $@.new
	@if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi
FORCE:

# CXX where somebody set it; make's own default is g++, installed or not.
COMPILERS := $(if $(filter default,$(origin CXX)),c++ g++ clang++,$(CXX))
define CHECK_COMPILER
for name in $(COMPILERS); do \
  echo 'int main() { if constexpr (true) return 0; }' | $$name -std=c++17 -fsyntax-only -x c++ - 2>/dev/null && found=1; \
done; \
test -n "$$found" || { echo 'setup: no C++17 compiler ($(COMPILERS)) found: install one (Debian, Ubuntu: apt install g++; macOS: xcode-select --install)' >&2; exit 1; }
endef

.venv/.packages: requirements.lock .venv/.choices
	@command -v "$(PYTHON)" >/dev/null 2>&1 || \
	  { echo 'setup: $(PYTHON) not found: install Python 3.10 or newer, or name one: make PYTHON=...' >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
	  { echo "setup: $(PYTHON) is $$("$(PYTHON)" -V 2>&1): Python 3.10 or newer is needed, name one: make PYTHON=..." >&2; exit 1; }
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo 'setup: $(PYTHON) cannot make virtual environments: install its venv module (Debian, Ubuntu: apt install python3-venv)' >&2; exit 1; }
	@$(CHECK_COMPILER)
	@$(PY) -m pip --version >/dev/null 2>&1 || "$(PYTHON)" -m venv .venv
	@grep -v '^torch==' requirements.lock > .venv/requirements.txt
	@echo 'setup: installing the pinned packages into .venv (one to three minutes), then come the compiled libraries (one to five, CUDA where nvcc is)'
	$(PY) -m pip install --quiet 'pip>=22.3'
	$(PY) -m pip install --quiet --no-deps -r .venv/requirements.txt
	$(PY) -m pip install $(TORCH)
	@touch $@

# The build needs no network and never sees torch.
.venv/.built: .venv/.packages .venv/.modules pyproject.toml $(NATIVE) $(if $(wildcard lightning_rast/_core.*),,FORCE)
	@$(CHECK_COMPILER)
	@echo 'setup: building the compiled libraries'
	@if test .venv/.choices -nt $@; then rm -rf build/editable; fi
	$(PY) -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

build: .venv/.built

# --- maintenance -------------------------------------------------------------------------------

# Without torch's own list of CUDA packages, which only pip on the target machine can choose.
define UV_TOML
[[dependency-metadata]]
name = "torch"
version = "2.13.0"
requires-dist = ["filelock", "fsspec", "jinja2", "networkx", "setuptools", "sympy", "typing-extensions"]
endef
export UV_TOML

lock:
	@command -v uv >/dev/null 2>&1 || { echo 'lock: uv not found: pip install uv' >&2; exit 1; }
	@mkdir -p build
	@printf '%s\n' "$$UV_TOML" > build/uv.toml
	@echo 'torch==2.13.0' > build/torch.txt
	uv --config-file build/uv.toml pip compile --quiet --universal --no-python-downloads --python-version 3.10 \
	  --extra dev --no-annotate --custom-compile-command 'make lock' \
	  --constraint build/torch.txt --output-file requirements.lock $(UV_ARGS) pyproject.toml
