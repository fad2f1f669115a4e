//! What curl, a client that others wrote, makes of it.

use std::fs;
use std::process::{Command, Output};

use lab_not_run::not_run;
use lab_serve::Limits;

use crate::world::Disc;

fn curl(test: &str) -> bool {
    let found = Command::new("curl").arg("--version").output().is_ok();
    if !found {
        not_run(test, "curl is not installed (Debian package curl)");
    }
    found
}

fn run(arguments: &[&str]) -> Output {
    Command::new("curl")
        .args([
            "-q",
            "--silent",
            "--show-error",
            "--noproxy",
            "*",
            "--max-time",
            "60",
        ])
        .args(arguments)
        .output()
        .unwrap()
}

#[test]
fn curl_gets_a_range_and_the_head() {
    let test = "curl_gets_a_range_and_the_head";
    let Some(disc) = Disc::new(test).filter(|_| curl(test)) else {
        return;
    };
    let server = disc.serve(Limits::default());
    let url = server.url("/box.iso");
    let got = run(&["--fail", "--range", "1000-2999", &url]);
    assert!(got.status.success() && got.stdout == disc.bytes()[1000..3000]);
    let head = run(&["--head", &url]);
    let text = String::from_utf8(head.stdout).unwrap();
    assert!(
        text.contains(&format!("Content-Length: {}\r\n", disc.bytes().len())),
        "{text}"
    );
    let several = run(&["--range", "0-1,10-12", &url]);
    assert!(
        several
            .stdout
            .windows(3)
            .any(|three| three == &disc.bytes()[10..13])
    );
    let missing = run(&["--fail", &server.url("/none")]);
    assert_eq!(missing.status.code(), Some(22));
}

#[test]
fn curl_goes_on_with_a_download_that_was_cut_off() {
    let test = "curl_goes_on_with_a_download_that_was_cut_off";
    let Some(disc) = Disc::new(test).filter(|_| curl(test)) else {
        return;
    };
    let part = disc.folder().join("part.iso");
    let bytes = disc.bytes();
    fs::write(&part, &bytes[..1_234_567]).unwrap();
    let server = disc.serve(Limits::default());
    let out = part.to_str().unwrap();
    let got = run(&[
        "--fail",
        "--continue-at",
        "-",
        "--output",
        out,
        &server.url("/box.iso"),
    ]);
    assert!(
        got.status.success(),
        "{}",
        String::from_utf8_lossy(&got.stderr)
    );
    assert!(fs::read(&part).unwrap() == bytes);
    let record = server.record(|one| one.status == 206);
    assert_eq!(record.sent, (bytes.len() - 1_234_567) as u64);
}

#[test]
fn curl_does_not_get_again_what_it_has() {
    let test = "curl_does_not_get_again_what_it_has";
    let Some(disc) = Disc::new(test).filter(|_| curl(test)) else {
        return;
    };
    let server = disc.serve(Limits::default());
    let (file, tag) = (disc.folder().join("got"), disc.folder().join("tag"));
    let (file, tag) = (file.to_str().unwrap(), tag.to_str().unwrap());
    let url = server.url("/casper/initrd");
    let got = run(&["--fail", "--etag-save", tag, "--output", file, &url]);
    assert!(got.status.success() && fs::read(file).unwrap() == disc.initrd);
    let again = run(&["--etag-compare", tag, "--write-out", "%{http_code}", &url]);
    assert_eq!(again.stdout, b"304");
}
