"""Thirty checks of one host, for pytest-testinfra: one of the rivals of `cargo xtask bench accept`.

The same thirty, by the same names (c01 to c30), stand in playbook.yml for Ansible, in goss.yaml
for goss, and in xtask/cli/src/cmd/bench/accept/ours.rs. Whoever changes one changes all four.
"""

import hashlib

CONTENT = hashlib.sha256(b"a lab in a box\n").hexdigest()


def test_c01_openssh_is_installed(host):
    assert host.package("openssh-server").is_installed


def test_c02_systemd_is_installed(host):
    assert host.package("systemd").is_installed


def test_c03_telnetd_is_not_installed(host):
    assert not host.package("telnetd").is_installed


def test_c04_openssh_is_of_debian_13(host):
    assert host.package("openssh-server").version.startswith("1:10.0p1-7")


def test_c05_ssh_runs(host):
    assert host.service("ssh").is_running


def test_c06_ssh_is_enabled(host):
    assert host.service("ssh").is_enabled


def test_c07_journald_runs(host):
    assert host.service("systemd-journald").is_running


def test_c08_ssh_listens(host):
    assert host.socket("tcp://0.0.0.0:22").is_listening


def test_c09_nothing_listens_at_8888(host):
    # `host.socket("tcp://8888")` listens only where IPv4 and IPv6 both do.
    listening = host.socket.get_listening_sockets()
    assert not [one for one in listening if one.endswith((":8888", "/8888"))]


def test_c10_sshd_config_is_a_file(host):
    assert host.file("/etc/ssh/sshd_config").is_file


def test_c11_sshd_config_has_its_mode(host):
    assert host.file("/etc/ssh/sshd_config").mode == 0o644


def test_c12_sshd_config_is_roots(host):
    file = host.file("/etc/ssh/sshd_config")
    assert (file.user, file.group) == ("root", "root")


def test_c13_sshd_config_includes_drop_ins(host):
    assert host.file("/etc/ssh/sshd_config").contains("^Include /etc/ssh/sshd_config.d/")


def test_c14_shadow_has_its_mode(host):
    assert host.file("/etc/shadow").mode == 0o640


def test_c15_shadow_has_its_group(host):
    assert host.file("/etc/shadow").group == "shadow"


def test_c16_ssh_has_a_folder(host):
    file = host.file("/etc/ssh")
    assert file.is_directory and file.mode == 0o755


def test_c17_bin_is_a_link(host):
    assert host.file("/bin").linked_to == "/usr/bin"


def test_c18_logins_are_allowed(host):
    assert not host.file("/etc/nologin").exists


def test_c19_the_content_is_the_described_one(host):
    assert host.file("/etc/lab-bench").sha256sum == CONTENT


def test_c20_root_has_a_shell(host):
    user = host.user("root")
    assert (user.uid, user.shell) == (0, "/bin/bash")


def test_c21_lab_is_the_first_user(host):
    user = host.user("lab")
    assert (user.uid, user.home) == (1000, "/home/lab")


def test_c22_lab_is_in_adm(host):
    assert "adm" in host.user("lab").groups


def test_c23_shadow_is_group_42(host):
    assert host.group("shadow").gid == 42


def test_c24_the_kernel_is_linux(host):
    assert host.sysctl("kernel.ostype") == "Linux"


def test_c25_syn_cookies_are_on(host):
    assert host.sysctl("net.ipv4.tcp_syncookies") == 1


def test_c26_tmp_is_in_memory(host):
    assert host.mount_point("/tmp").filesystem == "tmpfs"


def test_c27_the_host_name_is_the_described_one(host):
    assert host.check_output("hostname") == "lab-bench"


def test_c28_uname_says_linux(host):
    command = host.run("uname -s")
    assert (command.rc, command.stdout) == (0, "Linux\n")


def test_c29_loopback_has_its_address(host):
    assert "127.0.0.1" in host.interface("lo").addresses


def test_c30_nouveau_is_not_loaded(host):
    assert not host.file("/sys/module/nouveau").exists
