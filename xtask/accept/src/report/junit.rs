//! JUnit's XML, as build servers read it: the form that Jenkins' plugin documents
//! (`junit-10.xsd`). A suite is a group of one host's checks.

use std::io;

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};

use super::plain::clean;
use super::{CheckResult, Outcome, Report};

/// The reports as one JUnit file.
///
/// # Errors
///
/// None that is known: it is written to memory.
pub fn junit(reports: &[Report]) -> io::Result<String> {
    let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
    let declaration = BytesDecl::new("1.0", Some("UTF-8"), None);
    writer.write_event(Event::Decl(declaration))?;
    let all = |count: fn(&Report) -> usize| reports.iter().map(count).sum::<usize>().to_string();
    let took: u64 = reports.iter().map(|one| one.took_ms).sum();
    writer
        .create_element("testsuites")
        .with_attribute(("name", "acceptance"))
        .with_attribute(("tests", all(|one| one.results.len()).as_str()))
        .with_attribute(("failures", all(Report::failed).as_str()))
        .with_attribute(("skipped", all(Report::not_run).as_str()))
        .with_attribute(("time", seconds(took).as_str()))
        .write_inner_content(|writer| reports.iter().try_for_each(|one| host(writer, one)))?;
    let text = String::from_utf8(writer.into_inner()).map_err(io::Error::other)?;
    Ok(text + "\n")
}

type Xml = Writer<Vec<u8>>;

fn seconds(ms: u64) -> String {
    format!("{}.{:03}", ms / 1000, ms % 1000)
}

/// XML 1.0, section 2.2: what no document may hold, even escaped.
fn allowed(text: &str) -> String {
    let forbidden = |one: &char| matches!(one, '\u{fffe}' | '\u{ffff}');
    clean(text).chars().filter(|one| !forbidden(one)).collect()
}

fn host(writer: &mut Xml, report: &Report) -> io::Result<()> {
    for (group, results) in report.groups() {
        let count = |which: fn(&Outcome) -> bool| {
            let outcomes = results.iter().map(|(_, one)| &one.outcome);
            outcomes.filter(|one| which(one)).count().to_string()
        };
        let failures = count(|one| matches!(one, Outcome::Failed { .. }));
        let skipped = count(|one| matches!(one, Outcome::NotRun { .. }));
        let class = allowed(&format!("{}.{group}", report.host));
        writer
            .create_element("testsuite")
            .with_attribute(("name", class.as_str()))
            .with_attribute(("hostname", allowed(&report.host).as_str()))
            .with_attribute(("timestamp", timestamp(report.taken_unix_ms).as_str()))
            .with_attribute(("tests", results.len().to_string().as_str()))
            .with_attribute(("failures", failures.as_str()))
            .with_attribute(("errors", "0"))
            .with_attribute(("skipped", skipped.as_str()))
            .write_inner_content(|writer| {
                properties(writer, report)?;
                let mut results = results.iter();
                results.try_for_each(|(_, one)| case(writer, &class, one))
            })?;
    }
    Ok(())
}

/// ISO 8601, to the minute, without a zone, as the form wants it.
fn timestamp(unix_ms: u64) -> String {
    let moment = super::plain::moment(unix_ms);
    match moment.strip_suffix(" UTC") {
        Some(moment) => format!("{}:00", moment.replace(' ', "T")),
        None => "1970-01-01T00:00:00".to_owned(),
    }
}

fn properties(writer: &mut Xml, report: &Report) -> io::Result<()> {
    let glance = &report.glance;
    let known = [
        ("lab", &report.lab),
        ("machine", &glance.name),
        ("product", &glance.product),
        ("os", &glance.os),
        ("kernel", &glance.kernel),
        ("driver", &glance.driver),
        ("cuda", &glance.cuda),
        ("description", &glance.description),
        ("probe", &glance.probe),
    ];
    let element = writer.create_element("properties");
    element.write_inner_content(|writer| {
        for (name, value) in known.into_iter().filter(|(_, value)| !value.is_empty()) {
            writer
                .create_element("property")
                .with_attribute(("name", name))
                .with_attribute(("value", allowed(value).as_str()))
                .write_empty()?;
        }
        Ok(())
    })?;
    Ok(())
}

fn case(writer: &mut Xml, class: &str, one: &CheckResult) -> io::Result<()> {
    let name = allowed(&one.name());
    let element = writer
        .create_element("testcase")
        .with_attribute(("name", name.as_str()))
        .with_attribute(("classname", class));
    match &one.outcome {
        Outcome::Passed => element.write_inner_content(|writer| {
            text(
                writer,
                "system-out",
                None,
                &format!("{}\n{}", one.claim, one.evidence),
            )
        })?,
        Outcome::Failed { .. } => element.write_inner_content(|writer| {
            let seen = format!("{}: {}", one.claim, one.evidence);
            text(writer, "failure", Some(&seen), &story(one))
        })?,
        Outcome::NotRun { reason } => element
            .write_inner_content(|writer| text(writer, "skipped", Some(reason), &one.claim))?,
    };
    Ok(())
}

fn text(writer: &mut Xml, element: &str, message: Option<&str>, text: &str) -> io::Result<()> {
    let mut element = writer.create_element(element);
    if let Some(message) = message {
        element = element.with_attribute(("message", allowed(message).as_str()));
    }
    element.write_text_content(BytesText::new(&allowed(text)))?;
    Ok(())
}

/// All that there is to say of a failure.
fn story(one: &CheckResult) -> String {
    let mut story = format!("claimed: {}\nseen: {}\n", one.claim, one.evidence);
    if let Some(place) = &one.place {
        story += &format!("described: {}:{} ({})\n", place.file, place.line, place.key);
    }
    if let Outcome::Failed {
        cause,
        remedy,
        reference,
    } = &one.outcome
    {
        story += &format!("likely cause: {cause}\nremedy: {remedy}\nread on: {reference}\n");
    }
    story
}
