//! What a registry lets the store in with: the token that its answer asks for, kept until
//! it is asked for another.

use std::sync::{Mutex, PoisonError};

use super::Registry;
use crate::{Authority, Authorization, Credentials, Limits, Network};

/// Has tokens for pulling from one repository of a registry.
#[derive(Debug)]
pub struct Puller {
    /// `https://HOST/v2/NAME`.
    base: String,
    limits: Limits,
    credentials: Credentials,
    token: Mutex<Option<String>>,
}

impl Puller {
    /// For the repository whose API is below `base`, `https://HOST/v2/NAME`.
    pub fn new(base: &str, limits: Limits, credentials: Credentials) -> Self {
        Self {
            base: base.trim_end_matches('/').to_owned(),
            limits,
            credentials,
            token: Mutex::new(None),
        }
    }

    fn fetched(&self, challenge: &str) -> Result<Option<String>, String> {
        let repository = self.base.split_once("/v2/").map_or("", |(_, name)| name);
        let lookup = |host: &str| self.credentials.header(host);
        let network = Network::new(self.limits.clone()).with_credentials(&lookup);
        let registry = Registry::new(&network, "a token", &self.base, repository);
        registry
            .answer_to(challenge)
            .map_err(|error| error.to_string())
    }
}

impl Authority for Puller {
    fn authorization(
        &self,
        _url: &str,
        challenge: Option<&str>,
    ) -> Result<Option<Authorization>, String> {
        let mut token = self.token.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(challenge) = challenge {
            *token = self.fetched(challenge)?;
        }
        let bearer = |value: &String| Authorization::bearer(value.strip_prefix("Bearer ")?);
        Ok(token.as_ref().and_then(bearer))
    }
}
