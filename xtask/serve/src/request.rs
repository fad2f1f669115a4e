//! The head of a request, read within limits (RFC 9112).

use crate::host;

/// The most fields that a request may have.
pub(crate) const MAX_FIELDS: usize = 64;

/// What a request wants done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// The thing.
    Get,
    /// What `GET` would say of it, without it.
    Head,
    /// Anything else: answered with 405.
    Other,
}

/// A request, as far as this server looks at it. Fields that it does not know are left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// What it wants done.
    pub method: Method,
    /// The method as it was written.
    pub word: String,
    /// The path, with everything that stood behind it.
    pub path: String,
    /// The host it was sent to, without the port, in lower case; empty where an HTTP/1.0
    /// client named none.
    pub host: String,
    /// `host:port` as the client wrote it.
    pub authority: String,
    /// Whether the connection may take another request.
    pub keep_alive: bool,
    /// `Range`.
    pub range: Option<String>,
    /// `If-Range`.
    pub if_range: Option<String>,
    /// `If-Match`.
    pub if_match: Option<String>,
    /// `If-None-Match`.
    pub if_none_match: Option<String>,
    /// `If-Modified-Since`.
    pub if_modified_since: Option<String>,
    /// `If-Unmodified-Since`.
    pub if_unmodified_since: Option<String>,
}

/// Why a request is answered with 400 or 431, in words for a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bad {
    /// It is no HTTP.
    Syntax,
    /// It has more fields than [`MAX_FIELDS`].
    TooManyFields,
    /// It brings a body, or says how one would be parted.
    Body,
    /// It names no host, or several.
    Host,
    /// A field that may stand once stands there twice.
    Twice,
    /// Its path is none of this server's kind.
    Target,
}

impl Bad {
    /// The reason, in words.
    #[must_use]
    pub fn why(self) -> &'static str {
        match self {
            Self::Syntax => "this is no HTTP request",
            Self::TooManyFields => "too many header fields",
            Self::Body => "a request with a body",
            Self::Host => "not exactly one Host field, or a malformed one",
            Self::Twice => "a header field stands there twice",
            Self::Target => "the target is neither a path nor an http:// URL",
        }
    }
}

/// Reads the head at the beginning of `bytes`; with it, its length. `None` where it is not
/// there to its end yet.
///
/// # Errors
///
/// [`Bad`] where no more bytes could make it a request.
pub fn read_request(bytes: &[u8]) -> Result<Option<(Request, usize)>, Bad> {
    let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut head = httparse::Request::new(&mut fields);
    let length = match head.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => return Err(Bad::TooManyFields),
        Err(_) => return Err(Bad::Syntax),
    };
    let word = head.method.unwrap_or_default();
    let one = |name| only(head.headers, name);
    refuse_body(head.headers)?;
    let version = head.version.unwrap_or_default();
    let (path, named) = target(head.path.unwrap_or_default(), one("host")?)?;
    let authority = match named {
        Some(authority) => authority,
        // HTTP/1.0 knew no Host.
        None if version == 0 => String::new(),
        None => return Err(Bad::Host),
    };
    let host = match authority.as_str() {
        "" => String::new(),
        text => host::name(text).ok_or(Bad::Host)?,
    };
    let request = Request {
        method: match word {
            "GET" => Method::Get,
            "HEAD" => Method::Head,
            _ => Method::Other,
        },
        word: word.to_owned(),
        path,
        host,
        authority,
        keep_alive: keeps_alive(version, head.headers),
        range: one("range")?,
        if_range: one("if-range")?,
        if_match: one("if-match")?,
        if_none_match: one("if-none-match")?,
        if_modified_since: one("if-modified-since")?,
        if_unmodified_since: one("if-unmodified-since")?,
    };
    Ok(Some((request, length)))
}

/// The value of a field that may stand once.
fn only(fields: &[httparse::Header<'_>], name: &str) -> Result<Option<String>, Bad> {
    let mut values = all(fields, name);
    let first = values.next();
    match values.next() {
        Some(_) if name == "host" => Err(Bad::Host),
        Some(_) => Err(Bad::Twice),
        None => first
            .map(|value| String::from_utf8(value.to_vec()).map_err(|_| Bad::Syntax))
            .transpose(),
    }
}

fn all<'f>(
    fields: &'f [httparse::Header<'_>],
    name: &'f str,
) -> impl Iterator<Item = &'f [u8]> + 'f {
    let named = move |field: &&httparse::Header<'_>| field.name.eq_ignore_ascii_case(name);
    fields.iter().filter(named).map(|field| field.value)
}

/// `GET` and `HEAD` have no body here. One that were skipped wrongly would be read as the
/// next request, so the connection ends instead.
fn refuse_body(fields: &[httparse::Header<'_>]) -> Result<(), Bad> {
    let lengths = all(fields, "content-length");
    match lengths.into_iter().any(|value| value != b"0")
        || all(fields, "transfer-encoding").next().is_some()
    {
        true => Err(Bad::Body),
        false => Ok(()),
    }
}

/// The path and the authority: of an `http://` target where it is one (RFC 9112, section
/// 3.2.2), else of `Host`.
fn target(target: &str, host: Option<String>) -> Result<(String, Option<String>), Bad> {
    if target.starts_with('/') {
        return Ok((target.to_owned(), host));
    }
    let scheme = "http://";
    let absolute = target
        .get(..scheme.len())
        .filter(|text| text.eq_ignore_ascii_case(scheme));
    let rest = absolute
        .and_then(|_| target.get(scheme.len()..))
        .ok_or(Bad::Target)?;
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    match (authority, path) {
        ("", _) => Err(Bad::Target),
        (authority, "") => Ok(("/".to_owned(), Some(authority.to_owned()))),
        (authority, path) => Ok((path.to_owned(), Some(authority.to_owned()))),
    }
}

fn keeps_alive(version: u8, fields: &[httparse::Header<'_>]) -> bool {
    let says = |wanted: &str| {
        all(fields, "connection")
            .filter_map(|value| std::str::from_utf8(value).ok())
            .flat_map(|value| value.split(','))
            .any(|word| word.trim().eq_ignore_ascii_case(wanted))
    };
    match version {
        0 => says("keep-alive") && !says("close"),
        _ => !says("close"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Option<(Request, usize)>, Bad> {
        read_request(text.as_bytes())
    }

    fn whole(text: &str) -> Request {
        read(text).unwrap().unwrap().0
    }

    #[test]
    fn a_request_is_read_and_what_is_behind_it_left() {
        let first = "GET /a.iso HTTP/1.1\r\nHost: 192.0.2.7:8080\r\nRange: bytes=0-1\r\n\r\n";
        let (request, length) = read(&format!("{first}HEAD / HTTP")).unwrap().unwrap();
        assert_eq!(length, first.len());
        assert_eq!(request.method, Method::Get);
        assert_eq!(request.path, "/a.iso");
        assert_eq!(request.host, "192.0.2.7");
        assert_eq!(request.authority, "192.0.2.7:8080");
        assert_eq!(request.range.as_deref(), Some("bytes=0-1"));
        assert!(request.keep_alive);
        for cut in 0..first.len() {
            assert_eq!(read(&first[..cut]), Ok(None), "{cut}");
        }
    }

    #[test]
    fn a_connection_ends_where_it_is_asked_to() {
        assert!(!whole("GET / HTTP/1.1\r\nHost: a\r\nConnection: x, Close\r\n\r\n").keep_alive);
        assert!(!whole("GET / HTTP/1.0\r\n\r\n").keep_alive);
        assert!(whole("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").keep_alive);
    }

    #[test]
    fn a_target_may_be_a_whole_address() {
        let request = whole("GET http://localhost:81/a HTTP/1.1\r\nHost: evil\r\n\r\n");
        assert_eq!(
            (request.host.as_str(), request.path.as_str()),
            ("localhost", "/a")
        );
    }

    #[test]
    fn what_is_wrong_is_named() {
        let many: String = (0..=MAX_FIELDS).map(|at| format!("x{at}: 1\r\n")).collect();
        for (text, why) in [
            ("GET / HTTP/1.1\r\n\r\n".to_owned(), Bad::Host),
            (
                "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n".to_owned(),
                Bad::Host,
            ),
            ("GET / HTTP/1.1\r\nHost: a b\r\n\r\n".to_owned(), Bad::Host),
            ("GET * HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), Bad::Target),
            (
                "GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
                Bad::Target,
            ),
            (
                "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n".to_owned(),
                Bad::Body,
            ),
            (
                "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 9\r\n\r\n"
                    .to_owned(),
                Bad::Body,
            ),
            (
                "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned(),
                Bad::Body,
            ),
            (
                "GET / HTTP/1.1\r\nHost: a\r\nRange: a\r\nrange: b\r\n\r\n".to_owned(),
                Bad::Twice,
            ),
            ("GET / HTTP/1.1\r\nHost : a\r\n\r\n".to_owned(), Bad::Syntax),
            ("GET / HTTP/2.0\r\nHost: a\r\n\r\n".to_owned(), Bad::Syntax),
            ("\u{16}\u{3}\u{1} tls".to_owned(), Bad::Syntax),
            (
                format!("GET / HTTP/1.1\r\nHost: a\r\n{many}\r\n"),
                Bad::TooManyFields,
            ),
        ] {
            assert_eq!(read(&text), Err(why), "{text:?}");
        }
    }
}
