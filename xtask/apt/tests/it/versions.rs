//! The order of versions against dpkg's.

use std::cmp::Ordering;
use std::process::Command;

use lab_apt::Version;
use lab_not_run::not_run;

use crate::random::Random;

/// How many pairs are compared; dpkg is started for each.
const PAIRS: usize = 1500;

fn dpkg(a: &str, operator: &str, b: &str) -> std::io::Result<bool> {
    let status = Command::new("dpkg")
        .args(["--compare-versions", a, operator, b])
        .status()?;
    Ok(status.success())
}

/// Made of few pieces, so that two are often nearly the same.
fn version(random: &mut Random) -> String {
    let pieces = [
        "0", "1", "00", "10", "9", "a", "b", "Z", "~", "~~", ".", "+", "rc", "+b1", "~deb12u1",
    ];
    let mut part = |most| {
        let count = random.below(most);
        (0..count)
            .map(|_| pieces[random.below(pieces.len())])
            .collect::<String>()
    };
    let (upstream, revision) = (part(4), part(3));
    let epoch = ["", "", "0:", "1:"][random.below(4)];
    let dash = if revision.is_empty() { "" } else { "-" };
    format!("{epoch}1{upstream}{dash}{revision}")
}

#[test]
fn the_order_is_dpkgs() {
    if let Err(error) = dpkg("1", "eq", "1") {
        return not_run("the_order_is_dpkgs", &format!("dpkg: {error}"));
    }
    let mut random = Random(7);
    let mut orders = [0; 3];
    for _ in 0..PAIRS {
        let (a, b) = (version(&mut random), version(&mut random));
        let order = a.parse::<Version>().unwrap().cmp(&b.parse().unwrap());
        let (operator, which) = match order {
            Ordering::Less => ("lt", 0),
            Ordering::Equal => ("eq", 1),
            Ordering::Greater => ("gt", 2),
        };
        orders[which] += 1;
        assert!(dpkg(&a, operator, &b).unwrap(), "{a} {operator} {b}");
    }
    assert!(orders.iter().all(|count| *count > 10), "{orders:?}");
}
