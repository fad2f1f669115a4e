# What this machine is: read, never changed. Sourced by the guard, which sets
# $ROOT (empty, or a tree that stands for the machine in tests).
# shellcheck shell=sh disable=SC2034

# What a firmware or a disk says of itself may hold anything: only printable
# ASCII reaches a screen.
shown() {
    printf '%s' "$1" | cut -c 1-160 | tr -c ' -~\n' '?' | tr '\n' ' ' | sed 's/ *$//'
}

# The content of a file of sysfs or procfs on one line, without blanks at the
# ends; a line's end within it shows as `?`. Fails when it cannot be read.
value_of() {
    [ -r "$1" ] && [ ! -d "$1" ] || return 1
    content=$(head -c 4096 "$1" 2>/dev/null) || return 1
    printf '%s' "$content" | tr '\000\n\t' ' ? ' | sed 's/^ *//; s/ *$//'
}

# Blanks as udev writes them in ID_MODEL, which it does for some buses only.
underscored() {
    printf '%s' "$1" | tr -s ' \t' '__' | sed 's/^_*//; s/_*$//'
}

is_number() {
    case $1 in
        '' | *[!0-9]* | ????????????????*) return 1 ;;
        0 | [1-9]*) return 0 ;;
        *) return 1 ;;
    esac
}

has() {
    command -v "$1" >/dev/null 2>&1
}

firmware_now() {
    if [ -d "$ROOT/sys/firmware/efi" ]; then echo uefi; else echo bios; fi
}

# The PCI id of a function, such as 10de:1c82. Fails when it is not there.
pci_id_at() {
    vendor=$(value_of "$1/vendor") && device=$(value_of "$1/device") || return 1
    printf '%s:%s' "${vendor#0x}" "${device#0x}"
}

# The kernel's names of everything that could be a disk.
disk_names() {
    for entry in "$ROOT"/sys/block/*; do
        name=${entry##*/}
        case $name in
            '*' | loop* | ram* | zram* | sr* | fd*) continue ;;
        esac
        # One way of several to an NVMe disk (nvme0c0n1): it has no node and no record, and the
        # disk itself is listed too.
        [ "$(value_of "$entry/hidden")" != 1 ] || continue
        printf '%s\n' "$name"
    done
}

# The device node of a kernel's name (cciss!c0d0 is /dev/cciss/c0d0).
node_of() {
    printf '/dev/%s' "$(printf '%s' "$1" | tr '!' '/')"
}

property() {
    printf '%s\n' "$1" | sed -n "s/^$2=//p" | head -n 1
}

# Bytes of a disk; fails when that cannot be read.
bytes_of() {
    sectors=$(value_of "$ROOT/sys/block/$1/size") || return 1
    is_number "$sectors" || return 1
    printf '%s' "$((sectors * 512))"
}

# A disk in one line.
disk_in_words() {
    bytes=$(bytes_of "$1") || bytes=0
    printf "%s, model '%s', serial '%s', %s GB" "$(node_of "$1")" \
        "$(shown "$(property "$2" ID_MODEL)")" "$(shown "$(property "$2" ID_SERIAL)")" \
        "$(((bytes + 500000000) / 1000000000))"
}

# Every kernel's name that stands on a disk: itself, its partitions, and what is
# built of them (LVM, RAID, LUKS), as lines. The second argument ends a loop.
names_on() {
    [ "$2" -lt 8 ] || return 0
    printf '%s\n' "${1##*/}"
    if [ -r "$1/dm/name" ]; then
        printf 'mapper/%s\n' "$(value_of "$1/dm/name")"
    fi
    for part in "$1"/*/partition; do
        [ -e "$part" ] || continue
        (names_on "${part%/partition}" "$(($2 + 1))")
    done
    for holder in "$1"/holders/*; do
        [ -e "$holder" ] || continue
        (names_on "$ROOT/sys/block/${holder##*/}" "$(($2 + 1))")
    done
}

# The same as major:minor.
numbers_on() {
    [ "$2" -lt 8 ] || return 0
    value_of "$1/dev"
    for part in "$1"/*/partition; do
        [ -e "$part" ] || continue
        (numbers_on "${part%/partition}" "$(($2 + 1))")
    done
    for holder in "$1"/holders/*; do
        [ -e "$holder" ] || continue
        (numbers_on "$ROOT/sys/block/${holder##*/}" "$(($2 + 1))")
    done
}

# Whether something is mounted from a disk; $use says what. What cannot be read
# counts as yes.
in_use() {
    use=
    if [ ! -r "$ROOT/proc/self/mountinfo" ] || [ ! -r "$ROOT/proc/mounts" ]; then
        use="the list of mounts cannot be read"
        return 0
    fi
    numbers=" $(numbers_on "$ROOT/sys/block/$1" 0 | tr '\n' ' ') "
    names=" $(names_on "$ROOT/sys/block/$1" 0 | tr '\n' ' ') "
    while read -r _ _ number _ point _; do
        case $numbers in
            *" $number "*) use="$use${use:+, }$(shown "$point")" ;;
        esac
    done <"$ROOT/proc/self/mountinfo"
    # btrfs has numbers of its own in mountinfo: the names as well.
    while read -r source point _; do
        case $names in
            *" ${source#/dev/} "*) use="$use${use:+, }$(shown "$point")" ;;
        esac
    done <"$ROOT/proc/mounts"
    [ -n "$use" ]
}

# The device nodes of a disk and its partitions.
nodes_on() {
    node_of "$1"
    echo
    for part in "$ROOT/sys/block/$1"/*/partition; do
        [ -e "$part" ] || continue
        part=${part%/partition}
        node_of "${part##*/}"
        echo
    done
}

can_be_read() {
    dd if="$ROOT$1" of=/dev/null bs=65536 count=1 2>/dev/null
}

# What stands on a disk, in words; nothing for a blank one.
content_of() {
    for part in "$ROOT/sys/block/$1"/*/partition; do
        [ ! -e "$part" ] || printf 'the partition %s; ' "$(basename "${part%/partition}")"
    done
    for holder in "$ROOT/sys/block/$1"/holders/*; do
        [ ! -e "$holder" ] || printf 'a part of %s; ' "${holder##*/}"
    done
    if ! signatures=$(wipefs -n "$ROOT$(node_of "$1")" 2>/dev/null); then
        printf 'something that wipefs cannot read; '
    elif [ -n "$signatures" ]; then
        printf 'signatures (%s); ' "$(shown "$(printf '%s\n' "$signatures" | sed '1d' | tr -s ' \n' ' ')")"
    fi
    kind=$(blkid -p -o value -s TYPE -s PTTYPE "$ROOT$(node_of "$1")" 2>/dev/null)
    status=$?
    if [ "$status" -ne 2 ] || [ -n "$kind" ]; then
        printf 'a format (%s); ' "$(shown "${kind:-blkid cannot tell}")"
    fi
    can_be_read "$(node_of "$1")" || printf 'a first block that cannot be read; '
}

toml() {
    shown "$1" | sed 's/\\/\\\\/g; s/"/\\"/g'
}

# GiB as they are sold: the kernel sees a little less than what is fitted.
memory_sold() {
    total=$(sed -n 's/^MemTotal: *\([0-9][0-9]*\) kB$/\1/p' "$ROOT/proc/meminfo" 2>/dev/null | head -n 1)
    is_number "$total" || total=0
    gib=$(((total + 1048575) / 1048576))
    step=1
    [ "$gib" -le 4 ] || step=2
    [ "$gib" -le 16 ] || step=4
    [ "$gib" -le 48 ] || step=8
    printf '%s' "$(((gib + step - 1) / step * step))"
}

report_machine() {
    echo '[machine]'
    vendor=$(value_of "$ROOT/sys/class/dmi/id/sys_vendor") || vendor=
    product=$(value_of "$ROOT/sys/class/dmi/id/product_name") || product=
    printf 'vendor = "%s"\nproduct = "%s"\nmemory_gib = %s\nfirmware = "%s"\n\n' \
        "$(toml "$vendor")" "$(toml "$product")" "$(memory_sold)" "$(firmware_now)"
}

report_disks() {
    for disk in $(disk_names); do
        bytes=$(bytes_of "$disk") || bytes=0
        [ "$bytes" != 0 ] || continue
        udev=$(udevadm info --query=property --name="$(node_of "$disk")" 2>/dev/null) || udev=
        serial=$(property "$udev" ID_SERIAL_SHORT)
        [ -n "$serial" ] || serial=$(property "$udev" ID_SERIAL)
        printf '# %s' "$(node_of "$disk")"
        if in_use "$disk"; then printf ', in use (%s)' "$use"; fi
        printf ', holds: %s\n' "$(content_of "$disk" | sed 's/; $//; s/^$/nothing/')"
        printf '[disk]\nmodel = "%s"\nserial = "%s"\nsize_gb = %s\n\n' \
            "$(toml "$(property "$udev" ID_MODEL | tr '_' ' ')")" "$(toml "$serial")" \
            "$(((bytes + 500000000) / 1000000000))"
    done
}

report_network() {
    for card in "$ROOT"/sys/class/net/*; do
        [ -e "$card/device" ] || continue
        mac=$(value_of "$card/address") || mac=
        state=$(value_of "$card/operstate") || state=unknown
        kind=wired
        if [ -e "$card/wireless" ] || [ -e "$card/phy80211" ]; then kind=wireless; fi
        printf '# %s, %s, %s\n[network]\nmac = "%s"\n\n' "$(shown "${card##*/}")" "$kind" "$(shown "$state")" "$(toml "$mac")"
    done
}

report_gpus() {
    for function in "$ROOT"/sys/bus/pci/devices/*; do
        class=$(value_of "$function/class") || continue
        id=$(pci_id_at "$function") || continue
        case $class:$id in
            0x03*:10de:*) printf '[[gpu]]\npci_id = "%s"\nslot = "%s"\n\n' "$(toml "$id")" "$(toml "${function##*/}")" ;;
            0x03*) printf '# another graphics card: %s at %s\n\n' "$(shown "$id")" "$(shown "${function##*/}")" ;;
        esac
    done
}

report() {
    {
        echo '# What this machine is, as lines for a machine.toml. Of several [disk] and'
        echo '# [network] tables keep the one that is meant.'
        report_machine
        report_disks
        report_network
        report_gpus
    } 2>/dev/null
}

# The last line: the guard looks for it, so that half of this file is none.
LAB_FACTS=whole
