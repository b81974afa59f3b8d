#!/usr/bin/env bash
# Compares proto/ with what was published before, and fails on changes that
# break clients.
#
#   scripts/buf-breaking.sh [BRANCH-OR-TAG]     origin/main if none is given
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$ROOT"

against=${1:-origin/main}
if ! git rev-parse --verify --quiet "$against^{commit}" >/dev/null; then
    if [ "$#" -gt 0 ]; then die "no branch or tag is called $against here (git fetch?)"; fi
    log "buf breaking: nothing to compare with ($against does not exist)"
    exit 0
fi
if ! git cat-file -e "$against:buf.yaml" 2>/dev/null; then
    log "buf breaking: nothing to compare with ($against has no protobuf files)"
    exit 0
fi
old=$(mktemp -d)
trap 'rm -rf "$old"' EXIT
git archive "$against" -- buf.yaml proto | tar -x -C "$old"
log "buf breaking: against $against"
scripts/buf.sh breaking . --against "$old"
