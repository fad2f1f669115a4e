//! What comes in, from servers that are honest and others.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use lab_supply::store::{FetchAll, ItemState, Missing, Why, fetch_all, missing};
use lab_supply::{Cause, Digest, Origin};

use super::{MIB, World, how, wanted};
use crate::server::{Server, honest, honest_until, not_found, send};
use crate::world::content;

/// Serves `/N` as the N-th of `files`.
pub(super) fn server_of(files: &[Vec<u8>]) -> Server {
    let files = files.to_vec();
    Server::new(move |request, stream| {
        let index: Option<usize> = request.path.trim_start_matches('/').parse().ok();
        match index.and_then(|index| files.get(index)) {
            Some(bytes) => honest(request, stream, bytes, "\"v1\""),
            None => not_found(stream),
        }
    })
}

#[test]
fn many_come_at_once_and_are_there_the_next_time() {
    let (world, files) = (
        World::new(),
        (0..20).map(|n| content(n, 40_000)).collect::<Vec<_>>(),
    );
    let server = server_of(&files);
    let all: Vec<_> = files
        .iter()
        .enumerate()
        .map(|(n, bytes)| wanted(&format!("file {n}"), bytes, &[server.url(&format!("/{n}"))]))
        .collect();
    let expected = Missing {
        count: 20,
        bytes: 800_000,
        of_unknown_size: 0,
    };
    assert_eq!(missing(&world.store, &all), expected);
    let last = Mutex::new(None);
    let fetched = fetch_all(&world.store, &all, &how(), &|now| {
        let mut last = last.lock().unwrap();
        if last.is_none_or(|all: lab_supply::store::Overall| all.ended <= now.all.ended) {
            *last = Some(now.all);
        }
    })
    .unwrap();
    assert_eq!((fetched.downloaded, fetched.received), (20, 800_000));
    let last = last.into_inner().unwrap().unwrap();
    assert_eq!((last.ended, last.bytes, last.total), (20, 800_000, 800_000));
    assert!(files.iter().all(|bytes| world.holds(bytes)));
    assert_eq!(world.unfinished(), [""; 0]);
    assert_eq!(missing(&world.store, &all), Missing::default());
    let frozen = FetchAll {
        frozen: true,
        ..how()
    };
    let again = fetch_all(&world.store, &all, &frozen, &|now| {
        assert_eq!(now.state, ItemState::Present);
    })
    .unwrap();
    assert_eq!((again.present, again.received), (20, 0));
    assert_eq!(server.requests().len(), 20);
    assert_eq!(mode(&world.store.place(Digest::of(&files[0]))), 0o600);
    let dir = world.store.place(Digest::of(&files[0]));
    assert_eq!(mode(dir.parent().unwrap()), 0o700);
}

fn mode(path: &std::path::Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn equal_digests_are_fetched_once_and_all_who_asked_get_it() {
    let (world, bytes) = (World::new(), content(1, 10_000));
    let server = server_of(std::slice::from_ref(&bytes));
    let first = wanted("first", &bytes, &[server.url("/9")]);
    let second = wanted("../../../second", &bytes, &[server.url("/0")]);
    let fetched = world.fetch(&[first, second]).unwrap();
    let names: Vec<_> = fetched
        .items
        .iter()
        .map(|item| item.name.as_str())
        .collect();
    assert_eq!(names, ["first", "../../../second"]);
    assert_eq!((fetched.downloaded, server.requests().len()), (1, 2));
    // A name goes nowhere: all that there is has a digest for its name.
    assert_eq!(super::names(world.dir.path()), ["cache"]);
    assert_eq!(super::names(&world.dir.path().join("cache")), ["objects"]);
}

#[test]
fn all_failures_are_told_together_and_the_good_ones_stay() {
    let (world, files) = (World::new(), [content(1, 9000), content(2, 9000)]);
    let server = server_of(&files);
    let other = content(3, 9000);
    let all = [
        wanted("good", &files[0], &[server.url("/0")]),
        wanted("gone", &content(4, 10), &[server.url("/77")]),
        wanted(
            "wrong\u{1b}[2J",
            &other,
            &[server.url("/1"), server.url("/78")],
        ),
        wanted("nowhere", &content(5, 10), &[]),
        wanted(
            "no url",
            &content(6, 10),
            &["ftp://me:s3cret@h/x".to_owned()],
        ),
    ];
    let failed = world.fetch(&all).unwrap_err();
    let text = failed.to_string();
    assert_eq!(failed.failed.len(), 4, "{text}");
    assert!(failed.input_at_fault());
    assert!(world.holds(&files[0]) && !world.holds(&other));
    for part in [
        "gone",
        "/77",
        "404",
        "another file",
        "/78",
        "no URL is known",
        "neither http",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(
        !text.contains("s3cret") && !text.contains('\u{1b}'),
        "{text}"
    );
    assert_eq!(world.unfinished(), [""; 0]);
}

#[test]
fn what_is_wrong_is_dropped_and_the_next_place_is_tried() {
    let (world, files) = (World::new(), [content(1, 9000), content(2, 9000)]);
    let server = server_of(&files);
    let urls = [server.url("/1"), server.url("/0")];
    let fetched = world.fetch(&[wanted("a", &files[0], &urls)]).unwrap();
    let origin = Origin::Downloaded {
        url: urls[1].clone(),
        bytes: 9000,
    };
    assert_eq!(fetched.items[0].origin, origin);
    assert!(world.holds(&files[0]) && !world.store.place(Digest::of(&files[1])).exists());
}

#[test]
fn a_line_cut_in_the_middle_is_taken_up_where_it_broke() {
    let (world, bytes) = (World::new(), content(1, 3 * MIB));
    let all = bytes.clone();
    let server = Server::new(move |request, stream| {
        honest_until(request, stream, &all, "\"v1\"", (request.nth + 1) * MIB);
    });
    let fetched = world
        .fetch(&[wanted("a", &bytes, &[server.url("/a")])])
        .unwrap();
    assert_eq!(fetched.received, 3 * MIB as u64);
    assert!(world.holds(&bytes) && server.requests().len() >= 3);
}

#[test]
fn more_than_the_size_is_never_taken() {
    let (world, bytes) = (World::new(), content(1, 100_000));
    let long = content(2, 8 * MIB);
    let server = Server::new(move |request, stream| match request.path.as_str() {
        // Until the connection is closed: no length is promised.
        "/endless" => send(stream, "200 OK", &[], &long),
        _ => {
            let length = long.len().to_string();
            send(stream, "200 OK", &[("Content-Length", &length)], &long);
        }
    });
    for path in ["/endless", "/promised"] {
        let cause = world.cause(wanted("a", &bytes, &[server.url(path)]));
        assert!(
            matches!(&cause, Cause::Lied(why) if why.contains("100000")),
            "{cause}"
        );
        assert_eq!(world.unfinished(), [""; 0]);
    }
}

#[test]
fn what_is_too_short_is_no_file() {
    let (world, bytes) = (World::new(), content(1, 100_000));
    let short = bytes[..60_000].to_vec();
    let server = Server::new(move |request, stream| match request.path.as_str() {
        "/until-closed" => send(stream, "200 OK", &[], &short),
        _ => honest(request, stream, &short, "\"v1\""),
    });
    for path in ["/promised", "/until-closed"] {
        let cause = world.cause(wanted("a", &bytes, &[server.url(path)]));
        assert!(
            matches!(cause, Cause::Lied(_) | Cause::Broken(_)),
            "{cause}"
        );
    }
}

#[test]
fn a_wrong_size_is_told_and_is_no_endless_download() {
    let (world, bytes) = (World::new(), content(1, 5000));
    world.store.put(&bytes).unwrap();
    let mut one = wanted("a", &bytes, &[]);
    one.size = Some(4999);
    let failed = world.fetch(&[one]).unwrap_err();
    let why = &failed.failed[0].why;
    assert!(
        matches!(
            why,
            Why::OtherSize {
                found: 5000,
                expected: 4999
            }
        ),
        "{why:?}"
    );
    assert!(failed.input_at_fault());
}

#[test]
fn a_slow_server_is_given_up_and_another_asked() {
    let (world, bytes) = (World::new(), content(1, 50_000));
    let all = bytes.clone();
    let server = Server::new(move |request, stream| {
        if request.path == "/slow" {
            honest_until(request, stream, &all, "\"v1\"", 20_000);
            std::thread::sleep(Duration::from_secs(3));
        } else {
            honest(request, stream, &all, "\"v1\"");
        }
    });
    let urls = [server.url("/slow"), server.url("/quick")];
    let fetched = world.fetch(&[wanted("a", &bytes, &urls)]).unwrap();
    assert_eq!(
        fetched.received, 30_000,
        "what the slow one sent was thrown away"
    );
    assert!(world.holds(&bytes));
}

#[test]
fn frozen_touches_no_network() {
    let (world, bytes) = (World::new(), content(1, 5000));
    let server = server_of(std::slice::from_ref(&bytes));
    let frozen = FetchAll {
        frozen: true,
        ..how()
    };
    let all = [wanted("a", &bytes, &[server.url("/0")])];
    let failed = fetch_all(&world.store, &all, &frozen, &|_| {}).unwrap_err();
    assert!(matches!(failed.failed[0].why, Why::Frozen));
    assert!(failed.to_string().contains("without --frozen"));
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn no_host_is_asked_for_more_than_a_few_at_once() {
    let (world, files) = (
        World::new(),
        (0..12).map(|n| content(n, 500)).collect::<Vec<_>>(),
    );
    let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let (all, counts) = (files.clone(), std::sync::Arc::new((now, most)));
    let seen = counts.clone();
    let server = Server::new(move |request, stream| {
        let at_once = seen.0.fetch_add(1, Ordering::SeqCst) + 1;
        seen.1.fetch_max(at_once, Ordering::SeqCst);
        std::thread::sleep(Duration::from_millis(60));
        seen.0.fetch_sub(1, Ordering::SeqCst);
        let index: usize = request.path[1..].parse().unwrap();
        honest(request, stream, &all[index], "\"v1\"");
    });
    let all: Vec<_> = (0..12)
        .map(|n| wanted("a", &files[n], &[server.url(&format!("/{n}"))]))
        .collect();
    let eager = FetchAll {
        jobs: 12,
        per_host: 3,
        ..how()
    };
    fetch_all(&world.store, &all, &eager, &|_| {}).unwrap();
    assert_eq!(counts.1.load(Ordering::SeqCst), 3);
}

/// Whatever order threads report in, each object ends once.
#[test]
fn each_object_ends_once_in_the_reports() {
    let (world, files) = (
        World::new(),
        (0..6).map(|n| content(n, 30_000)).collect::<Vec<_>>(),
    );
    let server = server_of(&files);
    let mut all: Vec<_> = (0..6)
        .map(|n| wanted("a", &files[n], &[server.url(&format!("/{n}"))]))
        .collect();
    all[5].size = None;
    let ended = Mutex::new(BTreeSet::new());
    fetch_all(&world.store, &all, &how(), &|now| {
        assert_eq!(now.all.count, 6);
        if !matches!(now.state, ItemState::Working(_)) {
            assert!(ended.lock().unwrap().insert(now.index));
        }
    })
    .unwrap();
    assert_eq!(ended.into_inner().unwrap().len(), 6);
}
