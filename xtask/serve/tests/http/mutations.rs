//! Thousands of damaged requests and ranges: nothing panics, and what is accepted is sound.

use lab_serve::{MAX_RANGES, read_request, spans};

use crate::world::{Dice, Disc};

const REQUESTS: [&str; 4] = [
    "GET /box.iso HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nRange: bytes=0-99,200-\r\nIf-Range: \"a\"\r\n\r\n",
    "HEAD http://localhost/casper/initrd HTTP/1.1\r\nhost: [::1]:80\r\nConnection: close\r\nIf-None-Match: W/\"x\", *\r\n\r\n",
    "GET /boot.ipxe HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nIf-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n",
];
const RANGES: [&str; 4] = [
    "bytes=0-499,500-999,-1",
    "bytes=-500",
    "bytes=9-",
    "lines=0-1",
];
const ODD: &[u8] = b"\0\r\n \t,-=:/*%0123456789GHb\x7f\x80\xff\"[]";

/// A few bytes changed, added, taken away, doubled, or moved.
fn mutated(original: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut bytes = original.to_vec();
    for _ in 0..=dice.below(4) {
        let at = dice.below(bytes.len() + 1).min(bytes.len());
        let odd = ODD[dice.below(ODD.len())];
        match dice.below(5) {
            0 => bytes.insert(at, odd),
            1 if at < bytes.len() => bytes[at] = odd,
            2 if at < bytes.len() => {
                bytes.remove(at);
            }
            3 => {
                let tail = bytes[at..].to_vec();
                bytes.extend(tail);
            }
            _ => bytes.truncate(at.max(1)),
        }
    }
    bytes
}

#[test]
fn requests_of_any_kind_are_read_or_refused() {
    let mut dice = Dice(41);
    let (mut read, mut refused) = (0, 0);
    for round in 0..40_000 {
        let bytes = mutated(REQUESTS[round % REQUESTS.len()].as_bytes(), &mut dice);
        match read_request(&bytes) {
            Ok(Some((request, length))) => {
                read += 1;
                assert!(length <= bytes.len());
                assert!(request.path.starts_with('/'));
                let plain =
                    |letter: char| letter.is_ascii_alphanumeric() || "-.:[]".contains(letter);
                assert!(
                    request.authority.chars().all(plain),
                    "{:?}",
                    request.authority
                );
            }
            Ok(None) => {}
            Err(_) => refused += 1,
        }
    }
    assert!(
        read > 2000 && refused > 2000,
        "{read} read, {refused} refused"
    );
}

#[test]
fn ranges_of_any_kind_lie_inside_or_are_refused() {
    let mut dice = Dice(43);
    let mut found = 0;
    for round in 0..40_000 {
        let bytes = mutated(RANGES[round % RANGES.len()].as_bytes(), &mut dice);
        let len = dice.next() >> dice.below(64);
        let Ok(Some(spans)) = spans(&String::from_utf8_lossy(&bytes), len) else {
            continue;
        };
        found += 1;
        assert!(!spans.is_empty() && spans.len() <= MAX_RANGES);
        assert!(spans.iter().all(|one| one.len > 0 && one.end() <= len));
        assert!(spans.iter().map(|one| u128::from(one.len)).sum::<u128>() <= u128::from(len));
    }
    assert!(found > 2000, "{found}");
}

#[test]
fn a_running_server_outlives_them() {
    let Some(disc) = Disc::new("a_running_server_outlives_them") else {
        return;
    };
    let server = disc.serve(crate::world::quick());
    let mut dice = Dice(47);
    std::thread::scope(|scope| {
        for lane in 0..8 {
            let requests: Vec<Vec<u8>> = (0..25)
                .map(|round| {
                    mutated(
                        REQUESTS[(lane + round) % REQUESTS.len()].as_bytes(),
                        &mut dice,
                    )
                })
                .collect();
            let server = &server;
            scope.spawn(move || {
                for bytes in requests {
                    let heard = server.say(&bytes);
                    assert!(heard.is_empty() || heard.starts_with(b"HTTP/1.1 "));
                }
            });
        }
    });
    assert!(server.ask("GET /casper/initrd", &[]).body == disc.initrd);
}
