//! The report as a page: one file that needs no network and no script, with a policy that
//! forbids it both but for its own.
//!
//! What stands on it is drawn by `page.html` and `compare.html`, which escape every value; no
//! markup is made here. Style and script are named by their sha256 in the page's
//! Content-Security-Policy (CSP level 3, section 6.7.3.3), so that a script which found its way
//! into a value would not run even unescaped.

use std::sync::LazyLock;

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use tera::{Context, Tera};

use super::comparison_page::ComparisonPage;
use super::page::Page;
use super::{Comparison, Report};

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("page.js");
const TEMPLATES: [(&str, &str); 3] = [
    ("parts.html", include_str!("parts.html")),
    ("page.html", include_str!("page.html")),
    ("compare.html", include_str!("compare.html")),
];

/// The templates; a broken one is said when the first page is drawn, which a test does.
static TERA: LazyLock<Result<Tera, String>> = LazyLock::new(|| {
    let mut tera = Tera::new();
    match tera.add_raw_templates(TEMPLATES) {
        Ok(()) => Ok(tera),
        Err(error) => Err(error.to_string()),
    }
});

/// The report as a page.
///
/// # Errors
///
/// None that a report can cause: what is drawn is always the same template.
pub fn html(report: &Report) -> anyhow::Result<String> {
    draw("page.html", &Page::new(report)).with_context(|| format!("drawing {}", report.host))
}

/// What lies between two runs, as a page.
///
/// # Errors
///
/// None that a comparison can cause: what is drawn is always the same template.
pub fn compare_html(comparison: &Comparison) -> anyhow::Result<String> {
    draw("compare.html", &ComparisonPage::new(comparison)).context("drawing a comparison")
}

fn draw(template: &str, page: &impl Serialize) -> anyhow::Result<String> {
    let tera = TERA.as_ref().map_err(|error| anyhow::anyhow!("{error}"))?;
    let mut context = Context::from_serialize(page)?;
    context.insert("style", STYLE);
    context.insert("script", SCRIPT);
    context.insert("policy", &policy());
    Ok(tera.render(template, &context)?)
}

fn policy() -> String {
    let digest = |text: &str| STANDARD.encode(Sha256::digest(text));
    format!(
        "default-src 'none'; img-src data:; style-src 'sha256-{}'; script-src 'sha256-{}'; \
         base-uri 'none'; form-action 'none'",
        digest(STYLE),
        digest(SCRIPT)
    )
}
