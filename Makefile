# Two commands: `make run` (the lectures and their scoreboard) and `make test` (everything that must hold).
# They need only a Python from 3.11 to 3.13; everything else goes into .venv.

SUITS := -c "import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))"
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python; do \
	$$p $(SUITS) 2>/dev/null && echo $$p && break; done)
VENV := .venv
PY := $(VENV)/bin/python
DEPS := pyproject.toml constraints.txt
# a process a core and a thread a process: together they do more than one process with all threads
PARALLEL := OMP_NUM_THREADS=1 $(PY) -m pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder
NOTEBOOKS := $(sort $(wildcard lectures/*.ipynb)) $(sort $(wildcard seminars/*.ipynb))

.PHONY: run test lab bench publish zip clean
.DELETE_ON_ERROR:

run: $(VENV)/installed
	$(PY) -m course_lib.run

test: $(VENV)/installed-test
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PARALLEL) --nbval --nbval-current-env --nbval-cell-timeout=300 \
		--nbval-sanitize-with tests/nbval_sanitize.cfg tests $(NOTEBOOKS)

lab: $(VENV)/installed
	$(PY) -m jupyter lab

bench: $(VENV)/installed-test
	$(PY) -m tests.benchmarks

publish: $(VENV)/installed
	$(PY) -m course_lib.notebooks publish "$(REPO)"

# for Colab before the course is published: what is committed, as one file that pip can install
zip:
	git archive --prefix=course/ --output=course.zip HEAD

clean:
	rm -rf build

# The stamps: nothing is installed again until the dependencies change. The test set contains the running set.
$(VENV)/installed-test: EXTRA := [test]
$(VENV)/installed $(VENV)/installed-test: $(DEPS)
	@test -n "$(PYTHON)" || { echo "no Python from 3.11 to 3.13 found: make PYTHON=/path/to/python"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --disable-pip-version-check -c constraints.txt -e ".$(EXTRA)"
	@touch $(VENV)/installed $@
