//! `serve` as a user runs it: what it prints, whom it refuses, and how it ends.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

/// An image as small as one can be, in the form of this lab's; `None`, and the test is said
/// not to have run, where xorriso is missing.
fn image(test: &str, folder: &Path) -> Option<PathBuf> {
    let root = folder.join("root");
    for (path, text) in [
        (
            "boot/grub/grub.cfg",
            "menuentry 'Install box' --id install {\n linux /casper/vmlinuz lab.machine=box ---\n initrd /casper/initrd\n}\n",
        ),
        ("lab/manifest.json", "{\"machine\": \"box\"}"),
        ("casper/vmlinuz", "a kernel"),
        ("casper/initrd", "an initrd"),
    ] {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let image = folder.join("any name.iso");
    let made = Command::new("xorriso")
        .args(["-as", "mkisofs", "-r", "-o"])
        .args([&image, &root])
        .output();
    let Ok(made) = made else {
        lab_not_run::not_run(test, "xorriso is not installed (Debian package xorriso)");
        return None;
    };
    assert!(made.status.success());
    Some(image)
}

fn serve(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.arg("serve").args(arguments).stdin(Stdio::null());
    command
}

#[test]
fn it_offers_what_it_prints_until_it_is_told_to_stop() {
    let folder = tempfile::tempdir().unwrap();
    let test = "it_offers_what_it_prints_until_it_is_told_to_stop";
    let Some(image) = image(test, folder.path()) else {
        return;
    };
    let mut child = serve(&["--listen", "127.0.0.1:0", image.to_str().unwrap()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let printed: Vec<String> = lines
        .by_ref()
        .map(Result::unwrap)
        .take_while(|line| line != "Open until Ctrl-C.")
        .collect();
    let printed = printed.join("\n");
    let url = printed.split_whitespace().next().unwrap();
    let base = url.strip_suffix("/box.iso").unwrap();
    for part in [
        "private keys",
        "127.0.0.0/8",
        &format!("chain {base}/boot.ipxe"),
    ] {
        assert!(printed.contains(part), "{part}: {printed}");
    }
    let mut stream = TcpStream::connect(base.strip_prefix("http://").unwrap()).unwrap();
    stream
        .write_all(b"GET /boot.ipxe HTTP/1.0\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (_, script) = answer.split_once("\r\n\r\n").unwrap();
    assert!(script.starts_with("#!ipxe\n") && printed.contains(script.trim_end()));
    let pid = Pid::from_child(&child);
    kill_process(pid, Signal::INT).unwrap();
    let ended = child.wait_with_output().unwrap();
    let said = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(0), "{said}");
    assert!(
        said.contains("127.0.0.1 GET /boot.ipxe 200 ") && said.ends_with("closed\n"),
        "{said}"
    );
}

#[test]
fn keys_are_offered_to_nobody_that_was_not_named() {
    let folder = tempfile::tempdir().unwrap();
    let none = folder.path().join("none.iso");
    let none = none.to_str().unwrap();
    for (arguments, words) in [
        (
            &["--listen", "192.0.2.7"][..],
            "who may read it with `--allow CIDR`",
        ),
        (&["--listen", "0.0.0.0:80"], "every interface at once"),
        (
            &["--listen", "192.0.2.7", "--allow", "0.0.0.0/0"],
            "is everybody",
        ),
        (&["--allow", "192.0.2.7/24"], "write `192.0.2.0/24`"),
        (&["--listen", "here"], "is no address"),
        (&["--name", "a b"], "no host's name"),
        (&[], "none.iso"),
    ] {
        let output = serve(arguments).arg(none).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {said}");
        assert!(said.contains(words), "{arguments:?}: {said}");
    }
}
