//! Hanging commands, cut lines, killed servers: bounded time, clear words, nothing left behind.
#![expect(clippy::unwrap_used, reason = "tests")]

mod server;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use lab_remote::{Connection, RunError};
use server::{LIMIT, Server, possible, runs, wait_until_runs};

/// A command line that stands for itself in a process list.
fn sleeper(mark: &str) -> String {
    format!("sleep 4242.{mark}")
}

fn as_listed(command: &str) -> String {
    command.replace(' ', "\0")
}

#[test]
fn a_command_that_hangs_is_ended_at_its_limit() {
    if !possible("a_command_that_hangs_is_ended_at_its_limit") {
        return;
    }
    let server = Server::start("");
    let mut connection = server.connect();
    let command = sleeper("1");
    // The first lets itself be ended, the second ignores that.
    for start in ["", "trap '' TERM HUP INT; "] {
        let begun = Instant::now();
        let line = format!("{start}echo waiting; {command} & {command}; {command}");
        let error = connection
            .run(&line, b"", Duration::from_secs(2))
            .unwrap_err();
        assert!(
            matches!(&error, RunError::TimedOut { said, .. } if said == "waiting"),
            "{error}"
        );
        assert!(
            begun.elapsed() < Duration::from_secs(4),
            "{:?}",
            begun.elapsed()
        );
        wait_until_runs(&as_listed(&command), false, Duration::from_secs(10));
    }
    assert_eq!(
        connection.run("echo usable", b"", LIMIT).unwrap().text(),
        "usable\n"
    );
}

/// Runs `command` in a thread and returns when it runs on the other side.
fn in_the_middle(
    mut connection: Connection,
    line: String,
    mark: &str,
) -> thread::JoinHandle<(RunError, Duration)> {
    let runner = thread::spawn(move || {
        let error = connection.run(&line, b"", LIMIT).unwrap_err();
        (error, Instant::now())
    });
    wait_until_runs(mark, true, Duration::from_secs(20));
    let cut = Instant::now();
    thread::spawn(move || {
        let (error, ended) = runner.join().unwrap();
        (error, ended.saturating_duration_since(cut))
    })
}

#[test]
fn a_server_that_is_killed_in_the_middle() {
    if !possible("a_server_that_is_killed_in_the_middle") {
        return;
    }
    let server = Server::start("");
    let command = sleeper("2");
    let runner = in_the_middle(
        server.connect(),
        format!("{command} | {command}"),
        &as_listed(&command),
    );
    server.kill_sessions();
    let (error, after) = runner.join().unwrap();
    assert!(matches!(error, RunError::Cut { .. }), "{error}");
    assert!(error.to_string().contains("the line was cut"), "{error}");
    assert!(after < Duration::from_secs(5), "{after:?}");
    wait_until_runs(&as_listed(&command), false, Duration::from_secs(10));
}

#[test]
fn a_connection_that_is_dropped_leaves_nothing() {
    if !possible("a_connection_that_is_dropped_leaves_nothing") {
        return;
    }
    let server = Server::start("");
    let command = sleeper("3");
    let mut connection = server.connect();
    connection
        .run(&command, b"", Duration::from_secs(1))
        .unwrap_err();
    drop(connection);
    wait_until_runs(&as_listed(&command), false, Duration::from_secs(10));
}

#[test]
fn a_script_that_is_cut_short_is_not_run_on() {
    if !possible("a_script_that_is_cut_short_is_not_run_on") {
        return;
    }
    let server = Server::start("");
    let relay = Relay::start(server.port);
    let mut endpoint = server.endpoint();
    endpoint.port = relay.port;
    let mut connection = server.connect_to(&endpoint).unwrap();
    let flag = server.path("flag");
    let command = sleeper("4");
    // The line after the pause would be cut in its middle; only its whole form is harmless.
    let script = format!(
        "{command}\ntouch {}#{}",
        flag.display(),
        "x".repeat(8 << 20)
    );
    let runner = thread::spawn(move || connection.script("sh -s", &script, LIMIT).unwrap_err());
    wait_until_runs(&as_listed(&command), true, Duration::from_secs(20));
    relay.cut.store(true, Ordering::SeqCst);
    relay.closed.store(true, Ordering::SeqCst);
    let error = runner.join().unwrap();
    assert!(matches!(error, RunError::Cut { .. }), "{error}");
    wait_until_runs(&as_listed(&command), false, Duration::from_secs(10));
    let left = fs::read_dir(server.folder.path()).unwrap().flatten();
    assert!(
        !left
            .map(|entry| entry.file_name())
            .any(|name| name.to_string_lossy().starts_with("flag"))
    );
}

#[test]
fn an_upload_that_is_cut_leaves_nothing() {
    if !possible("an_upload_that_is_cut_leaves_nothing") {
        return;
    }
    let server = Server::start("");
    let folder = server.path("target");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("file"), "old").unwrap();
    let relay = Relay::start(server.port);
    let mut endpoint = server.endpoint();
    endpoint.port = relay.port;
    let mut connection = server.connect_to(&endpoint).unwrap();
    relay.after.store(true, Ordering::SeqCst);
    let path = folder.join("file").display().to_string();
    let error = connection
        .upload(&vec![7; 20 << 20], &path, 0o644, LIMIT)
        .unwrap_err();
    assert!(matches!(error, RunError::Cut { .. }), "{error}");
    let until = Instant::now() + Duration::from_secs(10);
    while fs::read_dir(&folder).unwrap().count() > 1 {
        assert!(Instant::now() < until, "the partial file is still there");
        thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(fs::read_to_string(folder.join("file")).unwrap(), "old");
}

#[test]
fn a_line_that_is_silently_gone() {
    if !possible("a_line_that_is_silently_gone") {
        return;
    }
    let server = Server::start("");
    let relay = Relay::start(server.port);
    let mut endpoint = server.endpoint();
    endpoint.port = relay.port;
    let mut connection = server.connect_to(&endpoint).unwrap();
    let command = sleeper("5");
    relay.cut_when_runs(as_listed(&command));
    let begun = Instant::now();
    let error = connection
        .run(&command, b"", Duration::from_secs(3))
        .unwrap_err();
    assert!(matches!(error, RunError::TimedOut { .. }), "{error}");
    drop(connection);
    assert!(
        begun.elapsed() < Duration::from_secs(6),
        "{:?}",
        begun.elapsed()
    );
    // The other side heard nothing of it, and still ends the command.
    assert!(runs(&as_listed(&command)));
    wait_until_runs(&as_listed(&command), false, Duration::from_secs(15));
}

/// A relay before the server that can stop passing bytes. It stands for a broken line; what a
/// kernel does with lost packets is not shown by it.
struct Relay {
    port: u16,
    /// Pass no more bytes.
    cut: Arc<AtomicBool>,
    /// And close both sides.
    closed: Arc<AtomicBool>,
    /// Close after another 4 MiB.
    after: Arc<AtomicBool>,
}

impl Relay {
    fn start(to: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let relay = Self {
            port: listener.local_addr().unwrap().port(),
            cut: Arc::default(),
            closed: Arc::default(),
            after: Arc::default(),
        };
        let flags = [&relay.cut, &relay.closed, &relay.after].map(Arc::clone);
        thread::spawn(move || {
            let (client, _) = listener.accept().unwrap();
            let server = TcpStream::connect(("127.0.0.1", to)).unwrap();
            let (a, b) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            let also = flags.clone();
            thread::spawn(move || pass(&a, &b, &also));
            pass(&server, &client, &flags);
        });
        relay
    }

    fn cut_when_runs(&self, mark: String) {
        let cut = Arc::clone(&self.cut);
        thread::spawn(move || {
            wait_until_runs(&mark, true, Duration::from_secs(20));
            cut.store(true, Ordering::SeqCst);
        });
    }
}

fn pass(mut from: &TcpStream, mut to: &TcpStream, [cut, closed, after]: &[Arc<AtomicBool>; 3]) {
    from.set_read_timeout(Some(Duration::from_millis(20)))
        .unwrap();
    let mut buffer = [0; 16 << 10];
    let mut passed = 0;
    loop {
        if closed.load(Ordering::SeqCst) || passed > 4 << 20 {
            let _ = (
                from.shutdown(std::net::Shutdown::Both),
                to.shutdown(std::net::Shutdown::Both),
            );
            return;
        }
        if cut.load(Ordering::SeqCst) {
            thread::sleep(Duration::from_millis(20));
            continue;
        }
        match from.read(&mut buffer) {
            Ok(0) => return,
            Ok(count) => {
                if after.load(Ordering::SeqCst) {
                    passed += count;
                }
                if to.write_all(&buffer[..count]).is_err() {
                    return;
                }
            }
            Err(error)
                if matches!(
                    error.kind(),
                    std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
                ) => {}
            Err(_) => return,
        }
    }
}
