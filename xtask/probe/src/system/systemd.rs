//! systemd and its units, by `systemctl`.

use std::collections::BTreeMap;

use lab_facts::{Systemd, Unit};

use crate::program::Program;
use crate::root::short;

/// The properties of a unit, which is all that is asked of one.
const PROPERTIES: &str = "--property=Id,Names,LoadState,ActiveState,SubState,UnitFileState,\
                          Result,MainPID,NRestarts";

/// systemd as a whole.
pub(crate) fn whole() -> Result<Systemd, String> {
    let words = ["show", "--property=Version,SystemState"];
    let text = Program::new("systemctl", words)
        .called("systemctl show")
        .text()?;
    let values = properties(&text);
    let value = |name: &str| values.get(name).copied().unwrap_or_default();
    let (version, state) = (value("Version"), value("SystemState"));
    Ok(Systemd {
        state: state.to_owned(),
        failed: failed()?,
        version: version_number(version)
            .ok_or_else(|| format!("systemd says of its version `{}`", short(version)))?,
    })
}

/// The number at the beginning of `255.4-1ubuntu8.8`.
fn version_number(text: &str) -> Option<u32> {
    let end = text.find(|c: char| !c.is_ascii_digit());
    text[..end.unwrap_or(text.len())].parse().ok()
}

fn failed() -> Result<Vec<String>, String> {
    let words = [
        "list-units",
        "--failed",
        "--all",
        "--plain",
        "--no-legend",
        "--no-pager",
        "--full",
    ];
    let text = Program::new("systemctl", words)
        .called("systemctl list-units")
        .text()?;
    let first = |line: &str| line.split_whitespace().next().map(str::to_owned);
    Ok(text.lines().filter_map(first).collect())
}

/// The units that are asked for; a name that is none of a unit is left out.
pub(crate) fn units(names: &[String]) -> Result<BTreeMap<String, Unit>, String> {
    let names: Vec<&String> = names.iter().filter(|name| is_unit_name(name)).collect();
    if names.is_empty() {
        return Ok(BTreeMap::new());
    }
    let words = ["show", PROPERTIES, "--no-pager", "--"].into_iter();
    let program = Program::new(
        "systemctl",
        words.chain(names.iter().map(|name| name.as_str())),
    );
    let text = program.called("systemctl show").text()?;
    Ok(read_units(&text, &names))
}

/// Names of one unit, without the characters that make a pattern of it (systemd.unit(5)).
fn is_unit_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "@:-_.\\".contains(c);
    name.contains('.') && !name.starts_with(['-', '.']) && name.chars().all(plain)
}

/// A block of properties a unit, in the order that they were asked for.
fn read_units(text: &str, names: &[&String]) -> BTreeMap<String, Unit> {
    let blocks: Vec<_> = text
        .split("\n\n")
        .filter(|block| !block.trim().is_empty())
        .map(properties)
        .collect();
    let belongs = |index: usize, name: &str| {
        let by_name = |block: &&BTreeMap<&str, &str>| {
            let names = block.get("Names").or(block.get("Id"));
            names.is_some_and(|names| names.split(' ').any(|one| one == name))
        };
        let in_order = (blocks.len() == names.len())
            .then(|| blocks.get(index))
            .flatten();
        in_order.or_else(|| blocks.iter().find(by_name))
    };
    let unit =
        |(index, name): (usize, &&String)| Some(((*name).clone(), unit(belongs(index, name)?)));
    names.iter().enumerate().filter_map(unit).collect()
}

fn unit(values: &BTreeMap<&str, &str>) -> Unit {
    let text = |name: &str| values.get(name).copied().unwrap_or_default().to_owned();
    let number = |name: &str| {
        values
            .get(name)
            .and_then(|text| text.parse().ok())
            .unwrap_or(0)
    };
    Unit {
        load: text("LoadState"),
        active: text("ActiveState"),
        sub: text("SubState"),
        enabled: text("UnitFileState"),
        result: text("Result"),
        main_pid: number("MainPID"),
        restarts: number("NRestarts"),
    }
}

fn properties(text: &str) -> BTreeMap<&str, &str> {
    text.lines()
        .filter_map(|line| line.split_once('='))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_told_apart_by_their_order_and_by_their_names() {
        let text = "Id=ssh.service\nNames=sshd.service ssh.service\nLoadState=loaded\n\
                    ActiveState=active\nSubState=running\nUnitFileState=enabled\n\
                    Result=success\nMainPID=812\nNRestarts=2\n\n\
                    Id=no.service\nNames=no.service\nLoadState=not-found\nActiveState=inactive\n";
        let (sshd, no) = ("sshd.service".to_owned(), "no.service".to_owned());
        let units = read_units(text, &[&sshd, &no]);
        assert_eq!(units["sshd.service"].main_pid, 812);
        assert_eq!(units["sshd.service"].restarts, 2);
        assert_eq!(units["no.service"].load, "not-found");
        assert_eq!(units["no.service"].enabled, "");
        // One block is missing: what is left is found by its names.
        let other = "x.service".to_owned();
        let units = read_units(text, &[&other, &no, &sshd]);
        assert_eq!(
            units.keys().collect::<Vec<_>>(),
            ["no.service", "sshd.service"]
        );
    }

    #[test]
    fn what_is_no_unit_is_not_asked_for() {
        assert!(is_unit_name("lab-driver.service") && is_unit_name("a@b-c\\x2d.socket"));
        for name in ["--help.service", "ssh", "*.service", "a b.service", ""] {
            assert!(!is_unit_name(name), "{name}");
        }
    }

    #[test]
    fn the_version_is_a_number() {
        assert_eq!(version_number("255.4-1ubuntu8.8"), Some(255));
        assert_eq!(version_number("252"), Some(252));
        assert_eq!(version_number("v1"), None);
    }
}
