#!/bin/sh
# Stands for every program that would touch this machine: it writes down that it was
# called, and says what the next step of the installer asks for.
name=${0##*/}
given=
case $name in
    sfdisk | cryptsetup | chroot) given=$(cat) ;;
esac
printf '%s%s%s\n' "$name" "${*:+ }" "$*" >>"$CALLS"
[ -z "$given" ] || printf '%s\n' "$given" >>"$CALLS.stdin"
# A udev that runs makes the nodes of partitions; a kernel may leave their table to others.
make_nodes() {
    partx --update "/dev/$LOOP"
    rm -f "/dev/${LOOP}p"*
    for part in /sys/block/"$LOOP"/"$LOOP"p*; do
        [ -e "$part/dev" ] || continue
        number=$(cat "$part/dev")
        mknod "/dev/${part##*/}" b "${number%:*}" "${number#*:}"
    done
}
case "$name $*" in
    "$FAILS") echo "$name: it is broken" >&2 && exit 5 ;;
    'udevadm info '*vda) printf 'DEVPATH=/devices/vda\nID_MODEL=Samsung_SSD_870_EVO_250GB\nID_SERIAL=Samsung_SSD_870_EVO_250GB_S5STNF0R123456A\n' ;;
    'udevadm settle') [ -z "${LOOP-}" ] || make_nodes ;;
    'udevadm info '*) printf 'ID_MODEL=Other\nID_SERIAL=Other_1\n' ;;
    'lsblk '*) printf '%s disk\n%s1 part\n' "$6" "$6" ;;
    'pvs '*) printf '  %s1,old-uuid,ubuntu-vg\n  /dev/vdb1,other-uuid,data\n' "/dev/vda" ;;
    'blkid '*) printf 'uuid-of-%s\n' "${6##*/}" ;;
    'chroot '*dpkg-query*) printf '%s' "$INSTALLED" ;;
    'cp --archive --no-target-directory '*)
        mkdir -p "$4/etc" "$4/boot" "$4/usr/share/zoneinfo/Etc" "$4/usr/bin" "$4/usr/sbin" "$4/home"
        : >"$4/boot/vmlinuz-6.12" && : >"$4/boot/initrd.img-6.12"
        : >"$4/usr/share/zoneinfo/Etc/UTC" && : >"$4/usr/bin/cloud-init" && : >"$4/usr/sbin/grub-install"
        mkdir -p "$4/usr/lib/grub/i386-pc" && : >"$4/usr/lib/grub/i386-pc/boot.img"
        printf 'root:x:0:\nadm:x:4:\nsudo:x:27:\n' >"$4/etc/group"
        ;;
    'cp '*) exec /bin/cp "$@" ;;
    'journalctl '*) echo 'a journal' ;;
esac
