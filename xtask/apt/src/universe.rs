//! All packages that are known: those of the indexes, and those that are installed.

use std::cmp::Ordering;
use std::collections::HashMap;

use crate::index::{IndexError, Package, Packages};
use crate::installed::{Installed, InstalledPackage};
use crate::pin::Pin;
use crate::relation::{Atom, Qualifier, Relations};
use crate::search::Request;
use crate::version;

/// A version of a package: its place in [`Universe::entries`].
pub(crate) type EntryId = usize;

/// A name that packages have, provide or ask for: its place in [`Universe::groups`].
pub(crate) type GroupId = usize;

/// apt's priority of what only dpkg's status file knows.
const INSTALLED_PRIORITY: i32 = 100;

/// From this priority on a version replaces a newer one.
const DOWNGRADE_PRIORITY: i32 = 1000;

/// A version of a package, as one source has it.
#[derive(Debug)]
pub(crate) struct Entry<'a> {
    pub package: Package<'a>,
    pub group: GroupId,
    /// Into [`Universe::sources`]; `None` for what is installed and in no index.
    pub source: Option<usize>,
    pub priority: i32,
    pub provides: Vec<Provided<'a>>,
    /// Why its relations cannot be read, and it therefore cannot be chosen.
    pub broken: Option<String>,
}

/// A name that an entry provides.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Provided<'a> {
    pub group: GroupId,
    pub version: Option<&'a str>,
}

/// All that has or provides a name.
#[derive(Debug)]
pub(crate) struct Group<'a> {
    pub name: &'a str,
    /// The best first: by priority, then version, then source.
    pub versions: Vec<EntryId>,
    pub providers: Vec<EntryId>,
    pub installed: Option<EntryId>,
}

/// All packages that are known, for one architecture.
#[derive(Debug)]
pub struct Universe<'a> {
    architecture: String,
    pub(crate) sources: Vec<String>,
    pub(crate) entries: Vec<Entry<'a>>,
    pub(crate) groups: Vec<Group<'a>>,
    by_name: HashMap<&'a str, GroupId>,
    installed_is_set: bool,
}

impl<'a> Universe<'a> {
    /// Nothing yet, for a system of `architecture` and no foreign one.
    pub fn new(architecture: &str) -> Self {
        Self {
            architecture: architecture.to_owned(),
            sources: Vec::new(),
            entries: Vec::new(),
            groups: Vec::new(),
            by_name: HashMap::new(),
            installed_is_set: false,
        }
    }

    /// Adds a `Packages` file; `source` is what [`Chosen::source`](crate::Chosen::source) will
    /// say. Returns how many packages of this architecture it has.
    ///
    /// # Errors
    ///
    /// When the index cannot be used, or comes after [`Universe::set_installed`].
    pub fn add_index(
        &mut self,
        source: &str,
        pin: &Pin,
        bytes: &'a [u8],
    ) -> Result<usize, IndexError> {
        if self.installed_is_set {
            return Err(IndexError::Late);
        }
        let number = self.sources.len();
        self.sources.push(source.to_owned());
        let before = self.entries.len();
        let mut packages = Packages::of_index(bytes)?;
        while let Some(package) = packages.read()? {
            if package.architecture == "all" || package.architecture == self.architecture {
                let priority = pin.of(package.name);
                self.add(package, Some(number), priority);
            }
        }
        Ok(self.entries.len() - before)
    }

    /// Whether a list has what is asked for, or the system does, in its version where it names
    /// one.
    pub fn has(&self, request: &Request) -> bool {
        let Some(group) = self.find(&request.name) else {
            return false;
        };
        match &request.version {
            Some(version) => self.version(group, version.as_str()).is_some(),
            None => self.candidate(group).is_some(),
        }
    }

    /// Says what the system has, once all indexes are there: a manifest's packages take their
    /// relations from the index. Returns the names of those that no index and no status file
    /// describes: they count as installed, and what they need is not known.
    pub fn set_installed(&mut self, installed: &Installed<'a>) -> Vec<&'a str> {
        self.installed_is_set = true;
        for group in &mut self.groups {
            group.installed = None;
        }
        let mut unknown = Vec::new();
        for package in &installed.packages {
            let group = self.group(package.name);
            let entry = match self.version(group, package.version) {
                Some(entry) => entry,
                None => {
                    let described = self.describe(group, package).unwrap_or_else(|| {
                        unknown.push(package.name);
                        package.only_named()
                    });
                    self.add(described, None, INSTALLED_PRIORITY)
                }
            };
            if let Some(group) = self.groups.get_mut(group) {
                group.installed = Some(entry);
            }
        }
        unknown
    }

    fn describe(&self, group: GroupId, installed: &InstalledPackage<'a>) -> Option<Package<'a>> {
        if let Some(package) = &installed.package {
            return Some((**package).clone());
        }
        let newest = |a: &&EntryId, b: &&EntryId| {
            version::compare(
                self.entry(**a).package.version,
                self.entry(**b).package.version,
            )
        };
        let newest = self.groups.get(group)?.versions.iter().max_by(newest)?;
        let mut package = self.entry(*newest).package.clone();
        package.version = installed.version;
        Some(package)
    }

    fn add(&mut self, package: Package<'a>, source: Option<usize>, priority: i32) -> EntryId {
        let id = self.entries.len();
        let group = self.group(package.name);
        let mut entry = Entry {
            package,
            group,
            source,
            priority,
            provides: Vec::new(),
            broken: None,
        };
        self.read_provides(&mut entry, id);
        self.entries.push(entry);
        self.insert_version(group, id);
        id
    }

    fn read_provides(&mut self, entry: &mut Entry<'a>, id: EntryId) {
        if entry.package.provides.is_empty() {
            return;
        }
        let atoms = match Relations::parse_flat(entry.package.provides) {
            Ok(atoms) => atoms,
            Err(error) => {
                entry.broken = Some(error.to_string());
                return;
            }
        };
        for atom in atoms {
            if !self.is_native(atom.qualifier) {
                continue;
            }
            let group = self.group(atom.name);
            entry.provides.push(Provided {
                group,
                version: atom.version.map(|(_, version)| version),
            });
            if let Some(group) = self.groups.get_mut(group) {
                group.providers.push(id);
            }
        }
    }

    /// Keeps the best first.
    fn insert_version(&mut self, group: GroupId, id: EntryId) {
        let Some(versions) = self.groups.get(group).map(|group| &group.versions) else {
            return;
        };
        let at = versions.partition_point(|other| self.order(*other, id) != Ordering::Greater);
        if let Some(group) = self.groups.get_mut(group) {
            group.versions.insert(at, id);
        }
    }

    /// The better of two versions of one package is less. Everything is compared that can
    /// differ, so that the order of the indexes does not count.
    fn order(&self, a: EntryId, b: EntryId) -> Ordering {
        let (a, b) = (self.entry(a), self.entry(b));
        let by_version = version::compare(b.package.version, a.package.version);
        (b.priority.cmp(&a.priority))
            .then(by_version)
            .then_with(|| self.source(a).cmp(&self.source(b)))
            .then_with(|| a.package.version.cmp(b.package.version))
            .then_with(|| a.package.sha256.cmp(&b.package.sha256))
    }

    fn source(&self, entry: &Entry<'_>) -> Option<&str> {
        let name = self.sources.get(entry.source?)?;
        Some(name)
    }

    fn group(&mut self, name: &'a str) -> GroupId {
        let next = self.groups.len();
        let id = *self.by_name.entry(name).or_insert(next);
        if id == next {
            self.groups.push(Group {
                name,
                versions: Vec::new(),
                providers: Vec::new(),
                installed: None,
            });
        }
        id
    }

    /// Whether a qualifier means this architecture, whatever the package says of itself.
    fn is_native(&self, qualifier: Option<Qualifier<'_>>) -> bool {
        match qualifier {
            Some(Qualifier::Architecture(name)) => name == self.architecture,
            None | Some(Qualifier::Any | Qualifier::Native) => true,
        }
    }

    /// Ids come from this universe alone, and nothing is ever taken out of it.
    pub(crate) fn entry(&self, id: EntryId) -> &Entry<'a> {
        &self.entries[id]
    }

    pub(crate) fn find(&self, name: &str) -> Option<GroupId> {
        self.by_name.get(name).copied()
    }

    /// The entry of exactly this version, from the best source.
    pub(crate) fn version(&self, group: GroupId, wanted: &str) -> Option<EntryId> {
        let versions = &self.groups.get(group)?.versions;
        let equal = |id: &&EntryId| {
            version::compare(self.entry(**id).package.version, wanted) == Ordering::Equal
        };
        versions.iter().find(equal).copied()
    }

    /// What apt would install: the best version that is not older than what is installed.
    pub(crate) fn candidate(&self, group: GroupId) -> Option<EntryId> {
        let versions = &self.groups.get(group)?.versions;
        versions.iter().copied().find(|id| self.may_be_chosen(*id))
    }

    /// Whether an entry may be chosen without being asked for by its version.
    pub(crate) fn may_be_chosen(&self, id: EntryId) -> bool {
        let entry = self.entry(id);
        let Some(installed) = self
            .groups
            .get(entry.group)
            .and_then(|group| group.installed)
        else {
            return entry.priority > 0 && entry.broken.is_none();
        };
        if id == installed {
            return true;
        }
        let older = || {
            let there = self.entry(installed).package.version;
            version::compare(entry.package.version, there) != Ordering::Greater
        };
        entry.priority > 0
            && entry.broken.is_none()
            && (entry.priority >= DOWNGRADE_PRIORITY || !older())
    }

    /// Whether `entry` is what `atom`, a relation to the name of `group`, speaks of.
    pub(crate) fn admits(&self, atom: &Atom<'_>, group: GroupId, entry: &Entry<'_>) -> bool {
        let qualified = match atom.qualifier {
            Some(Qualifier::Any) => entry.package.multi_arch == crate::MultiArch::Allowed,
            other => self.is_native(other),
        };
        let provides = |provided: &Provided<'_>| {
            let versioned = || provided.version.is_some_and(|version| atom.admits(version));
            provided.group == group && (atom.version.is_none() || versioned())
        };
        let itself = || entry.group == group && atom.admits(entry.package.version);
        qualified && (itself() || entry.provides.iter().any(provides))
    }

    /// All entries that `atom` speaks of: those of the name first.
    pub(crate) fn matching<'s>(
        &'s self,
        atom: &'s Atom<'_>,
        group: GroupId,
    ) -> impl Iterator<Item = EntryId> + 's {
        let group_data = self.groups.get(group);
        let versions = group_data.into_iter().flat_map(|group| &group.versions);
        let providers = group_data.into_iter().flat_map(|group| &group.providers);
        let all = versions.chain(providers).copied();
        all.filter(move |id| self.admits(atom, group, self.entry(*id)))
    }
}
