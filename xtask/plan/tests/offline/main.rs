//! A machine without a network: what its scripts take out of the payload, and what they
//! refuse because it is not what is locked.

#![allow(clippy::unwrap_used)]

mod apt;
mod bench;
#[path = "../common/mod.rs"]
mod common;
mod files;
mod image;
mod kernel;
mod lay_down;
