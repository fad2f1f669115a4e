//! The test programs of the workspace, as Cargo builds them.
//!
//! All at once: Cargo gives a dependency the features that all packages of one build ask
//! for, so a build of some packages, and then of others, makes half of the tree again each
//! time. With the programs at hand, a tier is a choice among them and builds nothing.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cargo::{self, Artifact};
use crate::failure::Failure;

/// A test program, and the folder of its package, which it runs in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TestProgram {
    /// Its target's name: that of the file below `tests/`, or of the crate.
    pub(super) name: String,
    folder: PathBuf,
    executable: PathBuf,
}

impl TestProgram {
    /// Whether its package lies there, below the workspace's root.
    pub(super) fn is_in(&self, folder: &str) -> bool {
        self.folder.ends_with(folder)
    }

    /// As a log names it.
    pub(super) fn title(&self, root: &Path) -> String {
        let folder = self.folder.strip_prefix(root).unwrap_or(&self.folder);
        format!("{} of {}", self.name, folder.display())
    }

    /// To be run as `cargo test` runs it.
    pub(super) fn command(&self) -> Command {
        let mut command = Command::new(&self.executable);
        command
            .current_dir(&self.folder)
            .env("CARGO", cargo::program())
            .env("CARGO_MANIFEST_DIR", &self.folder);
        command
    }
}

/// Builds all of the workspace; says which test programs came of it, in Cargo's order of
/// packages.
///
/// # Errors
///
/// When something does not compile: the compiler has said what, then.
pub(super) fn build(root: &Path) -> Result<Vec<TestProgram>, Failure> {
    let mut all = of(cargo::build(root, &["--all-targets"])?);
    all.sort_by(|a, b| (&a.folder, &a.name).cmp(&(&b.folder, &b.name)));
    Ok(all)
}

/// The test programs among all that was made.
fn of(made: Vec<Artifact>) -> Vec<TestProgram> {
    let program = |one: Artifact| {
        Some(TestProgram {
            folder: one.manifest_path.parent()?.to_owned(),
            name: one.target.name,
            executable: one.executable,
        })
    };
    made.into_iter()
        .filter(|one| one.profile.test)
        .filter_map(program)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_test_programs_are_found_among_all_that_was_made() {
        let messages = r#"{"reason":"compiler-artifact","manifest_path":"/w/tests/system/Cargo.toml","target":{"kind":["test"],"name":"vm"},"profile":{"test":true},"executable":"/w/target/debug/deps/vm-1"}
{"reason":"compiler-artifact","manifest_path":"/w/xtask/cli/Cargo.toml","target":{"kind":["bin"],"name":"xtask"},"profile":{"test":false},"executable":"/w/target/debug/xtask"}
{"reason":"compiler-artifact","manifest_path":"/w/xtask/image/Cargo.toml","target":{"kind":["lib"],"name":"lab_image"},"profile":{"test":false},"executable":null}
{"reason":"build-finished","success":true}"#;
        let found = of(cargo::artifacts(messages));
        assert_eq!(found.len(), 1);
        assert!(found[0].is_in("tests/system") && found[0].name == "vm");
        assert!(!found[0].is_in("tests/container"));
        assert_eq!(found[0].title(Path::new("/w")), "vm of tests/system");
    }
}
