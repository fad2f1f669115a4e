//! Tokens and passwords: to whom they go, and to whom not.

use std::sync::{Arc, Mutex};

use lab_supply::store::{FetchAll, Mirrors, fetch_all};
use lab_supply::{Authorization, Cause, Credentials};

use super::{World, how, wanted, with};
use crate::server::{Request, Server, honest, send};
use crate::world::content;

const CHALLENGE: &str = r#"Bearer realm="https://auth.example.org/token",service="r""#;

/// A registry whose blobs cost `Bearer t1` and are kept at `storage`.
fn registry(storage: &Server) -> Server {
    let storage = storage.url("/blob");
    Server::new(move |request, stream| {
        if request.authorization.as_deref() == Some("Bearer t1") {
            let headers = [("Location", storage.as_str()), ("Content-Length", "0")];
            send(stream, "307 Temporary Redirect", &headers, b"");
        } else {
            let headers = [("WWW-Authenticate", CHALLENGE), ("Content-Length", "0")];
            send(stream, "401 Unauthorized", &headers, b"");
        }
    })
}

fn token(_: &str, challenge: Option<&str>) -> Result<Option<Authorization>, String> {
    assert!(challenge.is_none_or(|challenge| challenge == CHALLENGE));
    Ok(challenge.and_then(|_| Authorization::bearer("t1")))
}

fn authorizations(server: &Server) -> Vec<Option<String>> {
    let requests = server.requests();
    requests
        .into_iter()
        .map(|request: Request| request.authorization)
        .collect()
}

#[test]
fn a_registrys_token_is_not_sent_on_to_where_it_redirects() {
    let (world, bytes) = (World::new(), content(1, 9000));
    let all = bytes.clone();
    let storage = Server::new(move |request, stream| honest(request, stream, &all, "\"v1\""));
    let registry = registry(&storage);
    let one = with(token, wanted("blob", &bytes, &[registry.url("/v2/blob")]));
    world.fetch(&[one]).unwrap();
    assert!(world.holds(&bytes));
    assert_eq!(
        authorizations(&registry),
        [None, Some("Bearer t1".to_owned())]
    );
    assert_eq!(authorizations(&storage), [None]);
}

/// Else a storage host could name a token server of its own choice.
#[test]
fn a_challenge_of_where_it_redirects_is_not_heeded() {
    let (world, bytes) = (World::new(), content(1, 9000));
    let storage = Server::new(|_, stream| {
        let headers = [
            ("WWW-Authenticate", "Bearer realm=\"http://evil/\""),
            ("Content-Length", "0"),
        ];
        send(stream, "401 Unauthorized", &headers, b"");
    });
    let registry = registry(&storage);
    let one = with(token, wanted("blob", &bytes, &[registry.url("/v2/blob")]));
    let cause = world.cause(one);
    assert!(matches!(cause, Cause::Unauthorized(_)), "{cause}");
    assert_eq!(authorizations(&storage), [None]);
}

#[test]
fn a_token_that_cannot_be_had_is_said_and_a_mirror_never_gets_one() {
    let (world, bytes) = (World::new(), content(1, 9000));
    let storage = Server::new(|_, _| ());
    let (registry, mirror) = (registry(&storage), registry(&storage));
    let none = |_: &str, challenge: Option<&str>| match challenge {
        None => Ok(Authorization::bearer("t0")),
        Some(_) => Err("no token from http://me:s3cret@auth/".to_owned()),
    };
    let mirrors = Mirrors::new(vec![(registry.url(""), mirror.url(""))], false);
    let how = FetchAll { mirrors, ..how() };
    let one = with(none, wanted("blob", &bytes, &[registry.url("/v2/blob")]));
    let failed = fetch_all(&world.store, &[one], &how, &|_| {}).unwrap_err();
    let text = failed.to_string();
    assert!(
        text.contains("no token from") && !text.contains("s3cret"),
        "{text}"
    );
    assert_eq!(authorizations(&mirror), [None]);
    assert_eq!(authorizations(&registry), [Some("Bearer t0".to_owned())]);
}

/// What the environment has for a host, with the hosts that were asked for.
fn credentials(of: &Server) -> (Credentials, Arc<Mutex<Vec<String>>>) {
    let host = of.url("").trim_start_matches("http://").to_owned();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = asked.clone();
    let found = Credentials::new(move |asked: &str| {
        seen.lock().unwrap().push(asked.to_owned());
        (asked == host).then(|| "me:s3cret".to_owned())
    });
    (found, asked)
}

#[test]
fn a_hosts_password_goes_to_that_host_alone() {
    let (world, bytes) = (World::new(), content(1, 9000));
    let all = bytes.clone();
    let other = Server::new(move |request, stream| honest(request, stream, &all, "\"v1\""));
    let away = other.url("/moved");
    let private = Server::new(move |request, stream| {
        let known = request.authorization.as_deref() == Some("Basic bWU6czNjcmV0");
        let status = if known { "302 Found" } else { "403 Forbidden" };
        let headers = [("Location", away.as_str()), ("Content-Length", "0")];
        send(stream, status, &headers, b"");
    });
    let (credentials, _) = credentials(&private);
    let how = FetchAll {
        credentials,
        ..how()
    };
    assert!(!format!("{how:?}").contains("s3cret"));
    let urls = [private.url("/x")];
    let cause = world.cause(wanted("a", &bytes, &urls));
    let Cause::Unauthorized(why) = &cause else {
        panic!("{cause}")
    };
    assert!(why.contains("LAB_AUTH_127_0_0_1_"), "{why}");
    fetch_all(&world.store, &[wanted("a", &bytes, &urls)], &how, &|_| {}).unwrap();
    assert_eq!(authorizations(&other), [None]);
}

/// 192.0.2.0/24 is nobody's (RFC 5737): nothing is sent, the look-up alone counts.
#[test]
fn nothing_is_looked_up_for_a_host_that_others_can_listen_to() {
    let (world, bytes) = (World::new(), content(1, 10));
    let unused = Server::new(|_, _| ());
    let (credentials, asked) = credentials(&unused);
    let mut how = FetchAll {
        credentials,
        ..how()
    };
    how.limits.connect = std::time::Duration::from_millis(200);
    let token = |_: &str, _: Option<&str>| -> Result<_, String> { panic!("it was asked") };
    let plain = [wanted("a", &bytes, &["http://192.0.2.1/a".to_owned()])];
    fetch_all(&world.store, &plain, &how, &|_| {}).unwrap_err();
    let blob = [with(
        token,
        wanted("a", &bytes, &["http://192.0.2.1/a".to_owned()]),
    )];
    fetch_all(&world.store, &blob, &how, &|_| {}).unwrap_err();
    assert!(asked.lock().unwrap().is_empty());
    let secret = [wanted("a", &bytes, &["https://192.0.2.1/a".to_owned()])];
    fetch_all(&world.store, &secret, &how, &|_| {}).unwrap_err();
    assert_eq!(*asked.lock().unwrap(), ["192.0.2.1"]);
}
