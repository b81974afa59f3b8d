#!/usr/bin/env bash
# Makes what docs/examples/internal_service.py needs: a virtual environment in
# target/python-venv with docs/examples/requirements.txt, and stubs of
# proto/ledger/v1 in target/python-stubs. Does nothing if both are up to date;
# `--again` makes the stubs in any case. Prints the environment's interpreter.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$ROOT"

requirements=docs/examples/requirements.txt
venv=$TARGET/python-venv
stubs=$TARGET/python-stubs
python=$venv/bin/python

if [ "$(cat "$venv/made-from" 2>/dev/null || true)" != "$(digest_of "$requirements")" ]; then
    if ! python3 -c 'import ensurepip, sys, venv; assert sys.version_info >= (3, 9)' 2>/dev/null; then
        with_retries install_packages apt-get:python3 apt-get:python3-venv dnf:python3 dnf:python3-pip \
            apk:python3 apk:py3-pip pacman:python brew:python3 ||
            die "install Python 3.9 or newer with its venv module and run this again"
    fi
    log "making a Python environment in ${venv#"$ROOT"/}"
    rm -rf "$venv"
    mkdir -p "$TARGET"
    python3 -m venv "$venv"
    with_retries "$python" -m pip install --quiet --disable-pip-version-check --requirement "$requirements" >&2 ||
        die "pip could not install $requirements; check the network and run this again"
    digest_of "$requirements" >"$venv/made-from"
fi

made_from=$(digest_of "$requirements" proto/ledger/v1/*.proto)
if [ "${1:-}" = --again ] || [ "$(cat "$stubs/made-from" 2>/dev/null || true)" != "$made_from" ]; then
    log "making Python stubs in ${stubs#"$ROOT"/}"
    rm -rf "$stubs"
    mkdir -p "$stubs"
    # google/rpc comes from the package googleapis-common-protos.
    "$python" -m grpc_tools.protoc -I proto --python_out="$stubs" --grpc_python_out="$stubs" \
        proto/ledger/v1/*.proto
    printf '%s\n' "$made_from" >"$stubs/made-from"
fi
printf '%s\n' "$python"
