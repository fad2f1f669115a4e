//! CycloneDX 1.6 as JSON (ECMA-424; schema bom-1.6.schema.json).
//!
//! The machine is the BOM's subject (`metadata.component`). It depends on everything that is
//! asked for by name, and packages on what they need. What the format has no field for stands
//! in properties: `lab:kind`, `lab:unit`, `lab:size` (bytes) and `lab:architecture`.

use lab_lock::Sha256;
use serde::Serialize;

use crate::inventory::{Component, Inventory, Kind};
use crate::licence::Licence;
use crate::{Moment, uuid};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Bom<'i> {
    bom_format: &'static str,
    spec_version: &'static str,
    serial_number: String,
    version: u32,
    metadata: Metadata<'i>,
    components: Vec<Part<'i>>,
    dependencies: Vec<Dependency>,
}

#[derive(Serialize)]
struct Metadata<'i> {
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamp: Option<String>,
    tools: Tools,
    component: Part<'i>,
}

#[derive(Serialize)]
struct Tools {
    components: [Tool; 1],
}

#[derive(Serialize)]
struct Tool {
    #[serde(rename = "type")]
    kind: &'static str,
    name: &'static str,
    version: &'static str,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Part<'i> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(rename = "bom-ref")]
    bom_ref: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    supplier: Option<Supplier<'i>>,
    name: &'i str,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'i str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    hashes: Vec<Hash>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    licenses: Vec<LicenceChoice<'i>>,
    #[serde(skip_serializing_if = "str::is_empty")]
    purl: &'i str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    external_references: Vec<ExternalReference<'i>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    properties: Vec<Property>,
}

#[derive(Serialize)]
struct Supplier<'i> {
    name: &'i str,
}

#[derive(Serialize)]
struct Hash {
    alg: &'static str,
    content: String,
}

#[derive(Serialize)]
#[serde(untagged)]
enum LicenceChoice<'i> {
    Single {
        license: LicenceName<'i>,
    },
    Expression {
        expression: &'i str,
        acknowledgement: &'static str,
    },
}

#[derive(Serialize)]
struct LicenceName<'i> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'i str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'i str>,
    acknowledgement: &'static str,
}

#[derive(Serialize)]
struct ExternalReference<'i> {
    url: &'i str,
    #[serde(rename = "type")]
    kind: &'static str,
    hashes: [Hash; 1],
}

#[derive(Serialize)]
struct Property {
    name: &'static str,
    value: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Dependency {
    #[serde(rename = "ref")]
    of: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    depends_on: Vec<String>,
}

/// The list as CycloneDX 1.6 JSON, with a newline at its end. Its serial number is made of the
/// lock's digest and the machine's name. It has a time only where one is given.
///
/// # Errors
///
/// None that is known of: the types hold nothing that JSON cannot.
pub fn cyclonedx(list: &Inventory, made: Option<&Moment>) -> Result<String, serde_json::Error> {
    let serial = uuid::of(&["cyclonedx", &list.lock.to_string(), &list.machine]);
    let bom = Bom {
        bom_format: "CycloneDX",
        spec_version: "1.6",
        serial_number: format!("urn:uuid:{serial}"),
        version: 1,
        metadata: Metadata {
            timestamp: made.map(ToString::to_string),
            tools: Tools {
                components: [Tool {
                    kind: "application",
                    name: env!("CARGO_PKG_NAME"),
                    version: env!("CARGO_PKG_VERSION"),
                }],
            },
            component: machine(list),
        },
        components: list.components.iter().map(part).collect(),
        dependencies: dependencies(list),
    };
    Ok(format!("{}\n", serde_json::to_string_pretty(&bom)?))
}

fn reference_of_machine(list: &Inventory) -> String {
    format!("machine:{}", list.machine)
}

fn machine(list: &Inventory) -> Part<'_> {
    Part {
        kind: "device",
        bom_ref: reference_of_machine(list),
        name: &list.machine,
        properties: vec![Property {
            name: "lab:lock",
            value: format!("sha256:{}", list.lock),
        }],
        ..Part::default()
    }
}

fn part(one: &Component) -> Part<'_> {
    let references = one.sources.iter().map(|source| ExternalReference {
        url: &source.url,
        kind: "distribution",
        hashes: [hash(&source.sha256)],
    });
    Part {
        kind: kind(one.kind),
        bom_ref: one.id(),
        supplier: (!one.supplier.is_empty()).then_some(Supplier {
            name: &one.supplier,
        }),
        name: &one.name,
        version: one.version.as_deref(),
        hashes: one.sha256.iter().map(hash).collect(),
        licenses: one.licence.iter().map(choice).collect(),
        purl: &one.purl,
        external_references: references.collect(),
        properties: properties(one),
    }
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Base => "operating-system",
        Kind::Key | Kind::File => "file",
        Kind::Package => "library",
        Kind::Model => "machine-learning-model",
        Kind::Image => "container",
    }
}

fn hash(digest: &Sha256) -> Hash {
    Hash {
        alg: "SHA-256",
        content: digest.to_string(),
    }
}

/// An identifier must be one of SPDX's list here; a reference is a name, all else an
/// expression.
fn choice(licence: &Licence) -> LicenceChoice<'_> {
    const DECLARED: &str = "declared";
    let text = licence.as_str();
    let reference = text.starts_with("LicenseRef-");
    if !licence.is_single() || text.ends_with('+') {
        return LicenceChoice::Expression {
            expression: text,
            acknowledgement: DECLARED,
        };
    }
    LicenceChoice::Single {
        license: LicenceName {
            id: (!reference).then_some(text),
            name: reference.then_some(text),
            acknowledgement: DECLARED,
        },
    }
}

fn properties(one: &Component) -> Vec<Property> {
    let mut all = vec![Property {
        name: "lab:kind",
        value: one.kind.name().to_owned(),
    }];
    all.extend(one.units.iter().map(|unit| Property {
        name: "lab:unit",
        value: unit.clone(),
    }));
    all.extend(one.size.map(|size| Property {
        name: "lab:size",
        value: size.to_string(),
    }));
    all.extend(one.architecture.as_ref().map(|name| Property {
        name: "lab:architecture",
        value: name.clone(),
    }));
    all
}

fn dependencies(list: &Inventory) -> Vec<Dependency> {
    let direct = list.components.iter().filter(|one| one.direct);
    let mut all = vec![Dependency {
        of: reference_of_machine(list),
        depends_on: direct.map(Component::id).collect(),
    }];
    all.extend(list.components.iter().map(|one| {
        Dependency {
            of: one.id(),
            depends_on: one
                .needs
                .iter()
                .map(|name| format!("{}:{name}", Kind::Package.name()))
                .collect(),
        }
    }));
    all
}
