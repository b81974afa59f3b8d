#!/usr/bin/env bash
# Builds for release and runs the measurements of docs/performance.md, which
# start what they need: the service, and a throwaway PostgreSQL cluster that ends
# with them. Arguments go to the bench program (`--help` lists them); the report
# is target/bench/report.json and report.md.
#
# TEST_POSTGRES_URL, if set, is a server of your own to measure instead; the
# databases made on it are left there.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$ROOT"

TEST_POSTGRES_BIN=$(scripts/install-postgres.sh)
export TEST_POSTGRES_BIN
log "building for release"
cargo build --release --quiet --package ledger-service --package e2e-tests --bins
export E2E_BINARIES=$TARGET/release
exec "$TARGET/release/bench" "$@"
