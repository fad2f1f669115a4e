//! What only whole processes show: killed at any moment, two at once, a full disk.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use lab_supply::store::{FetchAll, Prune, Wanted, Why, fetch_all, prune};
use lab_supply::{Digest, FetchError, Limits};

use super::{MIB, World, how, names, open, wanted};
use crate::process::Small;
use crate::server::{Server, honest};
use crate::world::{content, not_run};

/// Files of many sizes, the largest of several blocks.
fn files() -> Vec<Vec<u8>> {
    (0..10)
        .map(|n: u64| content(n, 60_000 + usize::try_from(n).unwrap() * 400_000))
        .collect()
}

fn total(files: &[Vec<u8>]) -> u64 {
    files.iter().map(|bytes| bytes.len() as u64).sum()
}

fn all(files: &[Vec<u8>], url: &str) -> Vec<Wanted> {
    let one = |(n, bytes): (usize, &Vec<u8>)| wanted("a", bytes, &[format!("{url}/{n}")]);
    files.iter().enumerate().map(one).collect()
}

/// With several processes on a busy machine, a second may pass without a byte.
fn patient() -> FetchAll {
    let limits = Limits {
        idle: Duration::from_secs(10),
        ..how().limits
    };
    FetchAll { limits, ..how() }
}

/// Not a test but the other process of some: it runs when they start it.
#[test]
fn child() {
    let Ok(arguments) = std::env::var("LAB_STORE_CHILD") else {
        return;
    };
    let (dir, url) = arguments.split_once('\n').unwrap();
    let (dir, id) = (Path::new(dir), std::process::id());
    let fetched = fetch_all(&open(dir), &all(&files(), url), &patient(), &|_| {}).unwrap();
    fs::write(
        dir.join(format!("received-{id}")),
        fetched.received.to_string(),
    )
    .unwrap();
}

fn start_child(dir: &Path, url: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "store::process::child", "--nocapture"])
        .env("LAB_STORE_CHILD", format!("{}\n{url}", dir.display()))
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

/// An honest server of `files` that takes its time: a piece every few milliseconds.
fn slow_server(files: &[Vec<u8>]) -> Server {
    let files = files.to_vec();
    Server::new(move |request, stream| {
        let bytes = &files[request.path[1..].parse::<usize>().unwrap()];
        let from = request.from.unwrap_or(0);
        let mut head = match request.from {
            Some(from) => format!(
                "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes {from}-{}/{}\r\n",
                bytes.len() - 1,
                bytes.len()
            ),
            None => "HTTP/1.1 200 OK\r\n".to_owned(),
        };
        head += &format!(
            "Content-Length: {}\r\nETag: \"v1\"\r\n\r\n",
            bytes.len() - from
        );
        let mut sent = stream.write_all(head.as_bytes());
        for chunk in bytes[from..].chunks(64 << 10) {
            if sent.is_err() {
                return;
            }
            thread::sleep(Duration::from_millis(3));
            sent = stream.write_all(chunk);
        }
    })
}

/// Bytes that are in the store or on their way into it.
fn here(dir: &Path) -> u64 {
    let objects = dir.join("cache/objects");
    let mut dirs = vec![objects.join("partial")];
    if let Ok(found) = fs::read_dir(objects.join("sha256")) {
        dirs.extend(found.map(|entry| entry.unwrap().path()));
    }
    let files = dirs
        .iter()
        .filter_map(|dir| fs::read_dir(dir).ok())
        .flatten();
    files
        .filter_map(|entry| {
            entry
                .ok()
                .filter(|one| one.path().extension().is_none_or(|e| e == "partial"))
        })
        .filter_map(|entry| Some(entry.metadata().ok()?.len()))
        .sum()
}

#[test]
fn killed_at_any_moment_it_loses_nothing_that_was_written() {
    let (world, files) = (World::new(), files());
    let server = slow_server(&files);
    let mut before = 0;
    let mut seed = 88_172_645_463_325_252_u64;
    let mut kills = 0;
    for round in 0..12 {
        let mut child = start_child(world.dir.path(), &server.url(""));
        // On a busy machine it takes its time to begin: every other is let do something.
        let start = Instant::now();
        while round % 2 == 0
            && here(world.dir.path()) <= before
            && start.elapsed() < Duration::from_secs(10)
            && child.try_wait().unwrap().is_none()
        {
            thread::sleep(Duration::from_millis(2));
        }
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        thread::sleep(Duration::from_millis(seed % 150));
        child.kill().unwrap();
        kills += u32::from(!child.wait().unwrap().success());
        let now = here(world.dir.path());
        assert!(now >= before, "{now} bytes of {before} are left");
        before = now;
        for name in names(&world.dir.path().join("cache/objects/sha256")) {
            for object in names(&world.dir.path().join("cache/objects/sha256").join(name)) {
                let digest: Digest = object.parse().unwrap();
                let bytes = fs::read(world.store.place(digest)).unwrap();
                assert_eq!(Digest::of(&bytes), digest);
            }
        }
    }
    assert!(kills >= 3 && before > 0, "{kills} kills");
    let fetched = fetch_all(
        &world.store,
        &all(&files, &server.url("")),
        &patient(),
        &|_| {},
    )
    .unwrap();
    assert!(files.iter().all(|bytes| world.holds(bytes)));
    assert_eq!(
        fetched.received,
        total(&files) - before,
        "something was fetched twice"
    );
    // Killed between its rename and the removal of what stood for it, an object leaves litter.
    assert!(
        world
            .unfinished()
            .iter()
            .all(|name| !name.ends_with(".partial"))
    );
    let keep = files.iter().map(|bytes| Digest::of(bytes)).collect();
    let all_litter = Prune {
        older_than: Duration::ZERO,
        ..super::keep::pruning(&keep, false)
    };
    prune(&world.store, &all_litter).unwrap();
    assert_eq!(world.unfinished(), [""; 0]);
    assert!(files.iter().all(|bytes| world.holds(bytes)));
}

#[test]
fn two_at_once_share_the_work() {
    let (world, files) = (World::new(), files());
    let server = slow_server(&files);
    let children = [(); 2].map(|()| start_child(world.dir.path(), &server.url("")));
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    assert!(files.iter().all(|bytes| world.holds(bytes)));
    let received: Vec<u64> = names(world.dir.path())
        .iter()
        .filter(|name| name.starts_with("received-"))
        .map(|name| {
            fs::read_to_string(world.dir.path().join(name))
                .unwrap()
                .parse()
                .unwrap()
        })
        .collect();
    assert_eq!(received.iter().sum::<u64>(), total(&files));
    assert!(
        received.iter().all(|bytes| *bytes > 0),
        "one did it all: {received:?}"
    );
    assert_eq!(server.requests().len(), files.len());
    assert_eq!(world.unfinished(), [""; 0]);
}

#[test]
fn what_another_process_brings_is_not_waited_for_without_end() {
    let (world, files) = (World::new(), files());
    let server = slow_server(&files);
    // The largest comes first.
    let mut other = start_child(world.dir.path(), &server.url(""));
    let largest = wanted("a", &files[9], &[server.url("/9")]);
    let lock = format!("{}.lock", largest.sha256);
    let begun = Instant::now();
    while !world.unfinished().contains(&lock) {
        assert!(begun.elapsed() < Duration::from_secs(20));
        thread::sleep(Duration::from_millis(5));
    }
    let mut quick = patient();
    quick.limits.lock_wait = Duration::from_millis(1);
    let failed = fetch_all(&world.store, &[largest], &quick, &|_| {});
    let failed = failed.unwrap_err();
    let why = &failed.failed[0].why;
    assert!(
        matches!(why, Why::Failed(FetchError::Busy { .. })),
        "{failed}"
    );
    other.kill().unwrap();
    other.wait().unwrap();
}

#[test]
fn what_does_not_fit_is_refused_before_the_first_byte() {
    let test = "what_does_not_fit_is_refused_before_the_first_byte";
    let Some(small) = Small::mount(8) else {
        return not_run(test, "mounting a tmpfs needs root");
    };
    let files: Vec<_> = (0..3).map(|n| content(n, 3 * MIB)).collect();
    let server = super::fetch::server_of(&files);
    let store = open(small.path());
    let failed = fetch_all(&store, &all(&files, &server.url("")), &how(), &|_| {}).unwrap_err();
    assert!(
        matches!(
            failed.stopped.as_deref(),
            Some(FetchError::DiskFull {
                needed: 9_437_184,
                ..
            })
        ),
        "{failed}"
    );
    assert_eq!((failed.not_begun, server.requests().len()), (3, 0));
    assert!(failed.to_string().contains("LAB_CACHE_DIR"), "{failed}");
}

#[test]
fn a_disk_that_fills_meanwhile_keeps_what_came() {
    let test = "a_disk_that_fills_meanwhile_keeps_what_came";
    let Some(small) = Small::mount(10) else {
        return not_run(test, "mounting a tmpfs needs root");
    };
    let files: Vec<_> = (0..6).map(|n| content(n, MIB)).collect();
    let (served, other) = (files.clone(), small.path().join("other"));
    let full = other.clone();
    let server = Server::new(move |request, stream| {
        let index: usize = request.path[1..].parse().unwrap();
        if index == 2 && request.nth == 0 {
            // Somebody else writes to the disk.
            let _ = fs::write(&full, vec![1; 9 * MIB]);
        }
        honest(request, stream, &served[index], "\"v1\"");
    });
    let store = open(small.path());
    let one_by_one = FetchAll { jobs: 1, ..how() };
    let wanted = all(&files, &server.url(""));
    let failed = fetch_all(&store, &wanted, &one_by_one, &|_| {}).unwrap_err();
    assert!(
        matches!(
            failed.failed[0].why,
            Why::Failed(FetchError::DiskFull { .. })
        ),
        "{failed}"
    );
    assert_eq!(
        (failed.fetched.items.len(), failed.not_begun),
        (2, 3),
        "{failed}"
    );
    fs::remove_file(other).unwrap();
    let fetched = fetch_all(&store, &wanted, &one_by_one, &|_| {}).unwrap();
    assert_eq!((fetched.present, fetched.downloaded), (2, 4));
}
