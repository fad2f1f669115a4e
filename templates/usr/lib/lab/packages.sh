# shellcheck shell=bash disable=SC2034,SC2119,SC2120,SC2154
# Packages: the vendors' sources, installing, holding; where there is a lock, its versions
# and digests and nothing else. Loaded by `lib.sh`.

# What the lock says of this unit: name, version, architecture, sha256 and size, a line for
# each package that it installs, or that these need and the base system does not have.
locked=$lock_dir/$unit.packages
apt_dir=/var/lib/lab/apt

# Everything of apt goes one after the other, and waits for whoever else has it.
with_apt() {
    flock --timeout 1800 /run/lab/apt.lock "$@"
}

apt() {
    with_apt apt-get --quiet --assume-yes --no-install-recommends \
        -o DPkg::Lock::Timeout=900 -o Acquire::Retries=2 -o Acquire::http::Timeout=60 \
        -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold \
        -o APT::Get::Always-Include-Phased-Updates=true "${apt_sources[@]}" "$@"
}

# The one line of apt's answer that says why.
apt_reason() {
    local line
    line=$(grep -E '^(E|W|Err):?' "$log" | grep -E 'not valid yet|expired|verification failed|NO_PUBKEY|BADSIG|is not signed|Hash Sum mismatch|unexpected size|No space left|Could not resolve|Could not connect|Unable to locate|Version .* was not found|held packages|Unmet|404|lock' | head -n 1) || true
    [[ -n $line ]] || line=$(grep -E '^E: ' "$log" | head -n 1) || true
    [[ -n $line ]] || line=$(tail -n 1 "$log")
    line=${line#[EW]: }
    case $line in
        *'not valid yet'* | *'expired'*) echo "apt: ${line%.}. Here it is $(date -u '+%F %H:%M') UTC: is the clock right?" ;;
        *) echo "apt: $line" ;;
    esac
}

# What apt said is why there is no going on.
apt_failed() {
    cat "$log" >&2
    disk_is_full && later_full
    later "$(apt_reason)"
}

# --- Where apt looks -------------------------------------------------------

# Options for apt; without any it looks where the machine's own sources say.
apt_sources=()

# Lists of its own, so that those of the machine stay as they are.
own_lists() { # NAME
    mkdir -p "$apt_dir/$1/partial"
    apt_sources=(-o "Dir::State::lists=$apt_dir/$1" -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache=)
}

has_offline_apt() {
    offline_is_for_this_lock && [[ -s $payload/apt/InRelease && -s $payload/apt.asc ]]
}

# The payload and nothing else, where there is one of this lock; its key is trusted for it
# alone. It is as old as it is, and without a network the clock may be wrong: what is in it
# is known by digest.
choose_sources() {
    apt_sources=()
    has_offline_apt || return 0
    put 0644 "$apt_dir/offline.sources" <<<"Types: deb
URIs: file:$payload/apt
Suites: ./
Snapshot: disable
Signed-By: $payload/apt.asc"
    own_lists offline
    apt_sources+=(-o "Dir::Etc::sourcelist=$apt_dir/offline.sources" -o Dir::Etc::sourceparts=-
        -o Acquire::Check-Valid-Until=false -o Acquire::Check-Date=false -o Acquire::Languages=none)
}

# The state of Ubuntu's archive that everything was locked in has what was dropped since.
use_snapshot() {
    local snapshot
    ((${#apt_sources[@]} == 0)) && [[ -s $lock_dir/snapshot ]] || return 1
    snapshot=$(<"$lock_dir/snapshot")
    say "asks Ubuntu's archive for its state of $snapshot"
    own_lists snapshot
    apt_sources+=(-o "APT::Snapshot=$snapshot")
    refresh_lists
}

refresh_lists() {
    # Without this, a list that cannot be had is a warning and the old one is used.
    in_background apt -o APT::Update::Error-Mode=any update >"$log" 2>&1 || apt_failed
}

# apt_update [MINUTES]: not again when the lists are younger than that.
apt_update() {
    local stamp=/var/lib/lab/apt-updated
    choose_sources
    if ((${#apt_sources[@]})); then
        refresh_lists
        return
    fi
    if [[ -n ${1:-} && -n $(find "$stamp" -mmin "-$1" 2>/dev/null) ]]; then
        return
    fi
    say "refreshes the lists of packages"
    has_route || wait_for 10 "there is no network (no default route)" has_route
    refresh_lists
    touch "$stamp"
}

# add_source NAME URL FINGERPRINT [SHA256]: the vendor's key, then the source that
# /etc/lab/apt/NAME.sources holds, then its list. A source whose key is missing
# would break every update of the machine.
add_source() {
    fetch_key "$2" "$3" "/etc/apt/keyrings/lab-$1.asc" "${4:-}"
    put 0644 "/etc/apt/sources.list.d/lab-$1.sources" <"/etc/lab/apt/$1.sources"
    apt_update
}

has_source() { # NAME [SHA256]
    local key=/etc/apt/keyrings/lab-$1.asc
    cmp -s "/etc/lab/apt/$1.sources" "/etc/apt/sources.list.d/lab-$1.sources" && [[ -s $key ]] &&
        { [[ -z ${2:-} ]] || has_sha256 "$key" "$2"; }
}

# --- Installing ------------------------------------------------------------

# apt_install PACKAGE[=VERSION]...: installs, and holds where `held` says so.
apt_install() {
    say "installs $*"
    finish_dpkg
    choose_sources
    if [[ -e $locked ]]; then
        install_locked "$@"
    else
        # Not in the background: dpkg is not cut off by a plain stop. What it needs is
        # fetched before, which is.
        in_background apt --download-only "${install_words[@]}" "$@" >"$log" 2>&1 || apt_failed
        unpack "$@"
    fi
    # Holding what is not installed fails, so only now.
    [[ ${held:?} == no ]] || attempt "apt-mark hold" with_apt apt-mark hold "${@%%=*}"
}

install_words=(install --allow-downgrades --allow-change-held-packages)

unpack() { # PACKAGE[=VERSION]...
    local download=(--no-download)
    # From a file: source apt takes packages where they lie, and only when it may fetch.
    ! has_offline_apt || download=()
    apt "${download[@]}" --fix-broken "${install_words[@]}" "$@" >"$log" 2>&1 || apt_failed
}

# What an earlier run left in the middle.
finish_dpkg() {
    with_apt dpkg --configure -a >"$log" 2>&1 && return
    cat "$log" >&2
    disk_is_full && later_full
    # Behind its error it gives advice, so that is not the last line.
    grep -q 'was locked by' "$log" &&
        later "another program installs packages: $(grep -m 1 'was locked by' "$log")"
    later "dpkg could not finish what was begun: $(tail -n 1 "$log")"
}

# install_locked PACKAGE[=VERSION]...: these and what they need, as they are locked.
install_locked() {
    local -A version_of=() sha256_of=() file_of=()
    local words=() new=() coming=()
    read_locked
    plan_locked "$@"
    if ((${#words[@]})); then
        fetch_locked || { was_dropped && use_snapshot && fetch_locked; } || locked_failed
        check_debs
        # Before they are there: whoever comes after a power cut still knows that nobody
        # asked for them by name.
        printf '%s\n' "${new[@]}" >>"$done_dir/$unit.auto"
        unpack "${words[@]}"
    fi
    mark_automatic
}

read_locked() {
    local name version architecture sha256 size
    while read -r name version architecture sha256 size; do
        version_of[$name]=$version
        sha256_of[$name]=$sha256
        # As apt names it in its cache.
        file_of[$name]=${name}_${version//:/%3a}_$architecture.deb
    done <"$locked"
}

# plan_locked PACKAGE[=VERSION]...: in `words` what is not there as it is locked, in `new`
# the names among them that were not there at all and that nobody asked for.
plan_locked() {
    local -A there=() named=()
    local status name version rest
    for name in "${@%%=*}"; do named[$name]=1; done
    # shellcheck disable=SC2016 # dpkg-query fills it in.
    while read -r status name version; do
        [[ $status != installed ]] || there[$name]=$version
    done < <(dpkg-query -W -f '${db:Status-Status} ${Package} ${Version}\n' 2>/dev/null)
    for name in "${!named[@]}"; do
        [[ -n ${version_of[$name]:-}${there[$name]:-} ]] || stop "$name is not installed, and the lock has no version of it" \
            "the base system had it when that was locked: cargo xtask lock --update, then cargo xtask apply"
    done
    while read -r name version rest; do
        if [[ -z ${there[$name]:-} ]]; then
            [[ -n ${named[$name]:-} ]] || new+=("$name")
        elif [[ ${there[$name]} == "$version" ]] || stays "$name"; then
            continue
        fi
        words+=("$name=$version")
    done <"$locked"
}

# A security update since then stays, but not of a package that is held in its version.
stays() { # NAME
    [[ ${held:?} == no || -z ${named[$1]:-} ]] && dpkg --compare-versions "${there[$1]}" gt "${version_of[$1]}"
}

# Fetches `words`; in `coming` is all that apt would install.
fetch_locked() {
    local one
    apt --simulate "${install_words[@]}" "${words[@]}" >"$log" 2>&1 || return 1
    mapfile -t coming < <(sed -nE 's/^Inst ([^ ]+) (\[[^]]*\] )?\(([^ )]+).*/\1=\3/p' "$log")
    for one in "${coming[@]}"; do
        [[ ${version_of[${one%%=*}]:-} == "${one#*=}" ]] || stop "apt would install $one, which is not locked" \
            "the machine lacks what the base system had when that was locked: cargo xtask lock --update, then cargo xtask apply"
    done
    in_background apt --download-only "${install_words[@]}" "${words[@]}" >"$log" 2>&1
}

was_dropped() {
    grep -qE "Version .* was not found|Unable to locate package|404 +Not Found" "$log"
}

locked_failed() {
    ! grep -q 'unmet dependencies' "$log" || stop "$(apt_reason)" \
        "security updates may have gone past what is locked: cargo xtask lock --update, then cargo xtask apply"
    apt_failed
}

# Every .deb of `coming` is the locked one.
check_debs() {
    local name path cache='' found
    local -A pool=()
    eval "$(apt-config shell cache Dir::Cache::archives/d)"
    ! has_offline_apt || read_pool
    for name in "${coming[@]%%=*}"; do
        path=$cache/${file_of[$name]}
        [[ -f $path ]] || path=$payload/apt/${pool[$name]:-none}
        [[ -f $path ]] || later "apt did not fetch $name"
        has_sha256 "$path" "${sha256_of[$name]}" && continue
        found=$(sha256sum "$path" | cut -d ' ' -f 1)
        [[ $path == "$payload"/* ]] || rm -f "$path"
        stop "the package $name is not what is locked: its sha256 is $found, expected is ${sha256_of[$name]}" \
            "somebody built it anew under the same version, or is in between: cargo xtask lock --update shows which. Then: sudo lab retry $unit"
    done
}

# Where the payload has which package.
read_pool() {
    local name path
    while read -r name path; do
        pool[$name]=$path
    done < <(awk '$1 == "Package:" { name = $2 } $1 == "Filename:" { print name, $2 }' "$payload/apt/Packages")
}

# What only others need goes with them, when they go.
mark_automatic() {
    local names
    [[ -s $done_dir/$unit.auto ]] || return 0
    mapfile -t names < <(sort -u "$done_dir/$unit.auto" | grep .)
    ((${#names[@]} == 0)) || attempt "apt-mark auto" with_apt apt-mark auto "${names[@]}"
    rm -f "$done_dir/$unit.auto"
}

# --- What is there ---------------------------------------------------------

# installed PACKAGE [VERSION]: there, whole, and of that version.
installed() {
    local found
    # shellcheck disable=SC2016 # dpkg-query fills it in.
    found=$(dpkg-query -W -f '${db:Status-Status} ${db:Status-Eflag} ${Version}' "$1" 2>/dev/null) || return 1
    case $found in
        "installed ok ${2:-}"*) [[ -z ${2:-} || $found == "installed ok $2" ]] ;;
        *) return 1 ;;
    esac
}

# present_packages PACKAGE[=VERSION]...: there, and held where the unit holds them.
present_packages() {
    local one version
    for one in "$@"; do
        version=
        [[ $one == *=* ]] && version=${one#*=}
        installed "${one%%=*}" "$version" || return 1
    done
    [[ ${held:?} == no ]] || are_held "${@%%=*}"
}

# are_held PACKAGE...: no upgrade moves them.
are_held() {
    local want
    # shellcheck disable=SC2016 # dpkg-query fills it in.
    want=$(dpkg-query -W -f '${db:Status-Want}\n' "$@" 2>/dev/null | sort -u) || return 1
    [[ $want == hold ]]
}
