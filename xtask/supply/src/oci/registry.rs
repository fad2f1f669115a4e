//! Asking a registry (OCI distribution specification 1.1, "pull"; "Token
//! authentication" of the distribution project; RFC 9110, section 11; RFC 6750).

use std::fmt;
use std::sync::{Mutex, PoisonError};

use serde::Deserialize;
use ureq::http::{StatusCode, header};

use crate::Digest;
use crate::http::{Method, refused};
use crate::network::{Answer, Ask, Authorization, Network, authority, is_loopback, trusted_way};
use crate::refusal::{Refusal, ResolveError};

use super::document::{ACCEPT, Descriptor, Document};
use super::{LONGEST_MANIFEST, reference};

/// The longest answer with a token. Docker Hub's have some 5 KiB.
const LONGEST_TOKEN: u64 = 256 << 10;

/// One repository of a registry at one place, and what it lets in with.
pub struct Registry<'a> {
    network: &'a Network<'a>,
    what: &'a str,
    /// `https://HOST/v2/NAME`.
    base: String,
    repository: String,
    /// The value of `Authorization` that the registry last asked for.
    token: Mutex<Option<String>>,
}

/// Where a blob is, and what to send along.
#[derive(Clone, PartialEq, Eq)]
pub struct Blob {
    /// Its URL at the registry, which may redirect to another host.
    pub url: String,
    /// The value of `Authorization` for this URL, and for no host that it redirects to.
    pub authorization: Option<String>,
}

impl fmt::Debug for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let authorization = self.authorization.as_ref().map(|_| "***");
        f.debug_struct("Blob")
            .field("url", &crate::redact(&self.url))
            .field("authorization", &authorization)
            .finish()
    }
}

impl fmt::Debug for Registry<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry")
            .field("base", &crate::redact(&self.base))
            .finish_non_exhaustive()
    }
}

impl<'a> Registry<'a> {
    /// The repository `repository`, whose API is below `base`; `what` is for messages.
    pub fn new(network: &'a Network<'a>, what: &'a str, base: &str, repository: &str) -> Self {
        Self {
            network,
            what,
            base: base.trim_end_matches('/').to_owned(),
            repository: repository.to_owned(),
            token: Mutex::new(None),
        }
    }

    /// Where the blob `digest` is, with an authorization that the registry accepts now.
    /// Tokens end after some minutes: ask before each blob, a good token is kept.
    ///
    /// # Errors
    ///
    /// [`ResolveError`] where the registry does not answer, does not have it, or lets
    /// nobody in.
    pub fn blob(&self, digest: Digest) -> Result<Blob, ResolveError> {
        let url = self.blob_url(digest);
        let ask = Ask {
            method: Method::HeadHere,
            ..Ask::new(self.what, &url, 0)
        };
        self.let_in(&ask)?;
        let token = self.kept();
        Ok(Blob {
            authorization: token.or_else(|| self.network.credentials_for(&url)),
            url,
        })
    }

    /// What answers the challenge with which this registry asks for a login: a token for
    /// pulling. `None` for a challenge of another kind.
    ///
    /// # Errors
    ///
    /// [`ResolveError`] where no token can be had.
    pub fn answer_to(&self, challenge: &str) -> Result<Option<String>, ResolveError> {
        let challenge = Challenge::bearer(challenge);
        challenge
            .map(|challenge| self.token(&challenge))
            .transpose()
    }

    pub(crate) fn manifest_url(&self, selector: &str) -> String {
        format!("{}/manifests/{selector}", self.base)
    }

    pub(crate) fn blob_url(&self, digest: Digest) -> String {
        format!("{}/blobs/sha256:{digest}", self.base)
    }

    /// Fetches the manifest or index that a tag or digest names.
    pub(super) fn manifest(
        &self,
        selector: &str,
        expected: Option<Digest>,
    ) -> Result<Document, ResolveError> {
        let url = self.manifest_url(selector);
        let (bytes, content_type) = self.document(&url, ACCEPT, expected)?;
        Ok(Document {
            digest: Digest::of(&bytes),
            bytes,
            content_type,
        })
    }

    /// Fetches a manifest of any kind; its digest is checked against `expected`, or the
    /// connection must vouch for it. Gives the bytes and the type the server says.
    pub(crate) fn document(
        &self,
        url: &str,
        accept: &str,
        expected: Option<Digest>,
    ) -> Result<(Vec<u8>, String), ResolveError> {
        let ask = Ask {
            accept: Some(accept),
            ..Ask::new(self.what, url, LONGEST_MANIFEST)
        };
        let answer = self.let_in(&ask)?;
        let found = Digest::of(&answer.bytes);
        let announced = answer
            .headers
            .get("docker-content-digest")
            .and_then(|value| reference::sha256(value.to_str().ok()?).ok());
        if expected.is_none() {
            answer.vouched_by_tls(&ask)?;
        }
        match expected.or(announced).filter(|expected| *expected != found) {
            Some(expected) => Err(ask.refused(Refusal::Digest {
                found,
                expected,
                bytes: answer.bytes.len() as u64,
            })),
            None => {
                let content_type = answer.header(header::CONTENT_TYPE).unwrap_or_default();
                let content_type = content_type.split(';').next().unwrap_or_default().trim();
                Ok((answer.bytes.clone(), content_type.to_owned()))
            }
        }
    }

    /// Fetches a blob that is small enough for memory.
    pub(crate) fn small_blob(&self, blob: &Descriptor, most: u64) -> Result<Vec<u8>, ResolveError> {
        let url = self.blob_url(blob.digest);
        let ask = Ask::new(self.what, &url, blob.size);
        if blob.size > most {
            return Err(ask.refused(Refusal::Size {
                found: blob.size,
                expected: most,
            }));
        }
        let answer = self.let_in(&ask)?;
        let (found, bytes) = (Digest::of(&answer.bytes), answer.bytes.len() as u64);
        if found != blob.digest {
            return Err(ask.refused(Refusal::Digest {
                found,
                expected: blob.digest,
                bytes,
            }));
        }
        match bytes == blob.size {
            true => Ok(answer.bytes),
            false => Err(ask.refused(Refusal::Size {
                found: bytes,
                expected: blob.size,
            })),
        }
    }

    /// Asks, and where the registry wants a token, asks again with one.
    fn let_in(&self, ask: &Ask<'_>) -> Result<Answer, ResolveError> {
        let token = self.kept();
        let answer = self.network.ask(&ask.with(token.as_deref()))?;
        if answer.status != StatusCode::UNAUTHORIZED {
            return self.accepted(ask, answer);
        }
        let challenge = answer.header(header::WWW_AUTHENTICATE).unwrap_or_default();
        let Some(challenge) = Challenge::bearer(challenge) else {
            return self.accepted(ask, answer);
        };
        let token = self.token(&challenge)?;
        let answer = self.network.ask(&ask.with(Some(&token)))?;
        *self.lock() = Some(token);
        self.accepted(ask, answer)
    }

    fn kept(&self) -> Option<String> {
        self.lock().clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<String>> {
        self.token.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn accepted(&self, ask: &Ask<'_>, answer: Answer) -> Result<Answer, ResolveError> {
        match answer.status {
            StatusCode::OK => Ok(answer),
            other if other.is_redirection() && ask.method == Method::HeadHere => Ok(answer),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                let why = self.network.denied(ask.url, answer.status);
                Err(ask.refused(Refusal::Denied(format!(
                    "{why}; many registries answer so for a name that does not exist, too"
                ))))
            }
            other => Err(ask.no_answer(refused(other))),
        }
    }

    /// Gets a token for pulling from this repository. The scope is made here: what the
    /// server says could ask for more.
    fn token(&self, challenge: &Challenge) -> Result<String, ResolveError> {
        let url = format!(
            "{}{}service={}&scope={}",
            challenge.realm,
            if challenge.realm.contains('?') {
                '&'
            } else {
                '?'
            },
            encoded(&challenge.service),
            encoded(&format!("repository:{}:pull", self.repository))
        );
        let credentials = self.network.credentials_for(&self.base);
        let ask = Ask::new(self.what, &url, LONGEST_TOKEN);
        let ask = Ask {
            authorization: match credentials.as_deref() {
                Some(value) => Authorization::Header(value),
                None => Authorization::None,
            },
            ..ask
        };
        // A realm on this computer is one for a registry on this computer: else a
        // registry could have any service here asked.
        let local = is_loopback(authority(&url));
        if !trusted_way(&url) || (local && !is_loopback(authority(&self.base))) {
            return Err(ask.refused(Refusal::Denied(format!(
                "{} sends there for a token; only https is accepted",
                authority(&self.base)
            ))));
        }
        let answer = self.accepted(&ask, self.network.ask(&ask)?)?;
        answer.vouched_by_tls(&ask)?;
        let token =
            Token::parse(&answer.bytes).map_err(|why| ask.refused(Refusal::Malformed(why)))?;
        Ok(format!("Bearer {token}"))
    }
}

impl<'a> Ask<'a> {
    /// The same request with a token, if there is one.
    fn with(&self, token: Option<&'a str>) -> Ask<'a> {
        Ask {
            what: self.what,
            url: self.url,
            most: self.most,
            method: self.method,
            accept: self.accept,
            range: self.range,
            authorization: token.map_or(Authorization::Host, Authorization::Header),
        }
    }
}

/// `WWW-Authenticate: Bearer realm="…",service="…",scope="…"`.
#[derive(Debug, PartialEq, Eq)]
struct Challenge {
    realm: String,
    service: String,
}

impl Challenge {
    /// Reads a challenge; `None` for another scheme or a malformed one.
    fn bearer(text: &str) -> Option<Self> {
        let (scheme, mut rest) = text.trim().split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let (mut realm, mut service) = (None, String::new());
        while let Some((name, after)) = rest.split_once("=\"") {
            let (value, after) = after.split_once('"')?;
            match name.trim_matches([',', ' ']).to_ascii_lowercase().as_str() {
                "realm" => realm = Some(value.to_owned()),
                "service" => value.clone_into(&mut service),
                _ => {}
            }
            rest = after;
        }
        let realm = realm.filter(|realm| !realm.contains('#'))?;
        Some(Self { realm, service })
    }
}

#[derive(Deserialize)]
struct Token {
    token: Option<String>,
    access_token: Option<String>,
}

impl Token {
    /// The token, fit for a header (RFC 6750, section 2.1: b64token). Errors do not
    /// repeat the answer, which holds a secret.
    fn parse(bytes: &[u8]) -> Result<String, String> {
        let parsed: Self =
            serde_json::from_slice(bytes).map_err(|_| "it is no answer with a token".to_owned())?;
        let token = parsed
            .token
            .filter(|token| !token.is_empty())
            .or(parsed.access_token);
        token
            .filter(|token| !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic()))
            .ok_or_else(|| "it gives no usable token".to_owned())
    }
}

/// Percent-encoding for a value in a query (RFC 3986, section 2.1).
fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' | b':' => {
                out.push(char::from(byte));
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_are_read() {
        let hub = r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a,b:pull""#;
        assert_eq!(
            Challenge::bearer(hub),
            Some(Challenge {
                realm: "https://auth.docker.io/token".to_owned(),
                service: "registry.docker.io".to_owned()
            })
        );
        assert!(Challenge::bearer(r#"bearer service="x", realm="https://a""#).is_some());
        for text in [
            "",
            "Bearer",
            "Basic realm=\"x\"",
            "Bearer realm=x",
            "Bearer realm=\"x",
            "Bearer service=\"x\"",
        ] {
            assert_eq!(Challenge::bearer(text), None, "{text}");
        }
    }

    #[test]
    fn tokens_are_fit_for_a_header() {
        assert_eq!(
            Token::parse(br#"{"token":"a.b-c"}"#),
            Ok("a.b-c".to_owned())
        );
        assert_eq!(
            Token::parse(br#"{"access_token":"x","expires_in":300}"#),
            Ok("x".to_owned())
        );
        for bytes in [
            &b"{}"[..],
            b"",
            br#"{"token":""}"#,
            br#"{"token":"a\r\nX: y"}"#,
            br#"{"token":5}"#,
        ] {
            assert!(Token::parse(bytes).is_err());
        }
    }
}
