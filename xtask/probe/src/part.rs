//! Parts of an answer that are found out side by side, each waited for only so long.

use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Instant;

use lab_facts::Fact;

/// Something that a thread finds out.
pub(crate) struct Part<T> {
    what: String,
    answer: Receiver<Fact<T>>,
}

/// Lets a thread find something out; `what` names it in messages.
pub(crate) fn part<T, E>(
    what: impl Into<String>,
    ask: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Part<T>
where
    T: Send + 'static,
    E: std::fmt::Display,
{
    let what = what.into();
    let (send, answer) = sync_channel(1);
    let body = move || {
        // Nobody listens any more once the time is up.
        let _ = send.send(Fact::from(ask()));
    };
    // A thread that cannot be started drops its end of the channel, which `by` reports.
    let _ = std::thread::Builder::new().name(what.clone()).spawn(body);
    Part { what, answer }
}

impl<T> Part<T> {
    /// What was found out by then.
    pub(crate) fn by(self, deadline: Instant) -> Fact<T> {
        let left = deadline.saturating_duration_since(Instant::now());
        match self.answer.recv_timeout(left) {
            Ok(fact) => fact,
            Err(RecvTimeoutError::Timeout) => {
                Fact::unknown(format!("{}: nothing answered in time", self.what))
            }
            Err(RecvTimeoutError::Disconnected) => Fact::unknown(format!(
                "{}: the probe failed while it looked at this, which is a fault of the probe",
                self.what
            )),
        }
    }
}
