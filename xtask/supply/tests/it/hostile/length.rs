//! What comes is shorter, longer or other than promised.

use std::io::Write as _;

use super::{MIB, cause, lie, succeeds};
use crate::server::{Server, honest, send};
use crate::world::{World, content, pinned};
use lab_supply::{Cause, FetchError};

#[test]
fn lie_01_more_promised_than_sent() {
    let (world, bytes) = (World::new(), content(1, 2 * MIB));
    let all = bytes.clone();
    let found = cause(&world, &bytes, move |_, stream| {
        send(stream, "200 OK", &[("Content-Length", "3000000")], &all);
    });
    assert!(
        matches!(&found, Cause::Broken(why) if why.contains("2097152 of 3000000")),
        "{found}"
    );
    assert_eq!(world.partial_len(), Some(2 * MIB as u64));
}

#[test]
fn lie_02_less_promised_than_the_file_has() {
    let (world, bytes) = (World::new(), content(1, 2 * MIB));
    let all = bytes.clone();
    let found = cause(&world, &bytes, move |_, stream| {
        send(stream, "200 OK", &[("Content-Length", "1000000")], &all);
    });
    assert!(
        matches!(
            found,
            Cause::WrongContent {
                bytes: 1_000_000,
                ..
            }
        ),
        "{found}"
    );
    assert_eq!(world.partial_len(), None, "wrong content is kept");
}

#[test]
fn lie_03_more_sent_than_promised() {
    let (world, bytes) = (World::new(), content(1, 2 * MIB));
    let all = bytes.clone();
    succeeds(&world, &bytes, move |_, stream| {
        let length = all.len().to_string();
        send(
            stream,
            "200 OK",
            &[("Content-Length", &length)],
            &[&all[..], b"HTTP/1.1 200 OK\r\n\r\nmore"].concat(),
        );
    });
}

#[test]
fn lie_04_a_body_without_end() {
    let (world, bytes) = (World::new(), content(1, 2 * MIB));
    let found = cause(&world, &bytes, |_, stream| {
        send(stream, "200 OK", &[], b"");
        let block = [7; 65536];
        while stream.write_all(&block).is_ok() {}
    });
    lie(&found, "more than 8388608 bytes");
    assert_eq!(world.partial_len(), None);
}

#[test]
fn lie_05_chunks_without_end() {
    let (world, bytes) = (World::new(), content(1, 2 * MIB));
    let found = cause(&world, &bytes, |_, stream| {
        send(stream, "200 OK", &[("Transfer-Encoding", "chunked")], b"");
        let chunk = [b"10000\r\n", &[7; 65536][..], b"\r\n"].concat();
        while stream.write_all(&chunk).is_ok() {}
    });
    lie(&found, "more than 8388608 bytes");
}

#[test]
fn lie_06_chunks_that_are_none() {
    let (world, bytes) = (World::new(), content(1, 2 * MIB));
    let found = cause(&world, &bytes, |_, stream| {
        send(
            stream,
            "200 OK",
            &[("Transfer-Encoding", "chunked")],
            b"zz\r\nthis is no chunk\r\n",
        );
    });
    assert!(
        matches!(found, Cause::Lied(_) | Cause::Broken(_)),
        "{found}"
    );
}

#[test]
fn lie_18_a_web_page_that_says_it_is_one() {
    let (world, bytes) = (World::new(), content(1, MIB));
    let found = cause(&world, &bytes, |_, stream| {
        send(
            stream,
            "200 OK",
            &[
                ("Content-Type", "text/html; charset=utf-8"),
                ("Content-Length", "5"),
            ],
            b"Hello",
        );
    });
    lie(&found, "web page");
}

#[test]
fn lie_19_a_web_page_that_does_not_say_so() {
    let (world, bytes) = (World::new(), content(1, MIB));
    let found = cause(&world, &bytes, |_, stream| {
        let page = b"\n<!DOCTYPE HTML><html>Please log in</html>";
        send(
            stream,
            "200 OK",
            &[("Content-Length", &page.len().to_string())],
            page,
        );
    });
    lie(&found, "web page");
    assert_eq!(world.partial_len(), None);
}

#[test]
fn lie_20_right_length_wrong_bytes() {
    let (world, bytes) = (World::new(), content(1, 2 * MIB));
    let mut wrong = bytes.clone();
    wrong[MIB] ^= 1;
    let server = Server::of_file(move |request, stream| honest(request, stream, &wrong, "\"v1\""));
    let error = world.fetch_error(&pinned(&bytes, &[server.url("/base.iso")]));
    let text = error.to_string();
    assert!(
        text.contains(&lab_supply::Digest::of(&bytes).to_string()) && text.contains("another file"),
        "{text}"
    );
    assert_eq!(world.partial_len(), None);
    let all = bytes.clone();
    let (received, requests) = succeeds(&world, &bytes, move |request, stream| {
        honest(request, stream, &all, "\"v1\"");
    });
    assert_eq!(
        (received, requests[0].from),
        (2 * MIB as u64, None),
        "the next run starts afresh"
    );
}

#[test]
fn lie_28_lengths_that_are_none() {
    for length in [
        "-5",
        "abc",
        "99999999999999999999999",
        "18446744073709551615",
    ] {
        let (world, bytes) = (World::new(), content(1, MIB));
        let server = Server::of_file(move |_, stream| {
            send(stream, "200 OK", &[("Content-Length", length)], b"x");
        });
        let error = world.fetch_error(&pinned(&bytes, &[server.url("/base.iso")]));
        assert!(
            matches!(
                error,
                FetchError::Failed { .. }
                    | FetchError::Unreachable { .. }
                    | FetchError::DiskFull { .. }
            ),
            "{error}"
        );
    }
}

#[test]
fn lie_29_two_lengths() {
    let (world, bytes) = (World::new(), content(1, MIB));
    let found = cause(&world, &bytes, |_, stream| {
        send(
            stream,
            "200 OK",
            &[("Content-Length", "3"), ("Content-Length", "7")],
            b"xxxxxxx",
        );
    });
    assert!(
        matches!(found, Cause::Lied(_) | Cause::WrongContent { .. }),
        "{found}"
    );
}

#[test]
fn lie_30_a_compressed_body_that_was_not_asked_for() {
    let (world, bytes) = (World::new(), content(1, MIB));
    let found = cause(&world, &bytes, |_, stream| {
        send(
            stream,
            "200 OK",
            &[("Content-Encoding", "gzip"), ("Content-Length", "4")],
            b"\x1f\x8b\x08\x00",
        );
    });
    assert!(matches!(found, Cause::WrongContent { .. }), "{found}");
}
