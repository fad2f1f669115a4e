//! nvtop draws on a terminal.

use std::fs::File;
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use vt100::Parser;

use crate::program::{Running, search_path, wait_for};
use crate::root::short;

/// The terminal's size.
const ROWS: u16 = 40;
const COLUMNS: u16 = 100;

/// How long it may draw before it is asked to end, and how long it may take for that.
const DRAWING: Duration = Duration::from_millis(2500);
const ENDING: Duration = Duration::from_secs(1);

/// What it drew, as the screen shows it.
pub(crate) fn draw(limit: Duration) -> Result<String, String> {
    draw_with("nvtop", &[], limit)
}

fn draw_with(program: &str, words: &[&str], limit: Duration) -> Result<String, String> {
    let failed = |error: std::io::Error| format!("making a terminal for {program}: {error}");
    let (ours, theirs) = terminal().map_err(failed)?;
    let mut running = start(program, words, theirs).map_err(failed)??;
    let mut screen = Parser::new(ROWS, COLUMNS, 0);
    let mut ours = File::from(ours);
    let ended = show(&mut ours, &mut screen, Instant::now() + limit.min(DRAWING));
    // Before it ends: then it clears what it drew.
    let drawn = text(&screen);
    if !ended {
        // Where it does not take the key, it is killed below.
        let _ = ours.write_all(b"q");
        show(&mut ours, &mut screen, Instant::now() + ENDING);
    }
    match running.child.try_wait() {
        Ok(Some(status)) if !status.success() => {
            Err(format!("{program} failed ({status}): {}", short(&drawn)))
        }
        _ if drawn.is_empty() => Err(format!(
            "{program} drew nothing within {} s",
            limit.as_secs()
        )),
        _ => Ok(drawn),
    }
}

/// Both ends of a new terminal; the first does not block.
fn terminal() -> std::io::Result<(OwnedFd, OwnedFd)> {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let ours = openpt(flags)?;
    grantpt(&ours)?;
    unlockpt(&ours)?;
    let name = ptsname(&ours, Vec::new())?;
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let theirs = rustix::fs::open(name.as_c_str(), flags, Mode::empty())?;
    let size = Winsize {
        ws_row: ROWS,
        ws_col: COLUMNS,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    tcsetwinsize(&theirs, size)?;
    rustix::io::ioctl_fionbio(&ours, true)?;
    Ok((ours, theirs))
}

fn start(
    program: &str,
    words: &[&str],
    terminal: OwnedFd,
) -> std::io::Result<Result<Running, String>> {
    let mut command = Command::new(program);
    command
        .args(words)
        .env("TERM", "xterm")
        .env("LC_ALL", "C.UTF-8")
        .env("PATH", search_path())
        // Its settings are nobody's, and it has nowhere to leave any.
        .env("HOME", "/nonexistent")
        .env("XDG_CONFIG_HOME", "/nonexistent")
        .stdin(Stdio::from(terminal.try_clone()?))
        .stdout(Stdio::from(terminal.try_clone()?))
        .stderr(Stdio::from(terminal.try_clone()?));
    // A session of its own, whose terminal this is; its leader leads a group too.
    let session = move || {
        rustix::process::setsid()?;
        rustix::process::ioctl_tiocsctty(terminal.as_fd())?;
        Ok(())
    };
    Ok(Running::start(&mut command, program, session))
}

/// Takes what is drawn until then. Whether the program ended before.
fn show(ours: &mut File, screen: &mut Parser, until: Instant) -> bool {
    let mut part = [0; 16 << 10];
    loop {
        match ours.read(&mut part) {
            Ok(0) => return true,
            Ok(count) => screen.process(&part[..count]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // The last that had the other end open closed it (EIO).
            Err(_) => return true,
        }
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return false;
        }
        let mut wanted = [PollFd::new(ours, PollFlags::IN)];
        if wait_for(&mut wanted, left).is_err() {
            return false;
        }
    }
}

/// The screen's text, without spaces at the ends of lines and empty lines at the end.
fn text(screen: &Parser) -> String {
    let contents = screen.screen().contents();
    let lines: Vec<&str> = contents.lines().map(str::trim_end).collect();
    lines.join("\n").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_drawn_is_read_without_control_sequences() {
        // Draws in two places, waits for the key and clears the screen, as ncurses does.
        let program = "stty size; printf '\\033[5;3HGPU 0\\033[1;31m busy\\033[0m'; \
                       stty -icanon; k=$(dd bs=1 count=1 2>/dev/null); printf '\\033[2J'; exit 0";
        let drawn = draw_with("sh", &["-c", program], Duration::from_secs(5)).unwrap();
        assert!(drawn.starts_with("40 100\n"), "{drawn}");
        assert!(drawn.ends_with("\n  GPU 0 busy"), "{drawn}");
    }

    #[test]
    fn one_that_does_not_end_is_killed() {
        let start = Instant::now();
        let program = "trap '' TERM HUP INT; echo drawn; while :; do sleep 1; done";
        let drawn = draw_with("sh", &["-c", program], Duration::from_secs(1)).unwrap();
        assert_eq!(drawn, "drawn");
        assert!(start.elapsed() < Duration::from_secs(4));
    }

    #[test]
    fn one_that_fails_or_is_not_there_is_said() {
        let failed = draw_with(
            "sh",
            &["-c", "echo no card; exit 3"],
            Duration::from_secs(5),
        );
        assert!(failed.unwrap_err().contains("no card"));
        let missing = draw_with("no-such-program", &[], Duration::from_secs(5));
        assert!(missing.unwrap_err().contains("no-such-program"));
    }
}
