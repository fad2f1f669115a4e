# shellcheck shell=bash disable=SC2034,SC2154
# What came along with the installation, so that nothing of it is asked of the network:
# /var/lib/lab/offline, where it is of the lock that is laid down. Loaded by `lib.sh`.

payload=/var/lib/lab/offline
lock_dir=/etc/lab/lock

# A payload of another lock is left alone: what is wanted now may not be in it.
offline_is_for_this_lock() {
    [[ -s $lock_dir/digest ]] && cmp -s "$lock_dir/digest" "$payload/digest"
}

# from_payload SHA256 PATH: takes that file out of the payload; fails where it is not there.
from_payload() {
    local blob=$payload/blobs/$1 path=$2 new
    offline_is_for_this_lock && [[ -n $1 && -f $blob ]] || return 1
    if ! has_sha256 "$blob" "$1"; then
        printf '%s is damaged, so it is downloaded\n' "$blob" >&2
        return 1
    fi
    mkdir -p "$(dirname "$path")"
    new=$(dirname "$path")/.lab.${path##*/}.new
    rm -f "$new"
    # A link takes no room, but cannot lead to another file system.
    if ! ln "$blob" "$new" 2>/dev/null && ! cp "$blob" "$new" 2>"$log"; then
        rm -f "$new"
        disk_is_full && later_full
        later "writing $path failed: $(tail -n 1 "$log")"
    fi
    sync "$new"
    mv -f "$new" "$path"
}
