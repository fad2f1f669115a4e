//! The server over real sockets: by curl, by clients that are hostile, slow or many, and
//! with an image that changes under it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod changed;
mod curl;
mod hostile;
mod mutations;
mod ranges;
mod slow;
mod world;
