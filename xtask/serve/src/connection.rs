//! One connection: requests one after the other, until one of the two ends it.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io::{self, Read as _};
use std::net::{IpAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::answer::Answer;
use crate::condition::{self, Validators, Verdict};
use crate::range::Span;
use crate::record::Record;
use crate::request::{Bad, Method, Request, read_request};
use crate::send::{Out, is_timeout, linger};
use crate::server::{Log, Server};
use crate::site::{SCRIPT, Thing};

/// A client that was let in.
pub(crate) struct Visit<'s> {
    pub(crate) server: &'s Server,
    pub(crate) stream: TcpStream,
    pub(crate) peer: IpAddr,
    pub(crate) stop: &'s AtomicBool,
    pub(crate) log: Log<'s>,
}

/// What came of waiting for a request.
enum Heard {
    Request(Box<Request>),
    /// The client is gone, or said nothing.
    Nothing,
    /// It said something that is answered with this status, and no more is heard.
    Wrong(u16, &'static str),
}

/// What is sent behind a head.
enum Body<'a> {
    None,
    Text(String),
    Parts(&'a Thing, Vec<(String, Span)>, String),
}

impl Body<'_> {
    fn len(&self) -> u64 {
        match self {
            Self::None => 0,
            Self::Text(text) => text.len() as u64,
            Self::Parts(_, parts, end) => {
                let one = |(head, span): &(String, Span)| head.len() as u64 + span.len;
                parts.iter().map(one).sum::<u64>() + end.len() as u64
            }
        }
    }
}

impl Visit<'_> {
    /// Answers requests until the connection ends.
    pub(crate) fn serve(&self) {
        // An answer's end waits for no more of it.
        let _ = self.stream.set_nodelay(true);
        let mut buffer = Vec::new();
        loop {
            match self.hear(&mut buffer) {
                Heard::Request(request) if self.answer(&request) => {}
                Heard::Request(_) => return linger(&self.stream),
                Heard::Nothing => return,
                Heard::Wrong(status, why) => {
                    self.refuse(status, why);
                    return linger(&self.stream);
                }
            }
        }
    }

    /// Reads a request; what came behind it stays in `buffer`.
    fn hear(&self, buffer: &mut Vec<u8>) -> Heard {
        let limits = &self.server.limits;
        let mut end = Instant::now()
            + if buffer.is_empty() {
                limits.idle
            } else {
                limits.head
            };
        loop {
            match read_request(buffer) {
                Ok(Some((request, length))) => {
                    buffer.drain(..length);
                    return Heard::Request(Box::new(request));
                }
                Err(Bad::TooManyFields) => return Heard::Wrong(431, Bad::TooManyFields.why()),
                Err(bad) => return Heard::Wrong(400, bad.why()),
                Ok(None) if buffer.len() >= limits.head_bytes => {
                    return Heard::Wrong(431, "the head of the request is too long");
                }
                Ok(None) => {}
            }
            let first = buffer.is_empty();
            match self.read(buffer, limits.head_bytes, end) {
                Ok(0) => return Heard::Nothing,
                Ok(_) if first => end = Instant::now() + limits.head,
                Ok(_) => {}
                Err(error) if is_timeout(&error) && !buffer.is_empty() => {
                    return Heard::Wrong(408, "the request did not come to its end in time");
                }
                Err(_) => return Heard::Nothing,
            }
        }
    }

    /// Reads what is there, up to `most` bytes in `buffer`, until `end`.
    fn read(&self, buffer: &mut Vec<u8>, most: usize, end: Instant) -> io::Result<usize> {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        self.stream.set_read_timeout(Some(left))?;
        let mut chunk = [0; 2048];
        let room = chunk.len().min(most.saturating_sub(buffer.len()));
        let count = (&self.stream).read(chunk.get_mut(..room).unwrap_or_default())?;
        buffer.extend_from_slice(chunk.get(..count).unwrap_or_default());
        Ok(count)
    }

    /// Answers a request; says whether the connection may take another one.
    fn answer(&self, request: &Request) -> bool {
        let (answer, body) = self.choose(request);
        let answer = match answer.status {
            304 => answer,
            _ => answer.with("Content-Length", body.len()),
        };
        let bare = request.method == Method::Head;
        let asked = format!("{} {}", request.word, request.path);
        let goes_on = request.keep_alive && !self.stop.load(Ordering::Relaxed);
        self.send(
            &asked,
            &answer,
            if bare { Body::None } else { body },
            goes_on,
        )
    }

    /// Answers something that is no request.
    fn refuse(&self, status: u16, why: &str) {
        let (answer, body) = told(status, why);
        let answer = answer.with("Content-Length", body.len());
        self.send(why, &answer, body, false);
    }

    fn choose(&self, request: &Request) -> (Answer, Body<'_>) {
        let site = &self.server.site;
        if !self.server.door.answers_to(&request.host) {
            return told(
                421,
                "this server has no such name: ask for it by its address, or name it with `serve --name`",
            );
        }
        if request.method == Method::Other {
            let (answer, body) = told(405, "only GET and HEAD are answered");
            return (answer.with("Allow", "GET, HEAD"), body);
        }
        if let Err(why) = site.image.fresh() {
            return told(503, &why.to_string());
        }
        if request.path == SCRIPT
            && let Some(script) = site.script(&self.base(request))
        {
            let answer = Answer::new(200).with("Content-Type", "text/plain; charset=us-ascii");
            return (answer, Body::Text(script));
        }
        match site.thing(&request.path) {
            Some(thing) => self.thing(request, thing),
            None => told(
                404,
                &format!("no such name; there is {}", site.paths().join(" ")),
            ),
        }
    }

    /// The server as the client reached it. What the client wrote was let through as an
    /// address or a name that was given.
    fn base(&self, request: &Request) -> String {
        match request.authority.as_str() {
            "" => format!("http://{}", self.server.address()),
            authority => format!("http://{authority}"),
        }
    }

    fn thing<'t>(&self, request: &Request, thing: &'t Thing) -> (Answer, Body<'t>) {
        let (len, modified) = (thing.len(), self.server.site.image.modified());
        let held = Validators {
            tag: &thing.tag,
            modified,
            len,
        };
        let fields = |status| {
            Answer::new(status)
                .with("ETag", &thing.tag)
                .with("Last-Modified", crate::http_date(modified))
                .with("Accept-Ranges", "bytes")
        };
        let one = |span| Body::Parts(thing, vec![(String::new(), span)], String::new());
        match condition::judge(request, held) {
            Verdict::NotModified => (fields(304), Body::None),
            Verdict::Failed => told(412, "the image is not the one that was asked for"),
            Verdict::NoRange => {
                let (answer, body) = told(416, "no such range, or too many of them");
                (answer.with("Content-Range", format!("bytes */{len}")), body)
            }
            Verdict::Whole => {
                let whole = Span { start: 0, len };
                (fields(200).with("Content-Type", thing.kind), one(whole))
            }
            Verdict::Parts(spans) => match spans.as_slice() {
                [span] => {
                    let answer = fields(206).with("Content-Type", thing.kind);
                    (answer.with("Content-Range", place(*span, len)), one(*span))
                }
                spans => {
                    let boundary = boundary();
                    let kind = format!("multipart/byteranges; boundary={boundary}");
                    (
                        fields(206).with("Content-Type", kind),
                        several(thing, spans, &boundary),
                    )
                }
            },
        }
    }

    /// Sends an answer and tells the log; says whether the connection may take another.
    fn send(&self, asked: &str, answer: &Answer, body: Body<'_>, goes_on: bool) -> bool {
        let begun = Instant::now();
        let head = answer.head(goes_on, now());
        let mut out = Out::new(&self.stream, &self.server.limits, body.len());
        let sent = out.write(&head).map_err(anyhow::Error::from);
        let sent = sent.and_then(|()| self.body(&mut out, body));
        let note = match &sent {
            Ok(()) => String::new(),
            Err(why) => format!("cut off: {why:#}"),
        };
        (self.log)(&Record {
            peer: self.peer,
            asked: asked.to_owned(),
            status: answer.status,
            sent: out.sent.saturating_sub(head.len() as u64),
            took: begun.elapsed(),
            note,
        });
        goes_on && sent.is_ok()
    }

    fn body(&self, out: &mut Out<'_>, body: Body<'_>) -> anyhow::Result<()> {
        match body {
            Body::None => {}
            Body::Text(text) => out.write(text.as_bytes())?,
            Body::Parts(thing, parts, end) => {
                for (head, span) in parts {
                    out.write(head.as_bytes())?;
                    out.part(&self.server.site.image, &thing.pieces, span)?;
                }
                out.write(end.as_bytes())?;
            }
        }
        Ok(())
    }
}

/// The whole answer to a connection too many.
pub(crate) fn too_many() -> Vec<u8> {
    let answer = Answer::new(503)
        .with("Retry-After", 5)
        .with("Content-Length", 0);
    answer.head(false, now())
}

/// An answer of one line.
fn told(status: u16, why: &str) -> (Answer, Body<'static>) {
    let answer = Answer::new(status).with("Content-Type", "text/plain; charset=utf-8");
    (answer, Body::Text(format!("{why}\n")))
}

fn place(span: Span, len: u64) -> String {
    format!("bytes {}-{}/{len}", span.start, span.end() - 1)
}

/// Several ranges, each with a head of its own (RFC 9110, section 14.6).
fn several<'t>(thing: &'t Thing, spans: &[Span], boundary: &str) -> Body<'t> {
    let len = thing.len();
    let head = |span: &Span| {
        let (kind, place) = (thing.kind, place(*span, len));
        let text =
            format!("\r\n--{boundary}\r\nContent-Type: {kind}\r\nContent-Range: {place}\r\n\r\n");
        (text, *span)
    };
    let parts = spans.iter().map(head).collect();
    Body::Parts(thing, parts, format!("\r\n--{boundary}--\r\n"))
}

/// What parts the ranges: random, so that no image has it in its bytes.
fn boundary() -> String {
    let random = || RandomState::new().build_hasher().finish();
    format!("{:016x}{:016x}", random(), random())
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or(Duration::ZERO).as_secs()
}
