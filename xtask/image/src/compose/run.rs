//! One run: what is known already decides how much is left to do.

use std::path::{Path, PathBuf};

use anyhow::Context;
use sha2::{Digest as _, Sha256};

use super::Base;
use super::feed::{Done, Work, feed};
use super::identity::Identity;
use super::output::{free_bytes, real_path};
use super::payload::{self, Mark};
use super::span::Span;
use super::state::{BaseRecord, Checkpoint, HeadKey, OutputRecord, PartRecord, Store};
use super::target::{Target, set_mode};
use crate::job::Stage;
use crate::layout::{LARGE, Part, Plan};
use crate::{BaseDigest, ComposeError, Composed, Job, Kind};

/// The names of the two kinds of records.
const OUTPUT: &str = "image";
const BASE: &str = "base";

/// All that a run goes by.
struct Run<'r, 'j> {
    job: &'r mut Job<'j>,
    base: &'r Base,
    plan: &'r Plan<'r>,
    out: PathBuf,
    base_path: PathBuf,
    store: Store,
    key: HeadKey,
    marks: Vec<Mark>,
    /// What is known of the base, if it is still the same file.
    record: Option<BaseRecord>,
    /// The base's digest, where it need not be computed.
    digest: Option<[u8; 32]>,
    notes: Vec<String>,
}

/// Makes the image, in the cheapest way that is sure.
pub(super) fn run(
    job: &mut Job<'_>,
    base: &Base,
    plan: &Plan<'_>,
) -> Result<Composed, ComposeError> {
    let mut run = Run::new(job, base, plan)?;
    if run.digest.is_some()
        && let Some(composed) = run.rebuild()?
    {
        return Ok(composed);
    }
    run.first()
}

impl<'r, 'j> Run<'r, 'j> {
    fn new(job: &'r mut Job<'j>, base: &'r Base, plan: &'r Plan<'r>) -> Result<Self, ComposeError> {
        let out = real_path(job.out).map_err(ComposeError::Output)?;
        let base_path = std::fs::canonicalize(job.base)
            .with_context(|| format!("finding {}", base.name))
            .map_err(ComposeError::Base)?;
        let store = Store::new(job.state_dir);
        let record = store
            .load::<BaseRecord>(BASE, &base_path, false)
            .filter(|record| record.identity == base.identity);
        let mut run = Self {
            base,
            plan,
            out,
            base_path,
            store,
            key: head_key(plan),
            marks: payload::marks(plan).map_err(ComposeError::Tree)?,
            digest: None,
            record,
            notes: Vec::new(),
            job,
        };
        run.digest = run.known_digest()?;
        Ok(run)
    }

    /// The base's digest without computing it.
    fn known_digest(&self) -> Result<Option<[u8; 32]>, ComposeError> {
        let recorded = self
            .record
            .as_ref()
            .and_then(|record| from_hex(&record.sha256));
        match (self.job.base_digest, recorded) {
            (BaseDigest::Known(known), _) => Ok(Some(known)),
            (BaseDigest::Unknown, recorded) => Ok(recorded),
            (BaseDigest::Expect(_), None) => Ok(None),
            (BaseDigest::Expect(expected), Some(found)) => {
                self.compare(found, expected)?;
                Ok(Some(found))
            }
        }
    }

    fn compare(&self, found: [u8; 32], expected: [u8; 32]) -> Result<(), ComposeError> {
        if found == expected {
            return Ok(());
        }
        Err(ComposeError::DigestMismatch {
            base: self.job.base.to_path_buf(),
            found,
            expected,
        })
    }

    /// The digest of the bytes before the tail, where it was computed before.
    fn known_head(&self) -> Option<(u64, Sha256)> {
        let record = self.record.as_ref()?;
        if from_hex(&record.sha256) != self.digest {
            return None;
        }
        let checkpoint = record.head(&self.key)?;
        Some((checkpoint.at, checkpoint.resume()?))
    }

    /// The places behind which the digest's state is kept: the tail's start
    /// and each large file.
    fn checkpoints(&self) -> Vec<u64> {
        let large = self.plan.parts.iter().filter(|part| part.len >= LARGE);
        let mut places = vec![self.plan.layout.tail_start];
        places.extend(large.map(Part::end));
        places.sort_unstable();
        places
    }

    /// Writes the image from the base.
    fn first(&mut self) -> Result<Composed, ComposeError> {
        let size = self.plan.layout.size;
        let dir = self.out.parent().unwrap_or(Path::new("/")).to_path_buf();
        let target = Target::create(&self.out, self.job.mode)?;
        let free = free_bytes(&dir);
        if target.leftover {
            self.notes.push(leftover_note(&self.out));
        }
        let cloned = target.share(&self.base.file);
        if !cloned && free < size {
            return Err(self.no_space(free, "Nothing was written."));
        }
        let result = self.fill(&target, cloned);
        let done = result.map_err(|error| self.explain(error, free, "Nothing was left behind."))?;
        self.base.still_same()?;
        let base_sha256 = self.base_digest(&done)?;
        let identity = target.finish().map_err(ComposeError::Output)?;
        Ok(self.composed(Kind::First, &done, base_sha256, identity, &[]))
    }

    fn fill(&mut self, target: &Target, cloned: bool) -> Result<Done, ComposeError> {
        let size = self.plan.layout.size;
        target
            .file
            .set_len(size)
            .with_context(|| format!("making room for {size} bytes"))
            .map_err(ComposeError::Output)?;
        let hash_from = self.known_head().unwrap_or_default();
        let hash_base = self.digest.is_none();
        let checkpoints = self.checkpoints();
        let write = |span: &Span| match span {
            Span::Base { from, .. } => !(cloned && *from == 0),
            Span::Part { .. } => true,
            // A fresh file reads as zeros; a clone has the base's bytes there.
            Span::Zero { .. } => cloned,
        };
        let work = Work {
            plan: self.plan,
            base: self.base,
            out: &target.file,
            stage: Stage::Compose,
            write: &write,
            write_patches: cloned || hash_from.0 > 0,
            hash_from,
            hash_base,
            checkpoints: &checkpoints,
            md5s: vec![None; self.plan.parts.len()],
        };
        feed(&work, self.job.progress)
    }

    /// The base's digest, computed or known, held against what was expected.
    fn base_digest(&self, done: &Done) -> Result<[u8; 32], ComposeError> {
        let digest = done.base_sha256.or(self.digest);
        let digest = digest.ok_or_else(|| {
            ComposeError::Base(anyhow::anyhow!("{} was not hashed", self.base.name))
        })?;
        if let BaseDigest::Expect(expected) = self.job.base_digest {
            self.compare(digest, expected)?;
        }
        Ok(digest)
    }

    /// Edits what an earlier run left; none where there is nothing to edit.
    fn rebuild(&mut self) -> Result<Option<Composed>, ComposeError> {
        let Some(record) = self.earlier() else {
            return Ok(None);
        };
        let same_head = record.head == self.key;
        let kept = self.kept(&record);
        let all_kept = kept.iter().all(Option::is_some) && kept.len() == record.parts.len();
        if same_head && all_kept {
            return self.unchanged(record).map(Some);
        }
        let free = free_bytes(self.out.parent().unwrap_or(Path::new("/")));
        if self.fresh_bytes(&record, &kept) > free {
            return Err(self.no_space(free, "The earlier image is untouched."));
        }
        let Some(target) = Target::adopt(&self.out, &record.identity, self.job.mode)? else {
            return Ok(None);
        };
        if target.leftover {
            self.notes.push(leftover_note(&self.out));
        }
        let lost = "The earlier image was being edited and had to be removed.";
        let done = self.edit(&target, &record, &kept);
        let done = done.map_err(|error| self.explain(error, free, lost))?;
        let base_sha256 = self.base_digest(&done)?;
        let identity = target.finish().map_err(ComposeError::Output)?;
        let old = record.checkpoints.as_slice();
        let old = if same_head { old } else { &[] };
        Ok(Some(self.composed(
            Kind::Rebuilt,
            &done,
            base_sha256,
            identity,
            old,
        )))
    }

    /// How much an edit writes behind what was in use: what may need new
    /// blocks.
    fn fresh_bytes(&self, record: &OutputRecord, kept: &[Option<PartRecord>]) -> u64 {
        // The last part stands at the tail's end, behind what was never written.
        let mut old = record.parts.iter().rev().skip(1);
        let old_end = old.next().map_or(0, |part| part.offset + part.len);
        let parts = self.plan.parts.iter().zip(kept);
        let new = parts.filter(|(_, kept)| kept.is_none());
        let beyond = new.map(|(part, _)| part.end().saturating_sub(part.offset.max(old_end)));
        beyond.sum::<u64>() + self.key.size.saturating_sub(record.head.size)
    }

    /// The record of the output, if it is still what was written, from this
    /// base, with the tail in this place.
    fn earlier(&self) -> Option<OutputRecord> {
        let record: OutputRecord = self.store.load(OUTPUT, &self.out, true)?;
        let meta = std::fs::symlink_metadata(&self.out).ok()?;
        let same = record.identity == Identity::of(&meta)
            && from_hex(&record.base_sha256) == self.digest
            && record.head.tail_start == self.key.tail_start
            && record.identity.size() == record.head.size;
        same.then_some(record)
    }

    /// For each part, its record if the output has it as it should be.
    fn kept(&self, record: &OutputRecord) -> Vec<Option<PartRecord>> {
        let parts = self.plan.parts.iter().zip(&self.marks);
        parts
            .map(|(part, mark)| {
                let place = record
                    .parts
                    .binary_search_by_key(&part.offset, |old| old.offset);
                let old = record.parts.get(place.ok()?)?;
                let same = old.len == part.len
                    && old.mark == hex::encode(mark)
                    && (old.md5.is_some() || !payload::is_listed(part));
                same.then(|| old.clone())
            })
            .collect()
    }

    fn unchanged(&mut self, mut record: OutputRecord) -> Result<Composed, ComposeError> {
        let file = std::fs::File::open(&self.out)
            .with_context(|| format!("opening {}", self.out.display()))
            .map_err(ComposeError::Output)?;
        set_mode(&file, self.job.mode).map_err(ComposeError::Output)?;
        let meta = file.metadata().context("looking at the image");
        record.identity = Identity::of(&meta.map_err(ComposeError::Output)?);
        let sha256 = from_hex(&record.sha256).unwrap_or_default();
        let saved = self.store.save(OUTPUT, &self.out, record);
        self.note_failure(saved);
        Ok(Composed {
            size: self.plan.layout.size,
            sha256,
            base_sha256: self.digest.unwrap_or_default(),
            bytes_written: 0,
            kind: Kind::Unchanged,
            layout: self.plan.layout,
            notes: std::mem::take(&mut self.notes),
        })
    }

    fn edit(
        &mut self,
        target: &Target,
        record: &OutputRecord,
        kept: &[Option<PartRecord>],
    ) -> Result<Done, ComposeError> {
        // From here on the record speaks of an image that is no more.
        let gone = self.store.forget(OUTPUT, &self.out);
        gone.map_err(ComposeError::Output)?;
        let same_head = record.head == self.key;
        let size = self.plan.layout.size;
        if size != record.head.size {
            let sized = target.file.set_len(size).context("resizing the image");
            sized.map_err(ComposeError::Output)?;
        }
        let was_used = |at: u64, end: u64| {
            let mut parts = record.parts.iter();
            parts.any(|part| part.offset < end && part.offset + part.len > at)
        };
        let write = |span: &Span| match span {
            Span::Base { from, .. } => *from > 0 && !same_head,
            Span::Part { index, .. } => !matches!(kept.get(*index), Some(Some(_))),
            Span::Zero { at, len } => !same_head || was_used(*at, at + len),
        };
        let checkpoints = self.checkpoints();
        let md5 = |part: &PartRecord| from_hex(part.md5.as_ref()?);
        let md5s = kept.iter().map(|part| part.as_ref().and_then(md5));
        let work = Work {
            plan: self.plan,
            base: self.base,
            out: &target.file,
            stage: Stage::Rebuild,
            write: &write,
            write_patches: !same_head,
            hash_from: self.resume(record, kept, same_head),
            hash_base: false,
            checkpoints: &checkpoints,
            md5s: md5s.collect(),
        };
        feed(&work, self.job.progress)
    }

    /// The furthest known state of the digest before the first change.
    fn resume(
        &self,
        record: &OutputRecord,
        kept: &[Option<PartRecord>],
        same_head: bool,
    ) -> (u64, Sha256) {
        let first = kept.iter().position(Option::is_none).unwrap_or(kept.len());
        let change = self.plan.parts.get(first).map_or(0, |part| part.offset);
        let checkpoints = record.checkpoints.iter().filter(|_| same_head);
        let best = checkpoints
            .filter(|checkpoint| checkpoint.at <= change)
            .max_by_key(|checkpoint| checkpoint.at)
            .and_then(|checkpoint| Some((checkpoint.at, checkpoint.resume()?)));
        best.or_else(|| self.known_head()).unwrap_or_default()
    }

    /// Records what was made, and answers.
    fn composed(
        &mut self,
        kind: Kind,
        done: &Done,
        base_sha256: [u8; 32],
        identity: Identity,
        old: &[Checkpoint],
    ) -> Composed {
        let mut checkpoints = self.all_checkpoints(done, old);
        checkpoints.sort_by_key(|checkpoint| checkpoint.at);
        self.remember_base(base_sha256, &checkpoints);
        let parts = self.plan.parts.iter().zip(&self.marks).zip(&done.md5s);
        let record = OutputRecord {
            identity,
            base_sha256: hex::encode(base_sha256),
            head: self.key.clone(),
            sha256: hex::encode(done.sha256),
            checkpoints,
            parts: parts
                .map(|((part, mark), md5)| PartRecord {
                    offset: part.offset,
                    len: part.len,
                    mark: hex::encode(mark),
                    md5: md5.map(hex::encode),
                })
                .collect(),
        };
        let saved = self.store.save(OUTPUT, &self.out, record);
        self.note_failure(saved);
        Composed {
            size: self.plan.layout.size,
            sha256: done.sha256,
            base_sha256,
            bytes_written: done.written,
            kind,
            layout: self.plan.layout,
            notes: std::mem::take(&mut self.notes),
        }
    }

    /// The states taken now, and the earlier ones before the first of them.
    fn all_checkpoints(&self, done: &Done, old: &[Checkpoint]) -> Vec<Checkpoint> {
        let mut all = done.checkpoints.clone();
        let first = all.iter().map(|checkpoint| checkpoint.at).min();
        let wanted = self.checkpoints();
        let known = self
            .record
            .as_ref()
            .and_then(|record| record.head(&self.key));
        let before = old.iter().chain(known).filter(|checkpoint| {
            wanted.contains(&checkpoint.at) && first.is_none_or(|first| checkpoint.at < first)
        });
        for checkpoint in before {
            if !all.iter().any(|have| have.at == checkpoint.at) {
                all.push(checkpoint.clone());
            }
        }
        all
    }

    fn remember_base(&mut self, sha256: [u8; 32], checkpoints: &[Checkpoint]) {
        let sha256 = hex::encode(sha256);
        let known = self.record.take().filter(|record| record.sha256 == sha256);
        let mut record = known.unwrap_or_else(|| BaseRecord {
            identity: self.base.identity.clone(),
            sha256,
            heads: Vec::new(),
        });
        let start = self.plan.layout.tail_start;
        if let Some(head) = checkpoints.iter().find(|checkpoint| checkpoint.at == start) {
            record.remember(&self.key, head.clone());
        }
        let saved = self.store.save(BASE, &self.base_path, record);
        self.note_failure(saved);
    }

    fn note_failure(&mut self, saved: anyhow::Result<()>) {
        if let Err(error) = saved {
            let note = format!("The next run will take as long as this one: {error:#}");
            self.notes.push(note);
        }
    }

    fn no_space(&self, available: u64, state: &str) -> ComposeError {
        ComposeError::NoSpace {
            out: self.job.out.to_path_buf(),
            needed: self.plan.layout.size,
            available,
            state: state.into(),
        }
    }

    /// Says what an error while writing means and left behind.
    fn explain(&self, error: ComposeError, free: u64, state: &str) -> ComposeError {
        let ComposeError::Output(error) = error else {
            return error;
        };
        let full = error.chain().any(|cause| {
            use std::io::ErrorKind::{QuotaExceeded, StorageFull};
            let io = cause.downcast_ref::<std::io::Error>();
            io.is_some_and(|io| matches!(io.kind(), StorageFull | QuotaExceeded))
        });
        if full {
            return self.no_space(free, state);
        }
        let place = format!("writing {}: {state}", self.job.out.display());
        ComposeError::Output(error.context(place))
    }
}

fn leftover_note(out: &Path) -> String {
    format!(
        "An earlier run did not finish {}; what it left was removed.",
        out.display()
    )
}

/// What the head follows from.
fn head_key(plan: &Plan<'_>) -> HeadKey {
    let mut hash = Sha256::new();
    for (offset, bytes) in &plan.patches {
        hash.update(offset.to_le_bytes());
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    }
    HeadKey {
        tail_start: plan.layout.tail_start,
        tail_len: plan.layout.tail_len,
        size: plan.layout.size,
        patches: hex::encode(hash.finalize()),
    }
}

fn from_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    hex::decode_to_slice(text, &mut bytes).ok()?;
    Some(bytes)
}
