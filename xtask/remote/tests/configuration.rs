//! What is read of ssh_config, held against `ssh -G` where that is here.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use lab_not_run::not_run;
use lab_remote::{Endpoint, SshConfig, Target};
use tempfile::TempDir;

const CONFIG: &str = r#"
Include more.d/*.conf
# The machine of the lab
Host gpu gpu-server
    HostName = %h.lab.example
    User lab
    Port 2222
    IdentityFile ~/.ssh/id_lab
    IdentityFile "~/.ssh/with space"   # and a comment
    UserKnownHostsFile ~/.ssh/lab_hosts /dev/null
    IdentitiesOnly yes
Host old* !older
    User ancient
    ProxyJump none
Host behind
    ProxyJump gate
Host commanded
    ProxyCommand nc %h %p
Match originalhost matched user guest
    Port 77
Match host *.lab.example
    HostKeyAlias lab-machine
Match originalhost executed exec "true"
    Port 78
Host *
    User everybody
    Port 2200
    IdentityFile ~/.ssh/%r-on-%n
"#;

struct Home(TempDir);

impl Home {
    fn make(config: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        fs::create_dir_all(home.path().join(".ssh/more.d")).unwrap();
        fs::write(home.path().join(".ssh/config"), config).unwrap();
        fs::write(
            home.path().join(".ssh/more.d/a.conf"),
            "Host included\n  HostName 10.0.0.9\nHost other\n  Port 9\n",
        )
        .unwrap();
        Self(home)
    }

    fn config(&self) -> SshConfig {
        SshConfig {
            files: vec![self.0.path().join(".ssh/config")],
            home: self.0.path().to_owned(),
            local_user: "me".into(),
        }
    }

    fn resolve(&self, target: &str) -> Result<Endpoint, String> {
        let target: Target = target.parse().unwrap();
        target
            .resolve(&self.config())
            .map_err(|error| error.to_string())
    }

    fn ssh(&self, name: &str) -> PathBuf {
        self.0.path().join(".ssh").join(name)
    }
}

#[test]
fn the_first_value_wins_and_identities_add_up() {
    let home = Home::make(CONFIG);
    let endpoint = home.resolve("gpu").unwrap();
    assert_eq!(endpoint.to_string(), "lab@gpu.lab.example:2222");
    assert_eq!(endpoint.known_as(), "lab-machine");
    assert_eq!(
        endpoint.identity_files,
        [
            home.ssh("id_lab"),
            home.ssh("with space"),
            home.ssh("lab-on-gpu")
        ]
    );
    assert!(endpoint.identities_only);
    assert_eq!(
        endpoint.known_hosts[..2],
        [home.ssh("lab_hosts"), PathBuf::from("/dev/null")]
    );
    // What was written wins over all files.
    assert_eq!(
        home.resolve("root@gpu:22").unwrap().to_string(),
        "root@gpu.lab.example:22"
    );
    assert_eq!(home.resolve("older").unwrap().user, "everybody");
    assert_eq!(home.resolve("old1").unwrap().user, "ancient");
    assert_eq!(home.resolve("included").unwrap().host, "10.0.0.9");
    assert_eq!(home.resolve("guest@matched").unwrap().port, 77);
    assert_eq!(home.resolve("matched").unwrap().port, 2200);
    let plain = home.resolve("[::1]").unwrap();
    assert_eq!(plain.known_as(), "[::1]:2200");
    assert_eq!(plain.known_hosts[0], home.ssh("known_hosts"));
}

#[test]
fn what_cannot_be_followed_is_named() {
    let home = Home::make(CONFIG);
    for (target, key, hint) in [
        ("behind", "ProxyJump", "ssh -L"),
        ("commanded", "ProxyCommand", "ssh -L"),
        ("executed", "Match: `exec`", "under `Host`"),
    ] {
        let error = home.resolve(target).unwrap_err();
        assert!(
            error.contains(key) && error.contains(hint) && error.contains(".ssh/config:"),
            "{error}"
        );
    }
    let bad = Home::make("Port many\n");
    assert!(
        bad.resolve("x")
            .unwrap_err()
            .contains("config:1: Port: expected a number")
    );
    let own = Home::make("Include config\n");
    assert!(own.resolve("x").unwrap_err().contains("16 files deep"));
    assert!(SshConfig::empty(Path::new("/x")).files.is_empty());
    let nobody: Target = "x".parse().unwrap();
    let error = nobody
        .resolve(&SshConfig::empty(Path::new("/x")))
        .unwrap_err()
        .to_string();
    assert!(error.contains("USER@HOST"), "{error}");
}

#[test]
fn ssh_reads_the_same() {
    if Command::new("ssh").arg("-V").output().is_err() {
        return not_run(
            "ssh_reads_the_same",
            "ssh is missing (Debian's openssh-client)",
        );
    }
    // `Match exec` would run here too, and relative includes go to the real home.
    let config = CONFIG.replace("Include more.d/*.conf\n", "");
    let home = Home::make(&config);
    for target in [
        "gpu",
        "gpu-server",
        "old1",
        "older",
        "guest@matched",
        "matched",
        "elsewhere",
    ] {
        let ours = home.resolve(target).unwrap();
        let output = Command::new("ssh")
            .arg("-F")
            .arg(home.ssh("config"))
            .args(["-G", target])
            .output()
            .unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        let value = |key: &str| {
            said.lines()
                .find_map(|line| line.strip_prefix(key)?.strip_prefix(' '))
                .map(str::to_owned)
        };
        assert_eq!(value("hostname"), Some(ours.host), "{target}");
        assert_eq!(value("user"), Some(ours.user), "{target}");
        assert_eq!(value("port"), Some(ours.port.to_string()), "{target}");
        assert_eq!(value("hostkeyalias"), ours.host_key_alias, "{target}");
        let only = if ours.identities_only { "yes" } else { "no" };
        assert_eq!(value("identitiesonly").as_deref(), Some(only), "{target}");
    }
}
