# shellcheck shell=bash
# The worlds that loads are run in: a Tollgate with users, decks and a carrier, and Debian's Kamailio with rtpengine.
# Sourced by benches/compare. Everything lives in $work and on loopback addresses of its own.

readonly DOMAIN=bench.test PASSWORD=bench-secret
readonly OURS=127.4.0.1 THEIRS=127.4.0.2 SIP=5160 CARRIER=127.2.0.1:5180
readonly PEERS=(kamailio rtpengine-daemon jq)

stop() { echo "${0##*/}: $*" >&2; exit 1; }
median() { sort -n | awk '{v[NR] = $1} END {if (NR) print v[int((NR + 1) / 2)]}'; }
range() { sort -n | awk 'NR == 1 {low = $1} {high = $1} END {if (NR) print low "–" high}'; }

# Installs what is missing; services that packages would start stay down.
install_peers() {
    local missing=() peer policy=/usr/sbin/policy-rc.d
    for peer in "${PEERS[@]}"; do dpkg -s "$peer" >/dev/null 2>&1 || missing+=("$peer"); done
    [ ${#missing[@]} -gt 0 ] || return 0
    [ "$(id -u)" = 0 ] || stop "missing ${missing[*]}: install them, or run as root once"
    echo "installing ${missing[*]}" >&2
    local made=no
    [ -e "$policy" ] || { printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod +x "$policy" && made=yes; }
    { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${missing[@]}"; } \
        >"$work/apt.log" 2>&1 || { tail -n 20 "$work/apt.log" >&2; stop "${missing[*]} could not be installed"; }
    [ "$made" = no ] || rm -f "$policy"
}

build() {
    cargo build --release --locked -p tollgate -p tollgate-load
    local built=${CARGO_TARGET_DIR:-target}/release
    tollgate=$built/tollgate load=$built/load
}

# start_tollgate FOLDER: starts one in it, configured and filled if it is new; sets $ours.
start_tollgate() {
    local folder=$1 fresh=no
    [ -e "$folder/tollgate.toml" ] || { fresh=yes; mkdir -p "$folder"; configure_tollgate "$folder"; }
    "$tollgate" --config "$folder/tollgate.toml" serve >"$folder/out" 2>"$folder/err" &
    ours=$!
    started+=("$ours")
    await "tollgate is ready" grep -q '^ready$' "$folder/out"
    [ "$fresh" = no ] || fill_tollgate "$folder"
}

configure_tollgate() {
    cat >"$1/tollgate.toml" <<TOML
[server]
data_dir = "$1/data"
log = "warn"
[database]
url = "${DATABASE:-sqlite}"
[sip]
domain = "$DOMAIN"
udp = ["$OURS:$SIP"]
tcp = []
[media]
bind = "$OURS"
ports = "20000-59999"
[web]
listen = "$OURS:8180"
[policy]
${POLICY:-}
TOML
}

# USERS users with money, one deck either way, one carrier. Lines are not what is measured: each user may have many.
fill_tollgate() {
    local folder=$1
    tg() { "$tollgate" --config "$folder/tollgate.toml" "$@" >/dev/null; }
    printf 'prefix,destination,price_per_minute\n44,United Kingdom,0.0120\n4420,London,0.0100\n' >"$folder/sell.csv"
    printf 'prefix,destination,price_per_minute\n44,United Kingdom,0.0060\n' >"$folder/buy.csv"
    tg deck import sell "$folder/sell.csv" --kind sell
    tg deck import buy "$folder/buy.csv" --kind buy
    tg trunk add carrier --egress --address "$CARRIER" --deck buy
    tg route add --prefix 44 --trunk carrier
    local first last
    for ((first = 0; first < ${USERS:-1000}; first += 25000)); do
        last=$((first + 25000 < ${USERS:-1000} ? first + 25000 : ${USERS:-1000}))
        {
            echo "name,password,mode,credit,deck,max_lines"
            seq "$first" $((last - 1)) | sed "s/.*/u&,$PASSWORD,prepaid,1000000.00,sell,10000/"
        } >"$folder/users.csv"
        tg user import "$folder/users.csv"
    done
}

# start_kamailio FOLDER [media]: stateful proxy, digest and location in memory; sets $theirs to its processes.
start_kamailio() {
    local folder=$1 media=${2:-}
    mkdir -p "$folder"
    theirs=()
    if [ -n "$media" ]; then
        rtpengine --foreground --table=-1 --interface="$THEIRS" --listen-ng="$THEIRS:2223" --port-min=20000 --port-max=59999 \
            --log-stderr --log-level=3 >"$folder/rtpengine.out" 2>&1 &
        theirs+=($!)
        started+=($!)
        await "rtpengine listens" udp_is_bound "$THEIRS" 2223
    fi
    configure_kamailio "$folder" "$media"
    kamailio -f "$folder/kamailio.cfg" -m 512 -M 16 -DD -E -P "$folder/kamailio.pid" -Y "$folder" -w "$folder" \
        >"$folder/kamailio.out" 2>&1 &
    theirs+=($!)
    started+=($!)
    await "kamailio listens" udp_is_bound "$THEIRS" "$SIP"
    # Its workers are forked after the socket is bound.
    await "kamailio's workers are there" has_children "${theirs[-1]}"
}

configure_kamailio() {
    local media=$2
    cat >"$1/kamailio.cfg" <<CFG
#!KAMAILIO
${media:+#!define WITH_MEDIA}
debug=-1
log_stderror=yes
fork=yes
children=2
disable_tcp=yes
auto_aliases=no
alias="$DOMAIN"
listen=udp:$THEIRS:$SIP
mpath="/usr/lib/x86_64-linux-gnu/kamailio/modules/"
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "maxfwd.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "auth.so"
loadmodule "textops.so"
loadmodule "siputils.so"
modparam("usrloc", "db_mode", 0)
#!ifdef WITH_MEDIA
loadmodule "rtpengine.so"
modparam("rtpengine", "rtpengine_sock", "udp:$THEIRS:2223")
#!endif
request_route {
    if (!mf_process_maxfwd_header("10")) { sl_send_reply("483", "Too Many Hops"); exit; }
    if (is_method("CANCEL")) { if (t_check_trans()) t_relay(); exit; }
    if (has_totag()) {
        if (loose_route()) {
#!ifdef WITH_MEDIA
            if (is_method("BYE")) rtpengine_delete();
#!endif
            t_relay();
            exit;
        }
        if (is_method("ACK")) { if (t_check_trans()) t_relay(); exit; }
        sl_send_reply("404", "Not here");
        exit;
    }
    t_check_trans();
    if (is_method("REGISTER")) {
        if (!pv_www_authenticate("$DOMAIN", "$PASSWORD", "0")) { www_challenge("$DOMAIN", "1"); exit; }
        save("location");
        exit;
    }
    if (!is_method("INVITE")) { sl_send_reply("405", "Method Not Allowed"); exit; }
    if (!pv_proxy_authenticate("$DOMAIN", "$PASSWORD", "0")) { proxy_challenge("$DOMAIN", "1"); exit; }
    consume_credentials();
    record_route();
    if (!lookup("location")) { sl_send_reply("404", "Not Found"); exit; }
#!ifdef WITH_MEDIA
    rtpengine_offer("replace-origin");
    t_on_reply("ANSWER");
#!endif
    t_relay();
    exit;
}
#!ifdef WITH_MEDIA
onreply_route[ANSWER] {
    if (status == 200) rtpengine_answer("replace-origin");
}
#!endif
CFG
}

await() {
    local what=$1 tries
    shift
    for ((tries = 0; tries < 600; tries++)); do
        if "$@" 2>/dev/null; then return 0; fi
        sleep 0.1
    done
    stop "in vain: $what (see $work)"
}

udp_is_bound() { ss -lunH "src $1:$2" | grep -q .; }
has_children() { [ "$(cat /proc/"$1"/task/*/children | wc -w)" -ge 4 ]; }

# stop_all: ends what was started here, by its number.
stop_all() {
    local pid
    for pid in "${started[@]}"; do kill "$pid" 2>/dev/null || true; done
    for pid in "${started[@]}"; do wait "$pid" 2>/dev/null || true; done
    started=()
}
