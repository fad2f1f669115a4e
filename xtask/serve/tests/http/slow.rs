//! Clients that take their time: each is cut off, and nobody else waits for it.

use std::io::{Read as _, Write as _};
use std::thread;
use std::time::{Duration, Instant};

use lab_serve::Limits;

use crate::world::{Answer, Disc, quick};

/// Far more than the limits of [`quick`] add up to, and far less than no limit.
const SOON: Duration = Duration::from_secs(10);

#[test]
fn a_head_that_comes_in_drops_is_not_waited_for() {
    let Some(disc) = Disc::new("a_head_that_comes_in_drops_is_not_waited_for") else {
        return;
    };
    let server = disc.serve(quick());
    let begun = Instant::now();
    let mut stream = server.connect();
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n")
        .unwrap();
    while stream.write_all(b"x: y\r\n").is_ok() && begun.elapsed() < SOON {
        thread::sleep(Duration::from_millis(50));
    }
    assert!(begun.elapsed() < SOON);
    server.record(|one| one.status == 408);
}

#[test]
fn half_a_head_is_told_that_time_is_up_and_silence_is_left_alone() {
    let Some(disc) = Disc::new("half_a_head_is_told_that_time_is_up_and_silence_is_left_alone")
    else {
        return;
    };
    let server = disc.serve(quick());
    assert_eq!(Answer::read(&server.say(b"GET / HT")).status, 408);
    assert!(server.say(b"").is_empty());
}

#[test]
fn a_client_that_takes_nothing_is_cut_off() {
    let Some(disc) = Disc::new("a_client_that_takes_nothing_is_cut_off") else {
        return;
    };
    let server = disc.serve(quick());
    let mut stream = server.connect();
    // More than the buffers of both sockets hold: several answers, and none is read.
    let request = "GET /box.iso HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(20);
    stream.write_all(request.as_bytes()).unwrap();
    let record = server.record(|one| one.note.contains("too slow"));
    assert!(record.took < SOON);
    let others = server.ask("GET /casper/vmlinuz", &[]);
    assert!(others.body == disc.kernel);
}

#[test]
fn a_client_that_takes_a_little_now_and_then_is_cut_off_too() {
    let Some(disc) = Disc::new("a_client_that_takes_a_little_now_and_then_is_cut_off_too") else {
        return;
    };
    // The whole answer has 0.4 s and what 20 MB a second would take.
    let limits = Limits {
        least_rate: 20 << 20,
        ..quick()
    };
    let server = disc.serve(limits);
    let mut stream = server.connect();
    let request = "GET /box.iso HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(20);
    stream.write_all(request.as_bytes()).unwrap();
    let (begun, mut chunk) = (Instant::now(), [0; 65_536]);
    while begun.elapsed() < SOON && matches!(stream.read(&mut chunk), Ok(1..)) {
        thread::sleep(Duration::from_millis(100));
    }
    assert!(begun.elapsed() < SOON, "it was served to its end");
    server.record(|one| one.note.contains("too slow"));
}
