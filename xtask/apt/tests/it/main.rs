//! The crate against Debian's own archive and apt, and against input that is broken.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod against_apt;
mod apt_root;
mod cases;
mod mutations;
mod random;
mod verify;
mod versions;
