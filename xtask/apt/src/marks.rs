//! Which version of each package will be there: what is installed, changed step by step, with
//! a way back; and what the relations say about such a state.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use crate::relation::{Atom, RelationError, Relations};
use crate::universe::{EntryId, GroupId, Universe};

/// A name in a relation, and its group where any package has to do with it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Term<'a> {
    pub atom: Atom<'a>,
    pub group: Option<GroupId>,
}

/// The relations of an entry.
#[derive(Debug, Default)]
pub(crate) struct Links<'a> {
    /// `Pre-Depends`, then `Depends`, in the order of the fields: alternatives of each.
    pub needs: Vec<Vec<Term<'a>>>,
    /// `Conflicts`, then `Breaks`.
    pub bars: Vec<Term<'a>>,
    /// Why they cannot be read.
    pub broken: bool,
}

/// The relations of entries, read when they are asked for.
pub(crate) struct Book<'u, 'a> {
    pub universe: &'u Universe<'a>,
    pages: RefCell<HashMap<EntryId, Rc<Links<'a>>>>,
}

impl<'u, 'a> Book<'u, 'a> {
    pub(crate) fn new(universe: &'u Universe<'a>) -> Self {
        Self {
            universe,
            pages: RefCell::default(),
        }
    }

    /// The relations of `id`.
    pub(crate) fn links(&self, id: EntryId) -> Rc<Links<'a>> {
        if let Some(page) = self.pages.borrow().get(&id) {
            return Rc::clone(page);
        }
        let broken = |_: RelationError| Links {
            broken: true,
            ..Links::default()
        };
        let page = Rc::new(self.read(id).unwrap_or_else(broken));
        self.pages.borrow_mut().insert(id, Rc::clone(&page));
        page
    }

    fn read(&self, id: EntryId) -> Result<Links<'a>, RelationError> {
        let package = &self.universe.entry(id).package;
        let mut links = Links::default();
        for field in [package.pre_depends, package.depends] {
            for group in Relations::parse(field)?.0 {
                links
                    .needs
                    .push(group.into_iter().map(|atom| self.term(atom)).collect());
            }
        }
        for field in [package.conflicts, package.breaks] {
            let atoms = Relations::parse_flat(field)?;
            links
                .bars
                .extend(atoms.into_iter().map(|atom| self.term(atom)));
        }
        Ok(links)
    }

    fn term(&self, atom: Atom<'a>) -> Term<'a> {
        Term {
            group: self.universe.find(atom.name),
            atom,
        }
    }

    /// All entries that a term speaks of.
    pub(crate) fn matching<'s>(&'s self, term: &'s Term<'a>) -> impl Iterator<Item = EntryId> + 's {
        let group = term.group.into_iter();
        group.flat_map(|group| self.universe.matching(&term.atom, group))
    }

    /// Sorts entries, no two of one name and different version among them, by their names.
    pub(crate) fn by_name(&self, entries: &mut [EntryId]) {
        entries.sort_by_key(|id| self.universe.entry(*id).package.name);
    }

    /// Whether a term speaks of `id`.
    pub(crate) fn speaks_of(&self, term: &Term<'a>, id: EntryId) -> bool {
        let entry = self.universe.entry(id);
        term.group
            .is_some_and(|group| self.universe.admits(&term.atom, group, entry))
    }
}

/// Which entry of each group will be there.
pub(crate) struct Marks<'b, 'u, 'a> {
    pub book: &'b Book<'u, 'a>,
    now: Vec<Option<EntryId>>,
    /// What was there before each change, for the way back.
    trail: Vec<(GroupId, Option<EntryId>)>,
    /// By the name that is barred: who bars it, or did when it was marked.
    barring: HashMap<GroupId, Vec<EntryId>>,
}

impl<'b, 'u, 'a> Marks<'b, 'u, 'a> {
    /// What is installed.
    pub(crate) fn installed(book: &'b Book<'u, 'a>) -> Self {
        let now: Vec<_> = book
            .universe
            .groups
            .iter()
            .map(|group| group.installed)
            .collect();
        let mut marks = Self {
            book,
            now,
            trail: Vec::new(),
            barring: HashMap::new(),
        };
        for id in marks.all() {
            marks.note_bars(id);
        }
        marks
    }

    /// The entries that will be there, in the order of their names: ids hang on the order of
    /// the indexes, and nothing that is chosen may.
    pub(crate) fn all(&self) -> Vec<EntryId> {
        let mut all: Vec<_> = self.now.iter().flatten().copied().collect();
        self.book.by_name(&mut all);
        all
    }

    /// The entry of `group` that will be there.
    pub(crate) fn of(&self, group: GroupId) -> Option<EntryId> {
        self.now.get(group).copied().flatten()
    }

    /// Whether exactly this entry will be there.
    pub(crate) fn has(&self, id: EntryId) -> bool {
        self.of(self.book.universe.entry(id).group) == Some(id)
    }

    /// Whether this entry is installed, and stays as it is.
    pub(crate) fn stays(&self, id: EntryId) -> bool {
        self.has(id) && self.is_installed(id)
    }

    fn is_installed(&self, id: EntryId) -> bool {
        let universe = self.book.universe;
        let group = universe.groups.get(universe.entry(id).group);
        group.is_some_and(|group| group.installed == Some(id))
    }

    /// Puts `id` in the place of what its group has.
    pub(crate) fn set(&mut self, id: EntryId) {
        let group = self.book.universe.entry(id).group;
        if let Some(place) = self.now.get_mut(group) {
            self.trail.push((group, place.replace(id)));
            self.note_bars(id);
        }
    }

    fn note_bars(&mut self, id: EntryId) {
        for group in self
            .book
            .links(id)
            .bars
            .iter()
            .filter_map(|term| term.group)
        {
            let who = self.barring.entry(group).or_default();
            if who.last() != Some(&id) {
                who.push(id);
            }
        }
    }

    /// A place to come back to.
    pub(crate) fn place(&self) -> usize {
        self.trail.len()
    }

    /// Undoes everything since `place`.
    pub(crate) fn go_back(&mut self, place: usize) {
        while self.trail.len() > place {
            let Some((group, before)) = self.trail.pop() else {
                return;
            };
            if let Some(now) = self.now.get_mut(group) {
                *now = before;
            }
        }
    }

    /// Whether one of the alternatives will be there.
    pub(crate) fn satisfies(&self, need: &[Term<'a>]) -> bool {
        need.iter()
            .any(|term| self.book.matching(term).any(|id| self.has(id)))
    }

    /// What will be there and cannot be beside `id`, by the word of either.
    pub(crate) fn conflicts(&self, id: EntryId) -> Vec<EntryId> {
        let entry = self.book.universe.entry(id);
        let mut found = Vec::new();
        for term in &self.book.links(id).bars {
            found.extend(self.book.matching(term).filter(|other| self.has(*other)));
        }
        let names = entry.provides.iter().map(|provided| provided.group);
        for name in names.chain([entry.group]) {
            let who = self.barring.get(&name).into_iter().flatten().copied();
            found.extend(who.filter(|other| self.has(*other) && self.bars(*other, id)));
        }
        found.retain(|other| self.book.universe.entry(*other).group != entry.group);
        self.book.by_name(&mut found);
        found.dedup();
        found
    }

    fn bars(&self, who: EntryId, whom: EntryId) -> bool {
        let links = self.book.links(who);
        links
            .bars
            .iter()
            .any(|term| self.book.speaks_of(term, whom))
    }

    /// The needs of `id` that nothing meets. What is installed and stays has only those that
    /// were met before: an installation may have come about in ways that its metadata does not
    /// tell, and is not to be mended here.
    pub(crate) fn unmet(&self, id: EntryId, before: &Self) -> Vec<usize> {
        let links = self.book.links(id);
        let stays = self.stays(id);
        let counts = |need: &[Term<'a>]| !stays || before.satisfies(need);
        let unmet = |need: &[Term<'a>]| !self.satisfies(need) && counts(need);
        let numbered = links.needs.iter().enumerate();
        numbered
            .filter(|(_, need)| unmet(need))
            .map(|(at, _)| at)
            .collect()
    }

    /// Whether every relation holds, where `before` is what is installed.
    pub(crate) fn holds(&self, before: &Self) -> bool {
        self.all().into_iter().all(|id| {
            let old = |other: &EntryId| self.stays(id) && self.stays(*other);
            let readable = self.stays(id) || !self.book.links(id).broken;
            readable && self.unmet(id, before).is_empty() && self.conflicts(id).iter().all(old)
        })
    }
}
