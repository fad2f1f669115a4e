//! Answers that are none, redirects, credentials.

use std::io::{Read as _, Write as _};

use super::{MIB, cause, lie};
use crate::server::{Server, honest, honest_until, send};
use crate::world::{World, content, limits, options, pinned};
use lab_supply::{Cause, FetchOptions, fetch_base};

#[test]
fn lie_16_a_redirect_to_another_file() {
    let (world, bytes) = (World::new(), content(1, 2 * MIB));
    let other = content(2, MIB);
    let found = cause(&world, &bytes, move |request, stream| {
        match request.path.as_str() {
            "/other" => honest(request, stream, &other, "\"o\""),
            _ => send(
                stream,
                "302 Found",
                &[("Location", "/other"), ("Content-Length", "0")],
                b"",
            ),
        }
    });
    assert!(
        matches!(
            found,
            Cause::WrongContent {
                bytes: 1_048_576,
                ..
            }
        ),
        "{found}"
    );
    assert_eq!(world.partial_len(), None);
}

#[test]
fn lie_17_redirects_in_a_circle() {
    let (world, bytes) = (World::new(), content(1, MIB));
    let found = cause(&world, &bytes, |_, stream| {
        send(
            stream,
            "302 Found",
            &[("Location", "/d/base.iso"), ("Content-Length", "0")],
            b"",
        );
    });
    lie(&found, "circles");
}

#[test]
fn lie_24_an_answer_that_is_not_http() {
    let (world, bytes) = (World::new(), content(1, MIB));
    let found = cause(&world, &bytes, |_, stream| {
        let _ = stream.write_all(b"SSH-2.0-OpenSSH_9.6\r\n\r\n");
    });
    lie(&found, "not HTTP");
}

#[test]
fn lie_25_a_header_without_end() {
    let (world, bytes) = (World::new(), content(1, MIB));
    let found = cause(&world, &bytes, |_, stream| {
        let mut line = stream.write_all(b"HTTP/1.1 200 OK\r\n");
        while line.is_ok() {
            line = stream.write_all(b"X-More: and more and more and more and more\r\n");
        }
    });
    assert!(matches!(found, Cause::Lied(_)), "{found}");
}

#[test]
fn lie_31_always_busy() {
    let (world, bytes) = (World::new(), content(1, MIB));
    let found = cause(&world, &bytes, |_, stream| {
        send(stream, "503 Busy", &[("Content-Length", "0")], b"");
    });
    assert!(matches!(found, Cause::Status(503)), "{found}");
}

#[test]
fn credentials_go_to_their_host_and_nowhere_else() {
    let (world, bytes) = (World::new(), content(1, MIB));
    let all = bytes.clone();
    let server = Server::of_file(
        move |request, stream| match request.authorization.as_deref() {
            Some("Basic bWU6czNjcmV0") if request.nth > 0 => {
                honest(request, stream, &all, "\"v1\"");
            }
            Some("Basic bWU6czNjcmV0") => honest_until(request, stream, &all, "\"v1\"", 1000),
            _ => send(stream, "401 Unauthorized", &[("Content-Length", "0")], b""),
        },
    );
    let url = server
        .url("/base.iso")
        .replace("http://", "http://me:s3cret@");
    let one_try = lab_supply::Limits {
        retries: 0,
        ..limits()
    };
    let image = pinned(&bytes, &[format!("{url}?token=t0ken")]);
    let options = FetchOptions {
        limits: one_try,
        ..options()
    };
    let error = fetch_base(&world.cache, &image, &options, &mut |_| {}).unwrap_err();
    let sidecar = std::fs::read_to_string(world.path("base.iso.partial.json")).unwrap();
    for text in [error.to_string(), format!("{error:?}"), sidecar] {
        assert!(
            !text.contains("s3cret") && !text.contains("t0ken"),
            "{text}"
        );
    }
    world.fetch_content(&image, &bytes);
    let other =
        Server::of_file(|_, stream| send(stream, "404 Not Found", &[("Content-Length", "0")], b""));
    let target = other.url("/base.iso");
    let first = Server::of_file(move |_, stream| {
        send(
            stream,
            "302 Found",
            &[("Location", &target), ("Content-Length", "0")],
            b"",
        );
    });
    let url = first
        .url("/base.iso")
        .replace("http://", "http://me:s3cret@");
    let world = World::new();
    world.fetch_error(&pinned(&bytes, &[url]));
    assert!(first.requests()[0].authorization.is_some());
    assert!(
        other.requests()[0].authorization.is_none(),
        "credentials were sent to another host"
    );
}

/// Answers whose header is spoilt in a few places.
#[test]
fn spoilt_headers_never_panic() {
    for seed in 0..40 {
        let (world, bytes) = (World::new(), content(1, 1000));
        let found = cause(&world, &bytes, move |_, stream| {
            let mut answer =
                b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\nETag: \"v1\"\r\n\r\n".to_vec();
            for noise in content(seed, 12).chunks(2) {
                let at = usize::from(noise[0]) % answer.len();
                answer[at] = noise[1];
            }
            answer.extend(content(seed, 1000));
            let _ = stream.write_all(&answer);
            let _ = stream.read(&mut [0]);
        });
        assert!(!matches!(found, Cause::CachedOther { .. }), "{found}");
    }
}
