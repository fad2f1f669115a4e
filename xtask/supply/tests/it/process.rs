//! What only whole processes show: killed in the middle, two at once, a full disk.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use lab_supply::{Cache, FetchError, FetchOptions, Limits, Origin, fetch_base};

use crate::server::{Server, honest};
use crate::world::{World, content, limits, not_run, pinned};

const MIB: usize = 1 << 20;

/// Not a test but the other process of some: it runs when they start it.
#[test]
fn child() {
    let Ok(arguments) = std::env::var("LAB_SUPPLY_CHILD") else {
        return;
    };
    let mut arguments = arguments.split('\n');
    let mut next = || arguments.next().unwrap();
    let cache = Cache::open(next()).unwrap();
    let mut image = pinned(b"", &[next().to_owned()]);
    image.sha256 = Some(next().parse().unwrap());
    let fetched = fetch_base(&cache, &image, &options(), &mut |_| {}).unwrap();
    let Origin::Downloaded { bytes, .. } = fetched.origin else {
        return;
    };
    fs::write(cache.dir().join("received"), bytes.to_string()).unwrap();
}

/// With several processes on a busy machine, a second may pass without a byte.
fn options() -> FetchOptions {
    let limits = Limits {
        idle: Duration::from_secs(10),
        ..limits()
    };
    FetchOptions {
        limits,
        ..FetchOptions::default()
    }
}

fn start_child(cache: &Path, url: &str, content: &[u8]) -> Child {
    let sha256 = lab_supply::Digest::of(content);
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "process::child", "--nocapture"])
        .env(
            "LAB_SUPPLY_CHILD",
            format!("{}\n{url}\n{sha256}", cache.display()),
        )
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(
            start.elapsed() < Duration::from_secs(20),
            "{what} did not happen"
        );
        thread::sleep(Duration::from_millis(5));
    }
}

/// An honest server that takes its time: a chunk every 5 ms.
fn slow_server(content: &[u8]) -> Server {
    let all = content.to_vec();
    Server::of_file(move |request, stream| {
        let from = request.from.unwrap_or(0);
        let mut head = Vec::new();
        let length = all.len() - from;
        let _ = match request.from {
            Some(from) => write!(
                head,
                "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes {from}-{}/{}\r\n",
                all.len() - 1,
                all.len()
            ),
            None => write!(head, "HTTP/1.1 200 OK\r\n"),
        };
        let _ = write!(head, "Content-Length: {length}\r\nETag: \"v1\"\r\n\r\n");
        let mut sent = stream.write_all(&head);
        for chunk in all[from..].chunks(64 << 10) {
            if sent.is_err() {
                return;
            }
            thread::sleep(Duration::from_millis(5));
            sent = stream.write_all(chunk);
        }
    })
}

#[test]
fn killed_in_the_middle_three_times_and_run_again_it_fetches_nothing_twice() {
    let (world, bytes) = (World::new(), content(5, 16 * MIB));
    let server = slow_server(&bytes);
    let url = server.url("/base.iso");
    let mut before = 0;
    for _ in 0..3 {
        let mut child = start_child(world.cache.dir(), &url, &bytes);
        until("headway", || {
            world
                .partial_len()
                .is_some_and(|len| len > before + 2 * MIB as u64)
        });
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!world.place().exists());
        before = world.partial_len().unwrap();
        assert!(
            before < bytes.len() as u64,
            "it was finished before it could be killed"
        );
    }
    let image = pinned(&bytes, std::slice::from_ref(&url));
    let fetched = fetch_base(&world.cache, &image, &options(), &mut |_| {}).unwrap();
    assert!(fs::read(&fetched.path).unwrap() == bytes);
    assert_eq!(
        fetched.origin,
        Origin::Downloaded {
            url,
            bytes: bytes.len() as u64 - before
        }
    );
    let requests = server.requests();
    assert_eq!(requests.len(), 4);
    assert!(
        requests[1..]
            .iter()
            .all(|request| request.if_range.as_deref() == Some("\"v1\""))
    );
    assert_eq!(requests[3].from, Some(usize::try_from(before).unwrap()));
}

#[test]
fn two_at_once_fetch_it_once() {
    let (world, bytes) = (World::new(), content(6, 8 * MIB));
    let server = slow_server(&bytes);
    let url = server.url("/base.iso");
    let mut child = start_child(world.cache.dir(), &url, &bytes);
    until("headway", || world.partial_len().is_some_and(|len| len > 0));
    let mut waited = 0;
    let fetched = fetch_base(
        &world.cache,
        &pinned(&bytes, std::slice::from_ref(&url)),
        &options(),
        &mut |progress| {
            waited += u32::from(progress.phase == lab_supply::Phase::Waiting);
        },
    )
    .unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(fetched.origin, Origin::Cache);
    assert!(waited > 0, "it did not wait");
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn the_other_process_is_not_waited_for_without_end() {
    let (world, bytes) = (World::new(), content(6, 8 * MIB));
    let server = slow_server(&bytes);
    let url = server.url("/base.iso");
    let mut child = start_child(world.cache.dir(), &url, &bytes);
    until("headway", || world.partial_len().is_some_and(|len| len > 0));
    let mut quick = options();
    quick.limits.lock_wait = Duration::from_millis(100);
    let error = fetch_base(&world.cache, &pinned(&bytes, &[url]), &quick, &mut |_| {}).unwrap_err();
    assert!(
        matches!(error, FetchError::Busy { .. }) && error.to_string().contains("base.iso.lock"),
        "{error}"
    );
    assert!(child.wait().unwrap().success());
}

/// A file system of `mib` MiB that goes away with the test.
pub(crate) struct Small(tempfile::TempDir);

impl Small {
    pub(crate) fn mount(mib: u32) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let done = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={mib}m"), "lab-test"])
            .arg(dir.path())
            .stderr(Stdio::null())
            .status();
        done.is_ok_and(|status| status.success())
            .then_some(Self(dir))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}

#[test]
fn a_disk_too_small_is_said_before_the_transfer() {
    let test = "a_disk_too_small_is_said_before_the_transfer";
    let Some(small) = Small::mount(8) else {
        return not_run(test, "mounting a tmpfs needs root");
    };
    let bytes = content(7, 12 * MIB);
    let all = bytes.clone();
    let server = Server::of_file(move |request, stream| honest(request, stream, &all, "\"v1\""));
    let cache = Cache::open(small.0.path().join("cache")).unwrap();
    let mut came = 0;
    let error = fetch_base(
        &cache,
        &pinned(&bytes, &[server.url("/base.iso")]),
        &options(),
        &mut |progress| {
            came += u64::from(progress.phase == lab_supply::Phase::Downloading);
        },
    )
    .unwrap_err();
    assert!(
        matches!(error, FetchError::DiskFull { needed: 12_582_912, free, .. } if free <= 8 << 20),
        "{error}"
    );
    assert!(error.to_string().contains("LAB_CACHE_DIR"), "{error}");
    assert_eq!(came, 0);
}

#[test]
fn a_disk_that_fills_during_the_transfer_keeps_what_came() {
    let test = "a_disk_that_fills_during_the_transfer_keeps_what_came";
    let Some(small) = Small::mount(8) else {
        return not_run(test, "mounting a tmpfs needs root");
    };
    let bytes = content(7, 6 * MIB);
    let all = bytes.clone();
    // Somebody else writes to the disk once the transfer has begun.
    let other = small.0.path().join("other");
    let (written, unlinked) = (other.clone(), other);
    let server = Server::of_file(move |request, stream| {
        if request.nth == 0 {
            honest_half_then(request, stream, &all, || {
                drop(fs::write(&written, vec![1; 5 * MIB]));
            });
        } else {
            honest(request, stream, &all, "\"v1\"");
        }
    });
    let cache = Cache::open(small.0.path().join("cache")).unwrap();
    let image = pinned(&bytes, &[server.url("/base.iso")]);
    let error = fetch_base(&cache, &image, &options(), &mut |_| {}).unwrap_err();
    assert!(matches!(error, FetchError::DiskFull { .. }), "{error}");
    assert!(!cache.dir().join("base.iso").exists());
    fs::remove_file(unlinked).unwrap();
    let fetched = fetch_base(&cache, &image, &options(), &mut |_| {}).unwrap();
    assert!(
        matches!(fetched.origin, Origin::Downloaded { bytes: came, .. } if came < bytes.len() as u64),
        "{:?}",
        fetched.origin
    );
    assert!(fs::read(fetched.path).unwrap() == bytes);
}

fn honest_half_then(
    _: &crate::server::Request,
    stream: &mut std::net::TcpStream,
    content: &[u8],
    between: impl Fn(),
) {
    let (first, second) = content.split_at(MIB);
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nETag: \"v1\"\r\n\r\n",
        content.len()
    );
    let _ = stream
        .write_all(head.as_bytes())
        .and_then(|()| stream.write_all(first));
    thread::sleep(Duration::from_millis(100));
    between();
    let _ = stream.write_all(second);
}
