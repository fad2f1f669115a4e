//! The tools that are measured against, each in its fast way, and our own; which checks of
//! a run failed is read from what each prints.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context as _, bail, ensure};

use super::host::{Host, run};

/// A way to run the thirty checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tool {
    /// This program: the thirty, by one question over one connection.
    Ours,
    /// `cargo xtask accept` itself, with every check that it makes without `--workloads`.
    Accept,
    /// ssh, and goss on the host.
    Goss,
    /// pytest-testinfra over ssh, as it comes: a connection for each command.
    Testinfra,
    /// pytest-testinfra over ssh, with a `ControlPath` in ssh's configuration, by which all
    /// commands share a connection.
    TestinfraShared,
    /// pytest-testinfra over paramiko, with one connection too.
    TestinfraParamiko,
    /// ansible-playbook.
    Ansible,
}

impl Tool {
    /// All, in the order of the table.
    pub(super) const ALL: [Self; 7] = [
        Self::Ours,
        Self::Accept,
        Self::Goss,
        Self::Testinfra,
        Self::TestinfraShared,
        Self::TestinfraParamiko,
        Self::Ansible,
    ];

    /// What the table calls it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Ours => "ours, the thirty",
            Self::Accept => "accept, all of it",
            Self::Goss => "ssh and goss",
            Self::Testinfra => "testinfra, ssh",
            Self::TestinfraShared => "testinfra, ssh shared",
            Self::TestinfraParamiko => "testinfra, paramiko",
            Self::Ansible => "Ansible",
        }
    }
}

/// Versions that are installed: the newest testinfra, and the Ansible of Debian 13.
const WANTED: [&str; 3] = [
    "pytest-testinfra==10.2.*",
    "paramiko",
    "ansible-core==2.19.*",
];

/// Where the tools and their files are.
pub(super) struct Bench {
    /// The folder `tests/bench-accept`.
    checks: PathBuf,
    /// The virtual environment's programs.
    programs: PathBuf,
    /// The description that `accept` holds the host against.
    described: PathBuf,
}

impl Bench {
    /// Makes the virtual environment where it is not there yet; what it lacks then shows
    /// when a tool is first run.
    pub(super) fn prepare(workspace: &Path, folder: &Path) -> Self {
        let venv = folder.join("venv");
        let programs = venv.join("bin");
        if !programs.join("ansible-playbook").exists() {
            crate::ui::step("installs pytest-testinfra and ansible-core");
            if let Err(error) = install(&venv) {
                anstream::eprintln!("{error:#}");
            }
        }
        Self {
            checks: workspace.join("tests/bench-accept"),
            programs,
            described: workspace.join("images/gpu-server/machine.toml"),
        }
    }

    /// Runs a tool once; the checks that failed. With `keep_going` Ansible does not stop at
    /// the first, as the others never do.
    pub(super) fn once(
        &self,
        tool: Tool,
        host: &Host,
        keep_going: bool,
    ) -> anyhow::Result<BTreeSet<String>> {
        let output = match tool {
            Tool::Ours => ours(host)?,
            Tool::Accept => return self.accept(host),
            Tool::Goss => self.goss(host)?,
            Tool::Testinfra => self.testinfra(host, "ssh", "ssh_config")?,
            Tool::TestinfraShared => self.testinfra(host, "ssh", "ssh_config_shared")?,
            Tool::TestinfraParamiko => self.testinfra(host, "paramiko", "ssh_config")?,
            Tool::Ansible => self.ansible(host, keep_going)?,
        };
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let failed = match tool {
            Tool::Ours | Tool::Accept => text.lines().map(str::to_owned).collect(),
            Tool::Goss => goss_failed(&text)?,
            Tool::Testinfra | Tool::TestinfraShared | Tool::TestinfraParamiko => {
                testinfra_failed(&text)
            }
            Tool::Ansible => ansible_failed(&text),
        };
        // A tool that could not even look must not pass for one that saw nothing wrong.
        let well = output.status.success() || keep_going && tool == Tool::Ansible;
        if failed.is_empty() && !(well && ran_all(tool, &text)) {
            let said = format!("{text}{}", String::from_utf8_lossy(&output.stderr));
            let end: Vec<&str> = said
                .lines()
                .filter(|line| !line.trim().is_empty())
                .collect();
            let end = end.get(end.len().saturating_sub(4)..).unwrap_or_default();
            bail!(
                "{} ended with {}: {}",
                tool.name(),
                output.status,
                end.join("; ")
            );
        }
        Ok(failed)
    }

    /// The host is no lab, so most of its claims fail: what counts is that it asked for all
    /// of them and judged.
    fn accept(&self, host: &Host) -> anyhow::Result<BTreeSet<String>> {
        let program = std::env::current_exe().context("finding this program")?;
        let output = Command::new(program)
            .args(["accept", "--format", "json", "--host"])
            .arg(format!("root@{}", host.address))
            .arg("--identity")
            .arg(host.folder.join("key"))
            .arg("--machine")
            .arg(&self.described)
            .env("LAB_STATE_DIR", host.folder.join("state"))
            .output()
            .context("running this program")?;
        let report: serde_json::Value = serde_json::from_slice(&output.stdout)
            .with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())?;
        let results = report.get("results").and_then(serde_json::Value::as_array);
        let judged = results.into_iter().flatten();
        let judged = judged.filter(|one| one["outcome"] != "not-run").count();
        ensure!(judged >= 30, "accept judged {judged} claims only");
        Ok(BTreeSet::new())
    }

    fn goss(&self, host: &Host) -> anyhow::Result<Output> {
        let file = std::fs::File::open(self.checks.join("goss.yaml"))?;
        let mut command = Command::new("ssh");
        command.arg("-F").arg(host.folder.join("ssh_config"));
        command.args([
            "lab-bench",
            "goss",
            "-g",
            "-",
            "validate",
            "--format",
            "json",
        ]);
        command.stdin(file).output().context("running ssh")
    }

    fn testinfra(&self, host: &Host, backend: &str, config: &str) -> anyhow::Result<Output> {
        let config = host.folder.join(config);
        let mut command = Command::new(self.programs.join("python"));
        command.args([
            "-m",
            "pytest",
            "-q",
            "--tb=no",
            "-rf",
            "-p",
            "no:cacheprovider",
        ]);
        command.args([
            &format!("--hosts={backend}://lab-bench"),
            &format!("--ssh-config={}", config.display()),
        ]);
        command.arg(self.checks.join("test_host.py"));
        command.env("PYTHONDONTWRITEBYTECODE", "1");
        command.output().context("running pytest")
    }

    fn ansible(&self, host: &Host, keep_going: bool) -> anyhow::Result<Output> {
        let config = host.folder.join("ssh_config");
        let mut command = Command::new(self.programs.join("ansible-playbook"));
        command.args(["-i", "lab-bench,", "--ssh-common-args"]);
        command.arg(format!("-F {}", config.display()));
        if keep_going {
            command.args(["-e", "keep_going=true"]);
        }
        command.arg(self.checks.join("playbook.yml"));
        command
            .env("ANSIBLE_CONFIG", self.checks.join("ansible.cfg"))
            .env("ANSIBLE_NOCOLOR", "1")
            .env("ANSIBLE_HOME", host.folder.join("ansible"));
        command.output().context("running ansible-playbook")
    }
}

fn install(venv: &Path) -> anyhow::Result<()> {
    let at = venv.to_string_lossy();
    run("python3", &["-m", "venv", &at], b"")?;
    let pip = venv.join("bin/pip").to_string_lossy().into_owned();
    let mut words = vec!["install", "--quiet"];
    words.extend(WANTED);
    run(&pip, &words, b"")?;
    Ok(())
}

fn ours(host: &Host) -> anyhow::Result<Output> {
    let program = std::env::current_exe().context("finding this program")?;
    let mut command = Command::new(program);
    command.args(["bench", "accept", "--once-at", &host.address.to_string()]);
    command.arg("--folder").arg(&host.folder);
    command.output().context("running this program")
}

/// Whether all thirty were looked at.
fn ran_all(tool: Tool, text: &str) -> bool {
    match tool {
        Tool::Ours | Tool::Accept => true,
        Tool::Goss => text.contains("\"failed-count\": 0") || text.contains("\"failed-count\":0"),
        Tool::Testinfra | Tool::TestinfraShared | Tool::TestinfraParamiko => {
            text.contains("30 passed")
        }
        Tool::Ansible => text.contains("failed=0") && text.matches("TASK [c").count() == 30,
    }
}

/// The names in the titles of goss's resources; a resource may stand for several checks, and
/// which of them it is follows from the property that failed.
fn goss_failed(text: &str) -> anyhow::Result<BTreeSet<String>> {
    let json: serde_json::Value = serde_json::from_str(text).context("reading what goss says")?;
    let results = json.get("results").and_then(serde_json::Value::as_array);
    let mut failed = BTreeSet::new();
    for one in results.context("goss says no results")? {
        let field = |name: &str| {
            one.get(name)
                .and_then(serde_json::Value::as_str)
                .unwrap_or_default()
        };
        let passed = one.get("successful").and_then(serde_json::Value::as_bool);
        if passed == Some(true) {
            continue;
        }
        let names: Vec<&str> = field("title").split(' ').collect();
        let index = match (names.len(), field("property")) {
            (2, "versions" | "enabled" | "groups" | "group") => 1,
            (4, "mode") => 1,
            (4, "owner" | "group") => 2,
            (4, "contents") => 3,
            _ => 0,
        };
        failed.insert(names.get(index).unwrap_or(&"?").to_string());
    }
    Ok(failed)
}

fn testinfra_failed(text: &str) -> BTreeSet<String> {
    let lines = text
        .lines()
        .filter(|line| line.starts_with("FAILED ") || line.starts_with("ERROR "));
    let name = |line: &str| {
        let at = line.find("::test_")? + "::test_".len();
        Some(line.get(at..at + 3)?.to_owned())
    };
    lines.filter_map(name).collect()
}

fn ansible_failed(text: &str) -> BTreeSet<String> {
    let mut task = "";
    let mut failed = BTreeSet::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("TASK [") {
            task = name;
        }
        if line.starts_with("fatal: ") || line.starts_with("failed: ") {
            failed.insert(task.get(..3).unwrap_or("?").to_owned());
        }
    }
    failed
}

#[cfg(test)]
mod tests {
    use super::{Tool, ansible_failed, goss_failed, ran_all, testinfra_failed};

    #[test]
    fn what_each_tool_says_of_a_failure() {
        let goss = r#"{"results": [
            {"title": "c14 c15", "property": "mode", "successful": false},
            {"title": "c14 c15", "property": "group", "successful": true},
            {"title": "c10 c11 c12 c13", "property": "contents", "successful": false},
            {"title": "c21 c22", "property": "groups", "successful": false}
        ]}"#;
        let goss: Vec<String> = goss_failed(goss).unwrap().into_iter().collect();
        assert_eq!(goss, ["c13", "c14", "c22"]);
        assert!(goss_failed("ssh: no route").is_err());
        let pytest = "FAILED test_host.py::test_c19_the_content[ssh://lab-bench] - assert\n1 failed, 29 passed\n";
        assert!(testinfra_failed(pytest).contains("c19"));
        let ansible = "TASK [c09 nothing] ***\nok: [x]\nTASK [c14 shadow] ***\nfatal: [x]: FAILED! => {}\n...ignoring\n";
        assert_eq!(
            ansible_failed(ansible).into_iter().collect::<Vec<_>>(),
            ["c14"]
        );
        assert!(
            !ran_all(Tool::Testinfra, "29 passed") && ran_all(Tool::Testinfra, "30 passed in 1s")
        );
        assert!(!ran_all(Tool::Ansible, "x : ok=0 failed=0"));
    }
}
