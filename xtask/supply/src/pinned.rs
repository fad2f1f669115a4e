//! A file of a release by the release's list of checksums (`sha256sum.txt`,
//! `SHA256SUMS`), for vendors that offer no more.

use ureq::http::StatusCode;

use crate::error::Cause;
use crate::http::{Method, refused};
use crate::network::{Answer, Ask, Network};
use crate::refusal::{Refusal, ResolveError};
use crate::repository::Pinned;
use crate::url::Source;
use crate::{Digest, SigningKey, sums};

/// The longest list that is taken, in bytes.
const LONGEST_LIST: u64 = 4 << 20;
/// The longest signature that is taken, in bytes.
const LONGEST_SIGNATURE: u64 = 64 << 10;

/// A file that a list names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Where it is.
    pub url: String,
    /// Its digest by the list.
    pub sha256: Digest,
    /// Its size in bytes, by the word of its server.
    pub size: u64,
    /// The digest of the list itself, to pin it.
    pub list_sha256: Digest,
}

/// Looks up `file` in the list at `list_url`, and how long the file beside the list is.
/// `pinned` is the list's own digest where it is known; without it the connection must
/// vouch for the list.
///
/// # Errors
///
/// [`ResolveError::Refused`] where the list is not the pinned one, does not name the
/// file, or names it twice, and where the server does not say how long the file is.
pub fn resolve(
    network: &Network<'_>,
    list_url: &str,
    file: &str,
    pinned: Option<Digest>,
) -> Result<Listed, ResolveError> {
    listed(network, list_url, file, |ask, answer| match pinned {
        None => answer.vouched_by_tls(ask),
        Some(expected) => {
            let found = Digest::of(&answer.bytes);
            let bytes = answer.bytes.len() as u64;
            let other = Refusal::Digest {
                found,
                expected,
                bytes,
            };
            match found == expected {
                true => Ok(()),
                false => Err(ask.refused(other)),
            }
        }
    })
}

/// Like [`resolve`], for a list with a detached signature in the file `signature`
/// beside it, by one of `keys` at the time `now`, in seconds since 1970.
///
/// # Errors
///
/// As [`resolve`], and [`ResolveError::Input`] for keys that are none.
pub fn resolve_signed(
    network: &Network<'_>,
    list_url: &str,
    file: &str,
    signature: &str,
    keys: &[SigningKey],
    now: u64,
) -> Result<Listed, ResolveError> {
    let keys = Pinned::read(keys).map_err(|why| ResolveError::Input {
        what: format!("the file {file}"),
        why,
    })?;
    listed(network, list_url, file, |ask, answer| {
        let url = Source::parse(ask.url).map(|list| list.beside(signature));
        let url = url.map_err(|error| ask.refused(Refusal::Malformed(error.to_string())))?;
        let ask = Ask::new(ask.what, url.as_str(), LONGEST_SIGNATURE);
        let signatures = network.get(&ask)?.bytes;
        let signed = keys.verify(&answer.bytes, &signatures, now);
        signed.map(|_| ()).map_err(|refusal| ask.refused(refusal))
    })
}

/// Fetches the list, has `vouched` check it, and looks `file` up in it.
fn listed(
    network: &Network<'_>,
    list_url: &str,
    file: &str,
    vouched: impl Fn(&Ask<'_>, &Answer) -> Result<(), ResolveError>,
) -> Result<Listed, ResolveError> {
    let what = format!("the file {file}");
    let url = beside(list_url, file).map_err(|why| ResolveError::Input {
        what: what.clone(),
        why,
    })?;
    let (sha256, list_sha256) = network.at_places(&what, list_url, |place| {
        let ask = Ask::new(&what, place, LONGEST_LIST);
        let answer = network.get(&ask)?;
        vouched(&ask, &answer)?;
        let digest = sums::lookup(&answer.bytes, file)
            .and_then(|digest| digest.ok_or_else(|| format!("it does not name {file}")))
            .map_err(|why| ask.refused(Refusal::Malformed(why)))?;
        Ok((digest, Digest::of(&answer.bytes)))
    })?;
    let size = size_of(network, &what, &url)?;
    Ok(Listed {
        url,
        sha256,
        size,
        list_sha256,
    })
}

/// How long the file at `url` is, in bytes, by the word of its server. `what` is for messages.
///
/// # Errors
///
/// [`ResolveError`] where it does not answer, or does not say.
pub fn size_of(network: &Network<'_>, what: &str, url: &str) -> Result<u64, ResolveError> {
    network.at_places(what, url, |place| size(network, what, place))
}

fn beside(list_url: &str, file: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '/' | '\\' | '?' | '#' | '%');
    if file.is_empty() || file.starts_with('.') || !file.chars().all(plain) {
        return Err(format!("{file:?} is no name of a file"));
    }
    let list = Source::parse(list_url).map_err(|error| error.to_string())?;
    Ok(list.beside(file).as_str().to_owned())
}

/// How long a file is: by HEAD, or where that is not allowed by asking for one byte
/// (RFC 9110, sections 9.3.2 and 14.4).
fn size(network: &Network<'_>, what: &str, url: &str) -> Result<u64, ResolveError> {
    let ask = Ask {
        method: Method::Head,
        ..Ask::new(what, url, 0)
    };
    let answer = network.ask(&ask)?;
    match (answer.status, answer.length) {
        (StatusCode::OK, Some(length)) => Ok(length),
        (StatusCode::OK | StatusCode::FORBIDDEN | StatusCode::METHOD_NOT_ALLOWED, _) => {
            size_by_range(network, what, url)
        }
        (other, _) => Err(ask.no_answer(refused(other))),
    }
}

fn size_by_range(network: &Network<'_>, what: &str, url: &str) -> Result<u64, ResolveError> {
    let ask = Ask {
        range: Some("bytes=0-0"),
        ..Ask::new(what, url, 0)
    };
    let answer = network.ask(&ask)?;
    let whole = answer
        .headers
        .get("content-range")
        .and_then(|value| value.to_str().ok()?.rsplit_once('/')?.1.parse().ok());
    match (answer.status, whole) {
        (StatusCode::PARTIAL_CONTENT, Some(whole)) => Ok(whole),
        (StatusCode::OK | StatusCode::PARTIAL_CONTENT, _) => Err(ask.no_answer(Cause::Lied(
            "it does not say how long the file is".to_owned(),
        ))),
        (other, _) => Err(ask.no_answer(refused(other))),
    }
}
