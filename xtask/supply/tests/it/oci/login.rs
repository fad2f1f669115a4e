//! Who is let in, and who is told the password (RFC 6750; the distribution project's
//! token authentication).

use std::sync::{Arc, Mutex};

use lab_supply::oci::{Registry, resolve};
use lab_supply::{Network, Refusal};

use super::{Made, OCI_MANIFEST, reference, refusal};
use crate::server::{Server, send};
use crate::world::limits;

const SECRET: &str = "Basic bWU6c2VzYW1l";

/// A registry that wants a token from `realm`, and lets in with "let-me".
fn registry(realm: String) -> Server {
    let made = Made::new("amd64");
    Server::new(move |request, stream| {
        if request.authorization.as_deref() != Some("Bearer let-me") {
            let challenge = format!(
                "Bearer realm=\"{realm}\",service=\"lab registry\",scope=\"repository:other:push,pull\""
            );
            return send(
                stream,
                "401 Unauthorized",
                &[("WWW-Authenticate", &challenge), ("Content-Length", "0")],
                b"",
            );
        }
        let (kind, bytes) = match request.path.contains("/manifests/") {
            true => (OCI_MANIFEST, made.bytes()),
            false => ("application/json", made.config.to_string().into_bytes()),
        };
        let body = if request.method == "HEAD" {
            &[][..]
        } else {
            &bytes
        };
        send(
            stream,
            "200 OK",
            &[
                ("Content-Type", kind),
                ("Content-Length", &bytes.len().to_string()),
            ],
            body,
        );
    })
}

/// A realm that answers with `body`.
fn realm(body: &'static str) -> Server {
    Server::new(move |_, stream| {
        send(
            stream,
            "200 OK",
            &[("Content-Length", &body.len().to_string())],
            body.as_bytes(),
        );
    })
}

#[test]
fn a_token_is_asked_for_once_with_the_registrys_credentials_for_pulling_alone() {
    let realm = realm(r#"{"token":"let-me"}"#);
    let server = registry(realm.url("/token"));
    let asked = reference(&server, ":v1");
    let host = asked.domain().to_owned();
    let hosts = Arc::new(Mutex::new(Vec::new()));
    let kept = hosts.clone();
    let authorization = move |asked: &str| {
        kept.lock().unwrap().push(asked.to_owned());
        (asked == host).then(|| SECRET.to_owned())
    };
    let network = Network::new(limits()).with_credentials(&authorization);
    resolve(&network, &asked).unwrap();
    let seen = realm.requests();
    assert_eq!(seen.len(), 1, "{seen:?}");
    assert_eq!(
        seen[0].path,
        "/token?service=lab%20registry&scope=repository:lab/x:pull"
    );
    assert_eq!(seen[0].authorization.as_deref(), Some(SECRET));
    assert!(
        hosts
            .lock()
            .unwrap()
            .iter()
            .all(|host| host == asked.domain())
    );
    let base = asked.base();
    let registry = Registry::new(&network, "x", &base, asked.repository());
    let blob = registry.blob(lab_supply::Digest::of(b"x")).unwrap();
    assert_eq!(blob.authorization.as_deref(), Some("Bearer let-me"));
    assert!(!format!("{blob:?} {registry:?} {network:?}").contains("let-me"));
}

#[test]
fn nobody_in_particular_gets_a_token_too() {
    let realm = realm(r#"{"access_token":"let-me","expires_in":300}"#);
    let server = registry(realm.url("/token?a=b"));
    resolve(&Network::new(limits()), &reference(&server, ":v1")).unwrap();
    let seen = realm.requests();
    assert!(
        seen[0].path.starts_with("/token?a=b&service=") && seen[0].authorization.is_none(),
        "{seen:?}"
    );
}

#[test]
fn a_realm_without_tls_is_not_asked() {
    let server = registry("http://auth.example.org/token".to_owned());
    let authorization = |_: &str| Some(SECRET.to_owned());
    let network = Network::new(limits()).with_credentials(&authorization);
    let found = refusal(resolve(&network, &reference(&server, ":v1")));
    assert!(
        matches!(&found, Refusal::Denied(why) if why.contains("only https")),
        "{found}"
    );
}

#[test]
fn tokens_that_are_none() {
    for body in [
        "{}",
        "",
        r#"{"token":"a\r\nX-Evil: 1"}"#,
        r#"{"token":"a b"}"#,
        "[]",
        r#"{"token":"wrong"}"#,
    ] {
        let realm = realm(body);
        let server = registry(realm.url("/token"));
        let found = refusal(resolve(&Network::new(limits()), &reference(&server, ":v1")));
        assert!(
            matches!(found, Refusal::Malformed(_) | Refusal::Denied(_)),
            "{body}: {found}"
        );
        assert!(!found.to_string().contains("wrong"), "{found}");
    }
}

/// The realm sends on to another host: the password stays behind.
#[test]
fn a_realm_that_redirects_gets_no_password_there() {
    let last = realm(r#"{"token":"let-me"}"#);
    let location = last.url("/token");
    let first = Server::new(move |_, stream| {
        send(
            stream,
            "302 Found",
            &[("Location", &location), ("Content-Length", "0")],
            b"",
        );
    });
    let server = registry(first.url("/token"));
    let authorization = |_: &str| Some(SECRET.to_owned());
    let network = Network::new(limits()).with_credentials(&authorization);
    resolve(&network, &reference(&server, ":v1")).unwrap();
    assert!(first.requests()[0].authorization.is_some());
    assert!(last.requests()[0].authorization.is_none());
}
