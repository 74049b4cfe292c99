#!/bin/sh
# Prints the path of a Chromium for the tests; installs one where it may, else says in one line what to type.
set -eu
cd "$(dirname "$0")/../backend"
downloads="$PWD/.cache/playwright"

# Ask for its version: on Ubuntu a program of that name may only tell you to install a snap.
works() { [ -n "$1" ] && "$1" --version >/dev/null 2>&1; }

find_browser() {
    for name in "${CHROMIUM:-}" chromium chromium-browser google-chrome google-chrome-stable \
        "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome" \
        "/Applications/Chromium.app/Contents/MacOS/Chromium" \
        "$(find "$downloads" -type f -name '*headless*shell' 2>/dev/null | head -n 1)"; do
        if works "$name"; then
            command -v "$name"
            return
        fi
    done
    return 1
}

find_browser && exit
{
    if [ "$(id -u)" = 0 ] && command -v apt-get && ! grep -qs '^ID=ubuntu' /etc/os-release; then
        echo "== Installing Chromium"
        # The fonts are for screenshots of Korean, Japanese and Chinese.
        apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends chromium fonts-noto-cjk
    else
        # Ubuntu has it only as a snap, macOS not at all; on a Linux without root this needs its libraries to be there.
        echo "== Downloading a headless Chromium"
        with_deps="$([ "$(id -u)" != 0 ] || echo --with-deps)"
        # shellcheck disable=SC2086 # empty or one word
        PLAYWRIGHT_BROWSERS_PATH="$downloads" .venv/bin/python -m playwright install $with_deps --only-shell chromium
    fi
} >&2 || true
find_browser && exit
echo "The tests need Chromium. Type: sudo apt install chromium   or put the path of a Chrome into CHROMIUM" >&2
exit 1
