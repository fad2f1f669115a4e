//! An installer image over HTTP: for BMC virtual media, for iPXE and for UEFI HTTP boot.
//!
//! ```text
//! Site::open(path) → Site ┐
//! Door::new(…)     → Door ┴→ Server::bind → Server → run(until stop)
//! ```
//!
//! The image holds private keys. So a [`Door`] says who may read: nobody but this computer,
//! or peers of networks that were named; and a request must name this server by an address
//! or by a name that was given, so that no web page reaches it through a name of its own.
//!
//! A [`Site`] has a fixed list of names: the image, the files in it that a network boot
//! starts from, and a script. No name of a request is ever a path on a disk.
//!
//! Bytes are read and the file is looked at again before they are sent. An image that
//! changed while it is served ends the connection: no byte of a mixture goes out. That is
//! why `sendfile` is not used, which sends pages that somebody may write to meanwhile.
//!
//! One thread a connection, and everything has a limit: [`Limits`]. HTTP/1.1 as RFC 9110
//! and RFC 9112 have it, without bodies in requests. The crate prints nothing.

mod answer;
mod boot;
mod condition;
mod connection;
mod date;
mod door;
mod host;
mod image;
mod range;
mod record;
mod request;
mod send;
mod server;
mod site;

pub use boot::{Boot, Start};
pub use date::http_date;
pub use door::{Door, Network, NotAllowed};
pub use image::{Image, ImageError};
pub use range::{MAX_RANGES, Refused, Span, spans};
pub use record::Record;
pub use request::{Bad, Method, Request, read_request};
pub use server::{Limits, ServeError, Server};
pub use site::Site;
