//! The digests of single files: MD5 for the checksum list, SHA-256 where the
//! caller said what it should be.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};

use sha2::{Digest as _, Sha256};

use super::Chunk;

/// What the thread is told.
pub(super) enum PartMessage {
    Begin {
        index: usize,
        md5: bool,
        sha256: bool,
    },
    Data(Arc<Chunk>),
    End,
}

/// What it found of one part.
pub(super) struct PartDigest {
    pub(super) index: usize,
    pub(super) md5: Option<[u8; 16]>,
    pub(super) sha256: Option<[u8; 32]>,
}

#[derive(Default)]
struct Running {
    index: usize,
    md5: Option<md5::Md5>,
    sha256: Option<Sha256>,
}

/// Works until the messages end.
pub(super) fn run(messages: &Receiver<PartMessage>, results: &Sender<PartDigest>) {
    let mut running = Running::default();
    for message in messages {
        match message {
            PartMessage::Begin { index, md5, sha256 } => {
                running = Running {
                    index,
                    md5: md5.then(md5::Md5::default),
                    sha256: sha256.then(Sha256::default),
                };
            }
            PartMessage::Data(chunk) => running.update(&chunk.bytes),
            // Nobody listens any more where the pass has failed.
            PartMessage::End => drop(results.send(std::mem::take(&mut running).finish())),
        }
    }
}

impl Running {
    fn update(&mut self, bytes: &[u8]) {
        if let Some(md5) = &mut self.md5 {
            md5.update(bytes);
        }
        if let Some(sha256) = &mut self.sha256 {
            sha256.update(bytes);
        }
    }

    fn finish(self) -> PartDigest {
        PartDigest {
            index: self.index,
            md5: self.md5.map(|md5| md5.finalize().into()),
            sha256: self.sha256.map(|sha256| sha256.finalize().into()),
        }
    }
}
