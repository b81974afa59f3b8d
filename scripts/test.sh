#!/usr/bin/env bash
# Runs all tests, on SQLite and on a throwaway PostgreSQL cluster that ends with
# them. Arguments go to `cargo nextest run`, or `cargo test` if there is no
# nextest; with arguments the documentation's tests are left out.
#
# The tests find what is made here through
#   TEST_POSTGRES_URL   the cluster; set it yourself to use a server of your own
#                       (a superuser's URL; databases made on it are left there)
#   TEST_POSTGRES_BIN   PostgreSQL's programs, for tests that kill a server
#   E2E_BINARIES        the binaries under test, already built
#   E2E_PYTHON, E2E_PYTHON_STUBS   for docs/examples
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$ROOT"

cluster=
cleanup() {
    local status=$?
    trap - EXIT
    if [ -n "$cluster" ]; then scripts/postgres.sh stop "$cluster" || true; fi
    exit "$status"
}
trap cleanup EXIT
# cargo gets the signal too, being in the same process group or the one that a
# terminal signals; wait for it, then clean up.
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# Tests that send signals and look at processes use these.
if ! have ps || ! [ -x "$(type -P kill)" ]; then
    install_packages apt-get:procps dnf:procps-ng apk:procps pacman:procps-ng ||
        die "the tests need the programs ps and kill (procps)"
fi
TEST_POSTGRES_BIN=$(scripts/install-postgres.sh)
export TEST_POSTGRES_BIN
E2E_PYTHON=$(scripts/python.sh)
export E2E_PYTHON E2E_PYTHON_STUBS=$TARGET/python-stubs

log "building"
cargo build --workspace --bins --quiet
export E2E_BINARIES=$TARGET/debug

if [ -z "${TEST_POSTGRES_URL:-}" ]; then
    cluster=$(mktemp -d "${TMPDIR:-/tmp}/ledger-pg.XXXXXX")
    TEST_POSTGRES_URL=$(scripts/postgres.sh start "$cluster")
    export TEST_POSTGRES_URL
    log "PostgreSQL for these tests: $TEST_POSTGRES_URL"
fi

if cargo nextest --version >/dev/null 2>&1; then
    cargo nextest run --workspace "$@"
else
    log "cargo-nextest is not installed: using cargo test"
    cargo test --workspace --lib --bins --tests --no-fail-fast "$@"
fi
if [ "$#" -eq 0 ]; then
    log "tests in the documentation"
    cargo test --workspace --doc --quiet
fi
