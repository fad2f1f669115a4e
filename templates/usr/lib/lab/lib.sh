# shellcheck shell=bash disable=SC2034,SC2119,SC2120
# What the scripts of the units share: saying where they are, and doing things so
# that they may be cut off anywhere and begun again. Loaded by `run`, in bash with
# errexit, nounset, errtrace and pipefail.

unit=${name:?}
state_dir=/run/lab/units
done_dir=/var/lib/lab/units
downloads=/var/lib/lab/downloads
log=/run/lab/$unit.log

mkdir -p "$state_dir" "$done_dir" "$downloads"

# --- Where the unit is -----------------------------------------------------

# A line of plain text, in `line`: what comes from outside may hold anything.
plain() {
    line=${1//[$'\n\t']/ }
    line=${line//[^[:print:]]/?}
    line=${line:0:400}
}

# Without a process of its own: this happens a few times in every unit of every boot.
write_state() { # STATE TEXT WAY_OUT
    local now try=1 line text
    printf -v now '%(%s)T' -1
    [[ -r $state_dir/$unit.try ]] && try=$(<"$state_dir/$unit.try")
    plain "$2"
    text=$line
    plain "${3:-}"
    printf 'state=%s\nsince=%s\ntry=%s\ntext=%s\nway_out=%s\n' \
        "$1" "$now" "$try" "$text" "$line" >"$state_dir/.$unit.new"
    mv -f "$state_dir/.$unit.new" "$state_dir/$unit"
    # The console shows where it got to; that must never be in the way.
    [[ $1 == working ]] || /usr/local/bin/lab issue >/dev/null 2>&1 || true
}

begin_try() {
    local try=0
    [[ -r $state_dir/$unit.try ]] && try=$(<"$state_dir/$unit.try")
    [[ $try =~ ^[0-9]+$ ]] || try=0
    printf '%s\n' "$((try + 1))" >"$state_dir/$unit.try"
    write_state working "looks at what is there"
}

say() {
    printf '%s\n' "$1"
    write_state working "$1"
}

ready() {
    rm -f "$state_dir/$unit.try" "$log"
    write_state ready "${note:-}"
    printf 'ready\n'
}

later() {
    trap - ERR
    printf 'not now: %s\n' "$1" >&2
    write_state waiting "$1" "${2:-}"
    exit 75
}

stop() {
    trap - ERR
    printf 'stopped: %s\n' "$1" >&2
    [[ -z ${2:-} ]] || printf 'way out: %s\n' "$2" >&2
    write_state failed "$1" "${2:-}"
    exit 78
}

# A command that nobody expected to fail. What it printed is in the journal.
unexpected() { # LINE COMMAND STATUS
    trap - ERR
    # `later` and `stop` in a command substitution end only that: go on ending.
    (($3 == 75 || $3 == 78)) && exit "$3"
    disk_is_full && later_full
    later "line $1 failed: \`$2\` ended with $3" "sudo lab logs $unit shows what it printed"
}
trap 'unexpected "$LINENO" "$BASH_COMMAND" "$?"' ERR
# Bash comes here when the command in the foreground has ended: a package is
# never cut off in the middle by a plain stop.
trap 'trap - ERR; write_state waiting "was stopped"; exit 75' TERM

is_done() { # KEY
    [[ -r $done_dir/$unit.done && $(<"$done_dir/$unit.done") == "$1" ]]
}

not_done() {
    rm -f "$done_dir/$unit.done"
}

mark_done() { # KEY
    printf '%s\n' "$1" | put 0644 "$done_dir/$unit.done"
    sync -f "$done_dir"
}

# --- Files -----------------------------------------------------------------

# Less than 32 MiB on the file system that all of this is on.
disk_is_full() {
    local free
    free=$(df --output=avail -k /var/lib/lab 2>/dev/null | tail -n 1) || return 1
    ((${free:-0} < 32768))
}

later_full() {
    later "the disk is full: $(df -h --output=avail /var/lib/lab | tail -n 1 | tr -d ' ') free on the file system of /var/lib/lab" \
        "make room, for example: docker system prune, sudo apt-get clean, sudo journalctl --vacuum-size=100M"
}

# put MODE PATH: standard input becomes that file, whole or not at all.
put() {
    local mode=$1 path=$2 new
    mkdir -p "$(dirname "$path")"
    # What a power cut left of an earlier try.
    rm -f "$(dirname "$path")/.lab.${path##*/}."??????
    new=$(mktemp "$(dirname "$path")/.lab.${path##*/}.XXXXXX")
    if ! cat >"$new"; then
        rm -f "$new"
        disk_is_full && later_full
        later "writing $path failed"
    fi
    if cmp -s "$new" "$path" && [[ $(stat -c %a "$path") == "${mode#0}" ]]; then
        rm -f "$new"
        return
    fi
    chmod "$mode" "$new"
    sync "$new"
    mv -f "$new" "$path"
}

has_sha256() { # PATH SHA256
    [[ -f $1 ]] && sha256sum --status -c - <<<"$2  $1"
}

# --- Running things --------------------------------------------------------

# attempt WHAT COMMAND...: a failure is a reason to try again.
attempt() {
    local what=$1
    shift
    in_background "$@" >"$log" 2>&1 && return
    cat "$log" >&2
    disk_is_full && later_full
    later "$what: $(grep -v '^[[:space:]]*$' "$log" | tail -n 1 || true)"
}

# So that a stop is heard at once, while something long runs: the command ends,
# and so do we.
in_background() {
    local child status=0
    "$@" &
    child=$!
    trap 'kill $child 2>/dev/null; wait $child; trap - ERR; write_state waiting "was stopped"; exit 75' TERM
    wait "$child" || status=$?
    trap 'trap - ERR; write_state waiting "was stopped"; exit 75' TERM
    return "$status"
}

# wait_for SECONDS WHAT COMMAND...
wait_for() {
    local seconds=$1 what=$2 end
    shift 2
    end=$((SECONDS + seconds))
    until "$@" >/dev/null 2>&1; do
        ((SECONDS < end)) || later "$what: not within $seconds s"
        sleep 0.2
    done
}

# --- The network -----------------------------------------------------------

has_route() {
    [[ -n $(ip -4 route show default; ip -6 route show default) ]]
}

# curl's own words for what went wrong, with the host in them.
curl_reason() { # STATUS URL
    local host=${2#*://}
    host=${host%%/*}
    case $1 in
        6) echo "the name $host cannot be resolved" ;;
        7) echo "$host refuses the connection or cannot be reached" ;;
        18 | 56 | 92) echo "$host cut the download off" ;;
        22) echo "$host answers with an error: $(tail -n 1 "$log")" ;;
        28) echo "$host is too slow or does not answer" ;;
        35) echo "no secure connection to $host: $(tail -n 1 "$log")" ;;
        60) echo "$host shows a certificate that is not trusted; here it is $(date -u '+%F %H:%M') UTC: $(tail -n 1 "$log")" ;;
        23) echo "writing what $host sends failed" ;;
        *) echo "downloading from $host failed (curl $1): $(tail -n 1 "$log")" ;;
    esac
}

# get URL PATH [OPTION...]: one request, any content.
get() {
    local url=$1 path=$2 status=0
    shift 2
    has_route || wait_for 10 "there is no network (no default route)" has_route
    in_background curl --fail --silent --show-error --location --connect-timeout 20 --retry 2 \
        --speed-limit 1000 --speed-time 60 --output "$path" "$@" "$url" 2>"$log" || status=$?
    ((status == 0)) && return
    ((status == 23)) && disk_is_full && later_full
    fault_of_curl=$status
    return 1
}

# fetch URL SHA256 PATH: out of the payload where it is there; else it goes on where an
# earlier run was cut off.
fetch() {
    local url=$1 sha256=$2 path=$3 part found
    part=$downloads/$sha256.part
    has_sha256 "$path" "$sha256" && return
    from_payload "$sha256" "$path" && return
    if ! has_sha256 "$part" "$sha256"; then
        [[ ! -s $part ]] || say "goes on with $(basename "$path") at $(du -h "$part" | cut -f 1)"
        if ! get "$url" "$part" --continue-at -; then
            # A server that cannot go on there (416, 33), or a file that is
            # longer than it should be: from the beginning, the next time.
            if ((fault_of_curl == 33)) || grep -q ' 416' "$log"; then
                rm -f "$part"
            fi
            later "$(curl_reason "$fault_of_curl" "$url")"
        fi
    fi
    if ! has_sha256 "$part" "$sha256"; then
        found=$(sha256sum "$part" | cut -d ' ' -f 1)
        rm -f "$part"
        stop "$url is not what it should be: its sha256 is $found, expected is $sha256" \
            "if the vendor changed the file, correct the version in machine.toml; else somebody is in between. Then: sudo lab retry"
    fi
    mkdir -p "$(dirname "$path")"
    mv -f "$part" "$path"
}

# fetch_key URL FINGERPRINT PATH [SHA256]: one key, that one; where it is locked, in the
# very file that was seen then.
fetch_key() {
    local url=$1 fingerprint=$2 path=$3 sha256=${4:-} new found
    if [[ -f $path && $(fingerprints "$path") == "$fingerprint" ]] &&
        { [[ -z $sha256 ]] || has_sha256 "$path" "$sha256"; }; then
        return
    fi
    new=$downloads/$unit.key
    from_payload "$sha256" "$new" || get "$url" "$new" || later "$(curl_reason "$fault_of_curl" "$url")"
    found=$(fingerprints "$new")
    if [[ $found != "$fingerprint" ]]; then
        rm -f "$new"
        stop "the key at $url is not the pinned one: its fingerprint is ${found:-none}, expected is $fingerprint" \
            "never trust it by hand: look up the vendor's announcement, then sudo lab retry"
    fi
    if [[ -n $sha256 ]] && ! has_sha256 "$new" "$sha256"; then
        found=$(sha256sum "$new" | cut -d ' ' -f 1)
        rm -f "$new"
        stop "the file at $url is not what is locked: its sha256 is $found, expected is $sha256" \
            "it holds the same key, so the vendor may have renewed it: cargo xtask lock --update, then cargo xtask apply"
    fi
    put 0644 "$path" <"$new"
    rm -f "$new"
}

# The fingerprints of all primary keys in a file.
fingerprints() {
    local home
    home=$(mktemp -d)
    gpg --homedir "$home" --batch --quiet --no-autostart --with-colons --show-keys "$1" 2>/dev/null |
        awk -F: '$1 == "pub" { primary = 1 } $1 == "fpr" && primary { print $10; primary = 0 }' |
        paste -sd ' ' || true
    rm -rf "$home"
}

# --- Cards -----------------------------------------------------------------

# resolve_cards NAME...: their UUIDs in the array `uuids`; ends the unit where one
# is not there.
resolve_cards() {
    local said status=0
    said=$(/usr/lib/lab/cards uuid "$@" 2>"$log") || status=$?
    if ((status)); then
        stop "$(tail -n 1 "$log")" "$(head -n 1 "$log")"
    fi
    mapfile -t uuids <<<"$said"
}

# --- Services --------------------------------------------------------------

# start_service SERVICE DIGEST...: starts it, or starts it again when what it was
# started with is not what it would be started with now.
start_service() {
    local service=$1 with was=
    shift
    with=$(printf '%s\n' "$@" | sha256sum | cut -d ' ' -f 1)
    # Kept over a restart: a service that starts by itself starts with the same.
    [[ -r $done_dir/$service.with ]] && was=$(<"$done_dir/$service.with")
    if [[ $was == "$with" ]] && systemctl --quiet is-active "$service"; then
        return
    fi
    say "starts $service"
    systemctl reset-failed "$service" 2>/dev/null || true
    if ! systemctl restart "$service"; then
        later "$service does not start: $(journalctl -u "$service" -n 1 -o cat 2>/dev/null)" "sudo lab logs $unit"
    fi
    printf '%s\n' "$with" | put 0644 "$done_dir/$service.with"
}

# shellcheck source=templates/usr/lib/lab/payload.sh
. /usr/lib/lab/payload.sh
# shellcheck source=templates/usr/lib/lab/packages.sh
. /usr/lib/lab/packages.sh
