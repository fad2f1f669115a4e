//! Reports in all their forms, of the made-up Z440 and of what no machine should say.

#![allow(clippy::unwrap_used)]

#[path = "../common/mod.rs"]
mod common;

mod compared;
mod drawn_up;
mod hostile;
mod json;
mod junit;
mod live;
mod text;
