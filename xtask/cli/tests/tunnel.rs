//! `tunnel` as a user runs it, to the sshd of this machine's package: the machine is this one,
//! so its ports are taken here, and others are chosen.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "../../remote/tests/server/mod.rs"]
mod server;

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use lab_not_run::not_run;
use rustix::process::{Pid, Signal, kill_process};
use server::{Server, possible};
use tempfile::TempDir;

/// Answers every request with a page.
fn web_server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for socket in listener.incoming() {
            let mut socket = socket.unwrap();
            let mut request = [0; 1024];
            let _ = socket.read(&mut request);
            let _ = socket.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nthe page\n");
        }
    });
    address
}

/// A port that nothing listens at.
fn closed() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

struct User {
    _folder: TempDir,
    child: Child,
}

impl Drop for User {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl User {
    /// Starts `tunnel` and reads until it is open; what it printed until then.
    fn start(server: &Server, jupyter: u16, dcgan: u16, more: &[&str]) -> (Self, String) {
        let folder = tempfile::tempdir().unwrap();
        let description = format!(
            "[machine]\nname = \"ws\"\nproduct = \"x\"\n[[gpu]]\npci_id = \"10de:1c82\"\n[disk]\nserial = \"ABC123\"\nsize_gb = 250\n\
             [jupyter]\nport = {jupyter}\n[dcgan]\nport = {dcgan}\n[ollama]\nenabled = false\n[monitoring]\nexporter = false\n"
        );
        fs::write(folder.path().join("machine.toml"), description).unwrap();
        // The host key is the one that was made with the image.
        let keys = folder.path().join("state/machines/ws");
        let mut private = fs::DirBuilder::new();
        private.recursive(true).mode(0o700).create(&keys).unwrap();
        let host_key = keys.join("ssh_host_ed25519_key");
        fs::copy(server.path("host_ed25519"), &host_key).unwrap();
        fs::set_permissions(&host_key, fs::Permissions::from_mode(0o600)).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_xtask"))
            .args(["tunnel", "--machine", "machine.toml", "--host"])
            .arg(format!("root@127.0.0.1:{}", server.port))
            .arg("--identity")
            .arg(server.path("user"))
            .args(more)
            .current_dir(folder.path())
            .env("LAB_STATE_DIR", folder.path().join("state"))
            .env("HOME", folder.path())
            .env_remove("LAB_MACHINE")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut user = Self {
            _folder: folder,
            child,
        };
        let mut printed = String::new();
        let mut lines = BufReader::new(user.child.stdout.take().unwrap()).lines();
        for line in lines.by_ref().map_while(Result::ok) {
            printed.push_str(&line);
            printed.push('\n');
            if line.starts_with("Open until") {
                return (user, printed);
            }
        }
        let mut said = String::new();
        user.child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut said)
            .unwrap();
        panic!("it ended before it was open: {printed}{said}");
    }

    /// The exit code, and what was printed to standard error.
    fn end(mut self) -> (Option<i32>, String) {
        let mut said = String::new();
        let mut stderr = self.child.stderr.take().unwrap();
        stderr.read_to_string(&mut said).unwrap();
        (self.child.wait().unwrap().code(), said)
    }
}

/// The address in the link of a line that begins with `title`.
fn link(printed: &str, title: &str) -> (SocketAddr, String) {
    let line = printed
        .lines()
        .find(|line| line.starts_with(title))
        .unwrap();
    let (_, link) = line.split_once("http://").unwrap();
    let (address, path) = link.split_once('/').unwrap();
    (address.parse().unwrap(), path.to_owned())
}

fn page(address: SocketAddr) -> String {
    let mut socket = TcpStream::connect(address).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    socket
        .write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        .unwrap();
    let mut text = String::new();
    let _ = socket.read_to_string(&mut text);
    text
}

#[test]
fn links_lead_to_what_answers_until_ctrl_c() {
    if !possible("links_lead_to_what_answers_until_ctrl_c") {
        return;
    }
    let server = Server::start("");
    let (jupyter, dcgan) = (web_server(), closed());
    let (user, printed) = User::start(&server, jupyter.port(), dcgan, &[]);
    let (address, path) = link(&printed, "JupyterLab");
    assert_ne!(address.port(), jupyter.port(), "it is taken here");
    assert!(page(address).ends_with("the page\n"));
    // Standard output is no terminal.
    assert_eq!(path, "lab");
    assert!(printed.contains("--token"), "{printed}");
    let dead = printed
        .lines()
        .find(|line| line.starts_with("DCGAN"))
        .unwrap();
    assert!(
        dead.contains("does not answer") && !dead.contains("http://"),
        "{dead}"
    );
    assert!(
        dead.contains(&format!("port {dcgan} there, {dcgan} here")),
        "a free port stays: {dead}"
    );
    let pid = Pid::from_raw(i32::try_from(user.child.id()).unwrap()).unwrap();
    kill_process(pid, Signal::INT).unwrap();
    let (code, said) = user.end();
    assert_eq!(code, Some(0), "{said}");
    assert!(
        TcpStream::connect(address).is_err(),
        "the port is closed with it"
    );
}

#[test]
fn a_lost_line_is_said_with_exit_code_2() {
    if !possible("a_lost_line_is_said_with_exit_code_2") {
        return;
    }
    let server = Server::start("");
    let wanted = closed();
    let more = ["--port", &wanted.to_string()];
    let (user, printed) = User::start(&server, web_server().port(), closed(), &more);
    assert_eq!(link(&printed, "JupyterLab").0.port(), wanted);
    server.kill_sessions();
    let (code, said) = user.end();
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("the line was lost"), "{said}");
}

#[test]
fn the_token_is_read_as_root_where_it_is_asked_for() {
    let test = "the_token_is_read_as_root_where_it_is_asked_for";
    if !possible(test) {
        return;
    }
    // The machine's /etc with a lab's secrets in it, for this sshd and what it starts alone.
    let secrets = tempfile::tempdir().unwrap();
    let at = secrets.path().display();
    let etc = format!(
        "mount -t tmpfs tmpfs {at} && mkdir -p {at}/up/lab/secrets {at}/work && \
         printf 0123456789abcdef >{at}/up/lab/secrets/jupyter-token && \
         mount -t overlay overlay -o lowerdir=/etc,upperdir={at}/up,workdir={at}/work /etc"
    );
    let before = ["unshare", "--mount", "sh", "-c"];
    let tried = Command::new(before[0])
        .args(&before[1..])
        .arg(&etc)
        .output()
        .unwrap();
    if !tried.status.success() {
        let why = String::from_utf8_lossy(&tried.stderr);
        return not_run(
            test,
            &format!("a mount of its own cannot be made here: {}", why.trim()),
        );
    }
    let start = format!("{etc} && exec \"$@\"");
    let words = [&before[..], &[start.as_str(), "sh"]].concat();
    let server = Server::start_in(&words, "");
    let (user, printed) = User::start(&server, web_server().port(), closed(), &["--token"]);
    assert_eq!(link(&printed, "JupyterLab").1, "lab?token=0123456789abcdef");
    drop(user);
    drop(server);
    // Where it is missing, the link is there without it, and why.
    let server = Server::start("");
    let (_user, printed) = User::start(&server, web_server().port(), closed(), &["--token"]);
    assert_eq!(link(&printed, "JupyterLab").1, "lab");
    assert!(printed.contains("could not be read"), "{printed}");
}
