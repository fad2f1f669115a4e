//! Broken input: every reader, and the choice over what it lets through, comes to an end
//! without a panic. The input is real metadata with bytes changed, cut, doubled and swapped by
//! a generator that gives the same every time.

use lab_apt::{Installed, Packages, Pin, Relations, Release, Request, Universe};

use crate::random::Random;

const PACKAGES: &[u8] = include_bytes!("data/Packages");
const STATUS: &[u8] = include_bytes!("data/status");
const RELEASE: &[u8] = include_bytes!("data/Release");
const MANIFEST: &[u8] =
    b"adduser\t3.137\nlibc6:amd64\t2.36-9\nsnap:lxd\t5\nsystemd\t252.39-1~deb12u1\n";

/// What the formats are made of, so that a change is likely to mean something.
const PIECES: &[&[u8]] = &[
    b"\n",
    b"\n\n",
    b" ",
    b":",
    b"|",
    b",",
    b"(",
    b")",
    b"(>= ",
    b"(= 0)",
    b"~",
    b"-",
    b"..",
    b"/",
    b"\t",
    b"\0",
    b"\xff",
    b"\xc3\xa9",
    b":any",
    b"99999999999999999999",
    b"Package: libc6\n",
    b"Provides: libc6\n",
    b"Depends: docker.io\n",
    b"Conflicts: python3\n",
    b"Version: 1\n",
];

fn mutated(original: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = original.to_vec();
    for _ in 0..=random.below(4) {
        let at = random.below(bytes.len().max(1)).min(bytes.len());
        let end = (at + random.below(60)).min(bytes.len());
        match random.below(5) {
            0 => drop(bytes.drain(at..end)),
            1 => bytes.truncate(at),
            2 => {
                let piece = bytes[at..end].to_vec();
                let to = random.below(bytes.len().max(1)).min(bytes.len());
                bytes.splice(to..to, piece);
            }
            3 => drop(bytes.splice(
                at..end.min(at + 3),
                PIECES[random.below(PIECES.len())].iter().copied(),
            )),
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << random.below(8);
                }
            }
        }
    }
    bytes
}

/// Reads and chooses; says whether the index was accepted.
fn choose(index: &[u8], status: &[u8]) -> bool {
    let mut universe = Universe::new("amd64");
    if universe
        .add_index("broken", &Pin::default(), index)
        .is_err()
    {
        return false;
    }
    if let Ok(installed) = Installed::from_status(status, "amd64") {
        universe.set_installed(&installed);
    }
    for name in [
        "docker.io",
        "exim4-daemon-light",
        "systemd",
        "debconf",
        "awk",
    ] {
        if let Err(error) = universe.solve(&[Request::newest(name), Request::newest("python3")]) {
            assert!(
                error.to_string().len() < 4000,
                "a paragraph, not a dump: {error}"
            );
        }
    }
    true
}

#[test]
fn broken_indexes_and_status_files() {
    let mut random = Random(1);
    let mut accepted = 0;
    for _ in 0..3000 {
        let index = mutated(PACKAGES, &mut random);
        accepted += usize::from(choose(&index, &mutated(STATUS, &mut random)));
    }
    assert!((100..2900).contains(&accepted), "{accepted}");
    assert!(choose(PACKAGES, STATUS));
}

#[test]
fn broken_releases_and_manifests() {
    let mut random = Random(2);
    assert_eq!(Release::parse(RELEASE).unwrap().files.len(), 39);
    let mut accepted = 0;
    for _ in 0..5000 {
        accepted += usize::from(Release::parse(&mutated(RELEASE, &mut random)).is_ok());
        let _ = Installed::from_manifest(&mutated(MANIFEST, &mut random), "amd64");
    }
    assert!((100..4900).contains(&accepted), "{accepted}");
}

#[test]
fn broken_relations() {
    let mut random = Random(3);
    let packages = Packages::of_index(PACKAGES).unwrap().map(Result::unwrap);
    let values: Vec<_> = packages
        .flat_map(|package| [package.depends, package.conflicts, package.provides])
        .collect();
    for _ in 0..20_000 {
        let value = values[random.below(values.len())];
        let bytes = mutated(value.as_bytes(), &mut random);
        let text = String::from_utf8_lossy(&bytes);
        let Ok(relations) = Relations::parse(&text) else {
            continue;
        };
        let shown: Vec<_> = relations
            .0
            .iter()
            .flatten()
            .map(ToString::to_string)
            .collect();
        assert!(Relations::parse(&shown.join(",")).is_ok(), "{text}");
    }
}

/// Chains, rings and knots that no archive has.
#[test]
fn hostile_worlds_come_to_an_end() {
    let chain: Vec<_> = (0..5000)
        .map(|at| format!("p{at} 1 Depends=p{} | q", at + 1))
        .collect();
    let ring: Vec<_> = (0..200)
        .map(|at| format!("p{at} 1 Depends=p{}", (at + 1) % 200))
        .collect();
    let knot: Vec<_> = (0..12)
        .flat_map(|at| {
            (0..12).map(move |which| {
                format!(
                    "h{at}.{which} 1 Provides=h{at}, s{which}; Conflicts=s{which}; Depends=h{}",
                    at + 1
                )
            })
        })
        .chain(["h12 1 Depends=nothing".to_owned()])
        .collect();
    let nothing = "no index has that";
    for (world, first, end) in [
        (chain, "p0", Some(nothing)),
        (ring, "p0", None),
        (knot, "h0.0", Some(nothing)),
    ] {
        let lines: Vec<_> = world.iter().map(String::as_str).collect();
        let text = crate::cases::index(&lines);
        let mut universe = Universe::new("amd64");
        universe
            .add_index("hostile", &Pin::default(), text.as_bytes())
            .unwrap();
        match (universe.solve(&[Request::newest(first)]), end) {
            (Ok(solution), None) => assert_eq!(solution.chosen.len(), lines.len()),
            (Err(error), Some(end)) => assert!(error.to_string().ends_with(end), "{error}"),
            (told, end) => panic!("expected {end:?}, found {told:?}"),
        }
    }
}
