# Shared by the scripts beside this file: source it, don't run it.
# Works in bash 3.2 and newer. Messages go to stderr, so that a script's stdout
# can be a result.

# Where the workspace is, whatever the caller's directory is.
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# Where cargo puts what it builds.
TARGET=${CARGO_TARGET_DIR:-$ROOT/target}
case $TARGET in /*) ;; *) TARGET=$ROOT/$TARGET ;; esac

log() { printf '==> %s\n' "$*" >&2; }
warn() { printf 'warning: %s\n' "$*" >&2; }
die() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}
have() { command -v "$1" >/dev/null 2>&1; }

# Runs a command as root: directly, or by sudo.
as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif have sudo; then
        sudo "$@"
    else
        die "this needs root and there is no sudo; run it yourself as root: $*"
    fi
}

# Prints the first package manager there is; fails if there is none we know.
package_manager() {
    local name
    for name in apt-get dnf apk pacman brew; do
        if have "$name"; then
            printf '%s\n' "$name"
            return 0
        fi
    done
    return 1
}

# Installs Debian packages, after one `apt-get update` a run.
apt_install() {
    if [ -z "${APT_UPDATED:-}" ]; then
        as_root env DEBIAN_FRONTEND=noninteractive apt-get update -qq >&2
        export APT_UPDATED=1
    fi
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
        --no-install-recommends -o Dpkg::Options::=--force-confold "$@" >&2
}

# Installs packages by whichever package manager there is. Arguments are
# `manager:package`; those of other managers are skipped.
# E.g.: install_packages apt-get:python3-venv dnf:python3
install_packages() {
    local manager argument packages=()
    manager=$(package_manager) || return 1
    for argument in "$@"; do
        case $argument in "$manager":*) packages+=("${argument#*:}") ;; esac
    done
    [ "${#packages[@]}" -gt 0 ] || return 1
    log "installing ${packages[*]} with $manager"
    case $manager in
        apt-get) apt_install "${packages[@]}" ;;
        dnf) as_root dnf install -y -q "${packages[@]}" >&2 ;;
        apk) as_root apk add --quiet "${packages[@]}" >&2 ;;
        pacman) as_root pacman -Sy --noconfirm --needed "${packages[@]}" >&2 ;;
        brew) brew install --quiet "${packages[@]}" >&2 ;;
    esac
}

# Runs a command, up to three times if it fails: for downloads.
with_retries() {
    local attempt
    for attempt in 1 2; do
        if "$@"; then return 0; fi
        warn "attempt $attempt failed: $*; trying again"
        sleep "$attempt"
    done
    "$@"
}

# Prints the SHA-256 of the files given, as one word.
digest_of() {
    if have sha256sum; then
        cat "$@" | sha256sum | cut -d ' ' -f 1
    else
        cat "$@" | shasum -a 256 | cut -d ' ' -f 1
    fi
}

# Whether something listens on host $1, port $2.
port_taken() {
    (exec 3<>"/dev/tcp/$1/$2") 2>/dev/null
}
