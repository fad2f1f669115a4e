//! What a kept rehearsal tells of its stages.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

/// The form of `rehearsal.json` that is understood.
const FORMAT: u64 = 1;

/// Of a rehearsal, what is measured here.
#[derive(Debug, PartialEq)]
pub(super) struct Rehearsal {
    pub(super) machine: String,
    /// What the image was based on, in words.
    pub(super) base: String,
    /// What ran the guest, in words.
    pub(super) accelerator: String,
    pub(super) stages: Vec<Stage>,
}

/// One stage, as it went.
#[derive(Debug, PartialEq)]
pub(super) struct Stage {
    pub(super) title: String,
    pub(super) seconds: f64,
    pub(super) reached: bool,
}

impl Rehearsal {
    /// Reads a `rehearsal.json`.
    ///
    /// # Errors
    ///
    /// When it cannot be read, is of another form, or tells of no stage.
    pub(super) fn read(file: &Path) -> Result<Self> {
        let text =
            fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
        parse(&text).with_context(|| format!("{}", file.display()))
    }

    /// How many stages did not end as they should.
    pub(super) fn missed(&self) -> usize {
        self.stages.iter().filter(|stage| !stage.reached).count()
    }

    /// Seconds of all stages.
    pub(super) fn seconds(&self) -> f64 {
        self.stages.iter().map(|stage| stage.seconds).sum()
    }
}

fn parse(text: &str) -> Result<Rehearsal> {
    let value: Value = serde_json::from_str(text).context("it is no JSON")?;
    match value.get("format") {
        Some(format) if format.as_u64() == Some(FORMAT) => {}
        Some(format) => bail!(
            "it has the format {format}, expected {FORMAT}: rehearse once more with this version of the program"
        ),
        None => bail!("it has no `format`, expected {FORMAT}: it is no report of a rehearsal"),
    }
    let stages = value.get("stages").and_then(Value::as_array);
    let stages = stages.context("it has no `stages`")?;
    ensure!(!stages.is_empty(), "it tells of no stage");
    Ok(Rehearsal {
        machine: word(&value, "machine")?,
        base: word(&value, "base")?,
        accelerator: word(&value, "accelerator")?,
        stages: stages.iter().map(stage).collect::<Result<_>>()?,
    })
}

fn stage(value: &Value) -> Result<Stage> {
    let title = word(value, "title")?;
    let seconds = value.get("seconds").and_then(Value::as_f64);
    let seconds = seconds.filter(|seconds| *seconds >= 0.0);
    let seconds = seconds.with_context(|| format!("{title:?} has no `seconds`"))?;
    let outcome = value.get("outcome").context("a stage has no `outcome`")?;
    Ok(Stage {
        reached: word(outcome, "is")? == "reached",
        title,
        seconds,
    })
}

fn word(value: &Value, key: &str) -> Result<String> {
    let found = value.get(key).and_then(Value::as_str);
    Ok(found
        .with_context(|| format!("it has no text `{key}`"))?
        .to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: &str = r#"{
        "format": 1,
        "machine": "gpu-server",
        "image": ["gpu-server.iso", "00"],
        "base": "the stand-in",
        "firmware": "UEFI",
        "accelerator": "TCG",
        "qemu": "10.0",
        "online": false,
        "stands_in": [],
        "stages": [
            {"id": "menu", "title": "the menu", "seconds": 12.5, "picture": "menu.png", "outcome": {"is": "reached"}},
            {"id": "live", "title": "the live system", "seconds": 40, "picture": null,
             "outcome": {"is": "hung", "why": "nothing changed"}}
        ],
        "accepted": null
    }"#;

    #[test]
    fn the_stages_are_read_with_their_times_and_ends() {
        let read = parse(REPORT).unwrap();
        assert_eq!(read.machine, "gpu-server");
        let titles: Vec<_> = read.stages.iter().map(|one| one.title.as_str()).collect();
        assert_eq!(titles, ["the menu", "the live system"]);
        assert_eq!(read.missed(), 1);
        assert!((read.seconds() - 52.5).abs() < 1e-9, "{}", read.seconds());
    }

    #[test]
    fn another_form_is_refused_with_both_numbers() {
        let error = parse(&REPORT.replace("\"format\": 1", "\"format\": 2")).unwrap_err();
        let said = format!("{error:#}");
        assert!(said.contains("format 2, expected 1"), "{said}");
        let error = parse(&REPORT.replace("\"format\": 1,", "")).unwrap_err();
        assert!(error.to_string().contains("no `format`"), "{error}");
    }

    #[test]
    fn what_is_missing_is_named() {
        let cases = [
            ("\"seconds\": 12.5,", "", "has no `seconds`"),
            ("\"seconds\": 12.5", "\"seconds\": -1", "has no `seconds`"),
            ("\"is\": \"reached\"", "\"was\": 1", "no text `is`"),
            ("\"stages\"", "\"other\"", "no `stages`"),
            ("{", "", "no JSON"),
        ];
        for (from, to, wanted) in cases {
            let error = parse(&REPORT.replacen(from, to, 1)).unwrap_err();
            let said = format!("{error:#}");
            assert!(said.contains(wanted), "{wanted}: {said}");
        }
        let none =
            r#"{"format": 1, "machine": "m", "base": "b", "accelerator": "a", "stages": []}"#;
        assert!(parse(none).is_err());
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("rehearsal.json");
        let error = Rehearsal::read(&file).unwrap_err();
        assert!(format!("{error:#}").contains("rehearsal.json"), "{error:#}");
    }
}
