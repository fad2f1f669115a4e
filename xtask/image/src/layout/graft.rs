//! Putting new files into one directory tree: replaced where the name is
//! taken, added where it is not, directories made as needed.

use std::collections::{HashMap, HashSet};

use anyhow::{Context, Result, bail};

use super::names::NameStyle;
use super::record::{Continuations, Posix, Stamp, add_links};
use crate::ImagePath;
use crate::base::{Child, Dir, Extent, Hierarchy, Node, VolumeKind, set_record_extent};

/// The longest extent of one record in bytes: whole sectors below 4 GiB
/// (ECMA-119 6.5.1 lets a file have several).
pub(crate) const MAX_EXTENT: u64 = 0xFFFF_F800;
/// The flag of every record of a file but its last (ECMA-119 9.1.6).
const NOT_FINAL: u8 = 0x80;

/// A file that has its place.
pub(crate) struct Placed<'a> {
    pub(crate) path: &'a ImagePath,
    pub(crate) mode: u32,
    pub(crate) data: PlacedData<'a>,
}

/// What a placed file is.
pub(crate) enum PlacedData<'a> {
    /// A file with its data here.
    File(Extent),
    /// A symbolic link.
    Link(&'a str),
}

/// Where the base's file of a path lay, for the paths that were replaced: how
/// the Joliet tree's shortened names are found.
pub(crate) type Replaced = HashMap<String, Vec<Extent>>;

/// One tree while files are put into it.
pub(crate) struct Graft<'a> {
    pub(crate) tree: &'a mut Hierarchy,
    pub(crate) kind: VolumeKind,
    /// The sector that the tree's extents count from.
    pub(crate) start: u64,
    pub(crate) stamp: Stamp,
    style: NameStyle,
    pub(crate) area: Continuations,
    ids: HashMap<usize, HashSet<Vec<u8>>>,
    serial: u32,
}

impl<'a> Graft<'a> {
    /// Begins with a tree; continuation areas go to `area_lba` (counted from
    /// the image's start).
    pub(crate) fn new(
        tree: &'a mut Hierarchy,
        kind: VolumeKind,
        start: u64,
        stamp: Stamp,
        area_lba: u64,
    ) -> Result<Self> {
        let style = NameStyle::of(kind, tree);
        Ok(Self {
            tree,
            kind,
            start,
            stamp,
            style,
            area: Continuations {
                first: tree_lba(area_lba, start)?,
                bytes: Vec::new(),
            },
            ids: HashMap::new(),
            // Above what any writer counts to for its own files.
            serial: 0x4000_0000,
        })
    }

    /// Puts one file in. `replaced` knows what the primary tree replaced, and
    /// learns it from the primary tree.
    pub(crate) fn put(&mut self, file: &Placed<'_>, replaced: &mut Replaced) -> Result<()> {
        self.put_file(file, replaced)
            .with_context(|| format!("putting {} onto the image", file.path))
    }

    fn put_file(&mut self, file: &Placed<'_>, replaced: &mut Replaced) -> Result<()> {
        let mut dir = 0;
        let mut names = file.path.components().peekable();
        while let Some(name) = names.next() {
            if names.peek().is_some() {
                dir = self.enter(dir, name)?;
                continue;
            }
            let hint = replaced.get(file.path.as_str()).map(Vec::as_slice);
            let old = self.find(dir, name, hint);
            if self.kind == VolumeKind::Primary
                && let Some(Node::File(extents)) = old.map(|(_, child)| &child.node)
            {
                replaced.insert(file.path.to_string(), extents.clone());
            }
            let old = old.map(|(index, _)| index);
            return self.place(dir, name, file, old);
        }
        Ok(())
    }

    /// The directory of this name in `dir`, made when missing.
    fn enter(&mut self, dir: usize, name: &str) -> Result<usize> {
        match self.find(dir, name, None).map(|(_, child)| &child.node) {
            Some(Node::Dir(index)) => Ok(*index),
            Some(_) => bail!("the base has {name} as a file or a link, not as a directory"),
            None => self.make_dir(dir, name),
        }
    }

    fn find(&self, dir: usize, name: &str, hint: Option<&[Extent]>) -> Option<(usize, &Child)> {
        let dir = self.tree.dirs.get(dir)?;
        let at = match (self.kind, self.tree.rock_ridge) {
            (VolumeKind::Primary, Some(_)) => dir.index.get(name).copied(),
            (VolumeKind::Primary, None) => {
                let fits = |child: &Child| child.name.eq_ignore_ascii_case(name);
                dir.children.iter().position(fits)
            }
            (VolumeKind::Joliet, _) => {
                let form = NameStyle::joliet_form(name);
                let by_name = dir.index.get(&form).copied();
                by_name.or_else(|| {
                    let hint = hint.filter(|extents| extents.iter().any(|e| e.len > 0))?;
                    let same = |child: &Child| matches!(&child.node, Node::File(e) if e == hint);
                    dir.children.iter().position(same)
                })
            }
        }?;
        Some((at, dir.children.get(at)?))
    }

    fn place(
        &mut self,
        dir: usize,
        name: &str,
        file: &Placed<'_>,
        old: Option<usize>,
    ) -> Result<()> {
        if let Some(Node::Dir(_)) = old
            .and_then(|at| self.tree.dirs.get(dir)?.children.get(at))
            .map(|child| &child.node)
        {
            bail!("the base has a directory of this name");
        }
        let Some((mut child, is_link)) = self.child(dir, name, file, old)? else {
            return self.forget(dir, old);
        };
        if let (PlacedData::File(extent), false) = (&file.data, is_link) {
            self.spread(&mut child, *extent)?;
        }
        let Some(parent) = self.tree.dirs.get_mut(dir) else {
            bail!("its directory is missing");
        };
        match old.and_then(|at| parent.children.get_mut(at)) {
            Some(slot) => {
                child.name.clone_from(&slot.name);
                *slot = child;
            }
            None => parent.push(child),
        }
        Ok(())
    }

    /// The new child without extents; none where this tree cannot show it: a
    /// link needs Rock Ridge.
    fn child(
        &mut self,
        dir: usize,
        name: &str,
        file: &Placed<'_>,
        old: Option<usize>,
    ) -> Result<Option<(Child, bool)>> {
        let (kind, target) = match file.data {
            PlacedData::Link(_) if self.stamp.rock_ridge.is_none() => return Ok(None),
            PlacedData::Link(target) => (0o120_000, Some(target)),
            PlacedData::File(_) => (0o100_000, None),
        };
        let id = match old.and_then(|at| self.tree.dirs.get(dir)?.children.get(at)) {
            Some(child) => child.id().to_vec(),
            None => self.new_id(dir, name, false)?,
        };
        let mode = kind | file.mode;
        let record = self.record(&id, false, mode, 1, Some(name), target)?;
        let child = Child {
            name: self.shown(name),
            records: vec![record],
            node: match target {
                Some(target) => Node::Symlink(target.to_owned()),
                None => Node::File(Vec::new()),
            },
            mode: Some(mode),
        };
        Ok(Some((child, target.is_some())))
    }

    fn shown(&self, name: &str) -> String {
        match self.kind {
            VolumeKind::Primary => name.to_owned(),
            VolumeKind::Joliet => NameStyle::joliet_form(name),
        }
    }

    /// Takes a file out that became a link where links cannot be shown.
    fn forget(&mut self, dir: usize, old: Option<usize>) -> Result<()> {
        if old.is_some() {
            bail!(
                "the base has a file there, and one of its trees cannot show a link in its place"
            );
        }
        let _ = dir;
        Ok(())
    }

    fn record(
        &mut self,
        id: &[u8],
        dir: bool,
        mode: u32,
        links: u32,
        name: Option<&str>,
        target: Option<&str>,
    ) -> Result<Vec<u8>> {
        self.serial += 1;
        let posix = Posix {
            mode,
            links,
            name,
            target,
            serial: self.serial,
        };
        self.stamp.record(id, dir, &posix, &mut self.area)
    }

    /// Gives a file its extents, in as many records as it needs.
    fn spread(&self, child: &mut Child, whole: Extent) -> Result<()> {
        let Some(template) = child.records.pop() else {
            return Ok(());
        };
        let mut extents = Vec::new();
        let (mut lba, mut left) = (whole.lba, whole.len);
        loop {
            let len = left.min(MAX_EXTENT);
            left -= len;
            let mut record = template.clone();
            let short = u32::try_from(len).unwrap_or(u32::MAX);
            set_record_extent(&mut record, tree_lba(lba, self.start)?, short);
            if let Some(flags) = record.get_mut(25)
                && left > 0
            {
                *flags |= NOT_FINAL;
            }
            child.records.push(record);
            extents.push(Extent { lba, len });
            lba += len / crate::SECTOR;
            if left == 0 {
                break;
            }
        }
        child.node = Node::File(extents);
        Ok(())
    }

    fn new_id(&mut self, dir: usize, name: &str, is_dir: bool) -> Result<Vec<u8>> {
        let tree = &self.tree;
        let taken = self.ids.entry(dir).or_insert_with(|| {
            let children = tree.dirs.get(dir).map(|dir| dir.children.as_slice());
            let ids = children.unwrap_or_default().iter();
            ids.map(|child| child.id().to_vec()).collect()
        });
        let id = self
            .style
            .id(name, is_dir, taken)
            .with_context(|| format!("no free name on disc for {name}"))?;
        taken.insert(id.clone());
        Ok(id)
    }

    fn make_dir(&mut self, parent: usize, name: &str) -> Result<usize> {
        let id = self.new_id(parent, name, true)?;
        let mode = 0o040_555;
        let record = self.record(&id, true, mode, 2, Some(name), None)?;
        let dot = self.record(&[0], true, mode, 2, None, None)?;
        let dotdot = self.record(&[1], true, mode, 2, None, None)?;
        let index = self.tree.dirs.len();
        let depth = self.tree.dirs.get(parent).map_or(0, |dir| dir.depth) + 1;
        self.tree.dirs.push(Dir {
            parent,
            depth,
            extent: None,
            dot,
            dotdot,
            children: Vec::new(),
            index: HashMap::new(),
            id,
        });
        let child = Child {
            name: self.shown(name),
            records: vec![record],
            node: Node::Dir(index),
            mode: Some(mode),
        };
        if let Some(dir) = self.tree.dirs.get_mut(parent) {
            dir.push(child);
        }
        self.count_link(parent);
        Ok(index)
    }

    /// A directory has one more below it: its link count says so in its own
    /// record, in the one above, and in its children's `..`.
    fn count_link(&mut self, index: usize) {
        let Some(rock_ridge) = self.tree.rock_ridge else {
            return;
        };
        let Some(dir) = self.tree.dirs.get_mut(index) else {
            return;
        };
        add_links(&mut dir.dot, rock_ridge, index == 0, 1);
        let (parent, id) = (dir.parent, dir.id.clone());
        if index == 0 {
            add_links(&mut dir.dotdot, rock_ridge, false, 1);
        } else if let Some(above) = self.tree.dirs.get_mut(parent) {
            let records = above.children.iter_mut().filter(|child| child.id() == id);
            for child in records {
                for record in &mut child.records {
                    add_links(record, rock_ridge, false, 1);
                }
            }
        }
        for (at, below) in self.tree.dirs.iter_mut().enumerate() {
            if at != 0 && below.parent == index {
                add_links(&mut below.dotdot, rock_ridge, false, 1);
            }
        }
    }
}

/// A sector as the records of a tree count it.
pub(crate) fn tree_lba(lba: u64, start: u64) -> Result<u32> {
    lba.checked_sub(start)
        .and_then(|lba| u32::try_from(lba).ok())
        .with_context(|| format!("sector {lba} cannot be named by a tree that begins at {start}"))
}
