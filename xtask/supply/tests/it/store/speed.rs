//! How quick it is, against `curl --parallel` and `sha256sum`, in turn: figures, and no
//! bounds that a busy machine would break. The loopback stands for a network; it does
//! not show what latency and TLS cost.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use lab_supply::store::{FetchAll, Wanted, fetch_all, verify};

use super::{MIB, World, wanted};
use crate::nginx::Nginx;
use crate::world::{content, not_run};

const FILES: usize = 64;
const ROUNDS: usize = 5;

#[test]
#[ignore = "measures, and writes 5 GiB: run it with --ignored --nocapture"]
fn sixty_four_files_against_curl_and_sha256sum() {
    let test = "sixty_four_files_against_curl_and_sha256sum";
    let Some(server) = Nginx::start("", "", "") else {
        return not_run(test, "nginx is not installed");
    };
    let mut all = Vec::new();
    for n in 0..FILES {
        let bytes = content(n as u64, 8 * MIB);
        server.serve(&n.to_string(), &bytes);
        let url = format!("http://127.0.0.1:{}/{n}", server.port);
        all.push(wanted("a", &bytes, &[url]));
    }
    let mut least = [Duration::MAX; 4];
    for _ in 0..ROUNDS {
        let took = [
            ours(&all),
            curl(&all),
            hashed(&all),
            sha256sum(&server.files()),
        ];
        for (least, took) in least.iter_mut().zip(took) {
            *least = took.min(*least);
        }
    }
    let [ours, curl, hashed, sums] = least.map(|least| least.as_secs_f64());
    let gib = (FILES * 8) as f64 / 1024.0;
    let both = ours / (curl + sums);
    println!("fetch_all against curl and then sha256sum: ratio {both:.2}");
    println!(
        "fetch_all {ours:.3} s, curl --parallel {curl:.3} s, ratio {:.2}",
        ours / curl
    );
    println!(
        "verify {:.2} GiB/s, sha256sum one after the other {:.2} GiB/s",
        gib / hashed,
        gib / sums
    );
}

/// Verified, synchronised to the disk and stamped.
fn ours(all: &[Wanted]) -> Duration {
    let world = World::new();
    let start = Instant::now();
    fetch_all(&world.store, all, &FetchAll::default(), &|_| {}).unwrap();
    start.elapsed()
}

/// Neither verified nor synchronised.
fn curl(all: &[Wanted]) -> Duration {
    let dir = tempfile::tempdir().unwrap();
    let mut command = Command::new("curl");
    command.args(["--silent", "--fail", "--parallel", "--parallel-max", "4"]);
    command.arg("--remote-name-all").current_dir(dir.path());
    command.args(all.iter().map(|one| &one.urls[0]));
    let start = Instant::now();
    assert!(command.status().unwrap().success());
    start.elapsed()
}

fn hashed(all: &[Wanted]) -> Duration {
    let world = World::new();
    fetch_all(&world.store, all, &FetchAll::default(), &|_| {}).unwrap();
    let start = Instant::now();
    assert_eq!(verify(&world.store, &|_, _| {}).unwrap().good, FILES);
    start.elapsed()
}

fn sha256sum(dir: &Path) -> Duration {
    let mut command = Command::new("sha256sum");
    command.args((0..FILES).map(|n| n.to_string()));
    let start = Instant::now();
    let done = command.current_dir(dir).stdout(Stdio::null()).status();
    assert!(done.unwrap().success());
    start.elapsed()
}
