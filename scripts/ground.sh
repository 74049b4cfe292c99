# What every set-up stands on. To be sourced, from the root of the checkout.

say() { printf '%s\n' "== $*"; }
fail() { printf '%s\n' "$*" >&2; exit 1; }

# Without a home that can be written to, the caches go into the checkout.
if [ ! -w "${HOME:-/nonexistent}" ]; then
    cache="$PWD/backend/.cache"
    export HOME="$cache" UV_CACHE_DIR="$cache/uv" PIP_CACHE_DIR="$cache/pip" npm_config_cache="$cache/npm"
    mkdir -p "$HOME"
fi

# One at a time: `make run` and `make test` may be typed in two terminals. A symlink is made at once, with its owner in it.
hold() {
    lock="$1"
    until ln -s $$ "$lock" 2>/dev/null; do
        owner="$(readlink "$lock" || true)"
        if kill -0 "$owner" 2>/dev/null; then say "Waiting for another set-up, process $owner"; else rm -f "$lock"; fi
        sleep 2
    done
    trap 'rm -f "$lock"' EXIT
    trap 'exit 130' INT TERM HUP
}
