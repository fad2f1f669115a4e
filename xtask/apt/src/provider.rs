//! The universe as the solver `resolvo` asks for it.
//!
//! resolvo knows packages with versions, requirements that unite sets of versions, and
//! constraints. Alternatives and providers become unions, `Conflicts` and `Breaks` become
//! constraints to all other versions, and what is installed becomes a requirement of its own,
//! so that it stays.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fmt::Display;

use resolvo::{
    ArenaId as _, Candidates, Condition, ConditionId, Dependencies, DependencyProvider,
    HintDependenciesAvailable, Interner, KnownDependencies, NameId, Requirement, SolvableId,
    SolverCache, StringId, VersionSetId, VersionSetUnionId,
};

use crate::marks::{Book, Marks, Term};
use crate::universe::{EntryId, GroupId, Universe};
use crate::walk::solutions;

/// How often the solver may ask whether to stop; it does once a round of propagation.
const MOST_STEPS: usize = 2_000_000;

/// The versions of a group that a relation allows.
#[derive(Debug)]
struct Set {
    group: GroupId,
    entries: Vec<EntryId>,
}

/// Why a union of sets is required, in words.
#[derive(Debug)]
struct Union {
    sets: Vec<VersionSetId>,
    text: String,
}

/// What resolvo asks.
pub(crate) struct Provider<'p, 'b, 'u, 'a> {
    book: &'b Book<'u, 'a>,
    before: &'p Marks<'b, 'u, 'a>,
    asked: Vec<EntryId>,
    sets: RefCell<Vec<Set>>,
    unions: RefCell<Vec<Union>>,
    by_set: RefCell<HashMap<(GroupId, Vec<EntryId>), VersionSetId>>,
    steps: Cell<usize>,
}

impl<'p, 'b, 'u, 'a> Provider<'p, 'b, 'u, 'a> {
    pub(crate) fn new(
        book: &'b Book<'u, 'a>,
        before: &'p Marks<'b, 'u, 'a>,
        asked: &[EntryId],
    ) -> Self {
        Self {
            book,
            before,
            asked: asked.to_vec(),
            sets: RefCell::default(),
            unions: RefCell::default(),
            by_set: RefCell::default(),
            steps: Cell::new(0),
        }
    }

    pub(crate) fn universe(&self) -> &'u Universe<'a> {
        self.book.universe
    }

    /// The requirement that a request stands for: exactly `id`, or any version that may be
    /// chosen, `id` first.
    pub(crate) fn requested(&self, id: EntryId, exact: bool) -> VersionSetUnionId {
        let package = &self.universe().entry(id).package;
        let group = self.universe().entry(id).group;
        let (entries, text) = if exact {
            (
                vec![id],
                format!("{} (= {})", package.name, package.version),
            )
        } else {
            (self.eligible(group), package.name.to_owned())
        };
        self.union(vec![(group, entries)], text)
    }

    /// The requirement that what is installed stays, as it is or newer.
    pub(crate) fn kept(&self, id: EntryId) -> VersionSetUnionId {
        let group = self.universe().entry(id).group;
        let text = self.universe().entry(id).package.name.to_owned();
        self.union(vec![(group, self.eligible(group))], text)
    }

    pub(crate) fn is_installed(&self, id: EntryId) -> bool {
        self.before.has(id)
    }

    pub(crate) fn steps(&self) -> usize {
        self.steps.get()
    }

    /// What a union of sets stands for, in words.
    pub(crate) fn text(&self, requirement: &Requirement) -> String {
        let Requirement::Union(id) = requirement else {
            return String::new();
        };
        let unions = self.unions.borrow();
        unions
            .get(id.to_usize())
            .map(|union| union.text.clone())
            .unwrap_or_default()
    }

    /// The versions of a group that may be in an answer.
    fn eligible(&self, group: GroupId) -> Vec<EntryId> {
        let versions = self
            .universe()
            .groups
            .get(group)
            .map(|group| group.versions.as_slice());
        let all = versions.unwrap_or_default().iter().copied();
        all.filter(|id| self.is_eligible(*id)).collect()
    }

    fn is_eligible(&self, id: EntryId) -> bool {
        let readable = self.before.has(id) || !self.book.links(id).broken;
        readable && (self.asked.contains(&id) || self.universe().may_be_chosen(id))
    }

    fn set(&self, group: GroupId, mut entries: Vec<EntryId>) -> VersionSetId {
        entries.sort_unstable();
        let mut sets = self.sets.borrow_mut();
        let next = VersionSetId::from_usize(sets.len());
        let mut by_set = self.by_set.borrow_mut();
        let id = *by_set.entry((group, entries.clone())).or_insert(next);
        if id == next {
            sets.push(Set { group, entries });
        }
        id
    }

    fn union(&self, sets: Vec<(GroupId, Vec<EntryId>)>, text: String) -> VersionSetUnionId {
        let sets = sets
            .into_iter()
            .map(|(group, entries)| self.set(group, entries))
            .collect();
        let mut unions = self.unions.borrow_mut();
        unions.push(Union { sets, text });
        VersionSetUnionId::from_usize(unions.len() - 1)
    }

    /// A need as the union of what meets it, in apt's order.
    fn need(&self, need: &[Term<'a>]) -> VersionSetUnionId {
        let universe = self.universe();
        let all = solutions(universe, need, |term| {
            self.book
                .matching(term)
                .filter(|id| self.is_eligible(*id))
                .collect()
        });
        let mut sets: Vec<(GroupId, Vec<EntryId>)> = Vec::new();
        for id in all {
            let group = universe.entry(id).group;
            match sets.iter_mut().find(|(other, _)| *other == group) {
                Some((_, entries)) => entries.push(id),
                None => sets.push((group, vec![id])),
            }
        }
        if sets.is_empty() {
            // A name that is in no index still needs a set to be empty.
            let group = need.iter().find_map(|term| term.group);
            sets.push((group.unwrap_or(universe.groups.len()), Vec::new()));
        }
        let atoms: Vec<_> = need.iter().map(|term| term.atom.to_string()).collect();
        self.union(sets, atoms.join(" | "))
    }

    /// All versions but those that `term`, a conflict of `id`, speaks of; a set a group.
    fn constraints(&self, id: EntryId, term: &Term<'a>) -> Vec<VersionSetId> {
        let own = self.universe().entry(id).group;
        let mut barred: Vec<(GroupId, Vec<EntryId>)> = Vec::new();
        for other in self.book.matching(term) {
            let group = self.universe().entry(other).group;
            let both_there = self.before.has(id) && self.before.has(other);
            if group == own || both_there {
                continue;
            }
            match barred.iter_mut().find(|(known, _)| *known == group) {
                Some((_, entries)) => entries.push(other),
                None => barred.push((group, vec![other])),
            }
        }
        let allowed = |(group, barred): (GroupId, Vec<EntryId>)| {
            let rest = self
                .eligible(group)
                .into_iter()
                .filter(|id| !barred.contains(id));
            self.set(group, rest.collect())
        };
        barred.into_iter().map(allowed).collect()
    }

    fn known(&self, id: EntryId) -> KnownDependencies {
        let links = self.book.links(id);
        let stays = self.before.has(id);
        // What is installed has only the needs that are met as things are.
        let counts = |need: &&Vec<Term<'a>>| !stays || self.before.satisfies(need);
        let by_itself = |need: &[Term<'a>]| need.iter().any(|term| self.book.speaks_of(term, id));
        let needs = links
            .needs
            .iter()
            .filter(counts)
            .filter(|need| !by_itself(need));
        KnownDependencies {
            requirements: needs
                .map(|need| Requirement::Union(self.need(need)).into())
                .collect(),
            constrains: links
                .bars
                .iter()
                .flat_map(|term| self.constraints(id, term))
                .collect(),
        }
    }

    /// Where an entry stands among those of its group: what was asked for, what is installed,
    /// the rest in the order of preference.
    fn rank(&self, id: EntryId) -> (bool, bool, usize) {
        let group = self.universe().groups.get(self.universe().entry(id).group);
        let place = group.and_then(|group| group.versions.iter().position(|other| *other == id));
        (
            !self.asked.contains(&id),
            !self.before.has(id),
            place.unwrap_or(usize::MAX),
        )
    }
}

impl Interner for Provider<'_, '_, '_, '_> {
    fn display_solvable(&self, solvable: SolvableId) -> impl Display + '_ {
        let package = &self.universe().entry(solvable.to_usize()).package;
        format!("{} {}", package.name, package.version)
    }

    fn display_name(&self, name: NameId) -> impl Display + '_ {
        self.universe().name(name.to_usize()).to_owned()
    }

    fn display_version_set(&self, _: VersionSetId) -> impl Display + '_ {
        ""
    }

    fn display_string(&self, _: StringId) -> impl Display + '_ {
        ""
    }

    fn version_set_name(&self, set: VersionSetId) -> NameId {
        let sets = self.sets.borrow();
        let none = self.universe().groups.len();
        NameId::from_usize(sets.get(set.to_usize()).map_or(none, |set| set.group))
    }

    fn solvable_name(&self, solvable: SolvableId) -> NameId {
        NameId::from_usize(self.universe().entry(solvable.to_usize()).group)
    }

    fn version_sets_in_union(
        &self,
        union: VersionSetUnionId,
    ) -> impl Iterator<Item = VersionSetId> {
        let unions = self.unions.borrow();
        let sets = unions.get(union.to_usize()).map(|union| union.sets.clone());
        sets.unwrap_or_default().into_iter()
    }

    fn resolve_condition(&self, condition: ConditionId) -> Condition {
        unreachable!("{condition:?}: no requirement has a condition")
    }
}

impl DependencyProvider for Provider<'_, '_, '_, '_> {
    async fn filter_candidates(
        &self,
        candidates: &[SolvableId],
        set: VersionSetId,
        inverse: bool,
    ) -> Vec<SolvableId> {
        let sets = self.sets.borrow();
        let entries = sets
            .get(set.to_usize())
            .map(|set| set.entries.as_slice())
            .unwrap_or_default();
        let inside = |id: &SolvableId| entries.binary_search(&id.to_usize()).is_ok();
        candidates
            .iter()
            .copied()
            .filter(|id| inside(id) != inverse)
            .collect()
    }

    async fn get_candidates(&self, name: NameId) -> Option<Candidates> {
        let candidates = self
            .eligible(name.to_usize())
            .into_iter()
            .map(SolvableId::from_usize);
        Some(Candidates {
            candidates: candidates.collect(),
            hint_dependencies_available: HintDependenciesAvailable::None,
            ..Candidates::default()
        })
    }

    async fn sort_candidates(&self, _: &SolverCache<Self>, solvables: &mut [SolvableId]) {
        solvables.sort_by_key(|id| self.rank(id.to_usize()));
    }

    async fn get_dependencies(&self, solvable: SolvableId) -> Dependencies {
        Dependencies::Known(self.known(solvable.to_usize()))
    }

    fn should_cancel_with_value(&self) -> Option<Box<dyn Any>> {
        let steps = self.steps.get() + 1;
        self.steps.set(steps);
        (steps > MOST_STEPS).then(|| Box::new(()) as Box<dyn Any>)
    }
}
