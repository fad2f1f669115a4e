//! A payload that is spoilt.

use lab_lock::{Lock, Sha256};
use lab_plan::{Payload, PayloadFile, place};

use super::{Case, hidden, plain};

const BLOB: &str = "blobs/0000000000000000000000000000000000000000000000000000000000000001";

/// A small payload of this lock: its paths and bytes.
pub(super) fn files(lock: &Lock) -> Vec<(&'static str, Vec<u8>)> {
    let digest = lab_plan::digest_file(lock).unwrap();
    vec![
        ("apt/InRelease", b"signed".to_vec()),
        ("apt/pool/curl_8.5.0-2~1_amd64.deb", b"deb".to_vec()),
        (BLOB, b"weights".to_vec()),
        ("digest", digest.into_bytes()),
    ]
}

pub(super) fn payload(files: &[(&str, Vec<u8>)]) -> Payload {
    let file = |(path, bytes): &(&str, Vec<u8>)| PayloadFile {
        path: (*path).to_owned(),
        size: bytes.len() as u64,
        sha256: Sha256::of(bytes),
    };
    Payload {
        files: files.iter().map(file).collect(),
    }
}

/// The place of a payload's file.
fn at(path: &str) -> String {
    format!("{}{path}", place::OFFLINE)
}

pub(super) const CASES: &[Case] = &[
    plain(
        "a file of the payload is missing",
        |i| i.remove(&at(BLOB)),
        &["offline-list"],
    ),
    plain(
        "a file that nobody lists",
        |i| i.put(&at("apt/pool/more_1_all.deb"), "x"),
        &["offline-list"],
    ),
    hidden(
        "a list with another digest than the manifest",
        |i| {
            let list = i.text(place::OFFLINE_LIST);
            let line = list.lines().next().unwrap();
            let other = format!("file 0644:{} apt/InRelease", "0".repeat(64));
            i.edit(place::OFFLINE_LIST, line, &other);
        },
        &["offline-list"],
    ),
    hidden(
        "a path that leads elsewhere",
        |i| i.edit(place::OFFLINE_LIST, " apt/InRelease", " ../InRelease"),
        &["offline-list"],
    ),
    hidden(
        "a file that everybody may write",
        |i| i.edit(place::OFFLINE_LIST, "file 0644:", "file 0666:"),
        &["offline-list"],
    ),
    hidden(
        "a payload of no lock",
        |i| {
            let list = i.text(place::OFFLINE_LIST);
            let rest = list.lines().filter(|line| !line.ends_with(" digest"));
            let rest: Vec<&str> = rest.collect();
            i.put(place::OFFLINE_LIST, rest.join("\n"));
        },
        &["offline-list"],
    ),
    hidden(
        "a payload that nothing copies",
        |i| i.remove(place::OFFLINE_LIST),
        &["offline-list", "autoinstall-late"],
    ),
    plain(
        "a manifest that says nothing of it",
        |i| {
            let text = i.text(place::MANIFEST);
            let start = text.find(",\n  \"payload\"").unwrap();
            i.put(place::MANIFEST, format!("{}\n}}\n", &text[..start]));
        },
        &["offline-list"],
    ),
];
