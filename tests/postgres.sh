# Sourced by tests/run and tests/long: a PostgreSQL of our own on a free port, gone when the run ends.
# shellcheck shell=bash

# Where Debian keeps initdb and postgres: off the PATH, one folder a version.
postgres_bin() {
    local newest
    newest=$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -n 1)
    if [ -x "$newest/initdb" ]; then echo "$newest"; else dirname "$(command -v initdb || echo /none/initdb)"; fi
}
postgres_found() { [ -x "$(postgres_bin)/initdb" ]; }

# PostgreSQL refuses to run as root: the packaged user, or nobody, does it then.
postgres_as() {
    if [ "$(id -u)" != 0 ]; then "$@"; return; fi
    local user=nobody
    ! id postgres >/dev/null 2>&1 || user=postgres
    (cd / && setpriv --reuid "$user" --regid "$(id -g "$user")" --clear-groups env HOME=/ "$@")
}

# postgres_start DIR: exports TOLLGATE_TEST_POSTGRES, the URL of a database whose user may create others.
postgres_start() {
    postgres_dir=$1/postgres
    mkdir -p "$postgres_dir"
    if [ "$(id -u)" = 0 ]; then
        if id postgres >/dev/null 2>&1; then chown postgres "$postgres_dir"; else chown nobody "$postgres_dir"; fi
    fi
    postgres_as "$(postgres_bin)/initdb" -D "$postgres_dir/data" -U tollgate --auth=trust --encoding=UTF8 --locale=C \
        --no-sync >"$1/initdb.log" 2>&1 || { tail -n 20 "$1/initdb.log" >&2; return 1; }
    # Nobody pulls this machine's plug on purpose, and what the tests kill is Tollgate, not PostgreSQL: no fsync.
    cat >>"$postgres_dir/data/postgresql.conf" <<CONF
listen_addresses = '127.0.0.1'
unix_socket_directories = '$postgres_dir'
max_connections = 400
fsync = off
full_page_writes = off
CONF
    local attempt port
    for attempt in 1 2 3 4 5; do
        port=$((20000 + RANDOM % 12000))
        if postgres_as "$(postgres_bin)/pg_ctl" -D "$postgres_dir/data" -l "$postgres_dir/log" -o "-p $port" -w -t 60 start \
            >/dev/null 2>&1; then
            postgres_running=yes
            export TOLLGATE_TEST_POSTGRES="postgres://tollgate@127.0.0.1:$port/postgres"
            return 0
        fi
    done
    echo "PostgreSQL did not start in $attempt attempts:" >&2
    tail -n 20 "$postgres_dir/log" >&2
    return 1
}

postgres_stop() {
    [ "${postgres_running:-no}" = yes ] || return 0
    postgres_running=no
    postgres_as "$(postgres_bin)/pg_ctl" -D "$postgres_dir/data" -m immediate -w stop >/dev/null 2>&1 || true
}
