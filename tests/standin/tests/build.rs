//! Makes stand-ins and looks whether they repeat, byte by byte.

use std::env;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use lab_not_run::not_run;
use lab_standin::{Options, build, missing};

/// Whether a stand-in can be made here; where not, says so.
fn able(test: &str) -> bool {
    let names: Vec<_> = missing().iter().map(|wanted| wanted.need.name()).collect();
    if names.is_empty() {
        return true;
    }
    let reason = format!("missing {}", names.join(", "));
    not_run(test, &reason);
    false
}

/// Packages are got once for all tests.
fn cache() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache")
}

#[test]
fn the_same_options_give_the_same_bytes_in_any_folder() -> Result<()> {
    if !able("the_same_options_give_the_same_bytes_in_any_folder") {
        return Ok(());
    }
    let (one, other) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let options = Options {
        fill: 5_000_001,
        ..Options::default()
    };
    let first = build(&options, &cache(), &one.path().join("a.iso"))?;
    // Other inode numbers, and another path of another length.
    for number in 0..50 {
        fs::write(other.path().join(format!("{number}")), "")?;
    }
    let second = build(
        &options,
        &cache(),
        &other.path().join("folder/another name.iso"),
    )?;
    ensure!(!first.reused && !second.reused);
    ensure!(
        first.sha256 == second.sha256 && first.size == second.size,
        "{first:?} {second:?}"
    );
    ensure!(fs::read(&first.path)? == fs::read(&second.path)?);
    ensure!(first.size > 5_000_001);
    Ok(())
}

#[test]
fn what_stands_is_reused_and_what_changed_is_made_again() -> Result<()> {
    if !able("what_stands_is_reused_and_what_changed_is_made_again") {
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let out = folder.path().join("a.iso");
    let with = build(&Options::default(), &cache(), &out)?;
    ensure!(build(&Options::default(), &cache(), &out)?.reused);
    let without = build(
        &Options {
            joliet: false,
            ..Options::default()
        },
        &cache(),
        &out,
    )?;
    ensure!(!without.reused && without.sha256 != with.sha256);
    fs::File::options()
        .append(true)
        .open(&out)?
        .write_all(b"x")?;
    let again = build(
        &Options {
            joliet: false,
            ..Options::default()
        },
        &cache(),
        &out,
    )?;
    ensure!(!again.reused && again.sha256 == without.sha256);
    let mut names: Vec<_> = fs::read_dir(folder.path())?
        .map(|entry| Ok(entry?.file_name()))
        .collect::<Result<_>>()?;
    names.sort();
    ensure!(names == ["a.iso", "a.iso.recipe"], "left behind: {names:?}");
    Ok(())
}
