//! SPDX 2.3 as JSON (specification 2.3, sections 6 to 11).
//!
//! The document describes the machine, which is a package that contains all components;
//! packages depend on what they need. `licenseDeclared` is what was read out of the component,
//! `licenseConcluded` is left to people.

use std::collections::{BTreeMap, BTreeSet};

use lab_lock::Sha256;
use serde::Serialize;

use crate::inventory::{Component, Inventory, Kind};
use crate::licence::Licence;
use crate::{Moment, uuid};

const UNKNOWN: &str = "NOASSERTION";
const DOCUMENT: &str = "SPDXRef-DOCUMENT";
const MACHINE: &str = "SPDXRef-Machine";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    spdx_version: &'static str,
    data_license: &'static str,
    #[serde(rename = "SPDXID")]
    id: &'static str,
    name: String,
    document_namespace: String,
    creation_info: CreationInfo,
    packages: Vec<SpdxPackage>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    has_extracted_licensing_infos: Vec<ExtractedLicence>,
    relationships: Vec<Relationship>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CreationInfo {
    created: String,
    creators: [String; 1],
    license_list_version: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SpdxPackage {
    name: String,
    #[serde(rename = "SPDXID")]
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    version_info: Option<String>,
    supplier: String,
    download_location: String,
    files_analyzed: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    checksums: Vec<Checksum>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_info: Option<String>,
    license_concluded: &'static str,
    license_declared: String,
    copyright_text: &'static str,
    primary_package_purpose: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    comment: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    external_refs: Vec<ExternalRef>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Checksum {
    algorithm: &'static str,
    checksum_value: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ExternalRef {
    reference_category: &'static str,
    reference_type: &'static str,
    reference_locator: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ExtractedLicence {
    license_id: String,
    name: String,
    extracted_text: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Relationship {
    spdx_element_id: String,
    relationship_type: &'static str,
    related_spdx_element: String,
}

/// The list as SPDX 2.3 JSON, with a newline at its end. `created` is the document's time:
/// the lock's snapshot gives the same text for the same lock. Its namespace is made of the
/// lock's digest and of all that the list says.
///
/// # Errors
///
/// None that is known of: the types hold nothing that JSON cannot.
pub fn spdx(list: &Inventory, created: &Moment) -> Result<String, serde_json::Error> {
    let content = serde_json::to_string(list)?;
    let name = uuid::of(&["spdx", &list.lock.to_string(), &content]);
    let mut packages = vec![machine(list)];
    packages.extend(list.components.iter().map(package));
    let document = Document {
        spdx_version: "SPDX-2.3",
        data_license: "CC0-1.0",
        id: DOCUMENT,
        name: list.machine.clone(),
        document_namespace: format!("urn:uuid:{name}"),
        creation_info: CreationInfo {
            created: created.to_string(),
            creators: [concat!(
                "Tool: ",
                env!("CARGO_PKG_NAME"),
                "-",
                env!("CARGO_PKG_VERSION")
            )
            .to_owned()],
            license_list_version: "3.28",
        },
        packages,
        has_extracted_licensing_infos: extracted(list),
        relationships: relationships(list),
    };
    Ok(format!("{}\n", serde_json::to_string_pretty(&document)?))
}

/// An identifier within a document: letters, digits, `.` and `-` only (section 7.2). A name
/// with other characters gets the start of its digest, so that `a+b` is not `a-b`.
fn id(kind: Kind, name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-';
    let text: String = name
        .chars()
        .map(|c| if plain(c) { c } else { '-' })
        .collect();
    let digest = Sha256::of(name.as_bytes()).to_string();
    let tail = match text == name {
        true => String::new(),
        false => format!("-{}", digest.get(..8).unwrap_or_default()),
    };
    format!("SPDXRef-{}-{text}{tail}", kind.name())
}

fn machine(list: &Inventory) -> SpdxPackage {
    SpdxPackage {
        name: list.machine.clone(),
        id: MACHINE.to_owned(),
        version_info: None,
        supplier: UNKNOWN.to_owned(),
        download_location: UNKNOWN.to_owned(),
        files_analyzed: false,
        checksums: Vec::new(),
        source_info: Some(format!("machine.lock sha256:{}", list.lock)),
        license_concluded: UNKNOWN,
        license_declared: UNKNOWN.to_owned(),
        copyright_text: UNKNOWN,
        primary_package_purpose: "DEVICE",
        comment: None,
        external_refs: Vec::new(),
    }
}

fn package(one: &Component) -> SpdxPackage {
    let unknown = || UNKNOWN.to_owned();
    let supplier = match one.supplier.as_str() {
        "" => unknown(),
        name => format!("Organization: {name}"),
    };
    let first = one.sources.first();
    SpdxPackage {
        name: one.name.clone(),
        id: id(one.kind, &one.name),
        version_info: one.version.clone(),
        supplier,
        download_location: first.map_or_else(unknown, |source| source.url.clone()),
        files_analyzed: false,
        checksums: one.sha256.iter().map(checksum).collect(),
        source_info: further_sources(one),
        license_concluded: UNKNOWN,
        license_declared: one
            .licence
            .as_ref()
            .map_or_else(unknown, ToString::to_string),
        copyright_text: UNKNOWN,
        primary_package_purpose: purpose(one.kind),
        comment: comment(one),
        external_refs: vec![ExternalRef {
            reference_category: "PACKAGE-MANAGER",
            reference_type: "purl",
            reference_locator: one.purl.clone(),
        }],
    }
}

fn checksum(digest: &Sha256) -> Checksum {
    Checksum {
        algorithm: "SHA256",
        checksum_value: digest.to_string(),
    }
}

fn purpose(kind: Kind) -> &'static str {
    match kind {
        Kind::Base => "OPERATING-SYSTEM",
        Kind::Key | Kind::File => "FILE",
        Kind::Package => "INSTALL",
        Kind::Model => "OTHER",
        Kind::Image => "CONTAINER",
    }
}

/// The places after the first: where it is when that no longer has it, and its parts.
fn further_sources(one: &Component) -> Option<String> {
    let lines: Vec<String> = one
        .sources
        .iter()
        .skip(1)
        .map(|source| format!("{} sha256:{}", source.url, source.sha256))
        .collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

fn comment(one: &Component) -> Option<String> {
    let mut parts = Vec::new();
    if !one.units.is_empty() {
        parts.push(format!("units: {}", one.units.join(", ")));
    }
    if let Some(size) = one.size {
        parts.push(format!("size: {size} bytes"));
    }
    (!parts.is_empty()).then(|| parts.join("; "))
}

/// The licences that SPDX does not list (section 10). Their texts are with the components:
/// this list repeats no text that it did not read.
fn extracted(list: &Inventory) -> Vec<ExtractedLicence> {
    let mut carriers: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for one in &list.components {
        let references = one.licence.iter().flat_map(Licence::references);
        for reference in references {
            carriers.entry(reference).or_default().insert(&one.name);
        }
    }
    let entry = |(reference, names): (&str, BTreeSet<&str>)| {
        let names: Vec<&str> = names.into_iter().collect();
        ExtractedLicence {
            license_id: reference.to_owned(),
            name: reference
                .trim_start_matches("LicenseRef-")
                .replace('-', " "),
            extracted_text: format!(
                "The text comes with what is under it (a package has it in /usr/share/doc/NAME/copyright): {}",
                names.join(", ")
            ),
        }
    };
    carriers.into_iter().map(entry).collect()
}

fn relationships(list: &Inventory) -> Vec<Relationship> {
    let relation = |from: &str, kind, to: String| Relationship {
        spdx_element_id: from.to_owned(),
        relationship_type: kind,
        related_spdx_element: to,
    };
    let mut all = vec![relation(DOCUMENT, "DESCRIBES", MACHINE.to_owned())];
    for one in &list.components {
        all.push(relation(MACHINE, "CONTAINS", id(one.kind, &one.name)));
    }
    for one in &list.components {
        let own = id(one.kind, &one.name);
        let needs = one.needs.iter().map(|name| id(Kind::Package, name));
        all.extend(needs.map(|need| relation(&own, "DEPENDS_ON", need)));
    }
    all
}
