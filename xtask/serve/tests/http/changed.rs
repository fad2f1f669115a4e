//! An image that changes while it is served: the connection ends, and no wrong byte is sent.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use lab_serve::Limits;

use crate::world::{Disc, Running};

/// Reads until the end, and says how it came.
fn rest(stream: &mut std::net::TcpStream) -> Vec<u8> {
    let mut heard = Vec::new();
    let _ = stream.read_to_end(&mut heard);
    heard
}

/// Starts a download of three times the image on one connection, changes the file when some
/// of it has come, and holds what came against what the image was.
fn changed_by(test: &str, change: fn(&Path)) -> Option<Running> {
    let disc = Disc::new(test)?;
    let server = disc.serve(Limits::default());
    let bytes = disc.bytes();
    let mut stream = server.connect();
    let request = "GET /box.iso HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(20);
    stream.write_all(request.as_bytes()).unwrap();
    let mut heard = vec![0; 100_000];
    stream.read_exact(&mut heard).unwrap();
    change(&disc.path());
    heard.extend(rest(&mut stream));
    let cut =
        server.record(|one| one.note.contains("was changed, cut or replaced") || one.status == 503);
    assert!(
        cut.status == 503 || cut.sent < bytes.len() as u64,
        "{cut:?}"
    );
    // What came of image bodies is the old image, from its beginning.
    let mut left = heard.as_slice();
    while let Some(at) = left.windows(4).position(|four| four == b"\r\n\r\n") {
        let (head, body) = left.split_at(at + 4);
        if !head.starts_with(b"HTTP/1.1 200") {
            break;
        }
        let count = body.len().min(bytes.len());
        assert!(
            body[..count] == bytes[..count],
            "{test}: wrong bytes were sent"
        );
        left = &body[count..];
    }
    let after = server.ask("GET /box.iso", &["Range: bytes=0-9"]);
    assert_eq!(after.status, 503, "{}", after.text());
    assert_eq!(server.ask("GET /boot.ipxe", &[]).status, 503);
    Some(server)
}

#[test]
fn an_image_that_is_written_to() {
    changed_by("an_image_that_is_written_to", |path| {
        let file = File::options().write(true).open(path).unwrap();
        let len = file.metadata().unwrap().len();
        for at in (0..len).step_by(4096) {
            file.write_all_at(b"wrong", at).unwrap();
        }
    });
}

#[test]
fn an_image_that_is_cut() {
    changed_by("an_image_that_is_cut", |path| {
        File::options()
            .write(true)
            .open(path)
            .unwrap()
            .set_len(5000)
            .unwrap();
    });
}

#[test]
fn an_image_that_another_takes_the_place_of() {
    changed_by("an_image_that_another_takes_the_place_of", |path| {
        let new = path.with_extension("new");
        let len = fs::metadata(path).unwrap().len();
        fs::write(&new, vec![b'x'; len as usize]).unwrap();
        fs::rename(new, path).unwrap();
    });
}

#[test]
fn an_image_that_is_removed() {
    changed_by("an_image_that_is_removed", |path| {
        fs::remove_file(path).unwrap();
    });
}
