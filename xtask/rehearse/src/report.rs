//! What came of a rehearsal: `rehearsal.json`, and a page with the pictures.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Outcome, Told};

/// The version of the form of `rehearsal.json`.
pub const FORMAT: u32 = 1;

/// Everything that a rehearsal tells.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The version of this form: [`FORMAT`].
    pub format: u32,
    /// The machine's name.
    pub machine: String,
    /// The image's name and its sha256, in hex.
    pub image: (String, String),
    /// What the image is based on, in words: Ubuntu's, or the stand-in.
    pub base: String,
    /// The firmware, in words.
    pub firmware: String,
    /// What ran the guest, in words.
    pub accelerator: String,
    /// QEMU's version.
    pub qemu: String,
    /// Whether the machine could reach a network while it was set up.
    pub online: bool,
    /// What is not the described machine's: each in a sentence.
    pub stands_in: Vec<String>,
    /// The stages, as they went.
    pub stages: Vec<Told>,
    /// What `accept` said, where it came to that.
    pub accepted: Option<Accepted>,
}

/// What `accept` said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    /// Claims that passed.
    pub passed: usize,
    /// Claims that failed, by id and subject.
    pub failed: Vec<String>,
    /// Claims that could not be judged.
    pub not_run: usize,
    /// Of those that passed, how many were judged on cards that are not there.
    pub on_mock_cards: usize,
}

impl Report {
    /// Reads a kept `rehearsal.json`.
    ///
    /// # Errors
    ///
    /// When it cannot be read, is of another form, or tells of no stage.
    pub fn read(file: &Path) -> Result<Self> {
        let place = || format!("{}", file.display());
        let text = fs::read_to_string(file).with_context(|| format!("reading {}", place()))?;
        parse(&text).with_context(place)
    }

    /// How many stages did not end as they should.
    #[must_use]
    pub fn missed(&self) -> usize {
        let missed = |told: &&Told| told.outcome != Outcome::Reached;
        self.stages.iter().filter(missed).count()
    }

    /// Whether every stage was reached and nothing failed.
    #[must_use]
    pub fn passed(&self) -> bool {
        let accepted = self.accepted.as_ref();
        self.missed() == 0
            && accepted.is_some_and(|accepted| accepted.failed.is_empty() && accepted.passed > 0)
    }

    /// Seconds of all stages.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        self.stages.iter().map(|told| told.seconds).sum()
    }

    /// Writes `rehearsal.json` and `rehearsal.html` into a folder that has the pictures.
    ///
    /// # Errors
    ///
    /// When a file cannot be written; none is left half-written.
    pub fn keep(&self, folder: &Path) -> Result<()> {
        let json = serde_json::to_string_pretty(self).context("writing rehearsal.json")?;
        whole(folder, "rehearsal.json", &json)?;
        whole(folder, "rehearsal.html", &self.page(folder))
    }

    /// The page: one file, nothing outside it.
    fn page(&self, folder: &Path) -> String {
        let mut page = String::new();
        let verdict = match self.passed() {
            true => ("good", "passed"),
            false => ("bad", "did not pass"),
        };
        let _ = write!(
            page,
            "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
             <title>Rehearsal of {name}</title><style>{STYLE}</style>\
             <h1>{name}: the rehearsal <span class=\"{}\">{}</span></h1>",
            verdict.0,
            verdict.1,
            name = escaped(&self.machine),
        );
        self.facts(&mut page);
        self.stages_of(&mut page, folder);
        self.acceptance(&mut page);
        page
    }

    fn facts(&self, page: &mut String) {
        let mut facts = vec![
            (
                "image",
                format!("{}, sha256 {}", self.image.0, self.image.1),
            ),
            ("base", self.base.clone()),
            ("firmware", self.firmware.clone()),
            ("run by", format!("{}, {}", self.qemu, self.accelerator)),
            (
                "network",
                if self.online { "yes" } else { "none" }.to_owned(),
            ),
            ("took", format!("{:.0} s", self.seconds())),
        ];
        for sentence in &self.stands_in {
            facts.push(("stands in", sentence.clone()));
        }
        page.push_str("<dl>");
        for (name, value) in facts {
            let _ = write!(page, "<dt>{name}</dt><dd>{}</dd>", escaped(&value));
        }
        page.push_str("</dl>");
    }

    fn stages_of(&self, page: &mut String, folder: &Path) {
        let longest = self
            .stages
            .iter()
            .map(|told| told.seconds)
            .fold(1.0, f64::max);
        page.push_str("<ol>");
        for told in &self.stages {
            let (class, why) = match &told.outcome {
                Outcome::Reached => ("good", None),
                Outcome::Stopped(why) | Outcome::Hung(why) => ("bad", Some(why)),
            };
            let _ = write!(
                page,
                "<li><h2>{}</h2><div class=\"bar\"><i class=\"{class}\" style=\"width:{:.1}%\"></i></div>\
                 <p>{:.1} s</p>",
                escaped(&told.title),
                told.seconds / longest * 100.0,
                told.seconds
            );
            if let Some(why) = why {
                let _ = write!(page, "<pre>{}</pre>", escaped(why));
            }
            let picture = told
                .picture
                .as_ref()
                .and_then(|name| fs::read(folder.join(name)).ok());
            if let Some(bytes) = picture {
                let _ = write!(
                    page,
                    "<img alt=\"the screen at the end of this stage\" src=\"data:image/png;base64,{}\">",
                    BASE64.encode(bytes)
                );
            }
            page.push_str("</li>");
        }
        page.push_str("</ol>");
    }

    fn acceptance(&self, page: &mut String) {
        let Some(accepted) = &self.accepted else {
            page.push_str("<p>It did not come to its acceptance.</p>");
            return;
        };
        let _ = write!(
            page,
            "<h2>Acceptance</h2><p>{} passed ({} of them on mock cards), {} failed, {} not run: \
             <a href=\"accept/report.html\">the whole report</a></p>",
            accepted.passed,
            accepted.on_mock_cards,
            accepted.failed.len(),
            accepted.not_run
        );
        if !accepted.failed.is_empty() {
            let _ = write!(page, "<pre>{}</pre>", escaped(&accepted.failed.join("\n")));
        }
    }
}

fn parse(text: &str) -> Result<Report> {
    let value: Value = serde_json::from_str(text).context("it is no JSON")?;
    match value.get("format") {
        Some(format) if format.as_u64() == Some(u64::from(FORMAT)) => {}
        Some(format) => bail!(
            "it has the format {format}, expected {FORMAT}: rehearse once more with this version of the program"
        ),
        None => bail!("it has no `format`, expected {FORMAT}: it is no report of a rehearsal"),
    }
    let report: Report = serde_json::from_value(value).context("it is no whole report")?;
    ensure!(!report.stages.is_empty(), "it tells of no stage");
    for told in &report.stages {
        ensure!(
            told.seconds >= 0.0,
            "{:?} has negative `seconds`",
            told.title
        );
    }
    Ok(report)
}

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem;\
    color:#1c1e21;background:#fafafa}h1{font-size:1.6rem}h2{font-size:1.1rem;margin:.2rem 0}\
    .good{color:#116b35}.bad{color:#a4161a}dl{display:grid;grid-template-columns:max-content 1fr;gap:.2rem 1rem}\
    dt{color:#666}dd{margin:0;overflow-wrap:anywhere}ol{padding-left:1.2rem}li{margin-bottom:1.6rem}\
    .bar{background:#e4e4e4;height:.6rem;border-radius:.3rem}.bar i{display:block;height:100%;border-radius:.3rem;\
    background:currentColor}img{max-width:100%;border:1px solid #ccc}pre{background:#111;color:#eee;padding:.8rem;\
    overflow:auto;white-space:pre-wrap}@media(prefers-color-scheme:dark){body{background:#16181b;color:#e6e6e6}\
    .good{color:#5fd38d}.bad{color:#ff8a8a}.bar{background:#333}dt{color:#aaa}}";

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            other => out.push(other),
        }
    }
    out
}

/// Under its name only when it is complete.
fn whole(folder: &Path, name: &str, text: &str) -> Result<()> {
    let place = folder.join(name);
    let doing = || format!("writing {}", place.display());
    let mut file = tempfile::NamedTempFile::new_in(folder).with_context(doing)?;
    file.write_all(text.as_bytes()).with_context(doing)?;
    file.persist(&place)
        .map_err(|error| error.error)
        .with_context(doing)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        Report {
            format: FORMAT,
            machine: "gpu<server>".to_owned(),
            image: ("one.iso".to_owned(), "00".to_owned()),
            base: "the stand-in".to_owned(),
            firmware: "BIOS".to_owned(),
            accelerator: "TCG".to_owned(),
            qemu: "QEMU 10".to_owned(),
            online: false,
            stands_in: vec!["The cards are not there.".to_owned()],
            stages: vec![Told {
                id: "menu".to_owned(),
                title: "the menu".to_owned(),
                seconds: 2.0,
                picture: Some("menu.png".to_owned()),
                outcome: Outcome::Reached,
            }],
            accepted: None,
        }
    }

    #[test]
    fn nothing_passed_that_was_not_accepted() {
        let mut report = report();
        assert!(!report.passed());
        report.accepted = Some(Accepted {
            passed: 3,
            failed: Vec::new(),
            not_run: 1,
            on_mock_cards: 2,
        });
        assert!(report.passed());
        report.stages[0].outcome = Outcome::Hung("nothing changed".to_owned());
        assert!(!report.passed());
    }

    #[test]
    fn the_page_holds_its_pictures_and_no_markup_of_others() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("menu.png"), b"a picture").unwrap();
        report().keep(folder.path()).unwrap();
        let page = fs::read_to_string(folder.path().join("rehearsal.html")).unwrap();
        assert!(page.contains("gpu&lt;server&gt;"), "{page}");
        assert!(page.contains(&BASE64.encode(b"a picture")), "{page}");
        assert!(page.contains("The cards are not there."), "{page}");
        let json = fs::read_to_string(folder.path().join("rehearsal.json")).unwrap();
        assert_eq!(parse(&json).unwrap(), report());
    }

    /// What a rehearsal with a stage that hangs is kept as.
    fn kept() -> String {
        let mut report = report();
        report.stages.push(Told {
            id: "live".to_owned(),
            title: "the live system".to_owned(),
            seconds: 40.5,
            picture: None,
            outcome: Outcome::Hung("nothing changed".to_owned()),
        });
        serde_json::to_string(&report).unwrap()
    }

    #[test]
    fn a_kept_report_is_read_with_its_times_and_ends() {
        let read = parse(&kept()).unwrap();
        assert_eq!(read.machine, "gpu<server>");
        let titles: Vec<_> = read.stages.iter().map(|one| one.title.as_str()).collect();
        assert_eq!(titles, ["the menu", "the live system"]);
        assert_eq!(read.missed(), 1);
        assert!((read.seconds() - 42.5).abs() < 1e-9, "{}", read.seconds());
    }

    #[test]
    fn another_form_is_refused_with_both_numbers() {
        let error = parse(&kept().replace("\"format\":1", "\"format\":2")).unwrap_err();
        let said = format!("{error:#}");
        assert!(said.contains("format 2, expected 1"), "{said}");
        let error = parse(&kept().replace("\"format\":1,", "")).unwrap_err();
        assert!(error.to_string().contains("no `format`"), "{error}");
    }

    #[test]
    fn what_is_missing_is_named() {
        let cases = [
            ("\"seconds\":2.0,", "", "missing field `seconds`"),
            ("\"seconds\":2.0", "\"seconds\":-1", "negative `seconds`"),
            ("\"is\":\"reached\"", "\"was\":1", "missing field `is`"),
            ("\"stages\"", "\"other\"", "missing field `stages`"),
            ("{", "", "no JSON"),
        ];
        for (from, to, wanted) in cases {
            assert!(kept().contains(from), "{from}");
            let error = parse(&kept().replacen(from, to, 1)).unwrap_err();
            let said = format!("{error:#}");
            assert!(said.contains(wanted), "{wanted}: {said}");
        }
        let mut none = report();
        none.stages.clear();
        assert!(parse(&serde_json::to_string(&none).unwrap()).is_err());
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let error = Report::read(&folder.path().join("rehearsal.json")).unwrap_err();
        assert!(format!("{error:#}").contains("rehearsal.json"), "{error:#}");
    }
}
