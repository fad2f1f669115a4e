//! HTTP/1.1 (RFC 9110, 9112) as far as fetching a file needs it: one client with
//! an end to every wait, and the headers that make a transfer resumable.
//!
//! TLS trusts what the system trusts, so that a site with a certificate authority
//! of its own works; where the system has no list, Mozilla's is used. Neither
//! vouches for content: digests and signatures do, which is why plain `http://`
//! mirrors are as good.

use std::io::{self, Read as _};
use std::time::Duration;

use ureq::http::{Response, StatusCode, header};
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, Body, ResponseExt as _, Timeout};

use crate::error::Cause;
use crate::url::{Source, redact};

/// How long to wait and how much to take.
#[derive(Debug, Clone)]
pub struct Limits {
    /// For a name to resolve and a connection to stand, each.
    pub connect: Duration,
    /// For the next byte.
    pub idle: Duration,
    /// Bytes a second below which, averaged over `idle`, a transfer stands still.
    pub least_rate: u64,
    /// How often a transfer that makes no headway is tried again.
    pub retries: u32,
    /// The pause before the first retry; it doubles with each.
    pub first_pause: Duration,
    /// The longest pause.
    pub longest_pause: Duration,
    /// The longest file that is taken from a server that does not say how long it is.
    pub most_bytes: u64,
    /// How long another process that works on the same file is waited for.
    pub lock_wait: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(20),
            idle: Duration::from_secs(30),
            least_rate: 256,
            retries: 5,
            first_pause: Duration::from_secs(1),
            longest_pause: Duration::from_secs(30),
            most_bytes: 32 << 30,
            lock_wait: Duration::from_secs(3600),
        }
    }
}

impl Limits {
    /// The pause after the `failures`-th failure in a row.
    pub(crate) fn pause(&self, failures: u32) -> Duration {
        let doubled = self
            .first_pause
            .saturating_mul(1 << failures.saturating_sub(1).min(16));
        doubled.min(self.longest_pause)
    }
}

/// What to ask for beyond the whole file (RFC 9110, sections 14.2 and 13.1.5).
pub(crate) struct Resume<'a> {
    /// How many bytes are already here.
    pub(crate) from: u64,
    /// What must not have changed for the rest to fit.
    pub(crate) validator: Option<&'a str>,
}

/// How to ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    /// For the file.
    Get,
    /// For its header.
    Head,
    /// For its header or a redirect, which is not followed: what stands at the other
    /// end may be signed for GET alone.
    HeadHere,
}

/// An HTTP client with limits.
pub(crate) struct Client {
    agent: Agent,
    limits: Limits,
}

impl Client {
    pub(crate) fn new(limits: Limits) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .user_agent(concat!("lab-in-a-box/", env!("CARGO_PKG_VERSION")))
            .accept("*/*")
            // A compressed transfer could not be resumed by byte.
            .accept_encoding("identity")
            .tls_config(TlsConfig::builder().root_certs(roots()).build())
            .timeout_resolve(Some(limits.connect))
            .timeout_connect(Some(limits.connect))
            .timeout_recv_response(Some(limits.idle))
            .timeout_per_read(Some(limits.idle))
            .timeout_per_write(Some(limits.idle))
            // What a lying server sent beyond its answer must not be taken for the next one.
            .max_idle_connections(0)
            .max_redirects(5)
            .build();
        Self {
            agent: config.new_agent(),
            limits,
        }
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Asks for `source`, or for the rest of it.
    pub(crate) fn get(
        &self,
        source: &Source,
        resume: Option<&Resume<'_>>,
    ) -> Result<Response<Body>, Cause> {
        let mut request = self
            .agent
            .get(source.as_str())
            .header(header::CONNECTION, "close");
        // Not kept over a redirect, whatever the host: the client's default, which a test holds.
        if let Some(authorization) = source.authorization() {
            request = request.header(header::AUTHORIZATION, authorization.header());
        }
        if let Some(resume) = resume {
            request = request.header(header::RANGE, format!("bytes={}-", resume.from));
            if let Some(validator) = resume.validator {
                request = request.header(header::IF_RANGE, validator);
            }
        }
        request
            .call()
            .map_err(|error| no_answer(&error, &self.limits))
    }

    /// Asks for `url` with these headers.
    pub(crate) fn ask(
        &self,
        method: Method,
        url: &str,
        headers: &[(header::HeaderName, String)],
    ) -> Result<Response<Body>, Cause> {
        let request = match method {
            Method::Get => self.agent.get(url),
            Method::Head => self.agent.head(url),
            Method::HeadHere => self
                .agent
                .head(url)
                .config()
                .max_redirects(0)
                .max_redirects_will_error(false)
                .build(),
        };
        headers
            .iter()
            .fold(request, |request, (name, value)| {
                request.header(name, value)
            })
            .header(header::CONNECTION, "close")
            .call()
            .map_err(|error| no_answer(&error, &self.limits))
    }

    /// Fetches a file of at most `most` bytes into memory, trying again what may pass.
    pub(crate) fn small(&self, source: &Source, most: u64) -> Result<Vec<u8>, Cause> {
        let mut failures = 0;
        loop {
            let cause = match self.small_once(source, most) {
                Err(cause @ (Cause::Broken(_) | Cause::Status(_))) if cause.may_pass() => cause,
                done => return done,
            };
            failures += 1;
            if failures > self.limits.retries.min(2) {
                return Err(cause);
            }
            std::thread::sleep(self.limits.pause(failures));
        }
    }

    fn small_once(&self, source: &Source, most: u64) -> Result<Vec<u8>, Cause> {
        let mut response = self.get(source, None)?;
        if response.status() != StatusCode::OK {
            return Err(refused(response.status()));
        }
        let promised = length(&response);
        let mut bytes = Vec::new();
        let body = response.body_mut().with_config().limit(u64::MAX).reader();
        body.take(most + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| broken(&error, &bytes_came(0, promised), &self.limits))?;
        if bytes.len() as u64 > most {
            return Err(Cause::Lied(format!(
                "it is longer than {most} bytes, which no such file is"
            )));
        }
        Ok(bytes)
    }
}

fn roots() -> RootCerts {
    let found = rustls_native_certs::load_native_certs().certs;
    if found.is_empty() {
        return RootCerts::WebPki;
    }
    found
        .iter()
        .map(|der| Certificate::from_der(der).to_owned())
        .into()
}

/// The cause that a status which is no success stands for.
pub(crate) fn refused(status: StatusCode) -> Cause {
    match status.as_u16() {
        gone @ (404 | 410) => Cause::Absent(gone),
        login @ (401 | 403) => Cause::Unauthorized(format!("HTTP status {login}")),
        other => Cause::Status(other),
    }
}

/// A whole file's length as the header promises it.
pub(crate) fn length(response: &Response<Body>) -> Option<u64> {
    text(response, header::CONTENT_LENGTH)?.trim().parse().ok()
}

/// What identifies this version of the file: a strong entity tag, else the time of
/// its last change. Weak tags do not vouch for bytes (RFC 9110, section 8.8.1).
pub(crate) fn validator(response: &Response<Body>) -> Option<String> {
    let tag = text(response, header::ETAG).filter(|tag| tag.starts_with('"'));
    tag.or_else(|| text(response, header::LAST_MODIFIED))
        .map(str::to_owned)
}

/// Whether the server says that this is a web page, not a file.
pub(crate) fn is_page(response: &Response<Body>) -> bool {
    text(response, header::CONTENT_TYPE)
        .is_some_and(|kind| kind.to_ascii_lowercase().starts_with("text/html"))
}

/// `Content-Range` of a response (RFC 9110, section 14.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ContentRange {
    /// First and last byte; `None` in `bytes */LENGTH`.
    pub(crate) range: Option<(u64, u64)>,
    /// The length of the whole; `None` in `…/*`.
    pub(crate) whole: Option<u64>,
}

pub(crate) fn content_range(response: &Response<Body>) -> Option<ContentRange> {
    parse_content_range(text(response, header::CONTENT_RANGE)?)
}

fn parse_content_range(text: &str) -> Option<ContentRange> {
    let (range, whole) = text.trim().strip_prefix("bytes ")?.trim().split_once('/')?;
    let whole = if whole == "*" {
        None
    } else {
        Some(whole.parse().ok()?)
    };
    let range = match range.split_once('-') {
        None if range == "*" => None,
        None => return None,
        Some((first, last)) => Some((first.parse().ok()?, last.parse().ok()?)),
    };
    Some(ContentRange { range, whole })
}

/// The challenges with which a server asks for a login (RFC 9110, section 11.6.1), if
/// it is the server that was asked: where a redirect led has no say in what is sent.
pub(crate) fn challenge(response: &Response<Body>, asked: &Source) -> Option<String> {
    if response.status() != StatusCode::UNAUTHORIZED
        || !asked.same_origin(&response.get_uri().to_string())
    {
        return None;
    }
    let all = response.headers().get_all(header::WWW_AUTHENTICATE);
    let texts: Vec<&str> = all.iter().filter_map(|one| one.to_str().ok()).collect();
    (!texts.is_empty()).then(|| texts.join(", "))
}

pub(crate) fn text(response: &Response<Body>, name: header::HeaderName) -> Option<&str> {
    response.headers().get(name)?.to_str().ok()
}

/// How far a transfer came, in words.
pub(crate) fn bytes_came(came: u64, promised: Option<u64>) -> String {
    match promised {
        Some(promised) => format!("after {came} of {promised} bytes"),
        None => format!("after {came} bytes of a file whose length the server did not say"),
    }
}

/// The cause of a request that led to no response.
fn no_answer(error: &ureq::Error, limits: &Limits) -> Cause {
    let (connect, idle) = (limits.connect.as_secs_f32(), limits.idle.as_secs_f32());
    let why = match error {
        ureq::Error::HostNotFound => {
            "the host's name is not known here (no network, or no DNS?)".to_owned()
        }
        ureq::Error::Timeout(Timeout::Resolve | Timeout::Connect) => {
            format!("no connection within {connect} s")
        }
        ureq::Error::Timeout(_) => format!("connected, but nothing came within {idle} s"),
        ureq::Error::Protocol(error) => return Cause::Lied(format!("it is not HTTP ({error})")),
        ureq::Error::LargeResponseHeader(..) => {
            return Cause::Lied("its header has no end".to_owned());
        }
        ureq::Error::TooManyRedirects => return Cause::Lied("it redirects in circles".to_owned()),
        ureq::Error::Rustls(error) => format!(
            "the server's TLS certificate or handshake is not acceptable ({error}); an http:// mirror \
             will do, content is verified by digest"
        ),
        ureq::Error::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            "the connection was closed without an answer".to_owned()
        }
        ureq::Error::ConnectProxyFailed(_) => {
            // The library's text can hold the proxy's whole address.
            "the proxy that the environment names refused the connection; many let only https:// through".to_owned()
        }
        other => redact(&other.to_string()),
    };
    Cause::NoAnswer(why)
}

/// The cause of a body that broke off; `how_far` says where.
pub(crate) fn broken(error: &io::Error, how_far: &str, limits: &Limits) -> Cause {
    let inner = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<ureq::Error>());
    let timed_out =
        matches!(inner, Some(ureq::Error::Timeout(_))) || error.kind() == io::ErrorKind::TimedOut;
    let why = match inner {
        _ if timed_out => format!("nothing came for {} s", limits.idle.as_secs_f32()),
        Some(ureq::Error::Protocol(error)) => {
            return Cause::Lied(format!("its body is malformed {how_far} ({error})"));
        }
        _ if error.kind() == io::ErrorKind::UnexpectedEof => "the connection was closed".to_owned(),
        _ => redact(&error.to_string()),
    };
    Cause::Broken(format!("{why} {how_far}"))
}

/// Base64 (RFC 4648, section 4), for the one header that needs it.
pub(crate) fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let bits = group
            .iter()
            .fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte))
            << (8 * (3 - group.len()));
        for place in 0..4 {
            let index = (bits >> (18 - 6 * place)) & 63;
            let letter = ALPHABET
                .get(index as usize)
                .filter(|_| place <= group.len());
            out.push(letter.map_or('=', |letter| char::from(*letter)));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_of_the_standards_examples() {
        // RFC 4648, section 10.
        let cases = [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("foobar", "Zm9vYmFy"),
        ];
        for (plain, encoded) in cases {
            assert_eq!(base64(plain.as_bytes()), encoded);
        }
    }

    #[test]
    fn content_ranges_are_read_or_refused() {
        let some = |range, whole| Some(ContentRange { range, whole });
        let cases = [
            ("bytes 0-9/10", some(Some((0, 9)), Some(10))),
            ("bytes 5-9/*", some(Some((5, 9)), None)),
            ("bytes */10", some(None, Some(10))),
            ("bytes 5/10", None),
            ("bytes -5/10", None),
            ("bytes 5-9", None),
            ("lines 0-9/10", None),
            ("bytes 0-99999999999999999999/1", None),
        ];
        for (text, want) in cases {
            assert_eq!(parse_content_range(text), want, "{text}");
        }
    }
}
