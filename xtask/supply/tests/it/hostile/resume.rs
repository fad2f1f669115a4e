//! What an honest server and an earlier run leave to do.

use super::{MIB, interrupted, succeeds};
use crate::server::{honest, send};
use crate::world::{World, content};

#[test]
fn an_honest_server_is_asked_once() {
    let (world, bytes) = (World::new(), content(1, 3 * MIB));
    let all = bytes.clone();
    let (received, requests) = succeeds(&world, &bytes, move |request, stream| {
        honest(request, stream, &all, "\"v1\"");
    });
    assert_eq!((received, requests.len()), (3 * MIB as u64, 1));
    assert_eq!(requests[0].from, None);
}

#[test]
fn a_complete_partial_file_needs_no_bytes() {
    let (world, bytes) = (World::new(), content(1, 2 * MIB));
    interrupted(&world, &bytes, MIB);
    let path = world.path("base.iso.partial");
    std::fs::write(path, &bytes).unwrap();
    let (received, requests) = succeeds(&world, &bytes, |_, stream| {
        send(stream, "500 Never asked", &[("Content-Length", "0")], b"");
    });
    assert_eq!((received, requests.len()), (0, 0));
}

#[test]
fn a_spoilt_partial_file_is_fetched_once_more() {
    for len in [MIB, 2 * MIB, 3 * MIB] {
        let (world, bytes) = (World::new(), content(1, 2 * MIB));
        interrupted(&world, &bytes, MIB);
        std::fs::write(world.path("base.iso.partial"), content(9, len)).unwrap();
        let all = bytes.clone();
        succeeds(&world, &bytes, move |request, stream| {
            honest(request, stream, &all, "\"v1\"");
        });
    }
}

#[test]
fn sidecars_that_are_none_cost_only_time() {
    for sidecar in [
        &b""[..],
        b"{",
        b"\xff\xff",
        b"[]",
        b"{\"version\":1}",
        &[b'['; 70000],
    ] {
        let (world, bytes) = (World::new(), content(1, 2 * MIB));
        interrupted(&world, &bytes, MIB);
        std::fs::write(world.path("base.iso.partial.json"), sidecar).unwrap();
        let all = bytes.clone();
        let (received, _) = succeeds(&world, &bytes, move |request, stream| {
            honest(request, stream, &all, "\"v1\"");
        });
        assert_eq!(received, 2 * MIB as u64);
    }
}
