//! Where everything of a new image goes: planned whole before a byte is
//! written.

mod checksums;
mod emit;
mod graft;
mod names;
mod plan;
mod point;
mod record;

pub(crate) use checksums::{CHECKSUMS, Checksums};
pub(crate) use names::{joliet_text, plain_name};
pub(crate) use plan::{LARGE, Part, Piece, Plan};
