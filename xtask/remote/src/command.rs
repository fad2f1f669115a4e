//! Running a command: its input and output at once, with an end to everything.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ssh2::Channel;

use crate::connection::Connection;
use crate::error::RunError;
use crate::frame::Framed;
use crate::privilege::Start;
use crate::wire::{Wire, WireError, not_now};

/// What runs a command on the other side.
const WRAPPER: &str = include_str!("wrapper.sh");
/// The longest request that is sure to fit into one packet.
const COMMAND_LIMIT: usize = 24 << 10;
/// How often the other side is told that this one lives.
const SIGN_OF_LIFE: Duration = Duration::from_secs(15);
/// How many channels may be in closing while another is opened; sshd allows ten in all.
const CLOSING: usize = 4;

/// A signal by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signal(pub i32);

/// What a command gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// The exit status, unless a signal ended the command.
    pub status: Option<i32>,
    /// The signal that ended it. As a shell tells it: a command that exits with 128 + N by
    /// itself looks the same.
    pub signal: Option<Signal>,
    /// What it printed, without anything that the login shell did.
    pub stdout: Vec<u8>,
    /// What it printed to standard error, likewise.
    pub stderr: Vec<u8>,
}

impl Output {
    /// Whether the exit status is 0.
    #[must_use]
    pub fn success(&self) -> bool {
        self.status == Some(0)
    }

    /// Standard output as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }
}

impl Connection {
    /// Runs `command`, a line for POSIX sh, with `stdin` as its input.
    ///
    /// The command ends when it is done, after `limit`, or when the line is cut. What it left
    /// behind in its process group ends with it.
    ///
    /// # Errors
    ///
    /// See [`RunError`]. A command that fails is no error: see [`Output::status`].
    pub fn run(
        &mut self,
        command: &str,
        stdin: &[u8],
        limit: Duration,
    ) -> Result<Output, RunError> {
        self.run_started(&Start::AsUser, command, stdin, limit)
    }

    /// Runs `script` by `interpreter`, such as `bash -s`, which reads it from its standard input.
    ///
    /// For a script as root use [`Connection::sudo`] and not an interpreter such as
    /// `sudo bash -s`: what root runs, this user could not end.
    ///
    /// # Errors
    ///
    /// As [`Connection::run`].
    pub fn script(
        &mut self,
        interpreter: &str,
        script: &str,
        limit: Duration,
    ) -> Result<Output, RunError> {
        self.run(interpreter, script.as_bytes(), limit)
    }

    pub(crate) fn run_started(
        &mut self,
        start: &Start,
        command: &str,
        stdin: &[u8],
        limit: Duration,
    ) -> Result<Output, RunError> {
        let name = shorten(command);
        if command.contains('\0') {
            let problem = "the command has a zero byte in it".into();
            return Err(RunError::Refused {
                command: name,
                problem,
            });
        }
        let token = token(&name)?;
        let request = request(start, &token, command, stdin.len(), limit);
        if request.len() > COMMAND_LIMIT {
            return Err(RunError::TooLong {
                command: name,
                length: request.len(),
                limit: COMMAND_LIMIT,
            });
        }
        let until = Instant::now() + limit;
        let channel = open(&mut self.wire, &request, until).map_err(|error| match error {
            WireError::TimedOut => RunError::TimedOut {
                command: name.clone(),
                limit,
                said: "the machine did not even begin it".into(),
            },
            WireError::Broken(problem) => RunError::Cut {
                command: name.clone(),
                problem,
            },
        })?;
        let mut exchange = Exchange {
            wire: &mut self.wire,
            channel,
            input: Input::new(start, &token, stdin),
            stdout: Framed::new(&token),
            stderr: Framed::new(&token),
            output_limit: self.output_limit,
        };
        let done = exchange.pump(until);
        let status = exchange.channel.exit_status().ok();
        let Exchange {
            channel,
            stdout,
            stderr,
            ..
        } = exchange;
        self.wire.close(channel);
        finish(
            done,
            status,
            &stdout,
            &stderr,
            name,
            limit,
            self.output_limit,
        )
    }
}

fn open(wire: &mut Wire, request: &str, until: Instant) -> Result<Channel, WireError> {
    wire.drain(CLOSING, until);
    let mut channel = wire.step(until, ssh2::Session::channel_session)?;
    wire.step(until, |_| channel.exec(request))?;
    Ok(channel)
}

/// Why pumping ended.
enum Done {
    Complete,
    Ended,
    TimedOut,
    TooMuch,
    Cut(String),
}

fn finish(
    done: Done,
    status: Option<i32>,
    stdout: &Framed,
    stderr: &Framed,
    command: String,
    limit: Duration,
    output_limit: usize,
) -> Result<Output, RunError> {
    let said = || last_words(stdout, stderr);
    match done {
        Done::Complete => Ok(output(stdout, stderr)),
        Done::TimedOut => Err(RunError::TimedOut {
            command,
            limit,
            said: said(),
        }),
        Done::TooMuch => Err(RunError::TooMuchOutput {
            command,
            limit: output_limit,
        }),
        Done::Ended if !stdout.begun() => Err(RunError::NotBegun {
            command,
            status,
            said: said(),
        }),
        Done::Ended => {
            let problem = "the other side closed the channel before the command was done".into();
            Err(RunError::Cut { command, problem })
        }
        Done::Cut(problem) => Err(RunError::Cut { command, problem }),
    }
}

fn output(stdout: &Framed, stderr: &Framed) -> Output {
    let status = stdout.status().unwrap_or(-1);
    let signal = (129..=159)
        .contains(&status)
        .then_some(Signal(status - 128));
    Output {
        status: signal.is_none().then_some(status),
        signal,
        stdout: stdout.content(),
        stderr: stderr.content(),
    }
}

/// The end of both streams, for a message.
fn last_words(stdout: &Framed, stderr: &Framed) -> String {
    let tail = |bytes: &[u8]| {
        let from = bytes.len().saturating_sub(400);
        String::from_utf8_lossy(&bytes[from..]).trim().to_owned()
    };
    let both = [tail(&stdout.content()), tail(&stderr.content())];
    let both: Vec<_> = both.into_iter().filter(|text| !text.is_empty()).collect();
    match both.is_empty() {
        true => "nothing".into(),
        false => both.join(" / "),
    }
}

/// The bytes for standard input, and how far they are sent.
struct Input<'a> {
    /// Sent first and at once: the password for sudo.
    greeting: Option<zeroize::Zeroizing<Vec<u8>>>,
    stdin: &'a [u8],
    trailer: Vec<u8>,
    sent: usize,
    last: Instant,
}

impl<'a> Input<'a> {
    fn new(start: &Start, token: &str, stdin: &'a [u8]) -> Self {
        let trailer = match stdin.is_empty() {
            true => Vec::new(),
            false => format!("{token}-eof\n").into_bytes(),
        };
        Self {
            greeting: start.greeting(),
            stdin,
            trailer,
            sent: 0,
            last: Instant::now(),
        }
    }

    /// What is to be sent now. After a greeting everything else waits for the command to begin,
    /// so that sudo, should it ask again, takes nothing of it for a password.
    fn next(&self, begun: bool) -> &[u8] {
        let greeting = self
            .greeting
            .as_ref()
            .map_or(&[][..], |bytes| bytes.as_slice());
        let mut skip = self.sent;
        for (index, piece) in [greeting, self.stdin, &self.trailer]
            .into_iter()
            .enumerate()
        {
            if skip < piece.len() {
                let gated = index > 0 && self.greeting.is_some() && !begun;
                return if gated { &[] } else { &piece[skip..] };
            }
            skip -= piece.len();
        }
        match begun && self.last.elapsed() >= SIGN_OF_LIFE {
            true => b"\n",
            false => &[],
        }
    }
}

/// A command that runs.
struct Exchange<'a> {
    wire: &'a mut Wire,
    channel: Channel,
    input: Input<'a>,
    stdout: Framed,
    stderr: Framed,
    output_limit: usize,
}

impl Exchange<'_> {
    fn pump(&mut self, until: Instant) -> Done {
        let mut buffer = vec![0; 64 << 10];
        loop {
            let moved = match self.round(&mut buffer) {
                Ok(moved) => moved,
                Err(problem) => return Done::Cut(problem),
            };
            if self.stdout.status().is_some() && self.stderr.status().is_some() {
                return Done::Complete;
            }
            if self.stdout.len() + self.stderr.len() > self.output_limit {
                return Done::TooMuch;
            }
            if Instant::now() >= until {
                return Done::TimedOut;
            }
            // Packets that libssh2 read while it looked for others lie in its queue, and the
            // socket says nothing of them.
            if moved || self.channel.read_window().available > 0 {
                continue;
            }
            if self.channel.eof() {
                self.await_close(until);
                return Done::Ended;
            }
            let soon = Instant::now() + Duration::from_secs(1);
            self.wire
                .wait(until.min(soon.max(self.input.last + SIGN_OF_LIFE)));
            self.wire.tidy();
        }
    }

    /// The exit status comes between the end of the output and the close.
    fn await_close(&mut self, until: Instant) {
        let until = until.min(Instant::now() + Duration::from_secs(5));
        let mut closing = self.channel.wait_close();
        while closing.is_err_and(|error| not_now(&error)) && Instant::now() < until {
            self.wire.wait(until);
            closing = self.channel.wait_close();
        }
    }

    /// One round of writing and reading; whether anything moved.
    fn round(&mut self, buffer: &mut [u8]) -> Result<bool, String> {
        let wrote = self.write()?;
        let out = read(&mut self.channel.stream(0), buffer, &mut self.stdout)?;
        let err = read(&mut self.channel.stream(1), buffer, &mut self.stderr)?;
        Ok(wrote || out || err)
    }

    fn write(&mut self) -> Result<bool, String> {
        let next = self.input.next(self.stdout.begun());
        if next.is_empty() || self.channel.eof() {
            return Ok(false);
        }
        match self.channel.write(next) {
            Ok(0) => Ok(false),
            Ok(count) => {
                self.input.sent += count;
                self.input.last = Instant::now();
                Ok(true)
            }
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => Ok(false),
            // The command ended without wanting the rest, and its last words are still to be read.
            Err(_) if self.wire_is_whole() => Ok(false),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Whether an error of this channel leaves the session as it was.
    fn wire_is_whole(&self) -> bool {
        match self.wire.session.keepalive_send() {
            Ok(_) => true,
            Err(error) => not_now(&error),
        }
    }
}

fn read(stream: &mut ssh2::Stream, buffer: &mut [u8], into: &mut Framed) -> Result<bool, String> {
    match stream.read(buffer) {
        Ok(count) => {
            into.push(&buffer[..count]);
            Ok(count > 0)
        }
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => Ok(false),
        Err(error) => Err(error.to_string()),
    }
}

/// What is asked of the login shell: to become the wrapper. It is plain enough for every shell.
fn request(start: &Start, token: &str, command: &str, length: usize, limit: Duration) -> String {
    // The other side gives up a little later than this one, which then has told why.
    let seconds = limit.as_secs() + 6;
    format!(
        "exec {}bash -c {} lab {token} {seconds} {length} {}",
        start.prefix(),
        quote(&sent_wrapper()),
        quote(command)
    )
}

fn sent_wrapper() -> String {
    let lines = WRAPPER.lines().map(str::trim_start);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.collect::<Vec<_>>().join("\n")
}

/// A word for sh, whatever is in it.
pub(crate) fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// A word that nobody can guess.
fn token(command: &str) -> Result<String, RunError> {
    let mut bytes = [0; 15];
    let filled = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty());
    match filled {
        Ok(15) => Ok(format!("lab{}", URL_SAFE_NO_PAD.encode(bytes))),
        _ => Err(RunError::Refused {
            command: command.to_owned(),
            problem: "the system gave no random bytes".into(),
        }),
    }
}

/// The first line of a command, for messages.
fn shorten(command: &str) -> String {
    let line = command.trim().lines().next().unwrap_or("");
    match line.char_indices().nth(80) {
        Some((end, _)) => format!("`{}…`", &line[..end]),
        None => format!("`{line}`"),
    }
}

#[cfg(test)]
mod tests {
    use super::{quote, sent_wrapper};

    #[test]
    fn the_wrapper_can_stand_in_quotes() {
        assert!(!sent_wrapper().contains('\''));
    }

    #[test]
    fn quoting() {
        assert_eq!(quote("it's"), r"'it'\''s'");
    }
}
