# What an Ubuntu server of the vendors' world has before the lab comes: its sources, an
# authority that it trusts, and cards on its bus.
set -eu
cd /lab-test
install -D -m 0644 authority.crt /usr/local/share/ca-certificates/lab-test.crt
update-ca-certificates >/dev/null
install -D -m 0644 ubuntu.asc /usr/share/keyrings/ubuntu-archive-keyring.asc
cat >/etc/apt/sources.list.d/ubuntu.sources <<'END'
Types: deb
URIs: http://archive.ubuntu.com/ubuntu
Suites: noble noble-updates
Components: main restricted universe multiverse
Signed-By: /usr/share/keyrings/ubuntu-archive-keyring.asc

Types: deb
URIs: http://security.ubuntu.com/ubuntu
Suites: noble-security
Components: main restricted universe multiverse
Signed-By: /usr/share/keyrings/ubuntu-archive-keyring.asc
END
# The container's root is an overlay already. What is there before, the lab has to keep.
install -d /etc/docker
echo '{"storage-driver": "vfs"}' >/etc/docker/daemon.json
install -m 0755 modprobe modinfo lsmod /usr/local/sbin/
install -d /etc/lab-test/dmi
echo Hewlett-Packard >/etc/lab-test/dmi/sys_vendor
echo 'HP Z440 Workstation' >/etc/lab-test/dmi/product_name
echo 'M60 v02.59' >/etc/lab-test/dmi/bios_version
echo 03/31/2022 >/etc/lab-test/dmi/bios_date
install -D -m 0755 hardware /usr/local/lib/lab-test/hardware
install -m 0644 lab-test-hardware.service /etc/systemd/system/
systemctl --quiet enable lab-test-hardware.service
