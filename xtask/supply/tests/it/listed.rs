//! Files of a release by the release's list of checksums.

use lab_supply::pinned::{Listed, resolve, resolve_signed};
use lab_supply::{Digest, Network, Refusal, ResolveError};

use crate::server::{Request, Server, not_found, send};
use crate::world::{SIGNED_AT, limits, quick_key, signed, signing_key};

const NOW: u64 = SIGNED_AT as u64 + 3600;

const FILE: &str = "ollama-linux-amd64.tar.zst";
const BYTES: &[u8] = b"a large archive";

fn list() -> Vec<u8> {
    format!(
        "{}  ./{FILE}\n{}  ./other\n",
        Digest::of(BYTES),
        Digest::of(b"other")
    )
    .into_bytes()
}

/// A release whose list is `list`; how it answers for the file is `answer`.
fn release(
    list: Vec<u8>,
    answer: impl Fn(&Request, &mut std::net::TcpStream) + Send + Sync + 'static,
) -> Server {
    Server::new(move |request, stream| match request.path.as_str() {
        "/v1/sha256sum.txt" => send(
            stream,
            "200 OK",
            &[("Content-Length", &list.len().to_string())],
            &list,
        ),
        _ => answer(request, stream),
    })
}

fn found(server: &Server, pinned: Option<Digest>) -> Result<Listed, ResolveError> {
    resolve(
        &Network::new(limits()),
        &server.url("/v1/sha256sum.txt"),
        FILE,
        pinned,
    )
}

fn head(_: &Request, stream: &mut std::net::TcpStream) {
    send(stream, "200 OK", &[("Content-Length", "15")], b"");
}

#[test]
fn a_file_is_found_with_its_size() {
    let server = release(list(), head);
    for pinned in [None, Some(Digest::of(&list()))] {
        let listed = found(&server, pinned).unwrap();
        assert_eq!((listed.sha256, listed.size), (Digest::of(BYTES), 15));
        assert_eq!(listed.url, server.url(&format!("/v1/{FILE}")));
        assert_eq!(listed.list_sha256, Digest::of(&list()));
    }
    assert!(
        server
            .requests()
            .iter()
            .skip(1)
            .step_by(2)
            .all(|request| request.method == "HEAD")
    );
}

#[test]
fn a_redirected_file_and_one_that_takes_no_head() {
    let target = Server::new(head);
    let location = target.url("/elsewhere");
    let server = release(list(), move |_, stream| {
        send(
            stream,
            "302 Found",
            &[("Location", &location), ("Content-Length", "0")],
            b"",
        );
    });
    assert_eq!(found(&server, None).unwrap().size, 15);
    let server = release(list(), |request, stream| match request.method.as_str() {
        "HEAD" => send(stream, "405 No", &[("Content-Length", "0")], b""),
        _ => send(
            stream,
            "206 Partial Content",
            &[("Content-Range", "bytes 0-0/15"), ("Content-Length", "1")],
            b"a",
        ),
    });
    assert_eq!(found(&server, None).unwrap().size, 15);
}

#[test]
fn lists_that_do_not_count() {
    let cases = [
        (b"rubbish\n".to_vec(), "does not name"),
        (Vec::new(), "does not name"),
        (
            [
                list(),
                format!("{}  {FILE}\n", Digest::of(b"x")).into_bytes(),
            ]
            .concat(),
            "two digests",
        ),
    ];
    for (list, says) in cases {
        let error = found(&release(list, head), None).unwrap_err();
        assert!(
            matches!(error.refusal(), Some(Refusal::Malformed(why)) if why.contains(says)),
            "{error}"
        );
    }
    let error = found(&release(list(), head), Some(Digest::of(b"x"))).unwrap_err();
    assert!(
        matches!(error.refusal(), Some(Refusal::Digest { .. })),
        "{error}"
    );
    let error = found(&release(list(), |_, stream| not_found(stream)), None).unwrap_err();
    assert!(error.to_string().contains("no such file"), "{error}");
}

#[test]
fn a_signed_list_counts_by_its_signature() {
    let key = quick_key(1);
    let signatures = [signed(&key, &list()), signed(&quick_key(2), &list())];
    let server = release(list(), move |request, stream| match request.path.as_str() {
        "/v1/good.gpg" => send(stream, "200 OK", &[], &signatures[0]),
        "/v1/other.gpg" => send(stream, "200 OK", &[], &signatures[1]),
        path if path.ends_with(FILE) => head(request, stream),
        _ => not_found(stream),
    });
    let find = |signature: &str| {
        let keys = [signing_key(key.public_key())];
        let url = server.url("/v1/sha256sum.txt");
        resolve_signed(&Network::new(limits()), &url, FILE, signature, &keys, NOW)
    };
    assert_eq!(find("good.gpg").unwrap().sha256, Digest::of(BYTES));
    let error = find("other.gpg").unwrap_err();
    assert!(
        matches!(error.refusal(), Some(Refusal::Signature(_))),
        "{error}"
    );
    let error = find("none.gpg").unwrap_err();
    assert!(error.to_string().contains("no such file"), "{error}");
}

#[test]
fn names_that_lead_elsewhere() {
    let server = release(list(), head);
    for name in ["", "../x", "a/b", ".hidden", "a?b", "a b", "a%2fb"] {
        let error = resolve(
            &Network::new(limits()),
            &server.url("/v1/sha256sum.txt"),
            name,
            None,
        )
        .unwrap_err();
        assert!(
            matches!(error, ResolveError::Input { .. }),
            "{name}: {error}"
        );
    }
    assert!(server.requests().is_empty());
}
