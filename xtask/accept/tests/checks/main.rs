//! Tests of the checks: a machine on which everything is in order, and what each planted
//! fault turns red, and nothing else.
//!
//! The evidence is made up, in the form that the probe answers in. It does not prove that a
//! probe finds out such facts, nor that real cards have such values.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod book;
mod faults;
mod fixture;
mod good;
mod hostile;
mod select;
mod unknown;
