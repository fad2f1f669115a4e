#!/bin/bash
# repository.sh FOLDER: three small packages, and a payload's signed repository of them.
#
# FOLDER/debs has alpha 1.0 (which needs beta), beta 1:2.0 and beta 1:3.0; FOLDER/apt and
# FOLDER/apt.asc are as the payload has them, with alpha 1.0 and beta 1:2.0.
set -eu
folder=$1
mkdir -p "$folder/debs" "$folder/apt/pool" "$folder/gpg"
chmod 0700 "$folder/gpg"

deb() { # NAME VERSION DEPENDS
    local tree=$folder/tree
    rm -rf "$tree"
    mkdir -p "$tree/DEBIAN" "$tree/usr/share/$1"
    echo "$2" >"$tree/usr/share/$1/version"
    printf 'Package: %s\nVersion: %s\nArchitecture: all\nMaintainer: Nobody <nobody@example.org>\nDescription: for a test\n%s' \
        "$1" "$2" "${3:+Depends: $3
}" >"$tree/DEBIAN/control"
    dpkg-deb --root-owner-group -Znone --build "$tree" "$folder/debs/$1_${2//:/%3a}_all.deb" >/dev/null
}
deb alpha 1.0 beta
deb alpha 1.1 beta
deb beta 1:2.0 ""
deb beta 1:3.0 ""
cp "$folder/debs/alpha_1.0_all.deb" "$folder/debs/beta_1%3a2.0_all.deb" "$folder/apt/pool/"

cd "$folder/apt"
apt-ftparchive packages pool >Packages
apt-ftparchive release . >../Release
export GNUPGHOME=$folder/gpg
gpg --batch --quiet --passphrase '' --quick-generate-key 'Only for this <only@example.org>' ed25519 sign never 2>/dev/null
gpg --batch --quiet --armor --export >../apt.asc
gpg --batch --quiet --clearsign --output InRelease ../Release
gpgconf --kill gpg-agent
