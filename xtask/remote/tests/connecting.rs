//! Host keys and signing in, against a real sshd and a real ssh-agent.
#![expect(clippy::unwrap_used, reason = "tests")]

mod server;

use std::cell::RefCell;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use lab_remote::{
    Answer, Auth, ConnectError, Connection, Endpoint, HostKeyError, Secret, SshConfig, Target,
    Timeouts, Trust, UnknownKey, UnreachableReason,
};
use server::{LIMIT, Server, keygen, possible};

fn connect(
    server: &Server,
    trust: &Trust<'_>,
    auth: &Auth<'_>,
) -> Result<Connection, ConnectError> {
    Connection::connect(&server.endpoint(), trust, auth, &Timeouts::default())
}

fn known_hosts(server: &Server, text: &str) {
    fs::write(server.path("known_hosts"), text).unwrap();
}

fn line(server: &Server, key: &str) -> String {
    fs::read_to_string(server.path(key))
        .unwrap()
        .trim()
        .to_owned()
}

fn host_key_error(result: Result<Connection, ConnectError>) -> HostKeyError {
    match result.map(|_| ()) {
        Err(ConnectError::HostKey(error)) => error,
        other => panic!("expected an error of the host key, got {other:?}"),
    }
}

#[test]
fn a_key_and_a_pinned_host_key() {
    if !possible("a_key_and_a_pinned_host_key") {
        return;
    }
    let server = Server::start("Banner /etc/hostname");
    let mut connection = server.connect();
    assert_eq!(
        connection.banner().unwrap(),
        fs::read_to_string("/etc/hostname").unwrap()
    );
    let output = connection.run("echo yes", b"", LIMIT).unwrap();
    assert_eq!((output.text().as_str(), output.status), ("yes\n", Some(0)));
}

#[test]
fn known_hosts_hashed_and_of_the_second_type() {
    if !possible("known_hosts_hashed_and_of_the_second_type") {
        return;
    }
    let server = Server::start("");
    // The server prefers RSA here, so an expected type that is not asked for would read as changed.
    for key in ["host_ed25519.pub", "host_rsa.pub"] {
        known_hosts(
            &server,
            &format!("[127.0.0.1]:{} {}\n", server.port, line(&server, key)),
        );
        connect(&server, &Trust::default(), &server.auth()).unwrap();
        let hashed = Command::new("ssh-keygen")
            .arg("-qHf")
            .arg(server.path("known_hosts"))
            .output()
            .unwrap();
        assert!(hashed.status.success());
        assert!(
            fs::read_to_string(server.path("known_hosts"))
                .unwrap()
                .starts_with("|1|")
        );
        connect(&server, &Trust::default(), &server.auth()).unwrap();
    }
}

#[test]
fn a_changed_host_key_ends_it() {
    if !possible("a_changed_host_key_ends_it") {
        return;
    }
    let server = Server::start("");
    let name = format!("[127.0.0.1]:{}", server.port);
    known_hosts(
        &server,
        &format!("# old\n{name} {}\n", line(&server, "other.pub")),
    );
    let asked = RefCell::new(0);
    let ask = |_: &UnknownKey<'_>| {
        *asked.borrow_mut() += 1;
        Answer::ThisTime
    };
    let trust = Trust {
        ask: Some(&ask),
        ..Trust::default()
    };
    let error = host_key_error(connect(&server, &trust, &server.auth()));
    assert!(matches!(error, HostKeyError::Changed { .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains(&server.host_key().fingerprint()), "{text}");
    let old: lab_remote::PublicKey = line(&server, "other.pub").parse().unwrap();
    assert!(text.contains(&old.fingerprint()), "{text}");
    assert!(
        text.contains(&format!("{}:2", server.path("known_hosts").display())),
        "{text}"
    );
    assert_eq!(*asked.borrow(), 0);
    // A pinned key is as strict, whatever known_hosts says.
    known_hosts(
        &server,
        &format!("{name} {}\n", line(&server, "host_ed25519.pub")),
    );
    let mut trust = server.pinned();
    trust.pinned[0].key = old;
    let error = host_key_error(connect(&server, &trust, &server.auth()));
    assert!(error.to_string().contains("(the test)"), "{error}");
}

#[test]
fn a_revoked_key_ends_it_even_when_pinned() {
    if !possible("a_revoked_key_ends_it_even_when_pinned") {
        return;
    }
    let server = Server::start("");
    known_hosts(
        &server,
        &format!("@revoked * {}\n", line(&server, "host_ed25519.pub")),
    );
    let error = host_key_error(connect(&server, &server.pinned(), &server.auth()));
    assert!(matches!(error, HostKeyError::Revoked { .. }), "{error}");
    assert!(error.to_string().contains("known_hosts:1"), "{error}");
}

#[test]
fn an_unknown_key_is_asked_about_or_refused() {
    if !possible("an_unknown_key_is_asked_about_or_refused") {
        return;
    }
    let server = Server::start("");
    let error = host_key_error(connect(&server, &Trust::default(), &server.auth()));
    assert!(
        matches!(error, HostKeyError::Unknown { asked: false, .. }),
        "{error}"
    );
    let fingerprint = by_ssh_keygen(&server.path("host_ed25519.pub"));
    for answer in [Answer::Refuse, Answer::ThisTime, Answer::Remember] {
        let ask = |unknown: &UnknownKey<'_>| {
            assert_eq!(unknown.key.fingerprint(), fingerprint);
            answer
        };
        let trust = Trust {
            ask: Some(&ask),
            ..Trust::default()
        };
        let result = connect(&server, &trust, &server.auth());
        assert_eq!(result.is_ok(), answer != Answer::Refuse);
        assert_eq!(
            server.path("known_hosts").exists(),
            answer == Answer::Remember
        );
    }
    connect(&server, &Trust::default(), &server.auth()).unwrap();
}

fn by_ssh_keygen(key: &Path) -> String {
    let output = Command::new("ssh-keygen")
        .arg("-lf")
        .arg(key)
        .output()
        .unwrap();
    String::from_utf8(output.stdout)
        .unwrap()
        .split_whitespace()
        .nth(1)
        .unwrap()
        .to_owned()
}

#[test]
fn a_wrong_key_and_a_server_that_takes_passwords_only() {
    if !possible("a_wrong_key_and_a_server_that_takes_passwords_only") {
        return;
    }
    let server = Server::start("");
    let auth = Auth {
        identity: Some(server.path("other")),
        ..Auth::default()
    };
    let error = connect(&server, &server.pinned(), &auth)
        .map(|_| ())
        .unwrap_err();
    let ConnectError::Auth(error) = error else {
        panic!("{error}")
    };
    assert!(error.offered.contains(&"publickey".to_owned()));
    let text = error.to_string();
    assert!(
        text.contains("other (ssh-ed25519 SHA256:") && text.contains("refused"),
        "{text}"
    );
    drop(server);
    let server = Server::start(
        "PubkeyAuthentication no\nKbdInteractiveAuthentication no\nPasswordAuthentication yes\nPermitRootLogin yes",
    );
    let error = connect(&server, &server.pinned(), &server.auth())
        .map(|_| ())
        .unwrap_err();
    let ConnectError::Auth(error) = error else {
        panic!("{error}")
    };
    assert_eq!(error.offered, ["password"]);
    assert!(
        error.to_string().contains("no password is ever sent"),
        "{error}"
    );
}

#[test]
fn keys_with_passphrases_and_of_every_kind() {
    if !possible("keys_with_passphrases_and_of_every_kind") {
        return;
    }
    let server = Server::start("");
    let mut authorized = String::new();
    for kind in ["ed25519", "ecdsa", "rsa"] {
        keygen(&server.path(kind), kind, "open sesame");
        authorized += &fs::read_to_string(server.path(&format!("{kind}.pub"))).unwrap();
    }
    fs::write(server.path("authorized_keys"), authorized).unwrap();
    let right = |_: &Path| Some(Secret::new("open sesame".into()));
    let wrong = |_: &Path| Some(Secret::new("open barley".into()));
    for kind in ["ed25519", "ecdsa", "rsa"] {
        let mut auth = Auth {
            identity: Some(server.path(kind)),
            ..Auth::default()
        };
        let without = connect(&server, &server.pinned(), &auth)
            .map(|_| ())
            .unwrap_err()
            .to_string();
        assert!(
            without.contains("it needs a passphrase and none was given"),
            "{without}"
        );
        auth.passphrase = Some(&wrong);
        let without = connect(&server, &server.pinned(), &auth)
            .map(|_| ())
            .unwrap_err()
            .to_string();
        assert!(
            without.contains(kind) && without.contains("no key was accepted"),
            "{without}"
        );
        auth.passphrase = Some(&right);
        connect(&server, &server.pinned(), &auth).unwrap();
    }
}

/// An ssh-agent of the test's own.
struct AgentProgram {
    child: Child,
    socket: PathBuf,
}

impl AgentProgram {
    fn start(folder: &Path, keys: &[PathBuf]) -> Self {
        let socket = folder.join("agent");
        let mut child = Command::new("ssh-agent")
            .arg("-D")
            .arg("-a")
            .arg(&socket)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut said)
            .unwrap();
        for key in keys {
            let added = Command::new("ssh-add")
                .arg("-q")
                .arg(key)
                .env("SSH_AUTH_SOCK", &socket)
                .status()
                .unwrap();
            assert!(added.success());
        }
        Self { child, socket }
    }
}

impl Drop for AgentProgram {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_agent_holds_the_key() {
    if !possible("the_agent_holds_the_key") {
        return;
    }
    let server = Server::start("");
    keygen(&server.path("rsa"), "rsa", "");
    let agent = AgentProgram::start(
        server.folder.path(),
        &[server.path("other"), server.path("user")],
    );
    let auth = Auth {
        agent: Some(agent.socket.clone()),
        ..Auth::default()
    };
    connect(&server, &server.pinned(), &auth).unwrap();
    // With IdentitiesOnly the agent offers the named key only, of which just the public half is needed.
    fs::rename(server.path("user"), server.path("user-away")).unwrap();
    let mut endpoint = server.endpoint();
    endpoint.identities_only = true;
    endpoint.identity_files = vec![server.path("user")];
    Connection::connect(&endpoint, &server.pinned(), &auth, &Timeouts::default()).unwrap();
    endpoint.identity_files = vec![server.path("other")];
    let error = Connection::connect(&endpoint, &server.pinned(), &auth, &Timeouts::default())
        .map(|_| ())
        .unwrap_err();
    let ConnectError::Auth(error) = error else {
        panic!("{error}")
    };
    let by_agent = error
        .tried
        .iter()
        .filter(|tried| tried.starts_with("agent: ssh-"))
        .count();
    assert_eq!(by_agent, 1, "{error}");
}

#[test]
fn an_agent_that_is_dead_or_silent_does_not_hold_it_up() {
    if !possible("an_agent_that_is_dead_or_silent_does_not_hold_it_up") {
        return;
    }
    let server = Server::start("");
    let silent = UnixListener::bind(server.path("silent")).unwrap();
    let timeouts = Timeouts {
        agent: Duration::from_millis(500),
        ..Timeouts::default()
    };
    for socket in ["silent", "missing"] {
        let mut endpoint = server.endpoint();
        endpoint.identity_files = vec![server.path("user")];
        let auth = Auth {
            agent: Some(server.path(socket)),
            ..Auth::default()
        };
        let begun = Instant::now();
        Connection::connect(&endpoint, &server.pinned(), &auth, &timeouts).unwrap();
        assert!(
            begun.elapsed() < Duration::from_secs(5),
            "{socket}: {:?}",
            begun.elapsed()
        );
    }
    drop(silent);
}

#[test]
fn an_rsa_key_in_the_agent_signs_with_sha2() {
    if !possible("an_rsa_key_in_the_agent_signs_with_sha2") {
        return;
    }
    let server = Server::start("");
    keygen(&server.path("rsa"), "rsa", "");
    fs::copy(server.path("rsa.pub"), server.path("authorized_keys")).unwrap();
    let agent = AgentProgram::start(server.folder.path(), &[server.path("rsa")]);
    let auth = Auth {
        agent: Some(agent.socket.clone()),
        ..Auth::default()
    };
    connect(&server, &server.pinned(), &auth).unwrap();
}

#[test]
fn machines_that_do_not_answer() {
    let endpoint = |host: &str, port: u16| {
        let config = SshConfig::empty(Path::new("/nonexistent"));
        let target: Target = format!("lab@{host}:{port}").parse().unwrap();
        target.resolve(&config).unwrap()
    };
    let try_it = |endpoint: &Endpoint| {
        let timeouts = Timeouts {
            connect: Duration::from_secs(2),
            handshake: Duration::from_secs(2),
            ..Timeouts::default()
        };
        let begun = Instant::now();
        let error = Connection::connect(endpoint, &Trust::default(), &Auth::default(), &timeouts)
            .map(|_| ())
            .unwrap_err();
        assert!(
            begun.elapsed() < Duration::from_secs(5),
            "{:?}",
            begun.elapsed()
        );
        error
    };
    let closed = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let error = try_it(&endpoint("127.0.0.1", closed));
    assert!(
        matches!(&error, ConnectError::Unreachable(error) if error.reason == UnreachableReason::Refused),
        "{error}"
    );
    let error = try_it(&endpoint("no-such-host.invalid", 22));
    assert!(
        matches!(&error, ConnectError::Unreachable(error) if error.reason == UnreachableReason::Name),
        "{error}"
    );
    // It takes the connection and says nothing.
    let mute = TcpListener::bind("127.0.0.1:0").unwrap();
    let error = try_it(&endpoint("127.0.0.1", mute.local_addr().unwrap().port()));
    assert!(matches!(error, ConnectError::Protocol { .. }), "{error}");
    // It speaks something else.
    let web = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = web.local_addr().unwrap().port();
    let answer = std::thread::spawn(move || {
        let (mut socket, _) = web.accept().unwrap();
        std::io::Write::write_all(&mut socket, b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
        let _ = socket.read(&mut [0; 256]);
    });
    let error = try_it(&endpoint("127.0.0.1", port));
    assert!(matches!(error, ConnectError::Protocol { .. }), "{error}");
    answer.join().unwrap();
}
