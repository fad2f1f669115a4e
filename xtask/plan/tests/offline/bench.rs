//! A machine made of files below a folder: the scripts of the units with every path turned
//! there, and real apt and dpkg with a root of their own.
//!
//! What this does not prove: maintainer scripts (the packages have none), and services.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Output};

use lab_lock::Sha256;
use tempfile::TempDir;

use crate::common::{succeed, workspace};

/// Paths of the target that are below the folder here.
const TURNED: [&str; 6] = [
    "/usr/lib/lab",
    "/usr/local/bin/lab",
    "/etc/lab",
    "/etc/apt",
    "/var/lib/lab",
    "/run/lab",
];

const SCRIPTS: [&str; 4] = ["lib.sh", "payload.sh", "packages.sh", "workload.sh"];

/// The digest of the lock, as both sides have it.
pub(crate) const DIGEST: &str = "4444\n";

pub(crate) struct Bench {
    dir: TempDir,
}

impl Bench {
    /// The scripts, an empty package database, and no network.
    pub(crate) fn new() -> Self {
        let bench = Self {
            dir: tempfile::tempdir().unwrap(),
        };
        for name in SCRIPTS {
            let path = format!("usr/lib/lab/{name}");
            let text = fs::read_to_string(workspace().join("templates").join(&path)).unwrap();
            bench.put(&path, bench.turned(&text));
        }
        bench.folder("etc/apt/sources.list.d");
        bench.folder("etc/apt/preferences.d");
        bench.folder("etc/apt/apt.conf.d");
        bench.folder("var/lib/apt/lists/partial");
        bench.folder("var/cache/apt/archives/partial");
        bench.folder("var/lib/dpkg/info");
        bench.folder("var/lib/dpkg/updates");
        bench.folder("var/log/apt");
        bench.folder("run/lab");
        bench.put("var/lib/dpkg/status", "");
        bench.put("var/lib/dpkg/available", "");
        bench.put("apt.conf", bench.apt_conf());
        let root = bench.root();
        for (name, option) in [("dpkg", "--root"), ("dpkg-query", "--admindir")] {
            let below = if name == "dpkg" { "" } else { "/var/lib/dpkg" };
            bench.program(
                name,
                &format!("exec /usr/bin/{name} {option}={root}{below} \"$@\""),
            );
        }
        bench.program("ip", &format!("echo asked >>{root}/network"));
        bench.program("curl", &format!("echo curl >>{root}/network; exit 7"));
        bench
    }

    /// Everything of apt below the folder. It needs no other user there.
    fn apt_conf(&self) -> String {
        let root = self.root();
        format!(
            "Dir \"{root}/\";\nDir::State::status \"{root}/var/lib/dpkg/status\";\nDir::Bin::dpkg \"{root}/bin/dpkg\";\n\
             Dir::Bin::methods \"/usr/lib/apt/methods\";\nDir::Bin::solvers:: \"/usr/lib/apt/solvers\";\n\
             Dir::Bin::apt-key \"/usr/bin/apt-key\";\nAPT::Architecture \"amd64\";\nAPT::Architectures {{ \"amd64\"; }};\n\
             APT::Sandbox::User \"root\";\nDPkg::Options {{ \"--force-not-root\"; \"--force-bad-path\"; }};\n\
             DPkg::Use-Pty \"false\";\n"
        )
    }

    pub(crate) fn root(&self) -> String {
        self.dir.path().display().to_string()
    }

    fn turned(&self, text: &str) -> String {
        let root = self.root();
        TURNED.iter().fold(text.to_owned(), |text, path| {
            text.replace(path, &format!("{root}{path}"))
        })
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    pub(crate) fn folder(&self, path: &str) {
        fs::create_dir_all(self.path(path)).unwrap();
    }

    pub(crate) fn put(&self, path: &str, bytes: impl AsRef<[u8]>) {
        let place = self.path(path);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::write(place, bytes).unwrap();
    }

    pub(crate) fn text(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap_or_default()
    }

    pub(crate) fn program(&self, name: &str, text: &str) {
        let path = format!("bin/{name}");
        self.put(&path, format!("#!/bin/bash\n{text}\n"));
        fs::set_permissions(self.path(&path), fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// A lock, and a payload of it.
    pub(crate) fn carries_a_payload(&self) {
        self.put("etc/lab/lock/digest", DIGEST);
        self.put("var/lib/lab/offline/digest", DIGEST);
    }

    /// A file of the payload; says its digest.
    pub(crate) fn blob(&self, bytes: &[u8]) -> Sha256 {
        let digest = Sha256::of(bytes);
        self.put(&format!("var/lib/lab/offline/blobs/{digest}"), bytes);
        digest
    }

    /// Runs a piece of script as a unit runs it. `held` is `yes` unless the script says else.
    pub(crate) fn unit(&self, script: &str) -> Output {
        let text = format!(
            "set -Eeuo pipefail\nLC_ALL=C\nexport LC_ALL\nname=it held=yes\n. {}/usr/lib/lab/lib.sh\n{}",
            self.root(),
            self.turned(script)
        );
        let path = format!(
            "{}/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/bin",
            self.root()
        );
        Command::new("bash")
            .args(["-c", &text])
            .env("PATH", path)
            .env("APT_CONFIG", self.path("apt.conf"))
            .output()
            .unwrap()
    }

    /// Runs it, and fails the test unless it ends well.
    pub(crate) fn well(&self, script: &str) -> String {
        let run = self.unit(script);
        assert!(run.status.success(), "{script}\n{run:?}\n{}", self.state());
        String::from_utf8(run.stdout).unwrap()
    }

    /// What the unit said of itself last.
    pub(crate) fn state(&self) -> String {
        self.text("run/lab/units/it")
    }

    /// Whether anything asked for a network.
    pub(crate) fn asked_the_network(&self) -> bool {
        self.path("network").exists()
    }

    /// The packages of [`repository.sh`](../repository.sh), in the payload.
    pub(crate) fn has_a_repository(&self) {
        let script = workspace().join("xtask/plan/tests/offline/repository.sh");
        let made = self.path("made");
        succeed(Command::new("bash").arg(script).arg(&made));
        self.folder("var/lib/lab/offline");
        for name in ["apt", "apt.asc"] {
            let to = self.path("var/lib/lab/offline").join(name);
            succeed(Command::new("cp").arg("-r").arg(made.join(name)).arg(to));
        }
    }

    /// A line of the lock for a package as it was made.
    pub(crate) fn line(&self, name: &str, version: &str) -> String {
        let file = format!("made/debs/{name}_{}_all.deb", version.replace(':', "%3a"));
        let bytes = fs::read(self.path(&file)).unwrap();
        let digest = Sha256::of(&bytes);
        format!("{name} {version} all {digest} {}\n", bytes.len())
    }

    /// Lays down what the lock says of the unit.
    pub(crate) fn locks(&self, lines: &[String]) {
        self.put("etc/lab/lock/it.packages", lines.concat());
    }

    /// Unpacks a package past apt, as an update of another day would have.
    pub(crate) fn has_installed(&self, name: &str, version: &str) {
        let file = format!("made/debs/{name}_{}_all.deb", version.replace(':', "%3a"));
        let dpkg = self.path("bin/dpkg");
        let words = ["--force-not-root", "--force-bad-path", "--install"];
        succeed(Command::new(dpkg).args(words).arg(self.path(&file)));
    }

    /// The version that is installed; empty where there is none.
    pub(crate) fn version(&self, name: &str) -> String {
        self.text(&format!("usr/share/{name}/version"))
            .trim()
            .to_owned()
    }
}
