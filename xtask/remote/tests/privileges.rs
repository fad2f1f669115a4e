//! sudo without a password, with one, and not at all, by users that are made for it.
#![expect(clippy::unwrap_used, reason = "tests")]

mod server;

use std::cell::Cell;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use lab_not_run::not_run;
use lab_remote::{Connection, Privilege, RunError, Secret};
use server::{LIMIT, Server, possible, wait_until_runs};

const PASSWORD: &str = "correct horse 'battery' $taple";

/// A user of this machine for one test, with what sudoers says of it. Newer releases of sudo
/// have use_pty by default, older ones get it here.
struct User {
    name: String,
    sudoers: String,
}

impl User {
    fn make(test: &str, rule: Option<&str>) -> Option<Self> {
        if !possible(test) {
            return None;
        }
        for program in ["/usr/sbin/useradd", "/usr/bin/sudo"] {
            if !Path::new(program).exists() {
                not_run(test, &format!("{program} is missing"));
                return None;
            }
        }
        let name = format!("labtest{}{}", std::process::id(), test.len());
        let made = Command::new("useradd")
            .args(["--no-create-home", "--shell", "/bin/bash", &name])
            .status()
            .unwrap();
        assert!(made.success());
        let user = Self {
            sudoers: format!("/etc/sudoers.d/{name}"),
            name,
        };
        let mut set = Command::new("chpasswd")
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        writeln!(set.stdin.take().unwrap(), "{}:{PASSWORD}", user.name).unwrap();
        assert!(set.wait().unwrap().success());
        if let Some(rule) = rule {
            fs::write(
                &user.sudoers,
                format!("Defaults:{0} use_pty\n{0} {rule}\n", user.name),
            )
            .unwrap();
            fs::set_permissions(&user.sudoers, fs::Permissions::from_mode(0o440)).unwrap();
        }
        Some(user)
    }

    fn connect(&self, server: &Server) -> Connection {
        let mut endpoint = server.endpoint();
        endpoint.user.clone_from(&self.name);
        server.connect_to(&endpoint).unwrap()
    }
}

impl Drop for User {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.sudoers);
        let _ = Command::new("userdel").arg(&self.name).status();
    }
}

fn right(_: usize) -> Option<Secret> {
    Some(Secret::new(PASSWORD.into()))
}

#[test]
fn root_needs_nothing() {
    if !possible("root_needs_nothing") {
        return;
    }
    let server = Server::start("");
    let privilege = server.connect().privilege(None).unwrap();
    assert!(matches!(privilege, Privilege::Root), "{privilege:?}");
}

#[test]
fn sudo_without_a_password() {
    let Some(user) = User::make("sudo_without_a_password", Some("ALL=(ALL) NOPASSWD: ALL")) else {
        return;
    };
    let server = Server::start("");
    let mut connection = user.connect(&server);
    assert_eq!(
        connection.run("id -un", b"", LIMIT).unwrap().text().trim(),
        user.name
    );
    let privilege = connection.privilege(None).unwrap();
    assert!(
        matches!(privilege, Privilege::SudoNoPassword),
        "{privilege:?}"
    );
    check_root(&mut connection, &privilege, &server, "6");
}

#[test]
fn sudo_with_a_password() {
    let Some(user) = User::make("sudo_with_a_password_", Some("ALL=(ALL) ALL")) else {
        return;
    };
    let server = Server::start("");
    let mut connection = user.connect(&server);
    let without = connection.privilege(None).unwrap();
    assert!(
        matches!(&without, Privilege::None(reason) if reason.contains("wants a password")),
        "{without}"
    );
    let asked = Cell::new(0);
    let wrong = |attempt| {
        asked.set(attempt);
        Some(Secret::new("wrong".into()))
    };
    let begun = Instant::now();
    let refused = connection.privilege(Some(&wrong)).unwrap();
    assert!(
        matches!(&refused, Privilege::None(reason) if reason.contains("does not take it")),
        "{refused}"
    );
    assert_eq!(asked.get(), 3);
    assert!(begun.elapsed() < Duration::from_secs(30));
    let privilege = connection.privilege(Some(&right)).unwrap();
    assert!(
        matches!(privilege, Privilege::SudoPassword(_)),
        "{privilege:?}"
    );
    assert!(!format!("{privilege:?}").contains("horse"));
    check_root(&mut connection, &privilege, &server, "7");
    let lines = connection
        .sudo(&privilege)
        .unwrap()
        .run("cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ", b"", LIMIT)
        .unwrap();
    assert!(!lines.text().contains("correct horse"));
}

#[test]
fn no_sudo_for_this_user() {
    let Some(user) = User::make("no_sudo_for_this_user__", None) else {
        return;
    };
    let server = Server::start("");
    let mut connection = user.connect(&server);
    let privilege = connection.privilege(Some(&right)).unwrap();
    assert!(
        matches!(&privilege, Privilege::None(reason) if reason.contains("not in the sudoers file") || reason.contains("not allowed")),
        "{privilege}"
    );
    let error = connection.sudo(&privilege).map(|_| ()).unwrap_err();
    assert!(matches!(error, RunError::Refused { .. }), "{error}");
}

/// Root's commands get their input and statuses, upload, and are ended as a user's are.
fn check_root(connection: &mut Connection, privilege: &Privilege, server: &Server, mark: &str) {
    let mut root = connection.sudo(privilege).unwrap();
    let output = root.run("id -un; cat; exit 7", b"input\n", LIMIT).unwrap();
    assert_eq!(
        (output.text().as_str(), output.status),
        ("root\ninput\n", Some(7))
    );
    assert_eq!(
        root.script("bash -s", "echo $EUID", LIMIT).unwrap().text(),
        "0\n"
    );
    let path = server.path("of root");
    root.upload(b"secret", path.to_str().unwrap(), 0o600, LIMIT)
        .unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"secret");
    let command = format!("sleep 4242.{mark}");
    let error = root
        .run(&format!("{command}; echo no"), b"", Duration::from_secs(2))
        .unwrap_err();
    assert!(matches!(error, RunError::TimedOut { .. }), "{error}");
    wait_until_runs(&command.replace(' ', "\0"), false, Duration::from_secs(10));
    assert!(
        connection
            .sudo(privilege)
            .unwrap()
            .run("true", b"", LIMIT)
            .unwrap()
            .success()
    );
}
