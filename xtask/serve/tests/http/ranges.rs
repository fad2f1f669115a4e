//! Parts of the image, of its files, and what is said of them.

use std::io::{Read as _, Write as _};
use std::thread;

use lab_serve::Limits;

use crate::world::{Dice, Disc, WORDS};

#[test]
fn the_image_its_files_and_nothing_else_are_there() {
    let Some(disc) = Disc::new("the_image_its_files_and_nothing_else_are_there") else {
        return;
    };
    let server = disc.serve(Limits::default());
    let whole = server.ask("GET /box.iso", &[]);
    assert_eq!((whole.status, whole.body == disc.bytes()), (200, true));
    assert_eq!(whole.field("Content-Type"), Some("application/vnd.efi-iso"));
    assert_eq!(whole.field("Accept-Ranges"), Some("bytes"));
    assert!(server.ask("GET /casper/vmlinuz", &[]).body == disc.kernel);
    assert!(server.ask("GET /casper/initrd", &[]).body == disc.initrd);
    for path in [
        "/",
        "/lab/secret",
        "/boot/grub/grub.cfg",
        "/made.iso",
        "/casper/hwe-initrd",
        "/BOX.ISO",
    ] {
        let none = server.ask(&format!("GET {path}"), &[]);
        assert_eq!(
            (none.status, none.text().lines().count()),
            (404, 1),
            "{path}"
        );
    }
}

#[test]
fn the_script_names_the_server_as_it_was_asked_for() {
    let Some(disc) = Disc::new("the_script_names_the_server_as_it_was_asked_for") else {
        return;
    };
    let server = disc.serve(Limits::default());
    let script = server.ask("GET /boot.ipxe", &[]).text();
    let base = server.url("");
    let kernel = format!(
        "kernel {base}/casper/vmlinuz initrd=initrd ip=dhcp url={base}/box.iso cloud-config-url=/dev/null {WORDS} ---"
    );
    assert!(script.contains(&kernel), "{script}");
    let named =
        server.say(b"GET /boot.ipxe HTTP/1.1\r\nHost: lab.example:99\r\nConnection: close\r\n\r\n");
    let named = String::from_utf8(named).unwrap();
    assert!(
        named.contains("url=http://lab.example:99/box.iso "),
        "{named}"
    );
    let old = String::from_utf8(server.say(b"GET /boot.ipxe HTTP/1.0\r\n\r\n")).unwrap();
    assert!(old.contains(&format!("url={base}/box.iso ")), "{old}");
}

#[test]
fn one_range_and_several_are_the_files_bytes() {
    let Some(disc) = Disc::new("one_range_and_several_are_the_files_bytes") else {
        return;
    };
    let server = disc.serve(Limits::default());
    let len = disc.initrd.len();
    let one = server.ask("GET /casper/initrd", &["Range: bytes=100-199"]);
    assert_eq!(one.status, 206);
    assert_eq!(
        one.field("Content-Range"),
        Some(format!("bytes 100-199/{len}").as_str())
    );
    assert!(one.body == disc.initrd[100..200]);
    let several = server.ask("GET /casper/initrd", &["Range: bytes=0-0, 5-9,-3"]);
    assert_eq!(several.status, 206);
    let kind = several.field("Content-Type").unwrap();
    let boundary = kind
        .strip_prefix("multipart/byteranges; boundary=")
        .unwrap();
    let mut expected = Vec::new();
    for (from, to) in [(0, 1), (5, 10), (len - 3, len)] {
        let head = format!(
            "\r\n--{boundary}\r\nContent-Type: application/octet-stream\r\nContent-Range: bytes {from}-{}/{len}\r\n\r\n",
            to - 1
        );
        expected.extend(head.into_bytes());
        expected.extend(&disc.initrd[from..to]);
    }
    expected.extend(format!("\r\n--{boundary}--\r\n").into_bytes());
    assert!(several.body == expected, "{}", several.text());
    assert_eq!(
        several.field("Content-Length"),
        Some(expected.len().to_string().as_str())
    );
    let none = server.ask("GET /casper/initrd", &["Range: bytes=99999999-"]);
    assert_eq!(
        (none.status, none.field("Content-Range")),
        (416, Some(format!("bytes */{len}").as_str()))
    );
}

#[test]
fn conditions_and_heads_are_answered_without_a_body() {
    let Some(disc) = Disc::new("conditions_and_heads_are_answered_without_a_body") else {
        return;
    };
    let server = disc.serve(Limits::default());
    let head = server.ask("HEAD /box.iso", &["Range: bytes=0-1"]);
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(
        head.field("Content-Length"),
        Some(disc.bytes().len().to_string().as_str())
    );
    let tag = head.field("ETag").unwrap().to_owned();
    let held = server.ask("GET /box.iso", &[&format!("If-None-Match: {tag}")]);
    assert_eq!((held.status, held.body.len()), (304, 0));
    assert_eq!(held.field("ETag"), Some(tag.as_str()));
    let date = head.field("Last-Modified").unwrap();
    assert_eq!(
        server
            .ask("GET /box.iso", &[&format!("If-Modified-Since: {date}")])
            .status,
        304
    );
    assert_eq!(server.ask("GET /box.iso", &["If-Match: \"x\""]).status, 412);
    let other = ["Range: bytes=0-1", "If-Range: \"another\""];
    assert_eq!(server.ask("GET /box.iso", &other).status, 200);
    let none = server.ask("HEAD /none", &[]);
    assert_eq!((none.status, none.body.len()), (404, 0));
}

#[test]
fn a_connection_takes_many_requests_even_at_once() {
    let Some(disc) = Disc::new("a_connection_takes_many_requests_even_at_once") else {
        return;
    };
    let server = disc.serve(Limits::default());
    let mut stream = server.connect();
    let request = "GET /casper/vmlinuz HTTP/1.1\r\nHost: localhost\r\nRange: bytes=7-16\r\n\r\n";
    let last = request.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n");
    stream
        .write_all(format!("{request}{request}{last}").as_bytes())
        .unwrap();
    let mut heard = Vec::new();
    stream.read_to_end(&mut heard).unwrap();
    let wanted = &disc.kernel[7..17];
    let found = heard.windows(10).filter(|ten| *ten == wanted).count();
    assert_eq!(found, 3);
}

#[test]
fn a_hundred_ranges_at_once_are_the_files_bytes() {
    let Some(disc) = Disc::new("a_hundred_ranges_at_once_are_the_files_bytes") else {
        return;
    };
    let server = disc.serve(Limits::default());
    let bytes = disc.bytes();
    thread::scope(|scope| {
        for seed in 0..100 {
            let (server, bytes) = (&server, &bytes);
            scope.spawn(move || {
                let mut dice = Dice(2 * seed + 77);
                for _ in 0..3 {
                    let from = dice.below(bytes.len());
                    let to = from + dice.below((bytes.len() - from).min(900_000));
                    let got = server.ask("GET /box.iso", &[&format!("Range: bytes={from}-{to}")]);
                    assert_eq!(got.status, 206);
                    assert!(
                        got.body == bytes[from..(to + 1).min(bytes.len())],
                        "{from}-{to}"
                    );
                }
            });
        }
    });
}

#[test]
fn the_word_to_stop_lets_an_answer_end_and_idle_connections_go() {
    let Some(disc) = Disc::new("the_word_to_stop_lets_an_answer_end_and_idle_connections_go")
    else {
        return;
    };
    let mut server = disc.serve(Limits::default());
    let idle = server.connect();
    let mut busy = server.connect();
    busy.write_all(b"GET /casper/initrd HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .unwrap();
    let mut first = [0; 1000];
    busy.read_exact(&mut first).unwrap();
    server.ask_to_stop();
    let mut rest = Vec::new();
    busy.read_to_end(&mut rest).unwrap();
    assert!(rest.ends_with(&disc.initrd[disc.initrd.len() - 1000..]));
    assert_eq!((&idle).read(&mut first).unwrap(), 0);
    server.join();
    assert!(std::net::TcpStream::connect(server.address).is_err());
}
