//! Ends the probe when its time is up or nobody reads its answer any more.
//!
//! An SSH server that lost its connection closes the other end of standard output; neither
//! a program that was asked nor a driver may then keep the probe on the machine.

use std::io::Write as _;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};

use crate::program::{kill_all, wait_for};

/// From now on the probe ends after this long at the latest.
pub(crate) fn start(limit: Duration) {
    let deadline = Instant::now() + limit;
    // Without this thread every part still has a limit of its own.
    let _ = std::thread::Builder::new()
        .name("watchdog".to_owned())
        .spawn(move || watch(deadline, limit));
}

fn watch(deadline: Instant, limit: Duration) {
    let out = rustix::stdio::stdout();
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        // Asks for nothing: that the other end is closed is always told.
        let mut wanted = [PollFd::new(&out, PollFlags::empty())];
        if wait_for(&mut wanted, left).is_err() {
            std::thread::sleep(left);
        }
        if wanted[0]
            .revents()
            .intersects(PollFlags::HUP | PollFlags::ERR)
        {
            end("nobody reads the answer any more");
        }
        if Instant::now() >= deadline {
            end(&format!("no answer within {} s", limit.as_secs()));
        }
    }
}

fn end(why: &str) -> ! {
    kill_all();
    // Its other end may be closed too, on which `eprintln!` would panic.
    let _ = writeln!(std::io::stderr(), "lab-probe: {why}");
    std::process::exit(2)
}
