//! The crate against real servers on 127.0.0.1: honest ones, and ones that lie.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "tests end where something cannot be set up"
)]

mod apt;
mod base;
mod hostile;
mod listed;
mod nginx;
mod oci;
mod ollama;
mod process;
mod proxy;
mod server;
mod signature;
mod stamp;
mod store;
mod world;
