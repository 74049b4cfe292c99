#!/bin/sh
# The page from Vite and the service behind it, until Ctrl+C or until one of them ends; the other ends with it.
set -eu
cd "$(dirname "$0")/.."
. scripts/ground.sh
port="${PORT:-8000}"
sh scripts/page.sh packages

(cd backend && exec .venv/bin/python -m uvicorn app.main:app --reload --reload-dir app --port "$port") &
service=$!
SERVICE_URL="http://127.0.0.1:$port" sh scripts/page.sh npm run dev &
page=$!

# Each with what it has started itself; both leave when they are asked to.
children() { ps -A -o ppid= -o pid= | awk -v parent="$1" '$1 == parent { print $2 }'; }
family() {
    echo "$1"
    for child in $(children "$1"); do family "$child"; done
}
stop() {
    trap - EXIT INT TERM HUP
    # shellcheck disable=SC2046 # a list of numbers
    kill $(family "$service") $(family "$page") 2>/dev/null || true
    wait
}
trap stop EXIT
trap 'exit 130' INT TERM HUP
while kill -0 "$service" 2>/dev/null && kill -0 "$page" 2>/dev/null; do sleep 1; done
