//! Who is let in where: the `Authorization` header (RFC 9110, section 11.6.2), from
//! what the environment has for a host, or from a registry's token exchange.
//!
//! Nothing here is shown by `Debug` or in an error. It is sent to the host it is for,
//! over TLS or within this machine, and not on to where that host redirects.

use std::fmt;
use std::sync::Arc;

use crate::http::base64;

/// The value of an `Authorization` header.
#[derive(Clone, PartialEq, Eq)]
pub struct Authorization(String);

impl Authorization {
    /// A bearer token (RFC 6750, section 2.1). `None` for what cannot stand in a header.
    pub fn bearer(token: &str) -> Option<Self> {
        let plain = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
        plain.then(|| Self(format!("Bearer {token}")))
    }

    /// `user:password` (RFC 7617, section 2).
    pub fn basic(credentials: &[u8]) -> Self {
        Self(format!("Basic {}", base64(credentials)))
    }

    /// Reads `Bearer TOKEN` or `user:password`. `None` for what is neither.
    pub fn parse(text: &str) -> Option<Self> {
        match text.trim().split_once(' ') {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => {
                Self::bearer(token.trim())
            }
            _ if text.contains(':') => Some(Self::basic(text.trim().as_bytes())),
            _ => None,
        }
    }

    /// The header's value, to be sent and not to be shown.
    pub fn header(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Authorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Authorization(***)")
    }
}

/// Has what a registry asks for before it sends a blob.
pub trait Authority: Send + Sync {
    /// What the server of `url` is told. Asked once before the first request, without a
    /// challenge, and again with the value of `WWW-Authenticate` when the server of
    /// `url` itself (not one that it redirects to) answers 401. `None`: nothing.
    ///
    /// # Errors
    ///
    /// Why it cannot be had, for a person to read, without secrets.
    fn authorization(
        &self,
        url: &str,
        challenge: Option<&str>,
    ) -> Result<Option<Authorization>, String>;
}

impl<F> Authority for F
where
    F: Fn(&str, Option<&str>) -> Result<Option<Authorization>, String> + Send + Sync,
{
    fn authorization(
        &self,
        url: &str,
        challenge: Option<&str>,
    ) -> Result<Option<Authorization>, String> {
        self(url, challenge)
    }
}

type Lookup = dyn Fn(&str) -> Option<String> + Send + Sync;

/// What the caller has for a host.
#[derive(Clone)]
pub struct Credentials(Arc<Lookup>);

impl Credentials {
    /// `lookup` gives for `HOST` or `HOST:PORT`, as it stands in the URL in small
    /// letters, `user:password` or `Bearer TOKEN`.
    pub fn new(lookup: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(lookup))
    }

    /// The variable of the environment that holds what a host wants: `LAB_AUTH_` and
    /// the host in capitals, all but letters and digits as `_`.
    pub fn variable(host: &str) -> String {
        let plain = |c: char| {
            if c.is_ascii_alphanumeric() {
                c.to_ascii_uppercase()
            } else {
                '_'
            }
        };
        format!("LAB_AUTH_{}", host.chars().map(plain).collect::<String>())
    }

    /// The value of `Authorization` for a host.
    pub fn header(&self, host: &str) -> Option<String> {
        self.find(host).map(|found| found.header().to_owned())
    }

    pub(crate) fn find(&self, host: &str) -> Option<Authorization> {
        Authorization::parse(&(self.0)(host)?)
    }
}

impl Default for Credentials {
    fn default() -> Self {
        Self::new(|_| None)
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_environment_has_is_read_and_never_shown() {
        let cases = [
            ("user:pass", Some("Basic dXNlcjpwYXNz")),
            ("Bearer abc", Some("Bearer abc")),
            ("bearer  abc ", Some("Bearer abc")),
            ("Bearer a b", None),
            ("nothing", None),
            ("", None),
        ];
        for (text, want) in cases {
            let found = Authorization::parse(text);
            assert_eq!(found.as_ref().map(Authorization::header), want, "{text}");
            assert!(!format!("{found:?}").contains("abc"));
        }
    }

    #[test]
    fn a_hosts_variable() {
        let cases = [
            ("registry.example.org", "LAB_AUTH_REGISTRY_EXAMPLE_ORG"),
            ("127.0.0.1:5000", "LAB_AUTH_127_0_0_1_5000"),
        ];
        for (host, want) in cases {
            assert_eq!(Credentials::variable(host), want);
        }
    }
}
