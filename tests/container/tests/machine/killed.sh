# Kills lay-down by SIGKILL at each program that it starts, one after the other, then
# runs it again. Programs are replaced by one that counts: at the wanted number it does
# half of its work, if it writes, and kills its whole process group, the script with it.
set -eu
real=/tmp/kill/real
seen=/tmp/kill/seen
target=/tmp/kill/target
# Not below /tmp, from which nothing can be started.
bin=/opt/kill
mkdir -p /tmp/kill "$bin"

cat >/tmp/kill/stand-in <<'END'
#!/bin/sh
PATH=/usr/bin:/bin
name=${0##*/}
read -r count </tmp/kill/count
read -r at </tmp/kill/at
count=$((count + 1))
echo "$count" >/tmp/kill/count
if [ "$count" = "$at" ]; then
    [ "$name" != cat ] || head -c 20 "$1"
    kill -KILL 0
fi
exec "$name" "$@"
END
for name in cat chmod chown cp dirname ln mkdir mv rm sha256sum sync; do
    cp /tmp/kill/stand-in "$bin/$name"
    chmod 755 "$bin/$name"
done

# A medium with some files of each kind: every file takes the same programs, and
# killing at each program of a hundred files takes as long as a hundred tests.
medium=/tmp/kill/medium
mkdir -p "$medium"
cp -R /cdrom/lab/lay-down /cdrom/lab/marker /cdrom/lab/overlay "$medium/"
for path in etc/lab/release etc/ssh/ssh_host_ed25519_key etc/sudoers.d/10-lab \
    etc/systemd/system/lab.target etc/systemd/system/multi-user.target.wants/lab.target usr/local/bin/lab; do
    grep " $path\$" /cdrom/lab/overlay.list
done >"$medium/overlay.list"

# Both late-commands, as they should end; the marker apart, to tell when it comes.
rm -rf "$real"
mkdir -p "$real/etc"
sh "$medium/lay-down" files "$real"
state "$real" >/tmp/kill/files
sh "$medium/lay-down" marker "$real"
state "$real" >/tmp/kill/all

fresh() {
    rm -rf "$target"
    mkdir -p "$target/etc"
    echo 0 >/tmp/kill/count
    echo "$1" >/tmp/kill/at
}

# The exit status of a late-command with the stand-ins in its way.
under_fire() {
    status=0
    PATH=$bin:$PATH setsid --wait sh "$medium/lay-down" "$1" "$target" || status=$?
}

wrong() {
    echo "killed at point $point of $1: $2"
    exit 1
}

total=0
point=0
while :; do
    point=$((point + 1))
    fresh "$point"
    under_fire files
    [ ! -e "$target/boot/lab" ] || wrong files "there is a marker"
    key=$(find "$target/etc" -name 'ssh_host_*_key' -perm /077)
    [ -z "$key" ] || wrong files "others can read $key"
    [ "$status" -ne 0 ] || break
    [ "$status" -eq 137 ] || wrong files "it ended with $status"
    sh "$medium/lay-down" files "$target"
    state "$target" >"$seen"
    cmp -s "$seen" /tmp/kill/files || wrong files "$(diff "$seen" /tmp/kill/files)"
done
total=$((total + point - 1))

point=0
while :; do
    point=$((point + 1))
    fresh "$point"
    sh "$medium/lay-down" files "$target"
    under_fire marker
    [ "$status" -ne 0 ] || break
    sh "$medium/lay-down" files "$target"
    sh "$medium/lay-down" marker "$target"
    state "$target" >"$seen"
    cmp -s "$seen" /tmp/kill/all || wrong marker "$(diff "$seen" /tmp/kill/all)"
done
total=$((total + point - 1))
echo "all points: $total"
