//! The sections of a description, one module each: its keys with their
//! defaults, and the rules over them. Adding a part of the machine adds a module
//! here, a line in [`RULES`](crate::rules::RULES) and a field in
//! [`Description`](crate::Description).

pub mod access;
pub mod dcgan;
pub mod disk;
pub mod docker;
pub mod driver;
pub mod gpu;
pub mod identity;
pub mod jupyter;
pub mod monitoring;
pub mod network;
pub mod ollama;
pub mod toolkit;
pub mod ubuntu;
pub mod updates;
