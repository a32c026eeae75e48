# make demo   a simulated person, the shipped model, the dashboard (headless without a screen)
# make test   all tests
# Both make .venv first. PYTHON=/path/to/python chooses the interpreter (3.11 or newer).

ifeq ($(OS),Windows_NT)
BIN := .venv/Scripts
else
BIN := .venv/bin
endif

READY := .venv/ready
SUITABLE := import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))
# What the dashboard can draw on: Windows and macOS always have a screen.
SCREEN := $(DISPLAY)$(WAYLAND_DISPLAY)$(filter Windows_NT,$(OS))$(filter Darwin,$(shell uname -s))

.PHONY: demo test lint wheel clean

demo: $(READY)
ifeq ($(strip $(SCREEN)),)
	@echo "No screen here: 45 seconds without the dashboard." >&2
	@$(BIN)/affectstream demo --headless --seconds 45 --json
else
	$(BIN)/affectstream demo
endif

test: $(READY)
	QT_QPA_PLATFORM=$${QT_QPA_PLATFORM:-offscreen} $(BIN)/python -m pytest -n 2 --dist loadfile

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

wheel: $(READY)
	$(BIN)/python -m build --wheel

clean:
	rm -rf .venv build dist

$(READY): pyproject.toml constraints.txt
	@for python in $(if $(PYTHON),"$(PYTHON)",python3 python3.13 python3.12 python3.11 python); do \
	    if "$$python" -c "$(SUITABLE)" >/dev/null 2>&1; then \
	        found=$$python; break; \
	    fi; \
	done; \
	if [ -z "$$found" ]; then \
	    echo "make: found no Python 3.11 or newer with the venv module" \
	        "$(if $(PYTHON),at PYTHON=$(PYTHON),here): install one, or name it: make $(MAKECMDGOALS) PYTHON=/path/to/python" >&2; \
	    exit 1; \
	fi; \
	if ! $(BIN)/python -c "$(SUITABLE)" >/dev/null 2>&1; then \
	    "$$found" -m venv --clear .venv; \
	fi
	@echo "Installing into .venv: minutes, the first time." >&2
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	@touch $@
