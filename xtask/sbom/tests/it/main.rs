//! The list, its three forms, and the licences in it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod compare;
mod fixture;
mod forms;
mod inventory;
mod licences;
mod mutated;
mod schemas;
mod why;
