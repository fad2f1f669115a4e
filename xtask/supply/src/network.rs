//! Documents over HTTP: from mirrors or the place itself, with credentials for the
//! host that they are for, each of bounded length and with an end to every wait.
//!
//! Credentials travel over TLS or to this computer only, and never along a
//! redirect: the client sends `Authorization` to the host of the first URL alone
//! (RFC 9110, section 15.4, leaves it to the client).

use std::fmt;
use std::io::Read as _;

use ureq::http::{HeaderMap, Response, StatusCode, header};
use ureq::{Body, ResponseExt as _};

use crate::Limits;
use crate::download::Pace;
use crate::error::Cause;
use crate::http::{Client, Method, broken, bytes_came, length, refused};
use crate::refusal::{Refusal, ResolveError};
use crate::url::{Source, redact};

/// How documents are fetched: limits, mirrors, credentials.
pub struct Network<'a> {
    client: Client,
    rewrite: &'a (dyn Fn(&str) -> Vec<String> + Sync),
    authorization: &'a (dyn Fn(&str) -> Option<String> + Sync),
}

impl fmt::Debug for Network<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Network")
            .field("limits", self.client.limits())
            .finish_non_exhaustive()
    }
}

impl Network<'static> {
    /// Fetches from the places themselves, as nobody in particular.
    pub fn new(limits: Limits) -> Self {
        Self {
            client: Client::new(limits),
            rewrite: &itself,
            authorization: &nobody,
        }
    }
}

fn itself(url: &str) -> Vec<String> {
    vec![url.to_owned()]
}

fn nobody(_: &str) -> Option<String> {
    None
}

impl<'a> Network<'a> {
    /// With mirrors: `rewrite` gets the URL of a place (a repository's, or the part of
    /// a registry that holds one name) and gives all URLs to try for it, in order. The
    /// place itself is tried only if it is among them.
    #[must_use]
    pub fn with_mirrors(self, rewrite: &'a (dyn Fn(&str) -> Vec<String> + Sync)) -> Self {
        Self { rewrite, ..self }
    }

    /// With credentials: `authorization` gets a host as it stands in the URL, with the
    /// port where there is one, and gives the value of the header `Authorization`.
    #[must_use]
    pub fn with_credentials(
        self,
        authorization: &'a (dyn Fn(&str) -> Option<String> + Sync),
    ) -> Self {
        Self {
            authorization,
            ..self
        }
    }

    pub(crate) fn limits(&self) -> &Limits {
        self.client.limits()
    }

    /// Tries `attempt` at each place for `url`, until one succeeds.
    pub(crate) fn at_places<T>(
        &self,
        what: &str,
        url: &str,
        mut attempt: impl FnMut(&str) -> Result<T, ResolveError>,
    ) -> Result<T, ResolveError> {
        let mut errors = Vec::new();
        for place in (self.rewrite)(url) {
            match attempt(&place) {
                Ok(found) => return Ok(found),
                Err(error) => errors.push(error),
            }
        }
        let what = what.to_owned();
        match errors.pop() {
            Some(only) if errors.is_empty() => Err(only),
            Some(last) => {
                errors.push(last);
                Err(ResolveError::Nowhere { what, errors })
            }
            None => Err(ResolveError::Input {
                what,
                why: format!("the mirrors leave no place for {}", redact(url)),
            }),
        }
    }

    /// Asks for a document, trying again what may pass.
    pub(crate) fn ask(&self, ask: &Ask<'_>) -> Result<Answer, ResolveError> {
        let source = Source::parse(ask.url).map_err(|error| ResolveError::Input {
            what: ask.what.to_owned(),
            why: error.to_string(),
        })?;
        let mut failures = 0;
        loop {
            let cause = match self.ask_once(ask, &source) {
                Ok(answer) => return Ok(answer),
                Err(cause) => cause,
            };
            failures += 1;
            let again = matches!(cause, Cause::Broken(_) | Cause::Status(_)) && cause.may_pass();
            if !again || failures > self.limits().retries.min(2) {
                return Err(ask.no_answer(cause));
            }
            std::thread::sleep(self.limits().pause(failures));
        }
    }

    /// Asks for a document that must be there.
    pub(crate) fn get(&self, ask: &Ask<'_>) -> Result<Answer, ResolveError> {
        let answer = self.ask(ask)?;
        match answer.status {
            StatusCode::OK => Ok(answer),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Err(ask.refused(Refusal::Denied(self.denied(ask.url, answer.status))))
            }
            other => Err(ask.no_answer(refused(other))),
        }
    }

    /// What to say about a server that wants credentials.
    pub(crate) fn denied(&self, url: &str, status: StatusCode) -> String {
        let host = authority(url);
        let known = match (self.authorization)(host) {
            Some(_) if trusted_way(url) => "those that are given for it are not accepted",
            Some(_) => "those that are given for it are not sent over plain http",
            None => "none are given for it",
        };
        format!(
            "{host} wants credentials (HTTP status {}), and {known}",
            status.as_u16()
        )
    }

    fn ask_once(&self, ask: &Ask<'_>, source: &Source) -> Result<Answer, Cause> {
        let mut headers = Vec::new();
        if let Some(accept) = ask.accept {
            headers.push((header::ACCEPT, accept.to_owned()));
        }
        if let Some(range) = ask.range {
            headers.push((header::RANGE, range.to_owned()));
        }
        if let Some(value) = self.credentials(ask, source) {
            headers.push((header::AUTHORIZATION, value));
        }
        let mut response = self.client.ask(ask.method, source.as_str(), &headers)?;
        let wanted = response.status() == StatusCode::OK && ask.method == Method::Get;
        if response.status().is_server_error() || response.status().as_u16() == 429 {
            return Err(refused(response.status()));
        }
        let bytes = if wanted {
            self.body(&mut response, ask.most)?
        } else {
            Vec::new()
        };
        Ok(Answer {
            status: response.status(),
            length: length(&response),
            url: response.get_uri().to_string(),
            headers: response.headers().clone(),
            bytes,
        })
    }

    fn credentials(&self, ask: &Ask<'_>, source: &Source) -> Option<String> {
        match &ask.authorization {
            Authorization::Header(value) => Some((*value).to_owned()),
            Authorization::None => None,
            Authorization::Host => match source.authorization() {
                Some(own) => Some(own.header().to_owned()),
                None => self.credentials_for(source.as_str()),
            },
        }
    }

    /// What the caller gives for the host of `url`, if the way to it is safe.
    pub(crate) fn credentials_for(&self, url: &str) -> Option<String> {
        let usable = |value: &String| value.bytes().all(|byte| (0x20..0x7f).contains(&byte));
        (self.authorization)(authority(url)).filter(|value| trusted_way(url) && usable(value))
    }

    fn body(&self, response: &mut Response<Body>, most: u64) -> Result<Vec<u8>, Cause> {
        let promised = length(response);
        let too_long = || {
            Cause::Lied(format!(
                "it is longer than {most} bytes, which is the most that is taken"
            ))
        };
        if promised.is_some_and(|promised| promised > most) {
            return Err(too_long());
        }
        let limits = self.limits();
        let mut pace = Pace::new(limits.idle, limits.least_rate);
        let mut body = response.body_mut().with_config().limit(u64::MAX).reader();
        let (mut bytes, mut chunk) = (Vec::new(), vec![0; 64 << 10]);
        loop {
            let how_far = || bytes_came(bytes.len() as u64, promised);
            let read = body
                .read(&mut chunk)
                .map_err(|error| broken(&error, &how_far(), limits))?;
            if read == 0 {
                break;
            }
            pace.took(read)
                .map_err(|why| Cause::Broken(format!("{why} {}", how_far())))?;
            bytes.extend_from_slice(chunk.get(..read).unwrap_or_default());
            if bytes.len() as u64 > most {
                return Err(too_long());
            }
        }
        match promised {
            Some(promised) if (bytes.len() as u64) < promised => Err(Cause::Broken(format!(
                "the connection was closed {}",
                bytes_came(bytes.len() as u64, Some(promised))
            ))),
            _ => Ok(bytes),
        }
    }
}

/// Who a request is made as.
pub(crate) enum Authorization<'a> {
    /// As the caller's credentials for the host say.
    Host,
    /// With this value of the header.
    Header(&'a str),
    /// As nobody.
    None,
}

/// One request.
pub(crate) struct Ask<'a> {
    /// What it is for, for messages.
    pub(crate) what: &'a str,
    pub(crate) url: &'a str,
    /// The most bytes that are taken.
    pub(crate) most: u64,
    pub(crate) method: Method,
    pub(crate) accept: Option<&'a str>,
    pub(crate) range: Option<&'a str>,
    pub(crate) authorization: Authorization<'a>,
}

impl<'a> Ask<'a> {
    pub(crate) fn new(what: &'a str, url: &'a str, most: u64) -> Self {
        Self {
            what,
            url,
            most,
            method: Method::Get,
            accept: None,
            range: None,
            authorization: Authorization::Host,
        }
    }

    pub(crate) fn no_answer(&self, cause: Cause) -> ResolveError {
        ResolveError::NoAnswer {
            what: self.what.to_owned(),
            url: redact(self.url),
            cause: Box::new(cause),
        }
    }

    pub(crate) fn refused(&self, refusal: Refusal) -> ResolveError {
        refused_at(self.what, self.url, refusal)
    }
}

pub(crate) fn refused_at(what: &str, url: &str, refusal: Refusal) -> ResolveError {
    ResolveError::Refused {
        what: what.to_owned(),
        url: redact(url),
        refusal: Box::new(refusal),
    }
}

/// What came. The body is read for status 200 only.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// `Content-Length`, where it is said.
    pub(crate) length: Option<u64>,
    /// Where it came from in the end, after redirects.
    pub(crate) url: String,
    pub(crate) bytes: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: header::HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Refuses an answer that only the connection vouches for, and the connection cannot.
    pub(crate) fn vouched_by_tls(&self, ask: &Ask<'_>) -> Result<(), ResolveError> {
        match trusted_way(ask.url) && trusted_way(&self.url) {
            true => Ok(()),
            false => Err(ask.refused(Refusal::PlainHttp)),
        }
    }
}

/// The host and port of a URL, without credentials.
pub(crate) fn authority(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host)
}

/// Whether nobody between can read or change what travels: TLS, or no network at all.
pub(crate) fn trusted_way(url: &str) -> bool {
    Source::parse(url).is_ok_and(|source| source.keeps_secrets())
}

/// Whether a host, with or without a port, is this computer (RFC 6761, section 6.3;
/// RFC 1122, section 3.2.1.3; RFC 4291, section 2.5.3).
pub(crate) fn is_loopback(authority: &str) -> bool {
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(rest),
        None => authority.split(':').next().unwrap_or(authority),
    };
    let address = host.parse::<std::net::IpAddr>();
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authorities_are_without_credentials() {
        let cases = [
            ("https://quay.io/v2/", "quay.io"),
            ("http://u:p@127.0.0.1:5000", "127.0.0.1:5000"),
            ("https://h?x=@y", "h"),
            ("https://[::1]:80/x", "[::1]:80"),
        ];
        for (url, want) in cases {
            assert_eq!(authority(url), want);
        }
    }

    #[test]
    fn what_came_without_tls_on_any_part_of_its_way_vouches_for_nothing() {
        let came = |asked, from: &str| {
            let answer = Answer {
                status: StatusCode::OK,
                headers: HeaderMap::new(),
                length: None,
                url: from.to_owned(),
                bytes: Vec::new(),
            };
            answer.vouched_by_tls(&Ask::new("x", asked, 0)).is_ok()
        };
        assert!(came("https://a/x", "https://b/x"));
        assert!(!came("https://a/x", "http://b/x"));
        assert!(!came("http://a/x", "https://b/x"));
    }

    #[test]
    fn credentials_are_for_tls_and_this_computer() {
        let given = |host: &str| Some(format!("Basic {}", host.len()));
        let network = Network::new(Limits::default()).with_credentials(&given);
        assert!(network.credentials_for("https://a/x").is_some());
        assert_eq!(network.credentials_for("http://a/x"), None);
        assert!(
            network
                .denied("http://a/x", StatusCode::UNAUTHORIZED)
                .contains("not sent")
        );
        let unfit = |_: &str| Some("Basic x\r\nY: z".to_owned());
        let network = Network::new(Limits::default()).with_credentials(&unfit);
        assert_eq!(network.credentials_for("https://a/x"), None);
    }

    #[test]
    fn several_threads_may_ask_at_once() {
        fn shared<T: Send + Sync>(_: &T) {}
        shared(&Network::new(Limits::default()));
    }

    #[test]
    fn only_tls_and_this_computer_are_trusted_ways() {
        for url in [
            "https://a/",
            "HTTPS://a",
            "http://127.0.0.9:80/",
            "http://[::1]:1/",
            "http://LocalHost/",
        ] {
            assert!(trusted_way(url), "{url}");
        }
        for url in [
            "http://a/",
            "http://127.0.0.1.example.org/",
            "http://localhost.example.org/",
            "http://127.0.0.1@example.org/",
            "http://[::2]/",
            "ftp://a/",
        ] {
            assert!(!trusted_way(url), "{url}");
        }
    }
}
