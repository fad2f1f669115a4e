//! The packages: lists, closure, entries of the lock.

use std::collections::{BTreeMap, BTreeSet};
use std::thread;

use anyhow::{Context as _, Result, anyhow, bail};
use lab_apt::{Chosen, Pin, Request, Solution, Universe};
use lab_lock::{Base, FORMAT, Key, Lock, Package, Repository, Sha256, Wanted, WantedRepository};
use lab_supply::SigningKey;
use lab_supply::repository::{self, Lists};

use crate::documents;
use crate::{InstalledList, Update, World};

/// Pins of packages that a vendor's repository is there for: they win over the system's
/// own archive (apt_preferences(5); 500 is the archive's).
const NAMED: i32 = 600;
/// What else is in a vendor's repository is taken only where nothing else has it.
const REST: i32 = 100;

/// A lock with its packages resolved, or kept.
pub(crate) fn locked(
    world: &World<'_>,
    wanted: &Wanted,
    installed: &InstalledList<'_>,
    old: Option<&Lock>,
    update: &Update,
) -> Result<Lock> {
    let asked_for = wanted.packages_digest();
    if let Some(old) = old {
        let named = old.packages.iter().any(|one| update.has(&one.name));
        let same = old.resolved_for == asked_for && old.base.packages == installed.digest();
        if same && !named {
            return Ok(old.clone());
        }
    }
    let snapshot = snapshot(world, wanted, old, update);
    let keys = Keys::gather(world, wanted)?;
    let sources = read(world, wanted, &keys, snapshot.as_deref())?;
    let solution = solve(world, wanted, installed, &sources, (old, update))?;
    let packages = entries(wanted, &solution);
    let mut lock = Lock {
        format: FORMAT,
        resolved_for: asked_for,
        snapshot: snapshot.filter(|_| sources.iter().any(|one| one.from_snapshot)),
        base: Base {
            release: wanted.base.release.clone(),
            file: wanted.base.file.clone(),
            sha256: wanted.base.sha256,
            packages: installed.digest(),
        },
        repositories: repositories(wanted, &sources),
        keys: keys.locked,
        packages,
        files: Vec::new(),
        models: Vec::new(),
        images: Vec::new(),
    };
    lock.sort();
    Ok(lock)
}

/// The state of the archive to resolve in: the described one, the one that is locked, or
/// that of this hour.
fn snapshot(
    world: &World<'_>,
    wanted: &Wanted,
    old: Option<&Lock>,
    update: &Update,
) -> Option<String> {
    let own = wanted
        .repositories
        .iter()
        .any(|one| one.own && one.snapshot_uri.is_some());
    if !own {
        return None;
    }
    let kept = old
        .filter(|_| *update == Update::Nothing)
        .and_then(|old| old.snapshot.clone());
    Some(
        wanted
            .snapshot
            .clone()
            .or(kept)
            .unwrap_or_else(|| hour(world.now)),
    )
}

/// The hour of a time, as snapshots are named: `YYYYMMDDTHHMMSSZ` (civil-from-days of
/// Howard Hinnant's "chrono-Compatible Low-Level Date Algorithms").
fn hour(seconds: u64) -> String {
    let (days, hour) = (seconds / 86_400, seconds % 86_400 / 3600);
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year:04}{month:02}{day:02}T{hour:02}0000Z")
}

/// The keys that may sign, by repository, and those that the lock names.
struct Keys {
    of: BTreeMap<String, Vec<SigningKey>>,
    locked: Vec<Key>,
}

impl Keys {
    fn gather(world: &World<'_>, wanted: &Wanted) -> Result<Self> {
        let mut keys = Self {
            of: BTreeMap::new(),
            locked: Vec::new(),
        };
        for one in &wanted.repositories {
            let signing = match &one.key {
                Some(key) => {
                    let (locked, packet) = documents::key(world, &one.name, key)?;
                    keys.locked.push(locked);
                    let fingerprint = documents::fingerprint(&key.fingerprint)?;
                    vec![SigningKey {
                        fingerprint,
                        packet,
                    }]
                }
                None => own(world, one)?,
            };
            keys.of.insert(one.name.clone(), signing);
        }
        Ok(keys)
    }
}

fn own(world: &World<'_>, repository: &WantedRepository) -> Result<Vec<SigningKey>> {
    let key = |text: &String| {
        Ok(SigningKey {
            fingerprint: documents::fingerprint(text)?,
            packet: documents::own_key(world, text)?,
        })
    };
    repository.signed_by.iter().map(key).collect()
}

/// A suite of a repository, read.
struct Source<'w> {
    wanted: &'w WantedRepository,
    lists: Lists,
    from_snapshot: bool,
}

/// Reads all suites at once: they come from several servers.
fn read<'w>(
    world: &World<'_>,
    wanted: &'w Wanted,
    keys: &Keys,
    snapshot: Option<&str>,
) -> Result<Vec<Source<'w>>> {
    let suites = wanted
        .repositories
        .iter()
        .flat_map(|one| one.suites.iter().map(move |suite| (one, suite)));
    let read_one = |wanted: &'w WantedRepository, suite: &String| -> Result<Source<'w>> {
        let signing = keys.of.get(&wanted.name).cloned().unwrap_or_default();
        (world.say)(&format!("reads the lists of {} {suite}", wanted.name));
        let from_snapshot = snapshot.is_some() && wanted.snapshot_uri.is_some();
        let asked = repository::Repository {
            name: format!("{} {suite}", wanted.name),
            uri: wanted.uri.clone(),
            suite: suite.clone(),
            components: wanted.components.clone(),
            architecture: "amd64".to_owned(),
            keys: signing,
            snapshot: snapshot.filter(|_| from_snapshot).map(str::to_owned),
            snapshot_uri: wanted.snapshot_uri.clone(),
        };
        let lists = repository::read_lists(world.network, &asked, world.now, None)?;
        Ok(Source {
            wanted,
            lists,
            from_snapshot,
        })
    };
    thread::scope(|scope| {
        let handles: Vec<_> = suites
            .map(|(one, suite)| scope.spawn(move || read_one(one, suite)))
            .collect();
        handles
            .into_iter()
            .map(|handle| {
                handle
                    .join()
                    .map_err(|_| anyhow!("reading a repository's lists went wrong"))?
            })
            .collect()
    })
}

fn repositories(wanted: &Wanted, sources: &[Source<'_>]) -> Vec<Repository> {
    let one = |repository: &WantedRepository| {
        let source = sources
            .iter()
            .find(|one| one.wanted.name == repository.name);
        let past = source
            .filter(|one| one.from_snapshot)
            .map(|one| one.lists.url.clone());
        Repository {
            name: repository.name.clone(),
            uri: repository.uri.trim_end_matches('/').to_owned(),
            snapshot_uri: past.map(|url| url.trim_end_matches('/').to_owned()),
        }
    };
    wanted.repositories.iter().map(one).collect()
}

fn solve(
    world: &World<'_>,
    wanted: &Wanted,
    installed: &InstalledList<'_>,
    sources: &[Source<'_>],
    (old, update): (Option<&Lock>, &Update),
) -> Result<Solution> {
    let mut universe = Universe::new("amd64");
    for source in sources {
        let pin = pin(wanted, source.wanted);
        for list in &source.lists.packages {
            universe
                .add_index(&source.wanted.name, &pin, &list.bytes)
                .with_context(|| format!("reading {} of {}", list.path, source.wanted.name))?;
        }
    }
    universe.set_installed(&installed.read()?);
    let requests = requests(wanted)?;
    let (kept, gone) = split(&universe, kept(&requests, old, update));
    if *update != Update::All && !gone.is_empty() {
        (world.say)(&format!(
            "no longer there in the locked version, and looked up anew: {}",
            gone.join(", ")
        ));
    }
    if !kept.is_empty() {
        // A request for any version would ask for the newest, beside the kept one.
        let loose = |one: &&Request| !kept.iter().any(|other| other.name == one.name);
        let others: Vec<Request> = requests.iter().filter(loose).cloned().collect();
        let with: Vec<Request> = others.into_iter().chain(kept).collect();
        match universe.solve(&with) {
            Ok(solution) => return Ok(solution),
            Err(why) => (world.say)(&format!(
                "what is locked does not fit what is new, so all packages are looked up anew: {why}"
            )),
        }
    }
    universe
        .solve(&requests)
        .map_err(|why| anyhow!("the packages of this machine cannot be installed together: {why}"))
}

/// A vendor's repository gives what is named for it.
fn pin(wanted: &Wanted, repository: &WantedRepository) -> Pin {
    if repository.own {
        return Pin::default();
    }
    let named = wanted
        .packages
        .iter()
        .filter(|one| one.repository.as_deref() == Some(repository.name.as_str()))
        .map(|one| (one.name.clone(), NAMED));
    Pin {
        priority: REST,
        packages: named.collect(),
    }
}

fn requests(wanted: &Wanted) -> Result<Vec<Request>> {
    let mut requests: Vec<Request> = Vec::new();
    let mut sorted: Vec<_> = wanted.packages.iter().collect();
    sorted.sort();
    for one in sorted {
        let version = one.version.as_deref().map(str::parse).transpose();
        let version = version.with_context(|| format!("the version of {}", one.name))?;
        let request = Request {
            name: one.name.clone(),
            version,
        };
        match requests.iter_mut().find(|other| other.name == request.name) {
            Some(other) if other.version.is_none() => *other = request,
            Some(other) if request.version.is_some() && other.version != request.version => {
                bail!("{} is asked for in two versions", one.name)
            }
            Some(_) => {}
            None => requests.push(request),
        }
    }
    Ok(requests)
}

/// What is locked, as requests for the same again, without what shall be looked up anew.
fn kept(requests: &[Request], old: Option<&Lock>, update: &Update) -> Vec<Request> {
    let Some(old) = old else {
        return Vec::new();
    };
    let asked: BTreeSet<&str> = requests
        .iter()
        .filter(|one| one.version.is_some())
        .map(|one| one.name.as_str())
        .collect();
    old.packages
        .iter()
        .filter(|one| !update.has(&one.name) && !asked.contains(one.name.as_str()))
        .filter_map(|one| Some(Request::exactly(&one.name, one.version.parse().ok()?)))
        .collect()
}

/// What can be kept, and in words what no list has in the locked version any more.
fn split(universe: &Universe<'_>, kept: Vec<Request>) -> (Vec<Request>, Vec<String>) {
    let (there, gone): (Vec<Request>, Vec<Request>) =
        kept.into_iter().partition(|one| universe.has(one));
    let words = |one: &Request| match &one.version {
        Some(version) => format!("{} {version}", one.name),
        None => one.name.clone(),
    };
    let gone = gone.iter().map(words).collect();
    (there, gone)
}

/// The lock's entries: what is reached from what the units name. What was kept and nothing
/// needs any more falls away here.
fn entries(wanted: &Wanted, solution: &Solution) -> Vec<Package> {
    let by_name: BTreeMap<&str, &Chosen> = solution
        .chosen
        .iter()
        .map(|one| (one.name.as_str(), one))
        .collect();
    let mut reached = BTreeSet::new();
    let mut rest: Vec<&str> = wanted
        .packages
        .iter()
        .map(|one| one.name.as_str())
        .collect();
    while let Some(name) = rest.pop() {
        if let Some(one) = by_name.get(name)
            && reached.insert(one.name.as_str())
        {
            rest.extend(one.dependencies.iter().map(String::as_str));
        }
    }
    // An installed package that has to move for another is needed by nobody's Depends.
    let moved = solution
        .chosen
        .iter()
        .filter(|one| one.replaces_installed.is_some());
    reached.extend(moved.map(|one| one.name.as_str()));
    let entry = |one: &&Chosen| Package {
        name: one.name.clone(),
        version: one.version.to_string(),
        architecture: one.architecture.clone(),
        repository: one.source.clone(),
        path: one.filename.trim_start_matches("./").to_owned(),
        size: one.size,
        sha256: Sha256(one.sha256),
        needs: one.dependencies.clone(),
    };
    let chosen = solution
        .chosen
        .iter()
        .filter(|one| reached.contains(one.name.as_str()));
    chosen.collect::<Vec<_>>().iter().map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::hour;

    #[test]
    fn an_hour_is_named_as_the_archives_name_it() {
        for (seconds, name) in [
            (0, "19700101T000000Z"),
            (951_782_400, "20000229T000000Z"),
            (1_795_901_045, "20261128T210000Z"),
            (4_107_542_399, "21000228T230000Z"),
        ] {
            let said = std::process::Command::new("date")
                .args(["-u", &format!("-d@{seconds}"), "+%Y%m%dT%H0000Z"])
                .output();
            if let Ok(said) = said {
                assert_eq!(String::from_utf8_lossy(&said.stdout).trim(), hour(seconds));
            }
            assert_eq!(hour(seconds).len(), name.len());
        }
        assert_eq!(hour(951_782_400), "20000229T000000Z");
    }
}
