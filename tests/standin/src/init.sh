#!/bin/busybox sh
# Says on the first serial port and on the screen that the initrd was reached, with
# which command line, and what it finds on the medium; then powers the machine off.

/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
# The kernel shares the serial port: from here on it keeps silent there.
dmesg -n 1

say() {
	for to in /dev/ttyS0 /dev/tty0; do
		# A line of its own, whatever the firmware left on the screen.
		[ -c "$to" ] && printf '\r\n%s\r\n' "$*" >"$to" 2>/dev/null
	done
}

words=$(cat /proc/cmdline)
firmware=bios
[ -d /sys/firmware/efi ] && firmware=uefi
dmesg | grep -qi 'secure boot enabled' && firmware=uefi-secure-boot
say "LAB-STANDIN initrd reached ($(cat /conf/flavour), $firmware)"
say "LAB-STANDIN cmdline: $words"

while read -r module; do
	case $module in
	# An emulated stick needs no second to settle.
	usb_storage) insmod "/modules/$module.ko" delay_use=0 ;;
	*) insmod "/modules/$module.ko" ;;
	esac 2>/dev/null
done </modules/order

# The digest of a file, or that there is none.
digest() {
	if [ -f "$1" ]; then
		sha256sum "$1" | cut -d ' ' -f 1
	else
		echo absent
	fi
}

# The number of files below a folder, and one digest over their names and contents.
folder() {
	if [ -d "$1" ]; then
		cd "$1" || return
		find . -type f | LC_ALL=C sort >/list
		count=$(wc -l </list)
		sum=$(while read -r file; do sha256sum "$file"; done </list | sha256sum | cut -d ' ' -f 1)
		cd / || return
		echo "$count:$sum"
	else
		echo absent
	fi
}

# Whether every file that md5sum.txt lists is as it says, where that was asked for.
sums() {
	case " $words " in
	*" standin.check "*)
		cd /medium || return
		if md5sum -c md5sum.txt >/sums 2>&1; then
			echo "good:$(wc -l </sums)"
		else
			echo "bad:$(grep -cv ': OK$' /sums)"
		fi
		cd / || return
		;;
	*) echo unasked ;;
	esac
}

# Mounts a device and says what its directory tree shows.
tree() {
	mount -t iso9660 -o ro "$1" /medium 2>/dev/null || return 1
	if [ -f /medium/.disk/info ] && [ -f /conf/live ]; then
		# What is on the medium is for the live system to say: its payload is large.
		found=yes
		medium=${medium:-$1}
	elif [ -f /medium/.disk/info ]; then
		say "LAB-STANDIN tree $1 autoinstall=$(digest /medium/autoinstall.yaml)" \
			"lab=$(folder /medium/lab) sums=$(sums)"
		found=yes
	fi
	umount /medium
}

# A stick takes a moment to appear. The first partition of a disk holds the second
# tree, so it is asked for as soon as its disk is there.
found=
medium=
tries=0
while [ -z "$found" ] && [ "$tries" -lt 60 ]; do
	for disk in /dev/sr0 /dev/sd? /dev/vd?; do
		[ -b "$disk" ] || continue
		tree "$disk"
		[ -n "$medium" ] && break
		[ -b "${disk}1" ] && tree "${disk}1"
	done
	tries=$((tries + 1))
	[ -n "$found" ] || sleep 0.5
done
[ -n "$found" ] || say "LAB-STANDIN tree none"

# The layers of the live system, the lowest first, where they are file systems.
live() {
	casper=/root/cdrom/casper
	mkdir -p /layers /root/cdrom
	mount -t iso9660 -o ro "$1" /root/cdrom || return 1
	[ "$(head -c 4 "$casper/ubuntu-server-minimal.squashfs")" = hsqs ] || {
		umount /root/cdrom
		return 1
	}
	lower=
	layer=
	for part in ubuntu-server-minimal ubuntu-server installer generic; do
		layer=${layer:+$layer.}$part
		mkdir "/layers/$part"
		mount -t squashfs -o ro,loop "$casper/$layer.squashfs" "/layers/$part" || return 1
		lower=/layers/$part${lower:+:$lower}
	done
	mkdir /layers/written
	mount -t tmpfs -o mode=0755,size=75% tmpfs /layers/written
	mkdir /layers/written/upper /layers/written/work
	mkdir /system
	mount -t overlay -o "lowerdir=$lower,upperdir=/layers/written/upper,workdir=/layers/written/work" overlay /system || return 1
	mkdir -p /system/cdrom
	mount --move /root/cdrom /system/cdrom
}

if [ -n "$medium" ] && live "$medium"; then
	say "LAB-STANDIN live"
	mount --move /proc /system/proc
	mount --move /sys /system/sys
	mount --move /dev /system/dev
	exec switch_root /system /sbin/init
fi

say "LAB-STANDIN end"
sleep 0.3
poweroff -f
