//! The session and its socket: waiting for it, without ever blocking in it.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use ssh2::{BlockDirections, Channel, ErrorCode, Session};

/// libssh2's "not now" (LIBSSH2_ERROR_EAGAIN).
const EAGAIN: ErrorCode = ErrorCode::Session(-37);

/// Why a step on the wire was not done.
#[derive(Debug)]
pub(crate) enum WireError {
    TimedOut,
    Broken(String),
}

/// A session in non-blocking mode, its socket, and the channels that are being closed.
pub(crate) struct Wire {
    pub(crate) session: Session,
    pub(crate) socket: TcpStream,
    closing: Vec<Channel>,
    /// Set when a step was left half done, after which the session cannot be used.
    broken: Option<String>,
}

impl Wire {
    pub(crate) fn new(session: Session, socket: TcpStream) -> Self {
        session.set_blocking(false);
        Self {
            session,
            socket,
            closing: Vec::new(),
            broken: None,
        }
    }

    /// Waits until the socket is ready for what the session waits for, or `until`.
    pub(crate) fn wait(&self, until: Instant) {
        let mut fds = [PollFd::new(&self.socket, self.interest())];
        // An error shows in the next step on the session.
        let _ = poll(&mut fds, Some(&left(until)));
    }

    /// What the session waits for.
    pub(crate) fn interest(&self) -> PollFlags {
        match self.session.block_directions() {
            BlockDirections::Outbound | BlockDirections::Both => PollFlags::IN | PollFlags::OUT,
            BlockDirections::None | BlockDirections::Inbound => PollFlags::IN,
        }
    }

    /// Repeats a step until it is done. A step that is not done in time leaves the
    /// session in its middle, so it is not used again.
    pub(crate) fn step<T>(
        &mut self,
        until: Instant,
        mut step: impl FnMut(&Session) -> Result<T, ssh2::Error>,
    ) -> Result<T, WireError> {
        if let Some(problem) = &self.broken {
            return Err(WireError::Broken(problem.clone()));
        }
        loop {
            match step(&self.session) {
                Ok(value) => return Ok(value),
                Err(error) if error.code() == EAGAIN => {}
                Err(error) => return Err(WireError::Broken(error.to_string())),
            }
            if Instant::now() >= until {
                self.broken = Some("an earlier step got no answer".into());
                return Err(WireError::TimedOut);
            }
            self.wait(until);
        }
    }

    /// Closes a channel without waiting for the other side's answer, which is taken in
    /// with later steps: this saves a round trip.
    pub(crate) fn close(&mut self, channel: Channel) {
        self.closing.push(channel);
        self.tidy();
    }

    /// Goes on with the channels that are being closed.
    pub(crate) fn tidy(&mut self) {
        self.closing
            .retain_mut(|channel| is_again(&channel.close()));
    }

    /// Waits until few channels are being closed, so that a server's limit on sessions is kept.
    pub(crate) fn drain(&mut self, keep: usize, until: Instant) {
        self.tidy();
        while self.closing.len() > keep && Instant::now() < until {
            self.wait(until);
            self.tidy();
        }
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        // Freed in blocking mode, each with an end: in the other a channel that is
        // not quite closed would be lost instead of freed.
        let _ = self.socket.shutdown(std::net::Shutdown::Read);
        self.session.set_timeout(200);
        self.session.set_blocking(true);
        let _ = self.session.disconnect(None, "done", None);
    }
}

fn is_again<T>(result: &Result<T, ssh2::Error>) -> bool {
    result.as_ref().is_err_and(|error| error.code() == EAGAIN)
}

/// Whether an error only says "not now".
pub(crate) fn not_now(error: &ssh2::Error) -> bool {
    error.code() == EAGAIN
}

fn left(until: Instant) -> Timespec {
    let left = until.saturating_duration_since(Instant::now());
    // One millisecond more, so that a wait does not end just short of its time, over and over.
    let left = left + Duration::from_millis(1);
    Timespec {
        tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(left.subsec_nanos()),
    }
}
