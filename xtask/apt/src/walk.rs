//! apt's way to a closure: depth first, the first alternative first, and no way back but to
//! the next alternative.
//!
//! This is `pkgDepCache::MarkInstall` of apt 2.6 to 2.8 (apt-pkg/depcache.cc) without what
//! removes packages. Where the way leads to a state in which every relation holds, it is the
//! answer, because it is what `apt-get install` would do. Where it leads nowhere, the complete
//! search of [`crate::search`] says whether there is another.

use std::cmp::Ordering;
use std::collections::HashMap;

use crate::marks::{Marks, Term};
use crate::universe::{EntryId, GroupId, Universe};

/// How many packages are tried before the walk is given up; the largest desktop takes some
/// thousands, and each that is tried in vain is work lost.
const MOST_STEPS: usize = 20_000;

/// How deep it goes, so that the stack of a thread is enough.
const DEEPEST: usize = 2_000;

/// A walk in progress.
pub(crate) struct Walk<'m, 'b, 'u, 'a> {
    pub marks: &'m mut Marks<'b, 'u, 'a>,
    before: Marks<'b, 'u, 'a>,
    /// What is installed, in the order of the names.
    installed: Vec<EntryId>,
    /// What was asked for by version stands in the place of the candidate.
    asked: HashMap<GroupId, EntryId>,
    steps: usize,
}

impl<'m, 'b, 'u, 'a> Walk<'m, 'b, 'u, 'a> {
    /// From what is installed, `marks`, to `requests`. Says whether all relations hold at the
    /// end.
    pub(crate) fn run(marks: &'m mut Marks<'b, 'u, 'a>, requests: &[EntryId]) -> bool {
        let book = marks.book;
        let group = |id: &EntryId| book.universe.entry(*id).group;
        let before = Marks::installed(book);
        let mut walk = Self {
            marks,
            installed: before.all(),
            before,
            asked: requests.iter().map(|id| (group(id), *id)).collect(),
            steps: 0,
        };
        // As apt does: all requests are there before the first dependency is looked at.
        let there: Vec<_> = requests.iter().map(|id| walk.marks.has(*id)).collect();
        for (id, there) in requests.iter().zip(&there) {
            if !there {
                walk.marks.set(*id);
            }
        }
        let mut missing = requests.iter().zip(&there).filter(|(_, there)| !**there);
        missing.all(|(id, _)| walk.follow(*id, 0)) && walk.marks.holds(&walk.before)
    }

    fn universe(&self) -> &'u Universe<'a> {
        self.marks.book.universe
    }

    fn candidate(&self, group: GroupId) -> Option<EntryId> {
        let asked = self.asked.get(&group).copied();
        asked.or_else(|| self.universe().candidate(group))
    }

    /// Marks `id` and all that it needs; `false`, and nothing is changed, where that fails.
    fn install(&mut self, id: EntryId, depth: usize) -> bool {
        if self.marks.has(id) {
            return true;
        }
        self.steps += 1;
        let group = self.universe().entry(id).group;
        let installed = self
            .universe()
            .groups
            .get(group)
            .and_then(|group| group.installed);
        let is_free = self.marks.of(group) == installed;
        if !is_free || self.steps > MOST_STEPS || depth > DEEPEST || !self.can_be_met(id) {
            return false;
        }
        let place = self.marks.place();
        self.marks.set(id);
        let done = self.follow(id, depth);
        if !done {
            self.marks.go_back(place);
        }
        done
    }

    /// Whether each need of `id` has a candidate at all: apt looks one step ahead.
    fn can_be_met(&self, id: EntryId) -> bool {
        let links = self.marks.book.links(id);
        let met =
            |need: &Vec<Term<'a>>| self.marks.satisfies(need) || !self.solutions(need).is_empty();
        !links.broken && links.needs.iter().all(met)
    }

    /// Makes true what the relations of `id`, just marked, ask for.
    fn follow(&mut self, id: EntryId, depth: usize) -> bool {
        self.upgrade_what_it_hurts(id, depth)
            && self.upgrade_siblings(id, depth)
            && self.meet_needs(id, depth)
    }

    /// Upgrades what is installed and cannot stay as it is beside `id`.
    fn upgrade_what_it_hurts(&mut self, id: EntryId, depth: usize) -> bool {
        let mut hurt = self.marks.conflicts(id);
        if hurt.iter().any(|other| !self.marks.stays(*other)) {
            return false;
        }
        if self.replaces(id) {
            let unmet = |other: &EntryId| !self.marks.unmet(*other, &self.before).is_empty();
            hurt.extend(self.staying().filter(unmet));
        }
        hurt.into_iter().all(|other| self.upgrade(other, depth))
    }

    /// What is installed and not touched so far, in the order of the names.
    fn staying(&self) -> impl Iterator<Item = EntryId> + '_ {
        let installed = self.installed.iter().copied();
        installed.filter(|id| self.marks.has(*id))
    }

    fn replaces(&self, id: EntryId) -> bool {
        self.before.of(self.universe().entry(id).group).is_some()
    }

    fn upgrade(&mut self, installed: EntryId, depth: usize) -> bool {
        if !self.marks.has(installed) {
            return true;
        }
        let candidate = self.candidate(self.universe().entry(installed).group);
        candidate
            .is_some_and(|candidate| candidate != installed && self.install(candidate, depth + 1))
    }

    /// apt's `Upgrade-By-Source-Package`: what is installed of the same source comes along,
    /// where it can.
    fn upgrade_siblings(&mut self, id: EntryId, depth: usize) -> bool {
        let universe = self.universe();
        let source = universe.entry(id).package.source_and_version();
        let is_sibling =
            |other: &EntryId| universe.entry(*other).package.source_and_version().0 == source.0;
        let siblings: Vec<_> = self.staying().filter(is_sibling).collect();
        for other in siblings {
            let candidate = self.candidate(universe.entry(other).group);
            let same = |id: &EntryId| universe.entry(*id).package.source_and_version() == source;
            if let Some(candidate) = candidate.filter(same) {
                self.install(candidate, depth + 1);
            }
        }
        true
    }

    fn meet_needs(&mut self, id: EntryId, depth: usize) -> bool {
        let links = self.marks.book.links(id);
        links.needs.iter().all(|need| {
            self.marks.satisfies(need)
                || self
                    .solutions(need)
                    .into_iter()
                    .any(|id| self.install(id, depth + 1))
        })
    }

    /// The candidates that meet a need, in apt's order: what only needs an upgrade before what
    /// is new, the first alternative first, and within one the better provider first.
    fn solutions(&self, need: &[Term<'a>]) -> Vec<EntryId> {
        solutions(self.universe(), need, |term| {
            let candidates = self.marks.book.matching(term);
            let candidate =
                |id: &EntryId| self.candidate(self.universe().entry(*id).group) == Some(*id);
            candidates.filter(candidate).collect()
        })
    }
}

/// All entries that meet a need, in apt's order; `of` gives those of a term.
pub(crate) fn solutions<'a>(
    universe: &Universe<'a>,
    need: &[Term<'a>],
    of: impl Fn(&Term<'a>) -> Vec<EntryId>,
) -> Vec<EntryId> {
    let is_there = |id: &EntryId| {
        let group = universe.groups.get(universe.entry(*id).group);
        group.is_some_and(|group| group.installed.is_some())
    };
    let mut all: Vec<EntryId> = Vec::new();
    for term in need {
        let mut found = of(term);
        found.sort_by(|a, b| compare(universe, term, *a, *b));
        found.retain(|id| !all.contains(id));
        all.append(&mut found);
    }
    let (mut upgrades, new): (Vec<_>, Vec<_>) = all.into_iter().partition(is_there);
    upgrades.extend(new);
    upgrades
}

/// `CompareProviders` of apt-pkg/depcache.cc; the better is less. Where apt cannot decide it
/// takes what stands last in its cache. Indexes are sorted by name, and so the last name is
/// the same in all but a few cases, and it does not hang on the order of the indexes.
fn compare(universe: &Universe<'_>, term: &Term<'_>, a: EntryId, b: EntryId) -> Ordering {
    let (left, right) = (universe.entry(a), universe.entry(b));
    if left.group == right.group {
        // The order of versions within a group is kept.
        return Ordering::Equal;
    }
    let there = |group: GroupId| {
        universe
            .groups
            .get(group)
            .is_some_and(|g| g.installed.is_some())
    };
    let key = |entry: &crate::universe::Entry<'_>| {
        (
            !there(entry.group),
            term.group != Some(entry.group),
            !entry.package.essential,
            !entry.package.protected,
            entry.package.priority,
        )
    };
    let by_name = || right.package.name.cmp(left.package.name);
    key(left).cmp(&key(right)).then_with(by_name)
}
