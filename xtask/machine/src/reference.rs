//! The reference of `machine.toml`, made from the very types that read it: the
//! JSON Schema for editors, and the page for people.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use crate::Description;
use crate::rules;

/// The JSON Schema (draft 2020-12) of a description, for `#:schema`.
pub fn schema() -> String {
    let schema = schemars::schema_for!(Description);
    let mut text = serde_json::to_string_pretty(&schema).unwrap_or_default();
    text.push('\n');
    text
}

/// The page of every key: type, default and meaning, and every rule.
pub fn page() -> String {
    let schema = schemars::schema_for!(Description).to_value();
    let mut page = String::from(HEAD);
    let defs = schema
        .get("$defs")
        .and_then(Value::as_object)
        .cloned()
        .unwrap_or_default();
    let defaults = serde_json::to_value(Description::default()).unwrap_or_default();
    let properties = schema
        .get("properties")
        .and_then(Value::as_object)
        .cloned()
        .unwrap_or_default();
    for (name, property) in &properties {
        section(&mut page, &defs, name, property, defaults.get(name));
    }
    rule_list(&mut page);
    page
}

const HEAD: &str = "# Reference of machine.toml\n\n\
<!-- Made by `cargo xtask generate` from the types that read the file. Do not edit. -->\n\n\
Every key has a default; only the disk must be named. `#:schema ../machine.schema.json` in the first line gives\n\
completion in editors. Unknown keys are errors. What follows lists each section with its keys, then the rules.\n";

fn section(
    page: &mut String,
    defs: &Map<String, Value>,
    name: &str,
    property: &Value,
    default: Option<&Value>,
) {
    let item = property.get("items").unwrap_or(property);
    let target = resolve(defs, item);
    let Some(keys) = target.get("properties").and_then(Value::as_object) else {
        let _ = writeln!(page, "\n## `{name}`\n\n{}", words(property));
        return;
    };
    let head = if property.get("items").is_some() {
        format!("[[{name}]]")
    } else {
        format!("[{name}]")
    };
    let about = target
        .get("description")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let _ = writeln!(
        page,
        "\n## `{head}`\n\n{}\n\n| key | form | default | meaning |\n| --- | --- | --- | --- |",
        about.replace('\n', " ")
    );
    let required: Vec<&str> = target
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    for (key, value) in keys {
        let default = match required.contains(&key.as_str()) {
            true => "*required*".to_owned(),
            false => default_text(default.and_then(|all| all.get(key))),
        };
        let _ = writeln!(
            page,
            "| `{key}` | {} | {default} | {} |",
            form(defs, value),
            words(value)
        );
    }
}

/// Follows a reference to its definition, through "or null" as well.
fn resolve<'a>(defs: &'a Map<String, Value>, value: &'a Value) -> &'a Value {
    if let Some(name) = value
        .get("$ref")
        .and_then(Value::as_str)
        .and_then(|path| path.strip_prefix("#/$defs/"))
    {
        return defs.get(name).map_or(value, |target| resolve(defs, target));
    }
    let choices = value.get("anyOf").and_then(Value::as_array);
    let real: Vec<&Value> = choices
        .into_iter()
        .flatten()
        .filter(|one| one.get("type") != Some(&Value::from("null")))
        .collect();
    match real.as_slice() {
        [only] => resolve(defs, only),
        _ => value,
    }
}

fn form(defs: &Map<String, Value>, value: &Value) -> String {
    let target = resolve(defs, value);
    if let Some(choices) = constants(target) {
        return choices.join(" or ");
    }
    let kind = match target.get("type") {
        Some(Value::String(kind)) => kind.as_str(),
        Some(Value::Array(kinds)) => kinds
            .iter()
            .filter_map(Value::as_str)
            .find(|kind| *kind != "null")
            .unwrap_or_default(),
        _ => "",
    };
    let example = target
        .get("examples")
        .or_else(|| value.get("examples"))
        .and_then(|all| all.get(0));
    match (kind, example) {
        ("array", _) => {
            let item = target
                .get("items")
                .map(|item| form(defs, item))
                .unwrap_or_default();
            format!("list of {item}")
        }
        ("boolean", _) => "`true` or `false`".to_owned(),
        ("integer", _) => "whole number".to_owned(),
        (_, Some(example)) => format!("such as `{example}`"),
        ("string", None) => "text".to_owned(),
        _ if target.get("anyOf").is_some() => "`\"auto\"` or a list of cards' names".to_owned(),
        _ if target.get("oneOf").is_some() => {
            "`{ env = \"NAME\" }` or `{ file = \"PATH\" }`".to_owned()
        }
        _ => table_form(defs, target),
    }
}

fn table_form(defs: &Map<String, Value>, target: &Value) -> String {
    let keys = target.get("properties").and_then(Value::as_object);
    let keys: Vec<String> = keys
        .into_iter()
        .flatten()
        .map(|(key, value)| format!("`{key}` ({})", form(defs, value)))
        .collect();
    format!("table of {}", keys.join(", "))
}

/// The values of an enumeration, or none where it is something else.
fn constants(target: &Value) -> Option<Vec<String>> {
    if let Some(values) = target.get("enum").and_then(Value::as_array) {
        return Some(
            values
                .iter()
                .filter(|value| !value.is_null())
                .map(|value| format!("`{value}`"))
                .collect(),
        );
    }
    let choices = target.get("oneOf").and_then(Value::as_array)?;
    choices
        .iter()
        .map(|one| one.get("const").map(|value| format!("`{value}`")))
        .collect()
}

fn default_text(default: Option<&Value>) -> String {
    match default {
        None | Some(Value::Null) => "–".to_owned(),
        Some(Value::Array(items)) if items.is_empty() => "none".to_owned(),
        Some(value) => format!("`{value}`"),
    }
}

fn words(value: &Value) -> String {
    value
        .get("description")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .replace('\n', " ")
        .replace('|', "\\|")
}

fn rule_list(page: &mut String) {
    page.push_str("\n## Rules\n\n`cargo xtask explain RULE` tells the story of each.\n\n| rule | | what it says |\n| --- | --- | --- |\n");
    for rule in rules::all() {
        let severity = match rule.severity {
            rules::Severity::Error => "error",
            rules::Severity::Warning => "warning",
        };
        let _ = writeln!(page, "| `{}` | {severity} | {} |", rule.id, rule.title);
    }
}
