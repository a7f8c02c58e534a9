# Everything a person does here. On a bare Debian 12: pip install rust-just && just up

set shell := ["bash", "-euo", "pipefail", "-c"]
set positional-arguments

# Where pip puts programs when it may not write to the system's folders.
export PATH := env("PATH") + ":" + env("HOME", "/root") + "/.local/bin"

# List the commands
[private]
default:
    @{{ quote(just_executable()) }} --list --unsorted

# Set up what is missing, start everything, print the address
up *options: setup
    @exec uv run --no-sync fastflow up "$@"

# Install what is missing: uv, the locked environment, a container engine, the worker image
setup: _uv
    @uv sync --locked --all-extras --quiet
    @uv run --no-sync fastflow setup

# Set up what is missing and run the tests; options go to pytest (just test -m "not browser")
test *options: setup _chromium
    @uv run --no-sync pytest "$@"

# All that has to hold before a change is done; CI runs exactly this
check: test lint types layers

# Style: formatting and ruff's rules
lint: _uv
    @uv run --locked --all-extras --quiet ruff format --check --quiet
    @uv run --no-sync ruff check --quiet

# Types: mypy, strict
types: _uv
    @uv run --locked --all-extras --quiet mypy

# Imports point down; each outside library has one door
layers: _uv
    @uv run --locked --all-extras --quiet lint-imports

# Mend what ruff can mend
fix: _uv
    @uv run --locked --all-extras --quiet ruff check --fix
    @uv run --no-sync ruff format

# Measure the figures in ARCHITECTURE.md, one JSON line each
bench *options: setup
    @uv run --no-sync python -m bench "$@"

# pip may be told to leave Debian's own Python alone (PEP 668); on such a machine uv is the one exception.
_uv:
    @command -v uv >/dev/null \
        || python3 -m pip install --quiet --root-user-action=ignore uv 2>/dev/null \
        || python3 -m pip install --quiet --root-user-action=ignore --break-system-packages uv
    @command -v uv >/dev/null || ! command -v pyenv >/dev/null || pyenv rehash
    @command -v uv >/dev/null \
        || { echo "uv is installed, but its folder is not on the PATH (see: python3 -m pip show -f uv)" >&2; exit 1; }

_chromium:
    @if command -v chromium >/dev/null; then exit; fi; \
    if [ "$(id -u)" = 0 ] && grep -qs debian /etc/os-release && command -v apt-get >/dev/null; then \
        echo "Installing Chromium for the browser tests ..."; \
        export DEBIAN_FRONTEND=noninteractive; \
        apt-get update -qq -o DPkg::Lock::Timeout=120 >/dev/null; \
        apt-get install -qq -y --no-install-recommends -o DPkg::Lock::Timeout=120 chromium >/dev/null; \
    else \
        echo "The browser tests need Chromium: install it (on Debian: sudo apt-get install chromium)" >&2; \
    fi
