//! The page of every check, made from the checks themselves.

use std::fmt::Write as _;

use super::{Group, groups};
use crate::{Check, Effort};

const HEAD: &str = "# Reference of the checks\n\n\
<!-- Made by `cargo xtask generate` from the checks themselves. Do not edit. -->\n\n\
`cargo xtask accept` proves what the description claims; each line here is one check. Where it is about several\n\
things, such as cards, it makes a claim for each, and its name has the thing in brackets: `gpu.bound[gtx1050ti]`.\n\
`--only` and `--skip` take such names, ids and groups, with `*` and `?`. A part that is switched off in the\n\
description is not claimed. What cannot be found out is *not run*, with the reason, and never counts as passed.\n\n\
Checks without a word under *needs* only look. *workloads* need `--workloads`: minutes in which the cards are busy.\n\
*restarts* need `--disruptive`: the machine is started again twice, and Docker in between.\n";

/// The page (Markdown): every check by its group, with what it proves, what it needs, the
/// likely cause where it fails, and what to do.
#[must_use]
pub fn reference() -> String {
    let mut page = String::from(HEAD);
    for group in groups() {
        section(&mut page, group);
    }
    page
}

fn section(page: &mut String, group: &Group) {
    let _ = write!(
        page,
        "\n## `{}`\n\n{}\n\n| check | what it proves | needs | likely cause | what to do |\n| --- | --- | --- | --- | --- |\n",
        group.name, group.about
    );
    for check in group.checks.iter().copied().flatten() {
        row(page, check);
    }
}

fn row(page: &mut String, check: &Check) {
    let effort = match check.effort {
        Effort::Quick => "",
        Effort::Workload => "workloads",
        Effort::Disruptive => "restarts",
    };
    let _ = writeln!(
        page,
        "| `{}` | {} | {effort} | {} | {} {} |",
        check.id,
        cell(check.title),
        cell(check.cause),
        cell(check.remedy),
        link(check.reference)
    );
}

/// Text that does not end the cell that it stands in.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

/// A page of this book as seen from the reference, or a document elsewhere.
fn link(reference: &str) -> String {
    let target = match reference.strip_prefix("docs/src/") {
        Some(page) => match page.strip_prefix("reference/") {
            Some(beside) => beside.to_owned(),
            None => format!("../{page}"),
        },
        None => reference.to_owned(),
    };
    format!("([more]({target}))")
}
