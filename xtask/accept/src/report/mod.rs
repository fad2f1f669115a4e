//! Reports: what came of acceptance, for people and for programs.
//!
//! A [`Report`] holds all that any form of it needs, so that one that was kept can be drawn
//! again ([`from_json`]) without the machine. Its forms: [`text`] for a terminal, [`to_json`]
//! for programs, [`junit`] for a build's server, [`html`] as a page to look at. [`compare`]
//! says what changed between two of them. [`live`] is what is shown while the machine is
//! still being asked.
//!
//! Invariants:
//! - whatever came from the machine is data: no control sequence of it reaches a terminal, no
//!   markup of it a page;
//! - a page needs no network, and its own policy forbids it any;
//! - what is left out for its length is counted and said.

mod chart;
mod compare;
mod comparison_page;
mod draw_up;
mod figures;
mod html;
mod json;
mod junit;
pub mod live;
mod page;
mod plain;
mod text;
mod types;
mod workload;

pub use compare::{Change, Changed, Comparison, Moved, compare, compare_text};
pub use figures::{Better, Figure, figures};
pub use html::{compare_html, html};
pub use json::{LONGEST_REPORT, ReadError, from_json, schema, to_json};
pub use junit::junit;
pub use text::text;
pub use types::{CardGlance, CheckResult, Glance, Outcome, Place, REPORT_FORMAT, Report};
