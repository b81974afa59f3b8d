#!/usr/bin/env bash
# Finds PostgreSQL's server programs (14 or newer), installs them if there are
# none, and prints the directory they are in.
#
# Only programs are wanted: nothing is started, and on Debian the package is
# told not to make its own cluster.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

version_min=14

# Succeeds if directory $1 holds what a throwaway cluster needs.
usable() {
    local program version
    for program in initdb pg_ctl postgres; do
        [ -x "$1/$program" ] || return 1
    done
    version=$("$1/postgres" --version | sed -E 's/[^0-9]*([0-9]+).*/\1/')
    [ "$version" -ge "$version_min" ]
}

# Prints candidate directories, the best first.
candidates() {
    if [ -n "${TEST_POSTGRES_BIN:-}" ]; then printf '%s\n' "$TEST_POSTGRES_BIN"; fi
    if have initdb; then
        # Distributions link single programs into PATH: follow the link.
        dirname "$(readlink -f "$(command -v initdb)")"
        dirname "$(command -v initdb)"
    fi
    local directory
    for directory in /usr/lib/postgresql/*/bin /usr/pgsql-*/bin /usr/lib/postgresql*/bin \
        /usr/libexec/postgresql* /opt/homebrew/opt/postgresql*/bin \
        /usr/local/opt/postgresql*/bin; do
        if [ -d "$directory" ]; then printf '%s\n' "$directory"; fi
    done | sort -rV
}

find_bin() {
    local directory
    while IFS= read -r directory; do
        if usable "$directory"; then
            printf '%s\n' "$directory"
            return 0
        fi
    done < <(candidates)
    return 1
}

if find_bin; then exit 0; fi

log "no PostgreSQL server $version_min or newer found"
if [ "$(package_manager || true)" = apt-get ] && [ ! -e /etc/postgresql-common/createcluster.conf ]; then
    as_root mkdir -p /etc/postgresql-common
    printf '%s\n' '# Written by install-postgres.sh before the package: programs only, no cluster.' \
        'create_main_cluster = false' |
        as_root tee /etc/postgresql-common/createcluster.conf >/dev/null
fi
with_retries install_packages apt-get:postgresql dnf:postgresql-server apk:postgresql \
    pacman:postgresql brew:postgresql@17 ||
    die "could not install PostgreSQL; install its server ($version_min or newer) yourself, or set TEST_POSTGRES_BIN to the directory of initdb"
find_bin || die "PostgreSQL was installed, but no server $version_min or newer is where it should be; set TEST_POSTGRES_BIN to the directory of initdb"
