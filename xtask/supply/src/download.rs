//! One file from one URL into the partial file, whatever the server does.
//!
//! A transfer is a row of attempts. Each takes up what the last one left (Range and
//! If-Range, RFC 9110, sections 14.2 and 13.1.5) and ends in a verdict: done, tried
//! again, or given up. Servers are believed in nothing that they do not repeat: a
//! contradiction costs them the right to be asked for ranges, a second one ends the
//! transfer, and what was put together from several answers and does not fit is
//! fetched once more in one piece.

use std::io::{self, Read};
use std::time::{Duration, Instant};

use ureq::http::{Response, StatusCode};
use ureq::{Body, BodyReader};

use crate::digest::CHUNK;
use crate::error::Cause;
use crate::http::{self, Client, ContentRange, Resume};
use crate::partial::{Partial, Sidecar};
use crate::url::{Source, redact};
use crate::{Authority, FetchError, Phase, Progress};

/// Less than this much gained by an attempt is no headway.
const HEADWAY: u64 = 1 << 20;

/// Why an attempt or a transfer ended without the file.
pub(crate) enum Failure {
    /// This URL will not do; another may.
    Here(Cause),
    /// No URL will do.
    Fatal(FetchError),
}

impl From<FetchError> for Failure {
    fn from(error: FetchError) -> Self {
        Self::Fatal(error)
    }
}

impl From<Cause> for Failure {
    fn from(cause: Cause) -> Self {
        Self::Here(cause)
    }
}

/// A transfer under way.
struct Transfer<'a> {
    client: &'a Client,
    source: Source,
    authority: Option<&'a dyn Authority>,
    partial: &'a mut Partial,
    progress: &'a mut dyn FnMut(Progress),
    /// How many answers the partial file is made of.
    pieces: u32,
    /// Bytes that came over the network.
    received: u64,
    /// Whether the server may still be asked for ranges.
    ranges: bool,
    /// Whether the server has answered at all.
    answered: bool,
}

/// Brings `partial` to the file that it is part of. Returns how many bytes came
/// over the network for it.
///
/// # Errors
///
/// What came in and fits is kept; what turned out to be another file is dropped.
pub(crate) fn transfer(
    client: &Client,
    source: &Source,
    partial: &mut Partial,
    progress: &mut dyn FnMut(Progress),
) -> Result<u64, Failure> {
    transfer_with(client, source, None, partial, progress)
}

/// Like [`transfer`], `authority` having what the server asks for before it answers.
pub(crate) fn transfer_with(
    client: &Client,
    source: &Source,
    authority: Option<&dyn Authority>,
    partial: &mut Partial,
    progress: &mut dyn FnMut(Progress),
) -> Result<u64, Failure> {
    let pieces = u32::from(partial.len() > 0);
    let mut transfer = Transfer {
        client,
        source: source.clone(),
        authority: authority.filter(|_| source.keeps_secrets()),
        partial,
        progress,
        pieces,
        received: 0,
        ranges: true,
        answered: false,
    };
    transfer.introduce(None)?;
    transfer.run()?;
    Ok(transfer.received)
}

impl Transfer<'_> {
    fn run(&mut self) -> Result<(), Failure> {
        loop {
            let complete =
                self.partial.len() > 0 && self.partial.total() == Some(self.partial.len());
            if !complete {
                self.attempts()?;
            }
            let found = self.partial.digest();
            let expected = self.partial.expected();
            if found == expected {
                return Ok(());
            }
            let bytes = self.partial.len();
            let in_one_piece = self.pieces <= 1 && !complete;
            self.partial.discard()?;
            if in_one_piece {
                return Err(Cause::WrongContent {
                    found,
                    expected,
                    bytes,
                }
                .into());
            }
            self.pieces = 0;
            self.ranges = false;
        }
    }

    /// Attempts until all bytes are here, or no more headway is made.
    fn attempts(&mut self) -> Result<(), Failure> {
        let limits = self.client.limits().clone();
        let mut most = self.partial.len();
        let (mut failures, mut lies) = (0, 0);
        loop {
            let cause = match self.attempt() {
                Ok(()) => return Ok(()),
                Err(Failure::Here(cause)) => cause,
                fatal => return fatal,
            };
            if self.partial.len() >= most + HEADWAY {
                failures = 0;
            }
            most = most.max(self.partial.len());
            failures += 1;
            if matches!(cause, Cause::Lied(_)) {
                lies += 1;
                self.ranges = false;
            }
            if failures > limits.retries || lies > 1 || !self.worth_another(&cause) {
                return Err(cause.into());
            }
            self.pause(limits.pause(failures));
        }
    }

    /// A server that never answered is not waited for: another may answer at once.
    fn worth_another(&self, cause: &Cause) -> bool {
        cause.may_pass() && (self.answered || !matches!(cause, Cause::NoAnswer(_)))
    }

    fn pause(&mut self, pause: Duration) {
        (self.progress)(Progress::new(Phase::Retrying, 0, Some(pause.as_secs())));
        std::thread::sleep(pause);
    }

    /// One request and its answer. `Ok` when the server's answer is complete.
    fn attempt(&mut self) -> Result<(), Failure> {
        let have = self.partial.len();
        let from = (have > 0 && self.ranges).then_some(have);
        let mut response = self.ask(from)?;
        self.answered = true;
        // A token may have run out, so each attempt may ask for another, once.
        let challenge = http::challenge(&response, &self.source);
        if let Some(challenge) = challenge.filter(|_| self.authority.is_some()) {
            self.introduce(Some(&challenge))?;
            response = self.ask(from)?;
        }
        let asked = from.is_some();
        match response.status() {
            StatusCode::OK => self.whole(&response)?,
            StatusCode::PARTIAL_CONTENT if asked => self.rest(&response, have)?,
            StatusCode::RANGE_NOT_SATISFIABLE if asked => return self.no_rest(&response, have),
            other => return Err(http::refused(other).into()),
        }
        self.partial.ensure_room()?;
        self.receive(response)
    }

    fn ask(&self, from: Option<u64>) -> Result<Response<Body>, Cause> {
        let shown = self.source.shown();
        let resume = from.map(|from| Resume {
            from,
            validator: self.partial.validator_for(&shown),
        });
        self.client.get(&self.source, resume.as_ref())
    }

    /// Has the authority say what the server is told, given its challenge or none yet.
    fn introduce(&mut self, challenge: Option<&str>) -> Result<(), Failure> {
        let Some(authority) = self.authority else {
            return Ok(());
        };
        let given = authority.authorization(self.source.as_str(), challenge);
        match given.map_err(|why| Cause::Unauthorized(redact(&why)))? {
            Some(authorization) => self.source.authorize(authorization),
            None if challenge.is_some() => {
                return Err(Cause::Unauthorized("there is no login for it".to_owned()).into());
            }
            None => {}
        }
        Ok(())
    }

    /// Refuses what cannot be the file before its bytes come.
    fn of_the_right_size(&self, total: Option<u64>) -> Result<(), Failure> {
        match (self.partial.size(), total) {
            (Some(size), Some(total)) if size != total => Err(lied(&format!(
                "its file has {total} bytes, the one asked for has {size}"
            ))),
            _ => Ok(()),
        }
    }

    /// The server sends the whole file: it ignores ranges, or has another version now.
    fn whole(&mut self, response: &Response<Body>) -> Result<(), Failure> {
        if http::is_page(response) {
            return Err(page());
        }
        let expected = self.partial.expected();
        let (validator, total) = (http::validator(response), http::length(response));
        self.of_the_right_size(total)?;
        self.partial.restart(Sidecar::new(
            expected,
            self.source.shown(),
            validator,
            total,
        ))?;
        self.pieces = 1;
        Ok(())
    }

    /// The server sends a part: it must be the one that is missing, of a file of the same length.
    fn rest(&mut self, response: &Response<Body>, have: u64) -> Result<(), Failure> {
        let found = http::content_range(response);
        let Some(ContentRange {
            range: Some((first, last)),
            whole,
        }) = found
        else {
            return Err(lied("it sends a part (206) without saying which"));
        };
        if first != have || last < first {
            return Err(lied(&format!(
                "asked for the bytes from {have} on, it sends {first} to {last}"
            )));
        }
        self.of_the_right_size(whole)?;
        let total = whole
            .or(self.partial.total())
            .unwrap_or(last.saturating_add(1));
        if self.partial.total().is_some_and(|before| before != total) {
            self.partial.discard()?;
            return Err(lied(&format!(
                "the file had another length before, now it has {total} bytes"
            )));
        }
        let promised = http::length(response);
        if last >= total || promised.is_some_and(|length| length != last - first + 1) {
            let length = promised.map_or("none".to_owned(), |length| length.to_string());
            return Err(lied(&format!(
                "bytes {first} to {last} of {total} do not go with a Content-Length of {length}"
            )));
        }
        let expected = self.partial.expected();
        self.partial.describe(Sidecar::new(
            expected,
            self.source.shown(),
            http::validator(response),
            Some(total),
        ))?;
        self.pieces += 1;
        Ok(())
    }

    /// There is nothing beyond what is here: it is all of the file, or of another one.
    fn no_rest(&mut self, response: &Response<Body>, have: u64) -> Result<(), Failure> {
        let whole = http::content_range(response).and_then(|range| range.whole);
        if whole == Some(have) {
            return Ok(());
        }
        self.partial.discard()?;
        let whole = whole.map_or("shorter than what came before".to_owned(), |whole| {
            format!("{whole} bytes long")
        });
        Err(lied(&format!(
            "{have} bytes came before, now it says the file is {whole}"
        )))
    }

    fn receive(&mut self, response: Response<Body>) -> Result<(), Failure> {
        let client = self.client;
        let mut pace = Pace::new(client.limits().idle, client.limits().least_rate);
        let body = response
            .into_body()
            .into_with_config()
            .limit(u64::MAX)
            .reader();
        let mut body = Chunks::new(body);
        loop {
            let how_far = || http::bytes_came(self.partial.len(), self.partial.total());
            let chunk = match body.next_chunk() {
                Ok([]) => break,
                Ok(chunk) => chunk,
                Err(error) => return Err(http::broken(&error, &how_far(), client.limits()).into()),
            };
            pace.took(chunk.len())
                .map_err(|why| Cause::Broken(format!("{why} {}", how_far())))?;
            self.take(chunk)?;
        }
        match self.partial.total() {
            Some(total) if self.partial.len() < total => {
                let how_far = http::bytes_came(self.partial.len(), Some(total));
                Err(Cause::Broken(format!("the connection was closed {how_far}")).into())
            }
            _ => Ok(()),
        }
    }

    fn take(&mut self, chunk: &[u8]) -> Result<(), Failure> {
        if self.partial.len() == 0 && looks_like_a_page(chunk) {
            return Err(page());
        }
        let most = self.client.limits().most_bytes;
        let bound = self.partial.total().unwrap_or(most);
        if self.partial.len() + chunk.len() as u64 > bound {
            self.partial.discard()?;
            return Err(lied(&format!("more than {bound} bytes come")));
        }
        self.partial.write(chunk)?;
        self.received += chunk.len() as u64;
        (self.progress)(Progress::new(
            Phase::Downloading,
            self.partial.len(),
            self.partial.total(),
        ));
        Ok(())
    }
}

/// Reads a body into one buffer.
struct Chunks {
    body: BodyReader<'static>,
    buffer: Vec<u8>,
}

impl Chunks {
    fn new(body: BodyReader<'static>) -> Self {
        Self {
            body,
            buffer: vec![0; CHUNK],
        }
    }

    /// What came in; empty at the end.
    fn next_chunk(&mut self) -> io::Result<&[u8]> {
        let read = self.body.read(&mut self.buffer)?;
        Ok(self.buffer.get(..read).unwrap_or_default())
    }
}

/// Watches that a transfer does not merely drip.
pub(crate) struct Pace {
    window: Duration,
    least: u64,
    since: Instant,
    bytes: u64,
}

impl Pace {
    pub(crate) fn new(window: Duration, least_rate: u64) -> Self {
        let least = (window.as_secs_f64() * least_rate as f64) as u64;
        Self {
            window,
            least,
            since: Instant::now(),
            bytes: 0,
        }
    }

    pub(crate) fn took(&mut self, bytes: usize) -> Result<(), String> {
        self.bytes += bytes as u64;
        let elapsed = self.since.elapsed();
        if elapsed < self.window {
            return Ok(());
        }
        if self.bytes < self.least {
            return Err(format!(
                "only {} bytes came in {:.1} s,",
                self.bytes,
                elapsed.as_secs_f32()
            ));
        }
        (self.since, self.bytes) = (Instant::now(), 0);
        Ok(())
    }
}

fn lied(why: &str) -> Failure {
    Failure::Here(Cause::Lied(why.to_owned()))
}

fn page() -> Failure {
    lied("it is a web page, not the file (an error page, or a proxy or login portal answered)")
}

fn looks_like_a_page(chunk: &[u8]) -> bool {
    let start = chunk.trim_ascii_start();
    let start = start
        .get(..start.len().min(14))
        .unwrap_or_default()
        .to_ascii_lowercase();
    start.starts_with(b"<!doctype html") || start.starts_with(b"<html")
}
