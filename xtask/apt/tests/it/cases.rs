//! Small worlds, each made for one rule of the choice.

use std::fmt::Write as _;

use lab_apt::{IndexError, Installed, Pin, Request, Solution, Universe, Unsolvable};

/// An index out of lines `name version field=value; …`.
pub(crate) fn index(lines: &[&str]) -> String {
    let mut text = String::new();
    for line in lines {
        let mut words = line.splitn(3, ' ');
        let (name, version) = (words.next().unwrap(), words.next().unwrap());
        writeln!(
            text,
            "Package: {name}\nVersion: {version}\nArchitecture: amd64"
        )
        .unwrap();
        for field in words
            .next()
            .unwrap_or_default()
            .split("; ")
            .filter(|field| !field.is_empty())
        {
            writeln!(text, "{}", field.replacen('=', ": ", 1)).unwrap();
        }
        let digest = "1".repeat(64);
        writeln!(
            text,
            "Filename: pool/{name}_{version}.deb\nSize: 1\nSHA256: {digest}\n"
        )
        .unwrap();
    }
    text
}

fn solve(lines: &[&str], installed: &str, requests: &[Request]) -> Result<Solution, Unsolvable> {
    let text = index(lines);
    let mut universe = Universe::new("amd64");
    universe
        .add_index("test", &Pin::default(), text.as_bytes())
        .unwrap();
    let manifest = Installed::from_manifest(installed.as_bytes(), "amd64").unwrap();
    universe.set_installed(&manifest);
    universe.solve(requests)
}

fn names(solution: &Solution) -> Vec<String> {
    let shown = solution
        .chosen
        .iter()
        .map(|chosen| format!("{}={}", chosen.name, chosen.version));
    shown.collect()
}

fn newest(lines: &[&str], installed: &str, name: &str) -> Result<Solution, Unsolvable> {
    solve(lines, installed, &[Request::newest(name)])
}

fn chosen(lines: &[&str], installed: &str, name: &str) -> Vec<String> {
    names(&newest(lines, installed, name).unwrap())
}

fn refusal(lines: &[&str], installed: &str, requests: &[Request]) -> String {
    solve(lines, installed, requests).unwrap_err().to_string()
}

#[test]
fn the_first_alternative_that_can_be_had_is_taken() {
    assert_eq!(
        chosen(&["a 1 Depends=b | c", "b 1", "c 1"], "", "a"),
        ["a=1", "b=1"]
    );
    assert_eq!(
        chosen(&["a 1 Depends=b | c", "c 1"], "", "a"),
        ["a=1", "c=1"]
    );
    assert_eq!(
        chosen(&["a 1 Depends=b | c", "b 1 Depends=x", "c 1"], "", "a"),
        ["a=1", "c=1"]
    );
    assert_eq!(
        chosen(&["a 1 Depends=b | c", "b 1", "c 1"], "c\t1\n", "a"),
        ["a=1"]
    );
    assert_eq!(
        chosen(&["a 1 Depends=b | c (>= 2)", "b 1", "c 2"], "c\t1\n", "a"),
        ["a=1", "c=2"]
    );
}

#[test]
fn a_package_of_the_name_goes_before_one_that_provides_it() {
    let lines = ["a 1 Depends=b", "b 1", "c 1 Provides=b; Priority=required"];
    assert_eq!(chosen(&lines, "", "a"), ["a=1", "b=1"]);
    let lines = [
        "a 1 Depends=v",
        "b 1 Provides=v; Priority=extra",
        "c 1 Provides=v",
    ];
    assert_eq!(chosen(&lines, "", "a"), ["a=1", "c=1"]);
    let lines = [
        "a 1 Depends=v (>= 2)",
        "b 1 Provides=v",
        "c 1 Provides=v (= 2)",
        "d 3 Provides=v (= 1)",
    ];
    assert_eq!(chosen(&lines, "", "a"), ["a=1", "c=1"]);
}

#[test]
fn a_name_that_only_one_package_provides_can_be_asked_for() {
    assert_eq!(chosen(&["a 1 Provides=v"], "", "v"), ["a=1"]);
    let error = newest(&["a 1 Provides=v", "b 1 Provides=v"], "", "v").unwrap_err();
    assert_eq!(
        error.to_string(),
        "v is not a package but a name that a and b provide; ask for one of them"
    );
}

#[test]
fn qualifiers_of_architecture_are_kept() {
    let lines = ["a 1 Depends=p:any", "p 1 Multi-Arch=allowed"];
    assert_eq!(chosen(&lines, "", "a"), ["a=1", "p=1"]);
    assert!(newest(&["a 1 Depends=p:any", "p 1"], "", "a").is_err());
    assert!(newest(&["a 1 Depends=p:i386", "p 1"], "", "a").is_err());
    assert_eq!(
        chosen(&["a 1 Depends=p:amd64, q:native", "p 1", "q 1"], "", "a").len(),
        3
    );
}

#[test]
fn what_is_installed_is_upgraded_only_when_it_must() {
    let lines = ["a 1 Depends=b", "b 2"];
    assert_eq!(chosen(&lines, "b\t1\n", "a"), ["a=1"]);
    let lines = ["a 1 Depends=b (>= 2)", "b 2", "c 1 Depends=b (<< 2)", "c 2"];
    let solution = newest(&lines, "b\t1\nc\t1\n", "a").unwrap();
    assert_eq!(names(&solution), ["a=1", "b=2", "c=2"]);
    assert_eq!(
        solution.chosen[1]
            .replaces_installed
            .as_ref()
            .unwrap()
            .as_str(),
        "1"
    );
    assert_eq!(solution.chosen[0].dependencies, ["b"]);
    let lines = ["a 1 Breaks=b (<< 2)", "b 2"];
    assert_eq!(chosen(&lines, "b\t1\n", "a"), ["a=1", "b=2"]);
    let lines = ["a 2 Source=s", "b 2 Source=s", "c 1 Depends=a (>= 2)"];
    assert_eq!(chosen(&lines, "a\t1\nb\t1\n", "c"), ["a=2", "b=2", "c=1"]);
}

#[test]
fn only_a_request_makes_something_older() {
    let lines = ["b 1", "b 2", "a 1 Depends=b (<< 2)"];
    assert!(newest(&lines, "b\t2\n", "a").is_err());
    let older = Request::exactly("b", "1".parse().unwrap());
    assert_eq!(names(&solve(&lines, "b\t2\n", &[older]).unwrap()), ["b=1"]);
    assert_eq!(chosen(&lines, "b\t3\n", "b"), Vec::<String>::new());
}

#[test]
fn where_apts_way_ends_the_search_goes_on() {
    // apt takes b, and then cannot have c.
    let lines = ["a 1 Depends=b | d, c", "b 1", "c 1 Conflicts=b", "d 1"];
    let solution = newest(&lines, "", "a").unwrap();
    assert_eq!(names(&solution), ["a=1", "c=1", "d=1"]);
    assert!(!solution.as_apt);
    // Only the older version of c goes with b.
    let lines = ["a 1 Depends=b, c", "b 1 Breaks=c (>= 2)", "c 1", "c 2"];
    assert_eq!(chosen(&lines, "", "a"), ["a=1", "b=1", "c=1"]);
}

#[test]
fn a_refusal_names_what_there_is() {
    assert_eq!(
        refusal(&["docker.io 1"], "", &[Request::newest("docker.oi")]),
        "no index has a package \"docker.oi\"; there is docker.io"
    );
    let request = Request::exactly("a", "3".parse().unwrap());
    assert_eq!(
        refusal(&["a 1", "a 2"], "", &[request]),
        "there is no version 3 of a; there is 2 and 1"
    );
}

#[test]
fn a_refusal_tells_the_chain() {
    let lines = ["a 1 Depends=b", "b 1 Depends=c (>= 2)", "c 1"];
    assert_eq!(
        refusal(&lines, "", &[Request::newest("a")]),
        "a 1 needs b; b 1 needs c (>= 2), and there is only c 1"
    );
    let lines = ["a 1 Depends=b", "b 1 Conflicts=c", "c 1"];
    assert_eq!(
        refusal(&lines, "c\t1\n", &[Request::newest("a")]),
        "a 1 needs b; b 1 conflicts with c 1, but c 1 is installed and stays"
    );
    let requests = [Request::newest("a"), Request::newest("c")];
    assert_eq!(
        refusal(&lines, "", &requests),
        "a 1 needs b; b 1 conflicts with c 1, but c 1 is asked for"
    );
    let two = [
        Request::exactly("a", "1".parse().unwrap()),
        Request::exactly("a", "2".parse().unwrap()),
    ];
    assert_eq!(
        refusal(&["a 1", "a 2"], "", &two),
        "a 1 is asked for, but a 2 is asked for, and there can be only one of them"
    );
}

#[test]
fn pins_choose_the_source() {
    let (debian, vendor) = (index(&["a 1", "b 1"]), index(&["a 2", "b 2", "c 2"]));
    let choose = |vendor_first: bool, name: &str| {
        let mut universe = Universe::new("amd64");
        let pin = Pin::only(["a"]);
        let vendors = ("vendor", &pin, vendor.as_bytes());
        let debians = ("debian", &Pin::default(), debian.as_bytes());
        let order = if vendor_first {
            [vendors, debians]
        } else {
            [debians, vendors]
        };
        for (source, pin, bytes) in order {
            universe.add_index(source, pin, bytes).unwrap();
        }
        names(&universe.solve(&[Request::newest(name)]).unwrap())
    };
    for vendor_first in [false, true] {
        assert_eq!(choose(vendor_first, "a"), ["a=2"]);
        assert_eq!(choose(vendor_first, "b"), ["b=1"]);
        assert_eq!(choose(vendor_first, "c"), ["c=2"]);
    }
}

#[test]
fn an_index_after_what_is_installed_is_refused() {
    let mut universe = Universe::new("amd64");
    assert_eq!(
        universe.set_installed(&Installed::from_manifest(b"a\t1\n", "amd64").unwrap()),
        ["a"]
    );
    assert_eq!(
        universe.add_index("late", &Pin::default(), b""),
        Err(IndexError::Late)
    );
}

#[test]
fn what_was_broken_before_is_no_reason() {
    // b is there without c: that may stay so, but not be made worse.
    let lines = [
        "a 1 Depends=b",
        "b 1 Depends=c, d",
        "d 1",
        "e 1 Conflicts=d",
    ];
    assert_eq!(chosen(&lines, "b\t1\nd\t1\n", "a"), ["a=1"]);
    assert!(newest(&lines, "b\t1\nd\t1\n", "e").is_err());
}

#[test]
fn equal_priorities_give_the_same_in_any_order() {
    // Each has a part of the choice: alternatives, providers, upgrades, a conflict to turn back at.
    let indexes = [
        index(&["a 1 Depends=v, w, b | d, c", "b 1", "x 1 Provides=v", "i 2"]),
        index(&[
            "c 1 Conflicts=b; Breaks=i (<< 2)",
            "y 1 Provides=v, w",
            "j 2 Source=i",
        ]),
        index(&[
            "d 1",
            "z 1 Provides=w",
            "c 1 Conflicts=b; Breaks=i (<< 2)",
            "b 1",
        ]),
    ];
    let solve = |order: [usize; 3]| {
        let mut universe = Universe::new("amd64");
        for at in order {
            let source = format!("source {at}");
            universe
                .add_index(&source, &Pin::default(), indexes[at].as_bytes())
                .unwrap();
        }
        universe.set_installed(&Installed::from_manifest(b"i\t1\nj\t1\n", "amd64").unwrap());
        universe.solve(&[Request::newest("a")]).unwrap()
    };
    let first = solve([0, 1, 2]);
    assert_eq!(names(&first), ["a=1", "c=1", "d=1", "i=2", "y=1"]);
    for order in [[0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        assert_eq!(solve(order), first, "{order:?}");
    }
}
