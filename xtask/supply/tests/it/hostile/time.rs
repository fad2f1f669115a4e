//! Servers that stand still, drip, hang up or are busy.

use std::io::Write as _;
use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

use super::{MIB, cause, succeeds};
use crate::server::{honest, honest_until, send};
use crate::world::{World, content, pinned};
use lab_supply::{Cause, FetchError};

#[test]
fn lie_21_a_transfer_that_stands_still() {
    let (world, bytes) = (World::new(), content(1, 2 * MIB));
    let all = bytes.clone();
    let start = Instant::now();
    let found = cause(&world, &bytes, move |request, stream| {
        honest_until(request, stream, &all, "\"v1\"", MIB);
        thread::sleep(Duration::from_secs(3));
    });
    assert!(
        matches!(&found, Cause::Broken(why) if why.contains("nothing came for 1 s after 1048576 of 2097152")),
        "{found}"
    );
    assert!(
        start.elapsed() < Duration::from_secs(5),
        "{:?}",
        start.elapsed()
    );
    assert_eq!(world.partial_len(), Some(MIB as u64));
    let all = bytes.clone();
    let (received, requests) = succeeds(&world, &bytes, move |request, stream| {
        honest(request, stream, &all, "\"v1\"");
    });
    // Another server's tags mean nothing, so none is sent along; the digest decides.
    assert_eq!(
        (received, requests[0].from, &requests[0].if_range),
        (MIB as u64, Some(MIB), &None)
    );
}

#[test]
fn lie_22_a_transfer_that_drips() {
    let (world, bytes) = (World::new(), content(1, 2 * MIB));
    let all = bytes.clone();
    let found = cause(&world, &bytes, move |_, stream| {
        send(stream, "200 OK", &[("Content-Length", "2097152")], b"");
        for byte in all.chunks(1).take(100) {
            if stream.write_all(byte).is_err() {
                return;
            }
            thread::sleep(Duration::from_millis(50));
        }
    });
    assert!(
        matches!(&found, Cause::Broken(why) if why.contains("only")),
        "{found}"
    );
}

#[test]
fn lie_23_an_answer_that_never_comes() {
    let (world, bytes) = (World::new(), content(1, MIB));
    let found = cause(&world, &bytes, |_, _| thread::sleep(Duration::from_secs(3)));
    assert!(
        matches!(&found, Cause::NoAnswer(why) if why.contains("nothing came within 1 s")),
        "{found}"
    );
}

#[test]
fn lie_26_a_header_that_drips() {
    let (world, bytes) = (World::new(), content(1, MIB));
    let found = cause(&world, &bytes, |_, stream| {
        while stream.write_all(b"H").is_ok() {
            thread::sleep(Duration::from_millis(100));
        }
    });
    assert!(
        matches!(found, Cause::NoAnswer(_) | Cause::Lied(_)),
        "{found}"
    );
}

#[test]
fn lie_27_a_connection_that_is_closed_at_once() {
    let (world, bytes) = (World::new(), content(1, MIB));
    let found = cause(&world, &bytes, |_, _| {});
    assert!(matches!(&found, Cause::NoAnswer(_)), "{found}");
}

#[test]
fn busy_twice_and_then_not_is_waited_for() {
    let (world, bytes) = (World::new(), content(1, MIB));
    let all = bytes.clone();
    let (_, requests) = succeeds(&world, &bytes, move |request, stream| match request.nth {
        0 | 1 => send(stream, "503 Busy", &[("Content-Length", "0")], b""),
        _ => honest(request, stream, &all, "\"v1\""),
    });
    assert_eq!(requests.len(), 3);
}

/// More breaks than retries, but each with headway: it goes on, and fetches nothing twice.
#[test]
fn a_line_that_breaks_again_and_again_gets_there() {
    let (world, bytes) = (World::new(), content(1, 10 * MIB));
    let all = bytes.clone();
    let (received, requests) = succeeds(&world, &bytes, move |request, stream| {
        let from = request.from.unwrap_or(0);
        honest_until(request, stream, &all, "\"v1\"", from + MIB + 4321);
    });
    assert_eq!(received, 10 * MIB as u64);
    assert!(requests.len() >= 9, "{}", requests.len());
    assert!(
        requests[1..]
            .iter()
            .all(|request| request.if_range.as_deref() == Some("\"v1\""))
    );
}

#[test]
fn where_nobody_listens_it_says_how_to_bring_the_file() {
    let (world, bytes) = (World::new(), content(1, MIB));
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let urls = [
        format!("http://127.0.0.1:{port}/base.iso"),
        "http://no-such-host.invalid/base.iso".to_owned(),
    ];
    let error = world.fetch_error(&pinned(&bytes, &urls));
    assert!(
        matches!(&error, FetchError::Unreachable { tried, .. } if tried.len() == 2),
        "{error}"
    );
    let text = error.to_string();
    for part in [
        "--base FILE",
        "refused",
        "no-such-host.invalid",
        world.place().to_str().unwrap(),
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!error.input_at_fault());
}
