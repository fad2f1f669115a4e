//! From requests to a closure: apt's way first ([`crate::walk`]), and where it leads nowhere a
//! complete search ([`crate::provider`]), which finds an answer or proves that there is none.

use resolvo::{Problem, Requirement, Solver, UnsolvableOrCancelled};

use crate::explain;
use crate::marks::{Book, Marks};
use crate::provider::Provider;
use crate::solution::Solution;
use crate::universe::{EntryId, GroupId, Universe};
use crate::version::Version;
use crate::walk::Walk;

/// A package that must be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Its name, or a name that exactly one package provides.
    pub name: String,
    /// Exactly this version; `None` for apt's candidate.
    pub version: Option<Version>,
}

impl Request {
    /// The version that apt would take.
    pub fn newest(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            version: None,
        }
    }

    /// Exactly this version, even where an older or newer one is installed.
    pub fn exactly(name: &str, version: Version) -> Self {
        Self {
            name: name.to_owned(),
            version: Some(version),
        }
    }
}

/// Why there is no answer, in words that can be shown as they are.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unsolvable {
    /// No index has a package of the name, and none provides it.
    #[error("no index has a package {name:?}{}", suggestion(near))]
    NoSuchPackage {
        /// As it was asked for.
        name: String,
        /// Names that are much like it.
        near: Vec<String>,
    },
    /// There is no such version of the package.
    #[error(
        "there is no version {version} of {name}; there is {}",
        join(have, "and")
    )]
    NoSuchVersion {
        /// The package.
        name: String,
        /// As it was asked for.
        version: String,
        /// The versions that there are, the preferred one first.
        have: Vec<String>,
    },
    /// Every version of the package has a negative priority or unreadable relations.
    #[error("{name} may not be chosen: {why}")]
    NotEligible {
        /// The package.
        name: String,
        /// What stands against it.
        why: String,
    },
    /// The name is provided by several packages.
    #[error(
        "{name} is not a package but a name that {} provide; ask for one of them",
        join(providers, "and")
    )]
    Virtual {
        /// The name.
        name: String,
        /// What provides it.
        providers: Vec<String>,
    },
    /// The relations allow no answer.
    #[error("{0}")]
    Conflict(String),
    /// The search was given up.
    #[error(
        "the search for packages was given up after {steps} steps; ask for fewer packages at once, or by version"
    )]
    TooHard {
        /// How far it went.
        steps: usize,
    },
}

fn suggestion(near: &[String]) -> String {
    match near {
        [] => String::new(),
        _ => format!("; there is {}", join(near, "and")),
    }
}

/// `a, b and c`.
pub(crate) fn join(words: &[String], last: &str) -> String {
    match words {
        [] => "none".to_owned(),
        [only] => only.clone(),
        [first @ .., end] => format!("{} {last} {end}", first.join(", ")),
    }
}

impl Universe<'_> {
    /// Chooses what must be fetched and installed, so that all requests are met. What is only
    /// recommended is left out.
    ///
    /// # Errors
    ///
    /// Says in a paragraph which request cannot be met, and why.
    pub fn solve(&self, requests: &[Request]) -> Result<Solution, Unsolvable> {
        let mut asked: Vec<EntryId> = Vec::new();
        for request in requests {
            let id = self.asked(request)?;
            if !asked.contains(&id) {
                asked.push(id);
            }
        }
        let book = Book::new(self);
        let mut marks = Marks::installed(&book);
        if self.one_version_each(&asked) && Walk::run(&mut marks, &asked) {
            return Ok(Solution::of(&marks, true));
        }
        let marks = search(&book, requests, &asked)?;
        Ok(Solution::of(&marks, false))
    }

    /// Two versions of one package are for the search to explain.
    fn one_version_each(&self, asked: &[EntryId]) -> bool {
        let mut groups: Vec<_> = asked.iter().map(|id| self.entry(*id).group).collect();
        groups.sort_unstable();
        groups.windows(2).all(|pair| pair.first() != pair.last())
    }

    /// The entry that a request means.
    fn asked(&self, request: &Request) -> Result<EntryId, Unsolvable> {
        let group = self
            .find(&request.name)
            .ok_or_else(|| self.no_such(&request.name))?;
        let has_versions = self
            .groups
            .get(group)
            .is_some_and(|g| !g.versions.is_empty());
        let group = if has_versions {
            group
        } else {
            self.only_provider(&request.name, group)?
        };
        match &request.version {
            None => self
                .candidate(group)
                .ok_or_else(|| self.not_eligible(group)),
            Some(version) => self.exactly(group, version),
        }
    }

    fn exactly(&self, group: GroupId, version: &Version) -> Result<EntryId, Unsolvable> {
        match self.version(group, version.as_str()) {
            Some(id) if self.entry(id).broken.is_none() => Ok(id),
            Some(_) => Err(self.not_eligible(group)),
            None => Err(Unsolvable::NoSuchVersion {
                name: self.name(group).to_owned(),
                version: version.to_string(),
                have: self.versions(group),
            }),
        }
    }

    fn only_provider(&self, name: &str, group: GroupId) -> Result<GroupId, Unsolvable> {
        let providers = self.groups.get(group).map(|group| &group.providers);
        let chosen = |id: &&EntryId| self.candidate(self.entry(**id).group) == Some(**id);
        let candidates = providers.into_iter().flatten().filter(chosen);
        let mut groups: Vec<_> = candidates.map(|id| self.entry(*id).group).collect();
        groups.sort_by_key(|group| self.name(*group));
        groups.dedup();
        match groups.as_slice() {
            [] => Err(self.no_such(name)),
            [only] => Ok(*only),
            several => Err(Unsolvable::Virtual {
                name: name.to_owned(),
                providers: several
                    .iter()
                    .map(|group| self.name(*group).to_owned())
                    .collect(),
            }),
        }
    }

    fn not_eligible(&self, group: GroupId) -> Unsolvable {
        let versions = self
            .groups
            .get(group)
            .map(|group| group.versions.as_slice());
        let broken = versions
            .unwrap_or_default()
            .iter()
            .find_map(|id| self.entry(*id).broken.clone());
        Unsolvable::NotEligible {
            name: self.name(group).to_owned(),
            why: broken.unwrap_or_else(|| "its source has a priority of 0 or less".to_owned()),
        }
    }

    fn no_such(&self, name: &str) -> Unsolvable {
        let packages = self
            .groups
            .iter()
            .filter(|group| !group.versions.is_empty());
        let scored = packages.map(|group| (likeness(group.name, name), group.name));
        let mut near: Vec<_> = scored.filter(|(score, _)| *score > LIKE).collect();
        near.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
        let near = near.into_iter().take(3).map(|(_, name)| name.to_owned());
        Unsolvable::NoSuchPackage {
            name: name.to_owned(),
            near: near.collect(),
        }
    }

    pub(crate) fn name(&self, group: GroupId) -> &str {
        self.groups.get(group).map_or("", |group| group.name)
    }

    pub(crate) fn versions(&self, group: GroupId) -> Vec<String> {
        let versions = self
            .groups
            .get(group)
            .map(|group| group.versions.as_slice());
        let all = versions
            .unwrap_or_default()
            .iter()
            .map(|id| self.entry(*id).package.version.to_owned());
        let mut all: Vec<_> = all.collect();
        all.dedup();
        all
    }
}

/// From here on a name is suggested for another.
const LIKE: f64 = 0.9;

/// How much a name is like the one that was asked for, 1 at most. One that holds it whole, as
/// `default-mysql-server` does `mysql-server`, is like it too, and less so the longer it is.
fn likeness(name: &str, asked: &str) -> f64 {
    let whole = asked.len() > 3 && name.contains(asked);
    let holds = if whole {
        LIKE + 0.1 * asked.len() as f64 / name.len() as f64
    } else {
        0.0
    };
    strsim::jaro_winkler(name, asked).max(holds)
}

/// The complete search.
fn search<'b, 'u, 'a>(
    book: &'b Book<'u, 'a>,
    requests: &[Request],
    asked: &[EntryId],
) -> Result<Marks<'b, 'u, 'a>, Unsolvable> {
    let before = Marks::installed(book);
    let provider = Provider::new(book, &before, asked);
    let exact = |id: &EntryId| {
        requests.iter().any(|request| {
            request.version.is_some() && request.name == book.universe.entry(*id).package.name
        })
    };
    let mut requirements = Vec::new();
    for id in asked {
        requirements.push(Requirement::Union(provider.requested(*id, exact(id))).into());
    }
    for id in before.all() {
        requirements.push(Requirement::Union(provider.kept(id)).into());
    }
    let mut solver = Solver::new(provider);
    match solver.solve(Problem::new().requirements(requirements)) {
        Ok(found) => Ok(keep_needed(book, asked, &found)),
        Err(UnsolvableOrCancelled::Cancelled(_)) => Err(Unsolvable::TooHard {
            steps: solver.provider().steps(),
        }),
        Err(UnsolvableOrCancelled::Unsolvable(conflict)) => {
            Err(Unsolvable::Conflict(explain::conflict(&conflict, &solver)))
        }
    }
}

/// What the search found, without what nothing needs: where it turned back, it can leave
/// something behind.
fn keep_needed<'b, 'u, 'a>(
    book: &'b Book<'u, 'a>,
    asked: &[EntryId],
    found: &[resolvo::SolvableId],
) -> Marks<'b, 'u, 'a> {
    use resolvo::ArenaId as _;
    let mut all = Marks::installed(book);
    for id in found.iter().map(|id| id.to_usize()) {
        if !all.has(id) {
            all.set(id);
        }
    }
    let group = |id: EntryId| book.universe.entry(id).group;
    let mut needed = Marks::installed(book);
    let upgraded = all
        .all()
        .into_iter()
        .filter(|id| needed.of(group(*id)).is_some_and(|old| old != *id));
    let mut open: Vec<EntryId> = upgraded
        .chain(
            found
                .iter()
                .map(|id| id.to_usize())
                .filter(|id| asked.iter().any(|asked| group(*asked) == group(*id))),
        )
        .collect();
    while let Some(id) = open.pop() {
        if !needed.has(id) {
            needed.set(id);
        }
        for term in book.links(id).needs.iter().flatten() {
            open.extend(
                book.matching(term)
                    .filter(|other| all.has(*other) && !needed.has(*other)),
            );
        }
    }
    needed
}
