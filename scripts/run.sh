#!/usr/bin/env bash
# Builds and starts the ledger and the gateway on SQLite, with their data in
# ./run, and prints a charge to paste. Ctrl-C stops both.
#
# Any variable of either program can be set; these have defaults here:
#   LEDGER_DATABASE_URL   a file in RUN_DATA (or DATABASE_URL, if set)
#   LEDGER_CATALOG        ledger-service/catalogs/media-lab.toml
#   LEDGER_GRPC_ADDR      127.0.0.1:50051
#   LEDGER_HTTP_ADDR      127.0.0.1:8080
#   GATEWAY_DATABASE_URL  a file in RUN_DATA
#   GATEWAY_HTTP_ADDR     127.0.0.1:8081
#   LEDGER_BOOK           media-lab
# And of this script's own:
#   RUN_DATA              ./run; where the data are
#   RUN_BINARIES          a directory with both programs; then nothing is built
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$ROOT"

RUN_DATA=${RUN_DATA:-./run}
RUN_BINARIES=${RUN_BINARIES:-}
# Behind three slashes an absolute path makes the fourth itself.
export LEDGER_DATABASE_URL=${LEDGER_DATABASE_URL:-${DATABASE_URL:-sqlite:///$RUN_DATA/ledger.db}}
export LEDGER_CATALOG=${LEDGER_CATALOG:-ledger-service/catalogs/media-lab.toml}
export LEDGER_GRPC_ADDR=${LEDGER_GRPC_ADDR:-127.0.0.1:50051}
export LEDGER_HTTP_ADDR=${LEDGER_HTTP_ADDR:-127.0.0.1:8080}
export GATEWAY_DATABASE_URL=${GATEWAY_DATABASE_URL:-sqlite:///$RUN_DATA/gateway.db}
export GATEWAY_HTTP_ADDR=${GATEWAY_HTTP_ADDR:-127.0.0.1:8081}
export LEDGER_BOOK=${LEDGER_BOOK:-media-lab}

ready_seconds=60
stop_seconds=30
ledger=
gateway=
pipes=

# Whether process $1 runs.
alive() { [ -n "$1" ] && kill -0 "$1" 2>/dev/null; }

# Asks process $1, called $2, to stop, and waits until it has.
stop_one() {
    local waited=0
    alive "$1" || return 0
    kill -TERM "$1" 2>/dev/null || return 0
    while alive "$1"; do
        if [ "$waited" -ge $((stop_seconds * 10)) ]; then
            warn "$2 did not stop within $stop_seconds s: killing it"
            kill -9 "$1" 2>/dev/null || true
            break
        fi
        sleep 0.1
        waited=$((waited + 1))
    done
}

# The gateway first: it calls the ledger.
stop_all() {
    stop_one "$gateway" bot-gateway
    stop_one "$ledger" ledger-service
    if [ -n "$pipes" ]; then rm -rf "$pipes"; fi
}

fail() {
    trap - INT TERM HUP EXIT
    stop_all
    die "$@"
}

finish() {
    trap '' INT TERM HUP
    trap - EXIT
    printf '\n' >&2
    log "stopping"
    stop_all
    log "stopped"
    exit 0
}

check_free() {
    local address=$1 variable=$2 host=${1%:*} port=${1##*:}
    [ "$port" = 0 ] && return 0
    host=${host#[}
    host=${host%]}
    if port_taken "$host" "$port"; then
        die "$address is taken by another program. Stop it, or choose another address, e.g.: $variable=$host:$((port + 1000)) make run"
    fi
}

# Starts a program, puts its process id into VARIABLE, and waits for its ready
# line, which goes to $ready (empty if it did not come).
#   launch VARIABLE NAME COMMAND…
launch() {
    local variable=$1 name=$2
    shift 2
    mkfifo "$pipes/$name"
    # In a process group of its own: Ctrl-C reaches this script alone, which
    # stops the programs in order.
    set -m
    "$@" >"$pipes/$name" </dev/null &
    printf -v "$variable" '%s' "$!"
    set +m
    exec 3<"$pipes/$name"
    ready=
    local line
    while IFS= read -r -t "$ready_seconds" line <&3; do
        case $line in
            "$name ready "*)
                ready=$line
                break
                ;;
            *) printf '%s\n' "$line" ;;
        esac
    done
    # Whatever else it prints is shown.
    cat <&3 &
    exec 3<&-
}

# Prints the address called $1 in ready line $2.
address_in() { printf '%s\n' "$2" | tr ' ' '\n' | sed -n "s/^$1=//p"; }

fresh_uuid() {
    if [ -r /proc/sys/kernel/random/uuid ]; then
        cat /proc/sys/kernel/random/uuid
    else
        uuidgen | tr '[:upper:]' '[:lower:]'
    fi
}

if [ "$LEDGER_CATALOG" = ledger-service/catalogs/media-lab.toml ]; then
    [ -r "$LEDGER_CATALOG" ] || die "$LEDGER_CATALOG is missing: is this a whole checkout?"
fi
check_free "$LEDGER_GRPC_ADDR" LEDGER_GRPC_ADDR
check_free "$LEDGER_HTTP_ADDR" LEDGER_HTTP_ADDR
check_free "$GATEWAY_HTTP_ADDR" GATEWAY_HTTP_ADDR

if [ -n "$RUN_BINARIES" ]; then
    for name in ledger-service bot-gateway; do
        [ -x "$RUN_BINARIES/$name" ] || die "there is no program $name in RUN_BINARIES=$RUN_BINARIES"
    done
else
    log "building (the first time takes some minutes)"
    # The whole workspace, as `make test` does: other selections of packages ask for
    # other features of what they share, and all of that would be compiled again.
    cargo build --workspace --bins
    RUN_BINARIES=$TARGET/debug
fi

mkdir -p "$RUN_DATA"
pipes=$(mktemp -d "${TMPDIR:-/tmp}/ledger-run.XXXXXX")
trap finish INT TERM HUP
trap stop_all EXIT

launch ledger ledger-service "$RUN_BINARIES/ledger-service" serve
[ -n "$ready" ] || fail "ledger-service did not become ready; its log is above"
grpc=$(address_in grpc "$ready")
http=$(address_in http "$ready")

export LEDGER_URL=${LEDGER_URL:-http://$grpc}
launch gateway bot-gateway "$RUN_BINARIES/bot-gateway"
[ -n "$ready" ] || fail "bot-gateway did not become ready; its log is above"
gateway_http=$(address_in http "$ready")

# As short as it can be, and as a shell reads it.
call=$(printf '%q' "${RUN_BINARIES#"$ROOT"/}/ledger-service")
# A fresh account each time, which has its free operations.
body="{\"account\":\"books/$LEDGER_BOOK/accounts/tg:$(date +%s)\",\"requestId\":\"$(fresh_uuid)\",\"operation\":\"generate\"}"
cat <<TEXT

  ledger    gRPC $grpc   HTTP http://$http
  gateway   http://$gateway_http
  data      $RUN_DATA (remove it to begin anew)

Charge an operation (in another terminal, from this directory); repeat it, and
the answer is the same, marked "replayed":

  $call call LedgerService/Charge '$body' --addr $grpc
  # grpcurl -plaintext -d '$body' $grpc ledger.v1.LedgerService/Charge

Ctrl-C stops both.
TEXT

while alive "$ledger" && alive "$gateway"; do
    # `wait` ends at once when a signal arrives; a plain `sleep` would not.
    sleep 1 &
    wait "$!" || true
done
if alive "$ledger"; then
    fail "bot-gateway ended by itself; its log is above. ledger-service was stopped too"
fi
fail "ledger-service ended by itself; its log is above. bot-gateway was stopped too"
