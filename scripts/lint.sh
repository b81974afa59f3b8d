#!/usr/bin/env bash
# Everything that is checked without running the program. Stops at the first
# kind of check that fails, the quickest first.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$ROOT"

log "shell scripts"
for script in scripts/*.sh .ci/run; do
    bash -n "$script"
done
if have shellcheck; then shellcheck -x scripts/*.sh .ci/run; fi

log "cargo fmt"
cargo fmt --all --check || die "run: cargo fmt --all"

log "buf lint"
scripts/buf.sh lint
scripts/buf-breaking.sh

log "cargo clippy"
cargo clippy --workspace --all-targets --quiet -- -D warnings

log "cargo doc"
RUSTDOCFLAGS="${RUSTDOCFLAGS:-} -D warnings" cargo doc --workspace --no-deps --quiet

if have cargo-deny; then
    log "cargo deny"
    cargo deny --log-level error check bans licenses sources
fi
log "lint passed"
