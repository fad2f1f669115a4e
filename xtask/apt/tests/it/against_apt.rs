//! The choice against apt's own, over the archive that this machine uses.
//!
//! What this does not prove: apt's choice on a system that is not minimal, or with packages
//! of several architectures.

use std::collections::{BTreeMap, BTreeSet};

use lab_apt::{Chosen, Installed, Pin, Request, Solution, Universe, Unsolvable};
use lab_not_run::not_run;

use crate::apt_root::{self, AptRoot, Fetched, value};
use crate::verify::{Stanza, complaints};

/// Large, odd or needed by a lab; the rest is drawn from the whole index.
const NAMED: &[&str] = &[
    "apache2",
    "build-essential",
    "cups",
    "dkms",
    "docker.io",
    "evince",
    "exim4",
    "firefox-esr",
    "gnome-core",
    "jupyter-notebook",
    "kde-plasma-desktop",
    "libreoffice",
    "linux-image-amd64",
    "mysql-server",
    "network-manager",
    "nginx",
    "nvidia-kernel-dkms",
    "nvtop",
    "openssh-server",
    "postgresql",
    "python3-torch",
    "qemu-system-x86",
    "texlive",
    "ubuntu-drivers-common",
    "unattended-upgrades",
    "xfce4",
    "zfs-dkms",
];

/// How many are compared.
const COUNT: usize = 200;

fn universe(root: &AptRoot) -> Universe<'_> {
    universe_of(root, root.indexes.iter())
}

fn universe_of<'r>(
    root: &'r AptRoot,
    indexes: impl Iterator<Item = &'r (String, Vec<u8>)>,
) -> Universe<'r> {
    let mut universe = Universe::new("amd64");
    for (source, bytes) in indexes {
        universe.add_index(source, &Pin::default(), bytes).unwrap();
    }
    let installed = Installed::from_status(&root.status, "amd64").unwrap();
    assert_eq!(universe.set_installed(&installed), Vec::<&str>::new());
    universe
}

/// The same names for the same index: those that are named and there, and every n-th of the rest.
fn sample(root: &AptRoot) -> Vec<&str> {
    let all: BTreeSet<_> = root
        .stanzas(|_| true)
        .iter()
        .map(|stanza| value(stanza, "Package"))
        .collect();
    let named: Vec<_> = NAMED
        .iter()
        .filter(|name| all.contains(*name))
        .copied()
        .collect();
    let others: Vec<_> = all
        .into_iter()
        .filter(|name| !NAMED.contains(name))
        .collect();
    let step = others.len() / (COUNT - named.len());
    let drawn = others.into_iter().skip(step / 2).step_by(step);
    named.into_iter().chain(drawn).take(COUNT).collect()
}

/// Two at a time: apt reads its cache of 40 MB anew for each.
fn ask_apt<'a>(root: &AptRoot, names: &[&'a str]) -> Vec<(&'a str, Apts)> {
    let run = |names: &[&'a str]| -> Vec<_> {
        let ask = |name: &&'a str| (*name, root.fetches(&[name]));
        names.iter().map(ask).collect()
    };
    let (first, second) = names.split_at(names.len() / 2);
    std::thread::scope(|scope| {
        let other = scope.spawn(|| run(second));
        let mut all = run(first);
        all.extend(other.join().unwrap());
        all
    })
}

type Apts = Result<BTreeMap<String, Fetched>, String>;

/// Where the indexes have each digest.
type Places<'r> = BTreeMap<&'r str, Vec<&'r str>>;

fn places(root: &AptRoot) -> Places<'_> {
    let mut places = Places::new();
    for stanza in root.stanzas(|_| true) {
        let filenames = places.entry(value(stanza, "SHA256")).or_default();
        filenames.push(value(stanza, "Filename"));
    }
    places
}

/// Seen so far: `librust-similar-asserts-dev` needs a name that two packages of equal priority
/// provide. apt takes the one that its cache has last, and that is in the order in which packages
/// were first spoken of; here it is the last name.
#[test]
fn the_choice_is_apts() {
    let root = match apt_root::shared() {
        Ok(root) => root,
        Err(reason) => return not_run("the_choice_is_apts", reason),
    };
    let (universe, places) = (universe(root), places(root));
    let mut differing = Vec::new();
    let (mut equal, mut refused, mut packages) = (0, 0, 0);
    for (name, apts) in ask_apt(root, &sample(root)) {
        let ours = universe.solve(&[Request::newest(name)]);
        match difference(&places, &ours, &apts) {
            None => equal += 1,
            Some(text) => differing.push(format!("{name}: {text}")),
        }
        refused += usize::from(ours.is_err());
        packages += ours.map_or(0, |solution| solution.chosen.len());
    }
    eprintln!(
        "{equal} of {COUNT} equal, {refused} refused; {packages} packages; other: {differing:#?}"
    );
    // The archive moves, and with it what is drawn: a few more ties are no mistake.
    assert!(equal >= COUNT - 5, "{differing:#?}");
}

/// `None` where both choose the same from the same places, or both say that there is no way.
fn difference(
    places: &Places<'_>,
    ours: &Result<Solution, Unsolvable>,
    apts: &Apts,
) -> Option<String> {
    let (ours, apts) = match (ours, apts) {
        (Ok(ours), Ok(apts)) => (ours, apts),
        (Err(_), Err(_)) => return None,
        (Err(error), Ok(apts)) => {
            return Some(format!("ours: {error}; apt: {} packages", apts.len()));
        }
        (Ok(ours), Err(error)) => {
            return Some(format!(
                "ours: {} packages; apt: {error}",
                ours.chosen.len()
            ));
        }
    };
    let same = |chosen: &&Chosen| {
        apts.get(&chosen.name)
            .is_some_and(|fetched| is_same(places, chosen, fetched))
    };
    let (_, only_ours): (Vec<_>, Vec<_>) = ours.chosen.iter().partition(same);
    let names: BTreeSet<_> = ours.chosen.iter().map(|chosen| &chosen.name).collect();
    let only_apts: Vec<_> = apts.keys().filter(|name| !names.contains(name)).collect();
    let only_ours: Vec<_> = only_ours.iter().map(|chosen| &chosen.name).collect();
    let equal = only_ours.is_empty() && only_apts.is_empty();
    (!equal).then(|| format!("only ours {only_ours:?}, only apt's {only_apts:?}"))
}

fn is_same(places: &Places<'_>, chosen: &Chosen, fetched: &Fetched) -> bool {
    let digest = chosen.sha256.map(|byte| format!("{byte:02x}")).concat();
    chosen.version.as_str() == fetched.version
        && chosen.size.to_string() == fetched.size
        && format!("SHA256:{digest}") == fetched.digest
        && (lies_at(&chosen.filename, fetched) || is_listed(places, &digest, fetched))
}

fn lies_at(filename: &str, fetched: &Fetched) -> bool {
    fetched.address.ends_with(&format!("/{filename}"))
}

/// A security update of a point release lies in two archives, under two paths: apt takes the
/// archive that its list has first, the choice here does not hang on such an order.
fn is_listed(places: &Places<'_>, digest: &str, fetched: &Fetched) -> bool {
    let filenames = places.get(digest).into_iter().flatten();
    filenames
        .into_iter()
        .any(|filename| lies_at(filename, fetched))
}

#[test]
fn every_answer_is_valid() {
    let root = match apt_root::shared() {
        Ok(root) => root,
        Err(reason) => return not_run("every_answer_is_valid", reason),
    };
    let universe = universe(root);
    let known = |text: &&str| Stanza::read(text).keyed();
    let stanzas: BTreeMap<_, _> = root.stanzas(|_| true).iter().map(known).collect();
    let status = String::from_utf8(root.status.clone()).unwrap();
    let base = status
        .split("\n\n")
        .filter(|text| !text.is_empty())
        .map(Stanza::read);
    let base: BTreeMap<_, _> = base.map(|stanza| (stanza.name.clone(), stanza)).collect();
    assert_eq!(complaints(&base), Vec::<String>::new());
    let mut checked = 0;
    for name in sample(root) {
        let Ok(solution) = universe.solve(&[Request::newest(name)]) else {
            continue;
        };
        let mut system = base.clone();
        for chosen in solution.chosen {
            let key = (chosen.name.clone(), chosen.version.to_string());
            system.insert(chosen.name, stanzas.get(&key).unwrap().clone());
        }
        assert!(system.contains_key(name), "{name}");
        assert_eq!(complaints(&system), Vec::<String>::new(), "{name}");
        checked += 1;
    }
    eprintln!("{checked} answers are valid");
    assert!(checked > COUNT / 2);
}

#[test]
fn the_order_of_the_indexes_does_not_count() {
    let root = match apt_root::shared() {
        Ok(root) => root,
        Err(reason) => return not_run("the_order_of_the_indexes_does_not_count", reason),
    };
    let (forth, back) = (universe(root), universe_of(root, root.indexes.iter().rev()));
    let together = ["docker.io", "postfix", "exim4"].map(Request::newest);
    assert_eq!(forth.solve(&together), back.solve(&together));
    for name in sample(root).into_iter().step_by(3) {
        let request = [Request::newest(name)];
        assert_eq!(forth.solve(&request), back.solve(&request), "{name}");
    }
}
