//! apt's sources and settings (sources.list(5), apt.conf(5)).

use std::collections::BTreeMap;

use lab_facts::{AptSource, Fact};

use super::openpgp;
use crate::program::Program;
use crate::root::{Root, short};

const FOLDER: &str = "/etc/apt/sources.list.d";

/// The most that is read of one file, in bytes; a keyring may be that large.
const MOST: u64 = 4 << 20;

/// The settings that count here.
const SETTINGS: [&str; 2] = ["APT::Periodic::", "Unattended-Upgrade::"];

/// A source of binary packages, in either form.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Stanza {
    pub(crate) uris: Vec<String>,
    pub(crate) suites: Vec<String>,
    pub(crate) components: Vec<String>,
    pub(crate) signed_by: Option<String>,
    pub(crate) trusted: bool,
}

/// Every source of packages that is not switched off.
pub(crate) fn sources(root: &Root) -> Result<Vec<AptSource>, String> {
    let names = match root.names(FOLDER) {
        Err(error) if error.missing() => Vec::new(),
        names => names?,
    };
    let mut files: Vec<String> = vec!["/etc/apt/sources.list".to_owned()];
    files.extend(names.iter().map(|name| format!("{FOLDER}/{name}")));
    let mut sources = Vec::new();
    for file in &files {
        let parse = match file.rsplit_once('.') {
            Some((_, "list")) => one_line,
            Some((_, "sources")) => deb822,
            _ => continue,
        };
        let text = match root.text(file, MOST) {
            Err(error) if error.missing() => continue,
            text => text?,
        };
        sources.extend(
            parse(&text)
                .into_iter()
                .flat_map(|one| each(root, file, one)),
        );
    }
    Ok(sources)
}

/// A source an address.
fn each(root: &Root, file: &str, stanza: Stanza) -> Vec<AptSource> {
    let fingerprints = fingerprints(root, stanza.signed_by.as_deref());
    let inline = |text: &String| text.contains("-----BEGIN");
    let signed_by = match stanza.signed_by {
        Some(text) if inline(&text) => Some("(inline)".to_owned()),
        other => other,
    };
    let source = |uri| AptSource {
        file: file.to_owned(),
        uri,
        suites: stanza.suites.clone(),
        components: stanza.components.clone(),
        signed_by: signed_by.clone(),
        fingerprints: fingerprints.clone(),
        trusted: stanza.trusted,
    };
    stanza.uris.into_iter().map(source).collect()
}

/// The stanzas of a `.sources` file.
pub(crate) fn deb822(text: &str) -> Vec<Stanza> {
    let mut stanzas = Vec::new();
    let mut fields: BTreeMap<String, String> = BTreeMap::new();
    let mut last = String::new();
    for line in text.lines().chain([""]) {
        if line.starts_with('#') {
            continue;
        }
        if line.trim().is_empty() {
            stanzas.extend(stanza(&std::mem::take(&mut fields)));
        } else if line.starts_with([' ', '\t']) {
            let value = fields.entry(last.clone()).or_default();
            value.push('\n');
            // A line of a single point stands for an empty one.
            value.push_str(if line.trim() == "." { "" } else { line.trim() });
        } else if let Some((name, value)) = line.split_once(':') {
            last = name.trim().to_ascii_lowercase();
            fields.insert(last.clone(), value.trim().to_owned());
        }
    }
    stanzas
}

fn stanza(fields: &BTreeMap<String, String>) -> Option<Stanza> {
    let field = |name: &str| fields.get(name).map_or("", String::as_str);
    let words =
        |name: &str| -> Vec<String> { field(name).split_whitespace().map(str::to_owned).collect() };
    let binary = words("types").iter().any(|kind| kind == "deb");
    let off = is(field("enabled"), false);
    let signed_by = field("signed-by").trim();
    (binary && !off).then(|| Stanza {
        uris: words("uris"),
        suites: words("suites"),
        components: words("components"),
        signed_by: (!signed_by.is_empty()).then(|| signed_by.to_owned()),
        trusted: is(field("trusted"), true),
    })
}

/// apt's words for yes and no.
fn is(text: &str, wanted: bool) -> bool {
    let words: [&str; 5] = match wanted {
        true => ["yes", "true", "with", "on", "enable"],
        false => ["no", "false", "without", "off", "disable"],
    };
    let text = text.trim().to_ascii_lowercase();
    words.contains(&text.as_str()) || text == if wanted { "1" } else { "0" }
}

/// The lines of a `.list` file.
pub(crate) fn one_line(text: &str) -> Vec<Stanza> {
    let line = |line: &str| {
        let line = line.split('#').next().unwrap_or_default().trim();
        let rest = line.strip_prefix("deb")?;
        let rest = rest
            .starts_with([' ', '\t', '['])
            .then(|| rest.trim_start())?;
        let (options, rest) = match rest.strip_prefix('[') {
            Some(rest) => rest.split_once(']')?,
            None => ("", rest),
        };
        let mut words = rest.split_whitespace().map(str::to_owned);
        let option = |name: &str| {
            let mut pairs = options
                .split_whitespace()
                .filter_map(|pair| pair.split_once('='));
            pairs
                .find(|(key, _)| key.eq_ignore_ascii_case(name))
                .map(|(_, value)| value)
        };
        Some(Stanza {
            uris: vec![words.next()?],
            suites: vec![words.next()?],
            components: words.collect(),
            signed_by: option("signed-by").map(str::to_owned),
            trusted: option("trusted").is_some_and(|value| is(value, true)),
        })
    };
    text.lines().filter_map(line).collect()
}

/// The fingerprints of the keys that may sign.
fn fingerprints(root: &Root, signed_by: Option<&str>) -> Fact<Vec<String>> {
    let Some(signed_by) = signed_by else {
        return Fact::unknown("no key is named, so every key of the system signs for it");
    };
    if signed_by.contains("-----BEGIN") {
        return openpgp::fingerprints(signed_by.as_bytes())
            .map_err(|why| format!("the key in Signed-By: {why}"))
            .into();
    }
    let names = signed_by
        .split([' ', ',', '\n'])
        .filter(|name| !name.is_empty());
    let each: Result<Vec<Vec<String>>, String> = names.map(|name| of_name(root, name)).collect();
    each.map(|each| each.concat()).into()
}

/// Of a file of keys, or a fingerprint that stands there itself (with `!` for that key alone).
fn of_name(root: &Root, name: &str) -> Result<Vec<String>, String> {
    let print = name.trim_end_matches('!');
    if print.len() == 40 && print.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(vec![print.to_ascii_uppercase()]);
    }
    if !name.starts_with('/') {
        return Err(format!(
            "`{}` is neither a path nor a fingerprint",
            short(name)
        ));
    }
    let bytes = root.bytes(name, MOST)?;
    openpgp::fingerprints(&bytes).map_err(|why| format!("{name}: {why}"))
}

/// apt's settings that say what is upgraded by itself.
pub(crate) fn config() -> Result<BTreeMap<String, Vec<String>>, String> {
    let text = Program::new("apt-config", ["dump"]).text()?;
    Ok(settings(&text))
}

/// The lines `Name "value";` of `apt-config dump`; a list's names end in `::`.
pub(crate) fn settings(text: &str) -> BTreeMap<String, Vec<String>> {
    let mut settings: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in text.lines() {
        let counts = SETTINGS.iter().any(|start| line.starts_with(start));
        let Some((name, value)) = line.split_once(" \"").filter(|_| counts) else {
            continue;
        };
        let list = name.ends_with("::");
        let values = settings
            .entry(name.trim_end_matches("::").to_owned())
            .or_default();
        match value.strip_suffix("\";") {
            // A list's own line, before those of its values.
            Some("") if !list => {}
            Some(value) => values.push(value.to_owned()),
            None => {}
        }
    }
    settings
}
