//! The content-addressed store against real servers, processes and file systems.

mod fetch;
mod keep;
mod login;
mod mirrors;
mod process;
mod speed;

use std::fs;
use std::sync::Arc;

use lab_supply::store::{
    FetchAll, FetchFailed, FetchedAll, ItemFailed, Store, Wanted, Why, fetch_all,
};
use lab_supply::{Authority, Cache, Cause, Digest};

use crate::world::limits;

const MIB: usize = 1 << 20;

/// A store that goes away with the test.
struct World {
    dir: tempfile::TempDir,
    store: Store,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path());
        Self { dir, store }
    }

    fn fetch(&self, wanted: &[Wanted]) -> Result<FetchedAll, FetchFailed> {
        fetch_all(&self.store, wanted, &how(), &|_| {})
    }

    /// Fetches one that must fail, holds that it is not there, and says why.
    fn why(&self, wanted: Wanted) -> ItemFailed {
        let digest = wanted.sha256;
        let mut failed = self.fetch(&[wanted]).unwrap_err();
        assert!(!self.store.place(digest).exists());
        assert_eq!(failed.failed.len(), 1, "{failed}");
        failed.failed.remove(0)
    }

    /// The last cause of one that must fail.
    fn cause(&self, wanted: Wanted) -> Cause {
        let failed = self.why(wanted);
        match failed.why {
            Why::Tried(mut tried) => tried.pop().unwrap().cause,
            other => panic!("{other:?}"),
        }
    }

    fn holds(&self, bytes: &[u8]) -> bool {
        let digest = Digest::of(bytes);
        let there = self
            .store
            .contains(digest, Some(bytes.len() as u64))
            .unwrap();
        assert!(!there || fs::read(self.store.place(digest)).unwrap() == bytes);
        there
    }

    /// The names of what stands among the unfinished.
    fn unfinished(&self) -> Vec<String> {
        names(&self.dir.path().join("cache/objects/partial"))
    }
}

fn names(dir: &std::path::Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn open(dir: &std::path::Path) -> Store {
    Store::open(&Cache::open(dir.join("cache")).unwrap()).unwrap()
}

fn how() -> FetchAll {
    FetchAll {
        limits: limits(),
        ..FetchAll::default()
    }
}

fn wanted(name: &str, bytes: &[u8], urls: &[String]) -> Wanted {
    Wanted {
        name: name.to_owned(),
        sha256: Digest::of(bytes),
        size: Some(bytes.len() as u64),
        urls: urls.to_vec(),
        authority: None,
    }
}

fn with(authority: impl Authority + 'static, wanted: Wanted) -> Wanted {
    Wanted {
        authority: Some(Arc::new(authority)),
        ..wanted
    }
}
