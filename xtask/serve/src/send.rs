//! Bytes to a client that may be slow, hang, or be gone.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use crate::image::Image;
use crate::range::Span;
use crate::server::Limits;

/// How much of the image is in memory for one connection, in bytes.
const CHUNK: usize = 128 << 10;

/// The way to a client, for one answer.
pub(crate) struct Out<'a> {
    stream: &'a TcpStream,
    stall: Duration,
    end: Instant,
    /// What went out so far, in bytes.
    pub(crate) sent: u64,
}

impl<'a> Out<'a> {
    /// For an answer of so many bytes, which has as long as the least rate allows.
    pub(crate) fn new(stream: &'a TcpStream, limits: &Limits, len: u64) -> Self {
        let patience = Duration::from_secs(len / limits.least_rate.max(1));
        Self {
            stream,
            stall: limits.stall,
            end: Instant::now() + limits.stall + patience,
            sent: 0,
        }
    }

    /// Sends all of them.
    ///
    /// # Errors
    ///
    /// When the client is gone, takes nothing for too long, or too little on the whole.
    pub(crate) fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let left = self.end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(slow());
            }
            self.stream.set_write_timeout(Some(left.min(self.stall)))?;
            match (&mut &*self.stream).write(bytes) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => {
                    self.sent += count as u64;
                    bytes = bytes.get(count..).unwrap_or_default();
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if is_timeout(&error) => return Err(slow()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Sends a part of what the pieces of the image hold, one after the other.
    ///
    /// # Errors
    ///
    /// As [`Out::write`], and when the image is not what it was.
    pub(crate) fn part(
        &mut self,
        image: &Image,
        pieces: &[Span],
        part: Span,
    ) -> anyhow::Result<()> {
        let mut buffer = vec![0; CHUNK.min(usize::try_from(part.len).unwrap_or(CHUNK))];
        for piece in within(pieces, part) {
            let mut at = piece.start;
            while at < piece.end() {
                let count = (piece.end() - at).min(buffer.len() as u64);
                let chunk = buffer.get_mut(..count as usize).unwrap_or_default();
                image.read_at(chunk, at)?;
                self.write(chunk)?;
                at += count;
            }
        }
        Ok(())
    }
}

/// The runs of the image that a part of its pieces is.
fn within(pieces: &[Span], part: Span) -> Vec<Span> {
    let mut before = 0;
    let mut found = Vec::new();
    for piece in pieces {
        let from = part.start.max(before);
        let to = part.end().min(before + piece.len);
        if from < to {
            found.push(Span {
                start: piece.start + (from - before),
                len: to - from,
            });
        }
        before += piece.len;
    }
    found
}

fn slow() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "the client is too slow")
}

/// What a socket says whose time is up: Linux has the one kind, others the other.
pub(crate) fn is_timeout(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    )
}

/// Ends a connection so that the client reads the last answer: closed with bytes unread it
/// would be reset. Takes a second, and a few KiB, at most.
pub(crate) fn linger(stream: &TcpStream) {
    let end = Instant::now() + Duration::from_secs(1);
    let mut chunk = [0; 4096];
    if stream.shutdown(Shutdown::Write).is_err() {
        return;
    }
    for _ in 0..16 {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() || stream.set_read_timeout(Some(left)).is_err() {
            return;
        }
        match (&mut &*stream).read(&mut chunk) {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_found_across_pieces() {
        let span = |start, len| Span { start, len };
        let pieces = [span(100, 10), span(500, 5), span(0, 3)];
        assert_eq!(within(&pieces, span(0, 18)), pieces);
        assert_eq!(within(&pieces, span(9, 2)), [span(109, 1), span(500, 1)]);
        assert_eq!(within(&pieces, span(15, 9)), [span(0, 3)]);
        assert_eq!(within(&pieces, span(18, 1)), []);
    }
}
