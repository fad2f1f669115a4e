//! Docker's packages, made from Debian's: the same programs and units under the names and
//! versions of Docker's.
//!
//! Debian's refuse to be installed beside Docker's, so they are packed anew. They are
//! fetched in a container of the machine's own image, and kept by Docker as an image.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::package::Package;
use crate::image;
use crate::programs::run;

/// Docker's name, Debian's, and what Docker's needs besides.
const ENGINE: &[(&str, &str, &[&str])] = &[
    (
        "docker-ce",
        "docker.io",
        &["docker-ce-cli", "containerd.io"],
    ),
    ("docker-ce-cli", "docker-cli", &[]),
    ("containerd.io", "containerd", &[]),
];

/// Fields of Debian's that would be wrong in Docker's.
const DROPPED: &[&str] = &[
    "Breaks",
    "Conflicts",
    "Provides",
    "Recommends",
    "Replaces",
    "Source",
    "Suggests",
];

/// Builds Docker's packages in these versions into a pool.
pub(crate) fn build(versions: &[(String, String)], scratch: &Path, pool: &Path) -> Result<()> {
    let folder = tempfile::tempdir_in(scratch).context("making a scratch folder")?;
    fetch(folder.path()).context("fetching Debian's packages of Docker")?;
    fs::create_dir_all(pool).with_context(|| format!("making {}", pool.display()))?;
    for (name, version) in versions {
        match ENGINE.iter().find(|(ours, _, _)| ours == name) {
            Some((_, debian, needs)) => repack(folder.path(), debian, name, version, needs, pool)
                .with_context(|| format!("packing {debian} as {name}"))?,
            None => {
                Package::new(name, version).build(scratch, pool)?;
            }
        }
    }
    Ok(())
}

/// Puts Debian's packages into `packages` in a folder.
fn fetch(folder: &Path) -> Result<()> {
    let (name, tag) = image::ready()?;
    let kept = format!("lab-docker-packages:{tag}");
    if run("docker", &["image", "inspect", &kept]).is_err() {
        let names: Vec<_> = ENGINE.iter().map(|(_, debian, _)| *debian).collect();
        let script = format!(
            "set -e; mkdir /packages; cd /packages; apt-get update; \
             apt-get -o APT::Sandbox::User=root download {}",
            names.join(" ")
        );
        let base = format!("{name}:{tag}");
        let options = ["create", &base, "sh", "-c", &script];
        in_container(&options, |id| {
            run("docker", &["start", "--attach", id])?;
            run("docker", &["commit", id, &kept])
        })?;
    }
    let to = folder.to_str().context("the scratch folder is no UTF-8")?;
    in_container(&["create", &kept, "true"], |id| {
        run("docker", &["cp", &format!("{id}:/packages"), to])
    })
}

/// Makes a container, does something with it, and removes it.
fn in_container(create: &[&str], work: impl FnOnce(&str) -> Result<String>) -> Result<()> {
    let id = run("docker", create)?;
    let id = id.trim();
    let worked = work(id);
    run("docker", &["rm", "--force", id])?;
    worked.map(drop)
}

fn repack(
    folder: &Path,
    debian: &str,
    name: &str,
    version: &str,
    needs: &[&str],
    pool: &Path,
) -> Result<()> {
    let packages = folder.join("packages");
    let start = format!("{debian}_");
    let from = packages.join(super::file_beginning(&packages, &start)?);
    let root = folder.join(name);
    let text = |path: &Path| path.to_str().map(str::to_owned);
    let root_text = text(&root).context("the scratch folder is no UTF-8")?;
    let from = text(&from).context("the scratch folder is no UTF-8")?;
    run("dpkg-deb", &["--raw-extract", &from, &root_text])?;
    let control = root.join("DEBIAN/control");
    let fields =
        fs::read_to_string(&control).with_context(|| format!("reading {}", control.display()))?;
    fs::write(&control, rewritten(&fields, name, version, needs))
        .with_context(|| format!("writing {}", control.display()))?;
    let short = version.rsplit(':').next().unwrap_or_default();
    let to = text(&pool.join(format!("{name}_{short}_amd64.deb")));
    let to = to.context("the scratch folder is no UTF-8")?;
    // Packing costs more time than the bytes are worth on loopback.
    let options = ["--root-owner-group", "-Znone", "--build", &root_text, &to];
    run("dpkg-deb", &options)?;
    fs::remove_dir_all(&root).with_context(|| format!("removing {root_text}"))
}

/// A control file under another name and version.
fn rewritten(fields: &str, name: &str, version: &str, needs: &[&str]) -> String {
    let mut text = String::new();
    let mut dropped = false;
    for line in fields.lines() {
        let field = line.split(':').next().unwrap_or_default();
        if !line.starts_with(' ') {
            dropped = DROPPED.contains(&field);
        }
        match field {
            _ if dropped => continue,
            "Package" => text += &format!("Package: {name}"),
            "Version" => text += &format!("Version: {version}"),
            "Depends" => text += &depends(line, needs),
            _ => text += line,
        }
        text.push('\n');
    }
    text
}

/// Debian's containerd is not wanted where Docker's own is.
fn depends(line: &str, needs: &[&str]) -> String {
    let list = line
        .trim_start_matches("Depends:")
        .split(',')
        .map(str::trim);
    let stays = |one: &&str| !one.starts_with("containerd");
    let all: Vec<_> = list.filter(stays).chain(needs.iter().copied()).collect();
    format!("Depends: {}", all.join(", "))
}

#[cfg(test)]
mod tests {
    use super::rewritten;

    #[test]
    fn a_package_of_debian_becomes_one_of_docker() {
        let debian = "Package: docker.io\nSource: docker.io (1)\nVersion: 26\n\
            Depends: libc6, containerd (>= 1.4~), runc\nConflicts: docker-ce,\n other\n\
            Description: engine\n of containers\n";
        let docker = rewritten(debian, "docker-ce", "5:29", &["containerd.io"]);
        let wanted = "Package: docker-ce\nVersion: 5:29\nDepends: libc6, runc, containerd.io\n\
            Description: engine\n of containers\n";
        assert_eq!(docker, wanted);
    }
}
