//! Servers that lie, break off and stand still. Each test holds the outcome, what is
//! left on the disk, and that it all ended in bounded time.

mod header;
mod length;
mod range;
mod resume;
mod time;

use std::net::TcpStream;
use std::time::{Duration, Instant};

use lab_supply::{Cause, FetchError, Origin};

use crate::server::{Request, Server, honest_until};
use crate::world::{World, pinned};

pub(super) const MIB: usize = 1 << 20;

/// The longest that anything here may take, retries included.
const BOUND: Duration = Duration::from_secs(8);

/// Fetches from a server that does `answer`, which must fail, and returns the one cause.
pub(super) fn cause(
    world: &World,
    content: &[u8],
    answer: impl Fn(&Request, &mut TcpStream) + Send + Sync + 'static,
) -> Cause {
    let server = Server::of_file(answer);
    let start = Instant::now();
    let url = server.url("/d/base.iso");
    let error = world.fetch_error(&pinned(content, std::slice::from_ref(&url)));
    assert!(start.elapsed() < BOUND, "{:?}", start.elapsed());
    let text = error.to_string();
    assert!(
        text.contains(&url) && text.contains("--base FILE"),
        "{text}"
    );
    let (FetchError::Failed { tried, .. }
    | FetchError::Unreachable { tried, .. }
    | FetchError::NotFound { tried, .. }) = error
    else {
        panic!("{error}");
    };
    tried.into_iter().next_back().unwrap().cause
}

/// Fetches from a server that does `answer`, which must succeed in spite of it.
pub(super) fn succeeds(
    world: &World,
    content: &[u8],
    answer: impl Fn(&Request, &mut TcpStream) + Send + Sync + 'static,
) -> (u64, Vec<Request>) {
    let server = Server::of_file(answer);
    let start = Instant::now();
    let fetched = world.fetch_content(&pinned(content, &[server.url("/d/base.iso")]), content);
    assert!(start.elapsed() < BOUND, "{:?}", start.elapsed());
    let Origin::Downloaded { bytes, .. } = fetched.origin else {
        panic!("{:?}", fetched.origin)
    };
    (bytes, server.requests())
}

/// Leaves `len` right bytes of `content` behind, as an interrupted run does.
pub(super) fn interrupted(world: &World, content: &[u8], len: usize) {
    let all = content.to_vec();
    let found = cause(world, content, move |request, stream| {
        if request.nth == 0 {
            honest_until(request, stream, &all, "\"v1\"", len);
        }
    });
    assert!(
        matches!(found, Cause::Broken(_) | Cause::NoAnswer(_)),
        "{found}"
    );
    assert_eq!(world.partial_len(), Some(len as u64));
}

pub(super) fn lie(cause: &Cause, says: &str) {
    assert!(
        matches!(cause, Cause::Lied(why) if why.contains(says)),
        "{cause}"
    );
}
