//! Scripts of the target among files and programs that say what a test wants.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

use crate::common::workspace;

pub(crate) const LAB: &str = "usr/local/bin/lab";
pub(crate) const STATE: &str = "usr/lib/lab/state.sh";
pub(crate) const EXPORTER: &str = "usr/lib/lab/exporter";
pub(crate) const MOTD: &str = "etc/update-motd.d/90-lab";
pub(crate) const UUID: &str = "GPU-11111111-2222-3333-4444-555555555555";
pub(crate) const SYSTEMCTL: &str = "#!/bin/sh\necho \"$@\" >>\"$BENCH/asked\"\ncase \" $* \" in *' show '*) cat \"$BENCH/show\" || exit 1 ;; esac\n";
pub(crate) const JOURNALCTL: &str =
    "#!/bin/sh\necho \"$@\" >>\"$BENCH/journal\"\nprintf 'first \\033[2J line\\nlast line\\n'\n";

pub(crate) struct Bench(TempDir);

impl Bench {
    /// Three units of which systemd says nothing yet.
    pub(crate) fn new() -> Self {
        let bench = Self(tempfile::tempdir().unwrap());
        for path in [LAB, STATE, EXPORTER] {
            let text = fs::read_to_string(workspace().join("templates").join(path)).unwrap();
            bench.program(&format!("root/{path}"), &text);
        }
        bench.program("bin/systemctl", SYSTEMCTL);
        bench.program("bin/journalctl", JOURNALCTL);
        bench.put("root/etc/lab/units/order", "base\ndriver\nollama\n");
        bench.put(
            "root/etc/lab/release",
            "LAB_MACHINE=gpu-server\nLAB_DESCRIPTION=ab12\nLAB_VERSION=0.1.0\n",
        );
        bench.put("root/proc/uptime", "1000.00 1.00\n");
        bench.put("show", "");
        bench
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    pub(crate) fn put(&self, path: &str, text: impl AsRef<[u8]>) {
        let place = self.path(path);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::write(place, text).unwrap();
    }

    pub(crate) fn program(&self, path: &str, text: &str) {
        self.put(path, text);
        fs::set_permissions(self.path(path), fs::Permissions::from_mode(0o755)).unwrap();
    }

    pub(crate) fn text(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap_or_default()
    }

    /// What systemd says of a unit, after what it said before.
    pub(crate) fn unit(&self, id: &str, state: &str, more: &str) {
        let (active, sub) = state.split_once('/').unwrap();
        let block = format!(
            "Id={id}\nLoadState=loaded\nActiveState={active}\nSubState={sub}\nResult=success\nNRestarts=0\nJob=\nAfter=basic.target\n\
StateChangeTimestamp=@1795000000\nStateChangeTimestampMonotonic=880000000\n{more}\n\n"
        );
        self.put("show", self.text("show") + &block);
    }

    pub(crate) fn note(&self, unit: &str, text: impl AsRef<[u8]>) {
        self.put(&format!("root/run/lab/units/{unit}"), text);
    }

    pub(crate) fn ready(units: &[&str]) -> Self {
        let bench = Self::new();
        for unit in units {
            bench.unit(&format!("lab-{unit}.service"), "active/exited", "");
        }
        bench
    }

    pub(crate) fn command(&self, script: &str) -> Command {
        let path = format!(
            "{}:{}",
            self.path("bin").display(),
            std::env::var("PATH").unwrap()
        );
        let mut command = Command::new(self.path("root").join(script));
        command
            .env("PATH", path)
            .env("BENCH", self.0.path())
            .env("LAB_ROOT", self.path("root"))
            .env("COLUMNS", "80");
        command
    }

    pub(crate) fn lab(&self, words: &[&str]) -> (i32, String, String) {
        said(&self.command(LAB).args(words).output().unwrap())
    }

    pub(crate) fn ask(&self, request: &[u8]) -> String {
        let mut child = self
            .command(EXPORTER)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // It may answer and close before it has read everything.
        let _ = child.stdin.take().unwrap().write_all(request);
        said(&child.wait_with_output().unwrap()).1
    }
}

pub(crate) fn said(output: &Output) -> (i32, String, String) {
    (
        output.status.code().unwrap_or(-1),
        String::from_utf8(output.stdout.clone()).unwrap(),
        String::from_utf8(output.stderr.clone()).unwrap(),
    )
}

pub(crate) fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output().unwrap();
    output.stdout == b"0\n"
}

/// The base is ready, the driver as given, and ollama waits for it.
pub(crate) fn with_driver(state: &str, more: &str, note: &str) -> Bench {
    let bench = Bench::ready(&["base"]);
    bench.unit("lab-driver.service", state, more);
    bench.unit(
        "lab-ollama.service",
        "inactive/dead",
        "Job=7\nAfter=lab-base.service lab-driver.service\nStateChangeTimestamp=\nStateChangeTimestampMonotonic=0",
    );
    bench.note("driver", note);
    bench
}
