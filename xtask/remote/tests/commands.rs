//! What commands give: bytes, statuses, and nothing of the login shell's.

mod server;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use lab_remote::{RunError, Signal};
use server::{LIMIT, Server, possible, wait_until_runs};

#[test]
fn statuses_signals_and_both_streams() {
    if !possible("statuses_signals_and_both_streams") {
        return;
    }
    let server = Server::start("");
    let mut connection = server.connect();
    for status in [0, 1, 3, 126, 255] {
        let output = connection
            .run(
                &format!("echo out; echo err >&2; exit {status}"),
                b"",
                LIMIT,
            )
            .unwrap();
        assert_eq!((output.status, output.signal), (Some(status), None));
        assert_eq!(
            (&output.stdout[..], &output.stderr[..]),
            (&b"out\n"[..], &b"err\n"[..])
        );
    }
    for (name, number) in [("KILL", 9), ("TERM", 15), ("SEGV", 11)] {
        let output = connection
            .run(&format!("printf x; kill -{name} $$"), b"", LIMIT)
            .unwrap();
        assert_eq!(
            (output.status, output.signal),
            (None, Some(Signal(number))),
            "{name}"
        );
        assert_eq!(output.stdout, b"x");
    }
    let output = connection.run("no-such-program", b"", LIMIT).unwrap();
    assert_eq!(output.status, Some(127));
    assert!(String::from_utf8_lossy(&output.stderr).contains("not found"));
    let odd = "a'b\"c $HOME `x` \\ \n !ä";
    let output = connection
        .run(
            &format!("printf %s '{}'", odd.replace('\'', "'\\''")),
            b"",
            LIMIT,
        )
        .unwrap();
    assert_eq!(output.text(), odd);
}

#[test]
fn the_frame_cannot_be_copied_from_a_process_list() {
    if !possible("the_frame_cannot_be_copied_from_a_process_list") {
        return;
    }
    let server = Server::start("");
    let output = server
        .connect()
        .run(
            "cat /proc/*/cmdline | tr '\\0' '\\n'; echo last",
            b"",
            LIMIT,
        )
        .unwrap();
    assert!(output.text().ends_with("last\n"));
    assert!(output.text().contains("printf \"%s-begin"));
}

#[test]
fn twenty_mebibytes_each_way() {
    if !possible("twenty_mebibytes_each_way") {
        return;
    }
    let server = Server::start("");
    let mut connection = server.connect();
    let big: Vec<u8> = (0..20u32 << 18)
        .flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes())
        .collect();
    let output = connection.run("cat", &big, LIMIT).unwrap();
    assert!(
        output.stdout == big,
        "{} bytes came back",
        output.stdout.len()
    );
    let output = connection
        .run(
            "head -c 20971520 /dev/zero; head -c 1000000 /dev/zero >&2",
            b"",
            LIMIT,
        )
        .unwrap();
    assert_eq!(
        (output.stdout.len(), output.stderr.len()),
        (20 << 20, 1_000_000)
    );
    // A command that does not want its input.
    let output = connection
        .run("head -c 3; sleep 0.3; exit 4", &big, LIMIT)
        .unwrap();
    assert_eq!(
        (output.stdout.as_slice(), output.status),
        (&big[..3], Some(4))
    );
    connection.set_output_limit(1 << 20);
    let error = connection.run("yes lab-endless", b"", LIMIT).unwrap_err();
    assert!(matches!(error, RunError::TooMuchOutput { .. }), "{error}");
    wait_until_runs("yes\0lab-endless", false, Duration::from_secs(10));
    assert!(connection.run("echo fine", b"", LIMIT).unwrap().success());
    let error = connection.run(&"x".repeat(30_000), b"", LIMIT).unwrap_err();
    assert!(matches!(error, RunError::TooLong { .. }), "{error}");
}

#[test]
fn a_noisy_login_shell_does_not_spoil_the_output() {
    if !possible("a_noisy_login_shell_does_not_spoil_the_output") {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    fs::write(
        home.path().join(".bashrc"),
        "echo welcome; echo careful >&2; printf 'no newline'; trap 'echo bye' EXIT\n",
    )
    .unwrap();
    fs::write(home.path().join("env"), "echo from the environment\n").unwrap();
    let at = home.path().display();
    let server = Server::start(&format!(
        "SetEnv HOME={at} BASH_ENV={at}/env\nBanner /etc/hostname"
    ));
    let mut connection = server.connect();
    let output = connection
        .run("printf clean; printf err >&2", b"", LIMIT)
        .unwrap();
    assert_eq!(
        (&output.stdout[..], &output.stderr[..]),
        (&b"clean"[..], &b"err"[..])
    );
    let output = connection
        .script("sh -s", "read -r line <<E\nin\nE\necho \"$line\"\n", LIMIT)
        .unwrap();
    assert_eq!(output.text(), "in\n");
    drop(connection);
    // One that ends before it comes to a command.
    fs::write(
        home.path().join(".bashrc"),
        "echo 'This account is not available.'; exit 5\n",
    )
    .unwrap();
    let error = server.connect().run("true", b"", LIMIT).unwrap_err();
    assert!(
        matches!(&error, RunError::NotBegun { status: Some(5), said, .. } if said.contains("not available")),
        "{error}"
    );
}

#[test]
fn a_script_is_read_from_standard_input() {
    if !possible("a_script_is_read_from_standard_input") {
        return;
    }
    let server = Server::start("");
    let mut connection = server.connect();
    let script = format!(
        "# {}\nfor i in 1 2 3; do echo $i; done\nexit 9\n",
        "long ".repeat(40_000)
    );
    let output = connection.script("bash -s", &script, LIMIT).unwrap();
    assert_eq!(
        (output.text().as_str(), output.status),
        ("1\n2\n3\n", Some(9))
    );
}

#[test]
fn what_a_command_leaves_behind_ends_with_it() {
    if !possible("what_a_command_leaves_behind_ends_with_it") {
        return;
    }
    let server = Server::start("");
    let begun = Instant::now();
    let output = server
        .connect()
        .run("sleep 4711.25 & echo started", b"", LIMIT)
        .unwrap();
    assert_eq!(output.text(), "started\n");
    assert!(begun.elapsed() < Duration::from_secs(10));
    // It was killed before the command's end was told; the kernel takes a moment to clear it away.
    wait_until_runs("sleep\x004711.25", false, Duration::from_secs(5));
}

#[test]
fn a_file_arrives_whole_and_with_its_mode() {
    if !possible("a_file_arrives_whole_and_with_its_mode") {
        return;
    }
    let server = Server::start("");
    let mut connection = server.connect();
    let path = server.path("it's a file");
    let text = path.to_str().unwrap();
    for bytes in [&b""[..], b"one", &vec![0xfe; 3 << 20]] {
        connection.upload(bytes, text, 0o640, LIMIT).unwrap();
        assert!(fs::read(&path).unwrap() == bytes);
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o7777,
            0o640
        );
    }
    let error = connection
        .upload(b"x", "/nonexistent/file", 0o600, LIMIT)
        .unwrap_err();
    assert!(
        error.to_string().contains("/nonexistent/file.partial"),
        "{error}"
    );
    let error = connection
        .upload(b"x", "/dev/full/x", 0o600, LIMIT)
        .unwrap_err();
    assert!(error.to_string().contains("writing /dev/full/x"), "{error}");
}

#[test]
fn commands_over_one_connection_are_quick() {
    if !possible("commands_over_one_connection_are_quick") {
        return;
    }
    let server = Server::start("");
    let begun = Instant::now();
    let mut connection = server.connect();
    let connected = begun.elapsed();
    let begun = Instant::now();
    for _ in 0..100 {
        assert!(connection.run("true", b"", LIMIT).unwrap().success());
    }
    eprintln!(
        "connecting: {connected:?}; a command: {:?}",
        begun.elapsed() / 100
    );
    assert!(begun.elapsed() < Duration::from_secs(20));
}
