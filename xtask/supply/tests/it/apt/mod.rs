//! Repositories: honest ones made by Debian's tools, and ones that lie.

mod changing;
mod gnupg;
mod hostile;
mod keys;
mod layout;
mod real;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::{Arc, Mutex};

use lab_supply::repository::{Lists, Repository, read_lists};
use lab_supply::{Digest, Network, Refusal, ResolveError, SigningKey};
use pgp::composed::{ArmorOptions, DetachedSignature};
use pgp::crypto::hash::HashAlgorithm;
use pgp::packet::{SecretKey, SignatureConfig, SignatureType};
use pgp::types::Password;

use crate::server::{Server, not_found, send};
use crate::world::{SIGNED_AT, config, limits, quick_key, signing_key};

/// The time of the tests: a while after everything was signed.
pub(super) const NOW: u64 = SIGNED_AT as u64 + 3600;
/// `SIGNED_AT` as `Release` has it.
pub(super) const DATE: &str = "Tue, 14 Nov 2023 22:13:20 UTC";

pub(super) type Files = BTreeMap<String, Vec<u8>>;

/// What a repository has besides its signature.
pub(super) fn packages() -> Vec<u8> {
    b"Package: a\nVersion: 1\nFilename: pool/a.deb\n\n".repeat(50)
}

pub(super) fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(super) fn xz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 6);
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// The lines of `SHA256` for files.
pub(super) fn announced(files: &[(&str, &[u8])]) -> String {
    let line =
        |(path, bytes): &(&str, &[u8])| format!(" {} {} {path}\n", Digest::of(bytes), bytes.len());
    files.iter().map(line).collect()
}

/// The text of a `Release` with these fields and lines of `SHA256`.
pub(super) fn release(fields: &str, lines: &str) -> String {
    format!(
        "Origin: Lab\nSuite: noble\nCodename: noble\nComponents: main\nArchitectures: amd64\nDate: {DATE}\n{fields}SHA256:\n{lines}"
    )
}

/// Clear-signs `text` as the framework has it, by the primary key of `key`.
pub(super) fn clear_signed(key: &SecretKey, text: &str) -> Vec<u8> {
    let mut config = config(key, HashAlgorithm::Sha512);
    config.typ = SignatureType::Text;
    clear_signed_with(config, key, text)
}

pub(super) fn clear_signed_with(config: SignatureConfig, key: &SecretKey, text: &str) -> Vec<u8> {
    let lines: Vec<_> = text
        .trim_end_matches('\n')
        .split('\n')
        .map(str::trim_end)
        .collect();
    let signature = config
        .sign(key, &Password::empty(), lines.join("\r\n").as_bytes())
        .unwrap();
    let armor = DetachedSignature::new(signature)
        .to_armored_string(ArmorOptions::default())
        .unwrap();
    let escaped = |line: &&str| {
        if line.starts_with('-') {
            format!("- {line}\n")
        } else {
            format!("{line}\n")
        }
    };
    let text: String = lines.iter().map(escaped).collect();
    format!("-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n{text}{armor}").into_bytes()
}

/// Files that a server gives out, and that a test may change meanwhile.
pub(super) struct Site {
    pub(super) files: Arc<Mutex<Files>>,
    pub(super) server: Server,
}

impl Site {
    pub(super) fn new(files: Files) -> Self {
        Self::changing(files, |_, _| {})
    }

    /// `change` may alter the files before the answer to each request: it gets the path.
    pub(super) fn changing(
        files: Files,
        change: impl Fn(&str, &mut Files) + Send + Sync + 'static,
    ) -> Self {
        let files = Arc::new(Mutex::new(files));
        let shared = files.clone();
        let server = Server::new(move |request, stream| {
            let mut files = shared.lock().unwrap();
            change(&request.path, &mut files);
            let Some(bytes) = files.get(&request.path).cloned() else {
                return not_found(stream);
            };
            drop(files);
            let length = bytes.len().to_string();
            send(stream, "200 OK", &[("Content-Length", &length)], &bytes);
        });
        Self { files, server }
    }

    pub(super) fn paths(&self) -> Vec<String> {
        self.server
            .requests()
            .into_iter()
            .map(|request| request.path)
            .collect()
    }

    pub(super) fn count(&self, end: &str) -> usize {
        self.paths()
            .iter()
            .filter(|path| path.ends_with(end))
            .count()
    }

    pub(super) fn repository(&self) -> Repository {
        repository(&self.server.url("/u"), &quick_key(1))
    }

    pub(super) fn read(&self) -> Result<Lists, ResolveError> {
        read_lists(&Network::new(limits()), &self.repository(), NOW, None)
    }
}

pub(super) fn repository(uri: &str, key: &SecretKey) -> Repository {
    of_key(uri, signing_key(key.public_key()))
}

pub(super) fn of_key(uri: &str, key: SigningKey) -> Repository {
    Repository {
        name: "lab".to_owned(),
        uri: uri.to_owned(),
        suite: "noble".to_owned(),
        components: vec!["main".to_owned()],
        architecture: "amd64".to_owned(),
        keys: vec![key],
        snapshot: None,
        snapshot_uri: None,
    }
}

/// A good repository with a list in every packing, signed by `quick_key(1)`.
pub(super) fn good_files(fields: &str) -> Files {
    let plain = packages();
    files_of(
        fields,
        &[
            ("main/binary-amd64/Packages", &plain),
            ("main/binary-amd64/Packages.gz", &gz(&plain)),
            ("main/binary-amd64/Packages.xz", &xz(&plain)),
        ],
    )
}

/// A repository of these files, signed by `quick_key(1)`.
pub(super) fn files_of(fields: &str, files: &[(&str, &[u8])]) -> Files {
    let text = release(fields, &announced(files));
    let mut all = signed_files(&text);
    for (path, bytes) in files {
        all.insert(format!("/u/dists/noble/{path}"), bytes.to_vec());
    }
    all
}

/// Nothing but an `InRelease` of this text.
pub(super) fn signed_files(text: &str) -> Files {
    let signed = clear_signed(&quick_key(1), text);
    [("/u/dists/noble/InRelease".to_owned(), signed)].into()
}

pub(super) fn refusal(found: Result<Lists, ResolveError>) -> Refusal {
    let error = found.expect_err("it must be refused");
    match error {
        ResolveError::Refused { refusal, .. } => *refusal,
        other => panic!("{other}"),
    }
}

/// The refusal of a repository that has nothing but this `InRelease`.
pub(super) fn refusal_of(in_release: Vec<u8>) -> Refusal {
    let site = Site::new([("/u/dists/noble/InRelease".to_owned(), in_release)].into());
    let found = refusal(site.read());
    assert_eq!(site.paths().len(), 1, "it read on: {:?}", site.paths());
    found
}
