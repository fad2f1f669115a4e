//! Debian packages made on the spot.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::programs::run;

/// What goes into a package's place.
#[derive(Clone, Debug)]
pub(crate) enum Content {
    /// A file that may be run.
    Program(Vec<u8>),
    /// A file.
    Data(Vec<u8>),
    /// A symbolic link.
    Link(String),
}

/// A package to be.
#[derive(Clone, Debug)]
pub(crate) struct Package {
    name: String,
    version: String,
    section: String,
    depends: Vec<String>,
    files: Vec<(String, Content)>,
    postinst: Option<String>,
    prerm: Option<String>,
}

impl Package {
    pub(crate) fn new(name: &str, version: &str) -> Self {
        Self {
            name: name.to_owned(),
            version: version.to_owned(),
            section: "misc".to_owned(),
            depends: Vec::new(),
            files: Vec::new(),
            postinst: None,
            prerm: None,
        }
    }

    /// Needs this package, in the words of `Depends`.
    pub(crate) fn needs(mut self, what: &str) -> Self {
        self.depends.push(what.to_owned());
        self
    }

    /// Has this at a path without the leading slash.
    pub(crate) fn has(mut self, path: &str, content: Content) -> Self {
        self.files.push((path.to_owned(), content));
        self
    }

    /// Enables and starts a unit when it is installed, as debhelper's snippets do.
    pub(crate) fn with_unit(mut self, unit: &str, before: &str) -> Self {
        self.postinst = Some(format!(
            "#!/bin/sh\nset -e\n[ \"$1\" = configure ] || exit 0\n{before}\n\
             deb-systemd-helper enable {unit} >/dev/null\n\
             if [ -d /run/systemd/system ]; then\n\
             systemctl --system daemon-reload >/dev/null || true\n\
             deb-systemd-invoke restart {unit} >/dev/null || true\nfi\n"
        ));
        self.prerm = Some(format!(
            "#!/bin/sh\nset -e\n[ \"$1\" = remove ] || exit 0\n\
             [ ! -d /run/systemd/system ] || deb-systemd-invoke stop {unit} >/dev/null || true\n"
        ));
        self
    }

    /// Builds it into a folder and says where it is.
    pub(crate) fn build(&self, scratch: &Path, pool: &Path) -> Result<PathBuf> {
        let doing = || format!("building the package {} {}", self.name, self.version);
        let root = tempfile::tempdir_in(scratch).with_context(doing)?;
        self.lay_out(root.path()).with_context(doing)?;
        fs::create_dir_all(pool).with_context(doing)?;
        // An epoch stands in no file's name.
        let version = self.version.rsplit(':').next().unwrap_or_default();
        let deb = pool.join(format!("{}_{version}_amd64.deb", self.name));
        let (from, to) = (root.path().to_str(), deb.to_str());
        let from = from.context("the scratch folder is no UTF-8")?;
        let to = to.context("the scratch folder is no UTF-8")?;
        let options = ["--root-owner-group", "-Zgzip", "-z1", "--build", from, to];
        run("dpkg-deb", &options).with_context(doing)?;
        Ok(deb)
    }

    fn lay_out(&self, root: &Path) -> Result<()> {
        fs::set_permissions(root, fs::Permissions::from_mode(0o755))?;
        for (path, content) in &self.files {
            write(&root.join(path), content)?;
        }
        let control = root.join("DEBIAN");
        write(
            &control.join("control"),
            &Content::Data(self.control().into()),
        )?;
        for (name, script) in [("postinst", &self.postinst), ("prerm", &self.prerm)] {
            if let Some(script) = script {
                write(
                    &control.join(name),
                    &Content::Program(script.clone().into()),
                )?;
            }
        }
        Ok(())
    }

    fn control(&self) -> String {
        let depends = if self.depends.is_empty() {
            String::new()
        } else {
            format!("Depends: {}\n", self.depends.join(", "))
        };
        format!(
            "Package: {}\nVersion: {}\nArchitecture: amd64\nSection: {}\nPriority: optional\n\
             Maintainer: These tests <nobody@example.invalid>\n{depends}\
             Description: stands in for the vendor's package in tests\n",
            self.name, self.version, self.section
        )
    }
}

fn write(place: &Path, content: &Content) -> Result<()> {
    let doing = || format!("writing {}", place.display());
    if let Some(parent) = place.parent() {
        fs::create_dir_all(parent).with_context(doing)?;
    }
    let (bytes, mode) = match content {
        Content::Program(bytes) => (bytes, 0o755),
        Content::Data(bytes) => (bytes, 0o644),
        Content::Link(to) => return symlink(to, place).with_context(doing),
    };
    fs::write(place, bytes)
        .and_then(|()| fs::set_permissions(place, fs::Permissions::from_mode(mode)))
        .with_context(doing)
}
