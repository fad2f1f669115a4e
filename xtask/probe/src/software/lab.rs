//! What the lab on the machine says of itself.

use std::collections::BTreeMap;
use std::time::Duration;

use lab_facts::UnitStatus;

use crate::program::Program;
use crate::root::{Root, SMALL, short};
use crate::system::assignments;

/// `/etc/lab/release`.
pub(crate) fn release(root: &Root) -> Result<BTreeMap<String, String>, String> {
    let text = root.text("/etc/lab/release", SMALL)?;
    Ok(assignments(&text).into_iter().collect())
}

/// The cards by name (`/run/lab/gpus`): name, UUID, address.
pub(crate) fn gpus(root: &Root) -> Result<Vec<(String, String, String)>, String> {
    let text = root.text("/run/lab/gpus", SMALL)?;
    text.lines().map(gpu).collect()
}

fn gpu(line: &str) -> Result<(String, String, String), String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    match words[..] {
        [name, uuid, address] => Ok((name.to_owned(), uuid.to_owned(), address.to_owned())),
        _ => Err(format!(
            "/run/lab/gpus has `{}` where name, UUID and address are expected",
            short(line)
        )),
    }
}

/// `lab status --porcelain`; its status says whether all is ready, which the lines do too.
pub(crate) fn status() -> Result<Vec<UnitStatus>, String> {
    let said = Program::new("lab", ["status", "--porcelain"])
        .called("lab status")
        .within(Duration::from_secs(5))
        .run()?;
    parse_status(&said.out).ok_or_else(|| match said.status.success() {
        true => format!("`lab status --porcelain` says `{}`", short(&said.out)),
        false => said.failure("lab status"),
    })
}

/// Six fields a line, and at last `lab` with its state.
pub(crate) fn parse_status(text: &str) -> Option<Vec<UnitStatus>> {
    let units: Option<Vec<_>> = text.lines().map(unit).collect();
    units.filter(|units| units.last().is_some_and(|last| last.unit == "lab"))
}

fn unit(line: &str) -> Option<UnitStatus> {
    let fields: Vec<&str> = line.split('\t').collect();
    let (unit, state, text, way_out) = match fields[..] {
        [unit, state, _since, _try, text, way_out] => (unit, state, text, way_out),
        ["lab", state] => ("lab", state, "", ""),
        _ => return None,
    };
    Some(UnitStatus {
        unit: unit.to_owned(),
        state: state.to_owned(),
        text: text.to_owned(),
        way_out: way_out.to_owned(),
    })
}
