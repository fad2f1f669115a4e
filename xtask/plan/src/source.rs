//! A vendor's apt repository on the machine: its source in the form of deb822, and
//! the pins that keep it from bringing anything else.

use anyhow::Result;
use lab_catalog::AptRepository;
use lab_lock::{WantedKey, WantedRepository};

use crate::unit::Package;
use crate::{Subject, TargetTree};

/// The repository as something that is wanted from outside.
pub(crate) fn wanted(repository: &AptRepository) -> WantedRepository {
    let fingerprint = repository.key_fingerprint.to_string();
    WantedRepository {
        name: repository.name.clone(),
        uri: repository.uri.clone(),
        snapshot_uri: None,
        suites: vec![repository.suite.clone()],
        components: repository.components.clone(),
        signed_by: vec![fingerprint.clone()],
        key: Some(WantedKey {
            url: repository.key_url.clone(),
            fingerprint,
        }),
        own: false,
    }
}

/// Where a vendor's key lies on a machine.
pub(crate) fn key_path(repository: &str) -> String {
    format!("/etc/apt/keyrings/lab-{repository}.asc")
}

/// Lays down the source, which the unit puts in its place together with the key,
/// and the pins. Says which files these are.
///
/// # Errors
///
/// When a path is taken.
pub(crate) fn lay_down(
    repository: &AptRepository,
    packages: &[Package],
    subject: &Subject<'_>,
    tree: &mut TargetTree,
) -> Result<Vec<String>> {
    let name = &repository.name;
    let source = format!("etc/lab/apt/{name}.sources");
    tree.file(source.as_str(), 0o644, stanza(repository, subject))?;
    let pins = format!("etc/apt/preferences.d/lab-{name}");
    tree.file(pins.as_str(), 0o644, preferences(repository, packages))?;
    Ok(vec![source, pins])
}

fn stanza(repository: &AptRepository, subject: &Subject<'_>) -> String {
    let mut text = format!(
        "Types: deb\nURIs: {}\nSuites: {}\n",
        repository.uri, repository.suite
    );
    // A flat repository has none, and apt refuses an empty line here.
    if !repository.components.is_empty() {
        text.push_str(&format!(
            "Components: {}\n",
            repository.components.join(" ")
        ));
    }
    text.push_str("Architectures: amd64\n");
    let locked = subject.lock.is_some_and(|lock| lock.snapshot.is_some());
    if locked || subject.machine.updates.snapshot.is_some() {
        // The vendor's server has no snapshots, and APT::Snapshot asks all for one.
        text.push_str("Snapshot: disable\n");
    }
    text.push_str(&format!("Signed-By: {}\n", key_path(&repository.name)));
    text
}

/// Ubuntu's packages stay Ubuntu's, and a described version stays until it is
/// described otherwise (1001 goes back as well: apt_preferences(5)).
fn preferences(repository: &AptRepository, packages: &[Package]) -> String {
    let uri = repository.uri.split_once("://");
    let host = uri.map_or(repository.uri.as_str(), |(_, rest)| rest);
    let host = host.split('/').next().unwrap_or_default();
    let mut text = format!("Package: *\nPin: origin {host}\nPin-Priority: 100\n");
    for package in packages {
        let (pin, priority) = match &package.version {
            Some(version) => (format!("version {version}"), 1001),
            None => (format!("origin {host}"), 600),
        };
        text.push_str(&format!(
            "\nPackage: {}\nPin: {pin}\nPin-Priority: {priority}\n",
            package.name
        ));
    }
    text
}
