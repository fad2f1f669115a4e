//! Clients that want what they must not have, or say what no client should.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use lab_serve::Limits;

use crate::world::{Answer, Disc};

#[test]
fn no_way_leads_out_of_what_is_named() {
    let Some(disc) = Disc::new("no_way_leads_out_of_what_is_named") else {
        return;
    };
    let server = disc.serve(Limits::default());
    for path in [
        "/../made.iso",
        "/casper/../lab/secret",
        "/casper/..%2flab/secret",
        "/%2e%2e/%2e%2e/etc/passwd",
        "//etc/passwd",
        "/box.iso/",
        "/box.iso?x",
        "/box.iso%00",
        "/casper//vmlinuz",
        "/./box.iso",
    ] {
        let answer = server.ask(&format!("GET {path}"), &[]);
        assert_eq!(answer.status, 404, "{path}");
    }
}

#[test]
fn a_name_that_leads_here_from_elsewhere_is_refused() {
    let Some(disc) = Disc::new("a_name_that_leads_here_from_elsewhere_is_refused") else {
        return;
    };
    let server = disc.serve(Limits::default());
    let port = server.address.port();
    let ask = |host: &str| {
        let text = format!(
            "GET /box.iso HTTP/1.1\r\nHost: {host}\r\nRange: bytes=0-9\r\nConnection: close\r\n\r\n"
        );
        Answer::read(&server.say(text.as_bytes())).status
    };
    for host in [
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
    ] {
        assert_eq!(ask(&format!("{host}:{port}")), 421, "{host}");
    }
    for host in [
        "127.0.0.1",
        "localhost",
        "LOCALHOST:1",
        "[::1]:80",
        "lab.example",
        "10.0.2.2:8080",
    ] {
        assert_eq!(ask(host), 206, "{host}");
    }
    let absolute =
        "GET http://evil.example/box.iso HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    assert_eq!(Answer::read(&server.say(absolute.as_bytes())).status, 421);
}

#[test]
fn what_is_no_request_is_answered_and_the_connection_ended() {
    let Some(disc) = Disc::new("what_is_no_request_is_answered_and_the_connection_ended") else {
        return;
    };
    let server = disc.serve(Limits::default());
    let long = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(20_000));
    let many = format!(
        "GET / HTTP/1.1\r\nHost: a\r\n{}\r\n",
        "x: y\r\n".repeat(200)
    );
    let blank = "\r\n".repeat(20_000);
    for (text, status) in [
        ("\u{16}\u{3}\u{1}\u{2} a TLS hello\r\n\r\n", 400),
        ("GET /\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n", 400),
        ("GET /a\u{0}b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (
            "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nabcde",
            400,
        ),
        (
            "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            400,
        ),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        (long.as_str(), 431),
        (many.as_str(), 431),
        (blank.as_str(), 431),
    ] {
        let answer = Answer::read(&server.say(text.as_bytes()));
        let shown: String = text.chars().take(40).collect();
        assert_eq!(
            (answer.status, answer.field("Connection")),
            (status, Some("close")),
            "{shown:?}"
        );
    }
    // A request behind a refused one is not heard: it could be the body of that one.
    let smuggled = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 40\r\n\r\nGET /box.iso HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let heard = server.say(smuggled);
    assert_eq!(
        heard
            .windows(9)
            .filter(|nine| *nine == b"HTTP/1.1 ")
            .count(),
        1
    );
}

#[test]
fn only_get_and_head_are_done() {
    let Some(disc) = Disc::new("only_get_and_head_are_done") else {
        return;
    };
    let server = disc.serve(Limits::default());
    for method in [
        "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "get",
    ] {
        let answer = server.ask(&format!("{method} /box.iso"), &[]);
        assert_eq!(
            (answer.status, answer.field("Allow")),
            (405, Some("GET, HEAD")),
            "{method}"
        );
    }
}

#[test]
fn one_connection_too_many_is_told_so() {
    let Some(disc) = Disc::new("one_connection_too_many_is_told_so") else {
        return;
    };
    let limits = Limits {
        connections: 3,
        ..Limits::default()
    };
    let server = disc.serve(limits);
    let mut held: Vec<TcpStream> = (0..3).map(|_| server.connect()).collect();
    // Each of them was answered, so each is counted.
    for stream in &mut held {
        stream
            .write_all(b"HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            .unwrap();
        assert!(stream.read(&mut [0; 512]).unwrap() > 0);
    }
    let refused = Answer::read(&server.say(b""));
    assert_eq!(
        (refused.status, refused.field("Retry-After")),
        (503, Some("5"))
    );
    drop(held);
    server.record(|one| one.note.contains("too many"));
    let again = (0..100).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(20));
        Answer::read(&server.say(b"HEAD /box.iso HTTP/1.0\r\n\r\n")).status == 200
    });
    assert!(again, "a place that became free is taken");
}

#[test]
fn the_log_has_one_plain_line_a_request() {
    let Some(disc) = Disc::new("the_log_has_one_plain_line_a_request") else {
        return;
    };
    let server = disc.serve(Limits::default());
    server.say(
        "GET /\u{e9}\u{202e} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".as_bytes(),
    );
    let record = server.record(|one| one.status == 404 || one.status == 400);
    let line = record.to_string();
    assert!(
        line.bytes()
            .all(|byte| byte == b' ' || byte.is_ascii_graphic()),
        "{line:?}"
    );
    assert!(line.starts_with("127.0.0.1 "), "{line}");
}
