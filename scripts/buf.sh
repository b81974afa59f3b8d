#!/usr/bin/env bash
# Runs buf, in the version pinned here, with the arguments given. It comes from
# its npm package, into target/tools; Node.js is installed if there is none.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

version=1.75.0
directory=$TARGET/tools/buf-$version
buf=$directory/node_modules/.bin/buf

if [ ! -x "$buf" ]; then
    if ! have node || ! have npm; then
        with_retries install_packages apt-get:nodejs apt-get:npm dnf:nodejs dnf:npm apk:nodejs apk:npm \
            pacman:nodejs pacman:npm brew:node ||
            die "buf needs Node.js with npm; install them and run this again"
    fi
    log "installing buf $version into target/tools"
    mkdir -p "$directory"
    with_retries npm install --prefix "$directory" --no-save --no-package-lock --no-audit --no-fund \
        --loglevel=error "@bufbuild/buf@$version" >&2 ||
        die "npm could not install @bufbuild/buf@$version; check the network and run this again"
fi
cd "$ROOT"
exec "$buf" "$@"
