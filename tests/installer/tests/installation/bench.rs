//! A folder that stands for a live system.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

const PROGRAMS: &[&str] = &[
    "apt-get",
    "blkid",
    "chroot",
    "cp",
    "cryptsetup",
    "fallocate",
    "journalctl",
    "lsblk",
    "lvcreate",
    "mkfs.ext4",
    "mkfs.vfat",
    "mkswap",
    "mount",
    "netplan",
    "pvcreate",
    "pvs",
    "sfdisk",
    "sync",
    "systemctl",
    "udevadm",
    "umount",
    "vgchange",
    "vgcreate",
    "wipefs",
];

/// The file of a lab, as short as it can be.
pub(crate) const FILE: &str = "autoinstall:
  version: 1
  storage: {layout: {name: 'lvm', sizing-policy: 'all', match: {model: 'Samsung?SSD?870?EVO?250GB'}}, swap: {size: 1073741824}}
  identity: {hostname: 'gpu-server', realname: 'administrator', username: 'lab', password: '!'}
";

/// The live system.
pub(crate) struct Bench {
    pub(crate) root: tempfile::TempDir,
    /// Whether dpkg-query finds every package installed.
    pub(crate) installed: bool,
    /// The call that fails, as a pattern of the shell.
    pub(crate) fails: &'static str,
}

/// How an installer ended.
pub(crate) struct Ended {
    pub(crate) ok: bool,
    pub(crate) said: String,
    /// The programs that were called, the folder's name left out.
    pub(crate) calls: String,
    /// What was given to them on standard input.
    pub(crate) given: String,
}

impl Bench {
    /// A machine with two disks and a medium, started by the menu's entry.
    pub(crate) fn new() -> Self {
        let bench = Self {
            root: tempfile::tempdir().unwrap(),
            installed: true,
            fails: "",
        };
        bench.put(
            "/proc/cmdline",
            "BOOT_IMAGE=/casper/vmlinuz autoinstall --- modprobe.blacklist=nouveau\n",
        );
        bench.put(
            "/proc/self/mountinfo",
            "1 1 11:0 / /cdrom ro - iso9660 /dev/sr0 ro\n",
        );
        bench.put("/etc/machine-id", "0123456789abcdef0123456789abcdef\n");
        for (disk, sectors) in [("vda", "488397168"), ("vdb", "1000000000")] {
            let folder = format!("/sys/block/{disk}");
            bench.put(&format!("{folder}/size"), sectors);
            bench.put(&format!("{folder}/ro"), "0");
            bench.put(&format!("{folder}/dev"), "254:0");
            bench.put(&format!("{folder}/queue/logical_block_size"), "512");
        }
        bench.put(
            "/cdrom/casper/install-sources.yaml",
            "- id: ubuntu-server\n  path: a.b.squashfs\n  default: true\n- id: ubuntu-server-minimal\n  path: a.squashfs\n",
        );
        bench.put("/cdrom/casper/a.squashfs", "");
        bench.put("/cdrom/casper/a.b.squashfs", "");
        bench.put("/programs/any", include_str!("programs.sh"));
        let any = bench.path("/programs/any");
        fs::set_permissions(&any, fs::Permissions::from_mode(0o755)).unwrap();
        for program in PROGRAMS {
            std::os::unix::fs::symlink(&any, bench.path(&format!("/programs/{program}"))).unwrap();
        }
        bench
    }

    pub(crate) fn path(&self, absolute: &str) -> PathBuf {
        self.root.path().join(absolute.trim_start_matches('/'))
    }

    pub(crate) fn put(&self, absolute: &str, text: &str) {
        let path = self.path(absolute);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(crate) fn get(&self, absolute: &str) -> String {
        let path = self.path(absolute);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    pub(crate) fn has(&self, absolute: &str) -> bool {
        self.path(absolute).exists()
    }

    pub(crate) fn mode(&self, absolute: &str) -> u32 {
        fs::metadata(self.path(absolute))
            .unwrap()
            .permissions()
            .mode()
            & 0o7777
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lab-installer"));
        command
            .arg("--root")
            .arg(self.root.path())
            .env(
                "PATH",
                format!("{}:/usr/bin:/bin", self.path("/programs").display()),
            )
            .env("CALLS", self.path("/calls"))
            .env("FAILS", self.fails)
            .env("INSTALLED", if self.installed { "installed" } else { "" })
            .env("BENCH", self.root.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs it to its end, with somebody who types this.
    pub(crate) fn run_with(&self, typed: &str) -> Ended {
        let mut child = self.command().spawn().unwrap();
        let _ = child.stdin.take().unwrap().write_all(typed.as_bytes());
        let output = child.wait_with_output().unwrap();
        let plain = |text: String| text.replace(&self.root.path().display().to_string(), "");
        let read = |path: &str| plain(fs::read_to_string(self.path(path)).unwrap_or_default());
        let said = [output.stdout, output.stderr].concat();
        Ended {
            ok: output.status.success(),
            said: plain(String::from_utf8(said).unwrap()),
            calls: read("/calls"),
            given: read("/calls.stdin"),
        }
    }

    pub(crate) fn run(&self) -> Ended {
        self.run_with("")
    }
}

impl Ended {
    /// Whether a program that changes a disk was called.
    pub(crate) fn touched_a_disk(&self) -> bool {
        [
            "wipefs",
            "sfdisk",
            "mkfs",
            "pvcreate",
            "cryptsetup",
            "mount ",
        ]
        .iter()
        .any(|program| self.calls.lines().any(|call| call.starts_with(program)))
    }

    /// The lines of stages, without the commands within them.
    pub(crate) fn stages(&self) -> Vec<&str> {
        let is_stage = |line: &&str| {
            let line = line
                .strip_prefix("start: ")
                .or(line.strip_prefix("finish: "));
            line.is_some_and(|line| !line.contains("command_"))
        };
        self.said.lines().filter(is_stage).collect()
    }
}
