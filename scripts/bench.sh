#!/usr/bin/env bash
# Builds for release and runs the measurements of docs/performance.md, which
# start what they need. Arguments go to the bench program (`--help` lists them);
# the report is target/bench/report.json.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$ROOT"

TEST_POSTGRES_BIN=$(scripts/install-postgres.sh)
export TEST_POSTGRES_BIN
log "building for release"
cargo build --workspace --bins --release --quiet
export E2E_BINARIES=$TARGET/release
exec "$TARGET/release/bench" "$@"
