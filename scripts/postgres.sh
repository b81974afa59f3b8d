#!/usr/bin/env bash
# A throwaway PostgreSQL cluster for tests and benchmarks.
#
#   scripts/postgres.sh start DIR    makes and starts one in DIR (new or empty),
#                                    prints its URL
#   scripts/postgres.sh stop DIR     stops it and removes DIR
#
# It listens on a free port of 127.0.0.1 and on a socket inside DIR, trusts
# whoever connects, and keeps PostgreSQL's safe durability defaults. PostgreSQL
# refuses to run as root: then it runs as the user `postgres`, and DIR must be
# where that user may go (a directory under /tmp, not under /root).
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

usage() { die "usage: scripts/postgres.sh start DIR | stop DIR"; }

# Who runs the server: us, or somebody less powerful.
server_user() {
    if [ "$(id -u)" -ne 0 ]; then
        id -un
    elif id postgres >/dev/null 2>&1; then
        printf 'postgres\n'
    else
        printf 'nobody\n'
    fi
}

# Runs a server program as that user.
as_server_user() {
    local user
    user=$(server_user)
    if [ "$(id -u)" -ne 0 ]; then
        "$@"
    elif have runuser; then
        runuser -u "$user" -- "$@"
    elif have setpriv; then
        setpriv --reuid "$user" --regid "$(id -g "$user")" --clear-groups -- "$@"
    else
        local command
        command=$(printf '%q ' "$@")
        su -s /bin/sh -c "$command" "$user"
    fi
}

absolute() {
    case $1 in /*) printf '%s\n' "$1" ;; *) printf '%s/%s\n' "$PWD" "$1" ;; esac
}

start() {
    local dir=$1 bin port attempt
    bin=$("$ROOT/scripts/install-postgres.sh")
    mkdir -p "$dir"
    [ -z "$(ls -A "$dir")" ] || die "$dir is not empty: choose a new directory for a throwaway cluster"
    mkdir "$dir/socket"
    : >"$dir/throwaway"
    if [ "$(id -u)" -eq 0 ]; then chown -R "$(server_user)" "$dir"; fi
    # The server's user may not enter our directory.
    cd /
    as_server_user test -w "$dir" ||
        die "the user $(server_user), who has to run PostgreSQL, cannot write to $dir: choose a directory under ${TMPDIR:-/tmp}"
    as_server_user "$bin/initdb" -D "$dir/data" --auth=trust -U postgres --no-locale -E UTF8 \
        >"$dir/initdb.log" 2>&1 || {
        cat "$dir/initdb.log" >&2
        die "initdb failed"
    }
    as_server_user tee -a "$dir/data/postgresql.conf" >/dev/null <<CONF
listen_addresses = '127.0.0.1'
unix_socket_directories = '$dir/socket'
max_connections = 200
CONF
    for attempt in 1 2 3 4 5 6 7 8 9 10; do
        # Below the range from which systems give out ports of their own.
        port=$((20000 + RANDOM % 12000))
        if port_taken 127.0.0.1 "$port"; then continue; fi
        if as_server_user "$bin/pg_ctl" -D "$dir/data" -o "-p $port" -l "$dir/server.log" \
            -w -t 60 start >/dev/null 2>&1; then
            printf 'postgres://postgres@127.0.0.1:%s/postgres\n' "$port"
            return 0
        fi
        grep -q 'could not bind\|already in use' "$dir/server.log" || break
        log "port $port was taken, trying another ($attempt)"
    done
    cat "$dir/server.log" >&2 || true
    die "PostgreSQL did not start; its log is above"
}

stop() {
    local dir=$1 bin pid
    [ -e "$dir" ] || return 0
    [ -e "$dir/throwaway" ] || die "$dir was not made by this script: not touching it"
    cd /
    if [ -e "$dir/data/postmaster.pid" ]; then
        bin=$("$ROOT/scripts/install-postgres.sh")
        pid=$(head -n 1 "$dir/data/postmaster.pid")
        as_server_user "$bin/pg_ctl" -D "$dir/data" -m immediate -w -t 20 stop >/dev/null 2>&1 ||
            kill -9 "$pid" 2>/dev/null || true
    fi
    rm -rf "$dir"
}

[ "$#" -eq 2 ] || usage
case $1 in
    start) start "$(absolute "$2")" ;;
    stop) stop "$(absolute "$2")" ;;
    *) usage ;;
esac
