//! A rest that was asked for and is another one.

use super::{MIB, cause, interrupted, succeeds};
use crate::server::{honest, honest_until, send};
use crate::world::{World, content};
use lab_supply::Cause;

#[test]
fn lie_07_another_range_than_asked_for() {
    let (world, bytes) = (World::new(), content(1, 2 * MIB));
    interrupted(&world, &bytes, MIB);
    let all = bytes.clone();
    let (received, requests) =
        succeeds(&world, &bytes, move |request, stream| match request.from {
            Some(from) => {
                let range = format!("bytes {}-{}/{}", from - 10, all.len() - 1, all.len());
                let length = (all.len() - from + 10).to_string();
                let headers = [
                    ("Content-Range", range.as_str()),
                    ("Content-Length", &length),
                ];
                send(stream, "206 Partial Content", &headers, &all[from - 10..]);
            }
            None => honest(request, stream, &all, "\"v1\""),
        });
    assert_eq!(
        (received, requests[0].from, requests[1].from),
        (2 * MIB as u64, Some(MIB), None)
    );
}

#[test]
fn lie_08_a_range_of_a_file_of_another_length() {
    let (world, bytes) = (World::new(), content(1, 2 * MIB));
    interrupted(&world, &bytes, MIB);
    let all = bytes.clone();
    succeeds(&world, &bytes, move |request, stream| match request.from {
        Some(_) => honest(request, stream, &[&all[..], b"more"].concat(), "\"v1\""),
        None => honest(request, stream, &all, "\"v1\""),
    });
}

#[test]
fn lie_09_a_part_without_saying_which() {
    let (world, bytes) = (World::new(), content(1, 2 * MIB));
    interrupted(&world, &bytes, MIB);
    let all = bytes.clone();
    succeeds(&world, &bytes, move |request, stream| match request.from {
        Some(from) => send(stream, "206 Partial Content", &[], &all[from..]),
        None => honest(request, stream, &all, "\"v1\""),
    });
}

#[test]
fn lie_10_a_range_and_a_length_that_do_not_go_together() {
    let (world, bytes) = (World::new(), content(1, 2 * MIB));
    interrupted(&world, &bytes, MIB);
    let all = bytes.clone();
    succeeds(&world, &bytes, move |request, stream| match request.from {
        Some(from) => {
            let range = format!("bytes {from}-{}/{}", all.len() - 1, all.len());
            let headers = [
                ("Content-Range", range.as_str()),
                ("Content-Length", "5000000"),
            ];
            send(stream, "206 Partial Content", &headers, &all[from..]);
        }
        None => honest(request, stream, &all, "\"v1\""),
    });
}

#[test]
fn lie_11_a_part_that_was_not_asked_for() {
    let (world, bytes) = (World::new(), content(1, 2 * MIB));
    let all = bytes.clone();
    let found = cause(&world, &bytes, move |_, stream| {
        let headers = [
            ("Content-Range", "bytes 10-99/2097152"),
            ("Content-Length", "90"),
        ];
        send(stream, "206 Partial Content", &headers, &all[10..100]);
    });
    assert!(matches!(found, Cause::Status(206)), "{found}");
}

#[test]
fn lie_12_nothing_beyond_where_there_is_more() {
    let (world, bytes) = (World::new(), content(1, 2 * MIB));
    interrupted(&world, &bytes, MIB);
    let all = bytes.clone();
    succeeds(&world, &bytes, move |request, stream| match request.from {
        Some(_) => send(
            stream,
            "416 Range Not Satisfiable",
            &[("Content-Range", "bytes */5")],
            b"",
        ),
        None => honest(request, stream, &all, "\"v1\""),
    });
}

#[test]
fn lie_13_ranges_are_ignored() {
    let (world, bytes) = (World::new(), content(1, 2 * MIB));
    interrupted(&world, &bytes, MIB);
    let all = bytes.clone();
    let (received, requests) = succeeds(&world, &bytes, move |_, stream| {
        let length = all.len().to_string();
        send(stream, "200 OK", &[("Content-Length", &length)], &all);
    });
    assert_eq!(
        (received, requests.len(), requests[0].from),
        (2 * MIB as u64, 1, Some(MIB))
    );
}

#[test]
fn lie_14_the_content_changes_between_tries_and_the_tag_says_so() {
    let (world, bytes) = (World::new(), content(1, 2 * MIB));
    let (old, new) = (content(2, 2 * MIB), bytes.clone());
    let (_, requests) = succeeds(&world, &bytes, move |request, stream| match request.nth {
        0 => honest_until(request, stream, &old, "\"v1\"", MIB),
        _ => honest(request, stream, &new, "\"v2\""),
    });
    assert_eq!(requests[1].if_range.as_deref(), Some("\"v1\""));
}

#[test]
fn lie_15_the_content_changes_between_tries_and_the_tag_does_not() {
    let (world, bytes) = (World::new(), content(1, 2 * MIB));
    let (old, new) = (content(2, 2 * MIB), bytes.clone());
    let (_, requests) = succeeds(&world, &bytes, move |request, stream| match request.nth {
        0 => honest_until(request, stream, &old, "\"v1\"", MIB),
        _ => honest(request, stream, &new, "\"v1\""),
    });
    let asked: Vec<_> = requests.iter().map(|request| request.from).collect();
    assert_eq!(
        asked,
        [None, Some(MIB), None],
        "a splice is fetched once more in one piece"
    );
}
