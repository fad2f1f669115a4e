//! What a command printed, cut out of all that came through a stream.
//!
//! `wrapper.sh` prints `TOKEN-begin` before the command runs and `TOKEN-end STATUS`
//! after it, and `TOKEN-alive` in between, wherever that falls. The token is random, and neither line stands in any command line, so
//! nothing that a login shell prints, or `ps`, can look like them.

use memchr::memmem;

/// How much is kept of what came before the beginning, for messages.
const NOISE_LIMIT: usize = 8 << 10;

/// One stream of a command.
pub(crate) struct Framed {
    begin: Vec<u8>,
    end: Vec<u8>,
    alive: Vec<u8>,
    bytes: Vec<u8>,
    begun: bool,
    searched: usize,
    status: Option<i32>,
}

impl Framed {
    pub(crate) fn new(token: &str) -> Self {
        Self {
            begin: format!("{token}-begin\n").into_bytes(),
            end: format!("{token}-end ").into_bytes(),
            alive: format!("{token}-alive\n").into_bytes(),
            bytes: Vec::new(),
            begun: false,
            searched: 0,
            status: None,
        }
    }

    /// Takes in what was read.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        if self.status.is_some() {
            return;
        }
        self.bytes.extend_from_slice(bytes);
        if !self.begun {
            self.find_begin();
        }
        if self.begun {
            self.find_end();
        }
    }

    fn find_begin(&mut self) {
        match memmem::find(&self.bytes, &self.begin) {
            Some(at) => {
                self.bytes.drain(..at + self.begin.len());
                self.begun = true;
            }
            None => {
                let excess = self.bytes.len().saturating_sub(NOISE_LIMIT);
                self.bytes.drain(..excess);
            }
        }
    }

    fn find_end(&mut self) {
        let from = self.searched;
        let Some(at) = memmem::find(&self.bytes[from..], &self.end).map(|at| from + at) else {
            self.searched = self.bytes.len().saturating_sub(self.end.len());
            return;
        };
        self.searched = at;
        let after = &self.bytes[at + self.end.len()..];
        let Some(line) = memchr::memchr(b'\n', after) else {
            return;
        };
        let status = std::str::from_utf8(&after[..line])
            .ok()
            .and_then(|text| text.parse().ok());
        self.status = Some(status.unwrap_or(-1));
        self.bytes.truncate(at);
    }

    pub(crate) fn begun(&self) -> bool {
        self.begun
    }

    /// The status that the wrapper gave, once the stream is complete.
    pub(crate) fn status(&self) -> Option<i32> {
        self.status
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// What the command printed, without the signs of life.
    pub(crate) fn content(&self) -> Vec<u8> {
        let mut content = Vec::with_capacity(self.bytes.len());
        let mut from = 0;
        for at in memmem::find_iter(&self.bytes, &self.alive) {
            content.extend_from_slice(&self.bytes[from..at]);
            from = at + self.alive.len();
        }
        content.extend_from_slice(&self.bytes[from..]);
        content
    }
}

#[cfg(test)]
mod tests {
    use super::Framed;

    #[test]
    fn whatever_the_pieces_the_content_is_the_same() {
        let text =
            b"noise\nT-begi\nno newlineT-begin\nliT-alive\nne\nT-end\nT-en T-end 7\nlate noise";
        for size in 1..text.len() {
            let mut framed = Framed::new("T");
            text.chunks(size).for_each(|piece| framed.push(piece));
            assert!(framed.begun());
            assert_eq!(framed.status(), Some(7), "pieces of {size}");
            assert_eq!(framed.content(), b"line\nT-end\nT-en ", "pieces of {size}");
        }
    }

    #[test]
    fn endless_noise_is_not_kept() {
        let mut framed = Framed::new("T");
        for _ in 0..100 {
            framed.push(&[b'x'; 1000]);
        }
        framed.push(b"T-begin\nT-end 0\n");
        assert_eq!((framed.len(), framed.status()), (0, Some(0)));
    }
}
