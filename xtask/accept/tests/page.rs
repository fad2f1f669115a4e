//! The pages in a real browser: headless Chromium, driven by the DevTools protocol over a pipe
//! (`--remote-debugging-pipe`: messages of JSON, each ended by a zero byte).
//!
//! Shown: nothing is wider than the window at 360 and 1440 pixels, in light and dark, nothing
//! is said on the console (a breach of the page's own policy would be), filter and curves
//! answer. Whether a page is good to look at is for a person: with the environment variable
//! `LAB_SCREENSHOTS` set to a folder, the pictures are left there.

#![allow(clippy::unwrap_used)]

mod common;

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use base64::Engine as _;
use lab_accept::report::{compare, compare_html, html};
use lab_not_run::not_run;
use serde_json::{Value, json};

/// The longest that the browser may take over anything.
const PATIENCE: Duration = Duration::from_secs(90);

/// What a page that is in order never causes.
const SAYS: [&str; 3] = [
    "Runtime.consoleAPICalled",
    "Runtime.exceptionThrown",
    "Log.entryAdded",
];

fn chromium() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let all = names
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    all.into_iter().find(|program| program.is_file())
}

/// A browser with one page; it ends with this.
struct Browser {
    child: Child,
    input: ChildStdin,
    answers: Receiver<Value>,
    session: String,
    last: u64,
    /// What was said on the console or in the browser's log.
    said: Vec<String>,
    _profile: tempfile::TempDir,
}

impl Browser {
    fn start(program: &Path) -> Self {
        let profile = tempfile::tempdir().unwrap();
        // The shell only moves the pipes to where the browser looks for them: 3 and 4.
        let script = "exec \"$0\" \"$@\" 3<&0 4>&1 </dev/null >/dev/null 2>/dev/null";
        let mut child = Command::new("sh")
            .args(["-c", script])
            .arg(program)
            .args([
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
            ])
            .args([
                "--no-first-run",
                "--hide-scrollbars",
                "--remote-debugging-pipe",
            ])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, answers) = channel();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            let mut message = Vec::new();
            while output
                .read_until(0, &mut message)
                .is_ok_and(|count| count > 0)
            {
                message.pop();
                let sent = serde_json::from_slice(&message).map(|value| sender.send(value));
                if !matches!(sent, Ok(Ok(()))) {
                    return;
                }
                message.clear();
            }
        });
        let input = child.stdin.take().unwrap();
        let mut browser = Self {
            child,
            input,
            answers,
            session: String::new(),
            last: 0,
            said: Vec::new(),
            _profile: profile,
        };
        let target = browser.call("Target.createTarget", &json!({ "url": "about:blank" }));
        let target = json!({ "targetId": target["targetId"], "flatten": true });
        let attached = browser.call("Target.attachToTarget", &target);
        browser.session = attached["sessionId"].as_str().unwrap().to_owned();
        for domain in ["Page", "Runtime", "Log"] {
            browser.call(&format!("{domain}.enable"), &json!({}));
        }
        browser
    }

    fn call(&mut self, method: &str, params: &Value) -> Value {
        self.last += 1;
        let mut message = json!({ "id": self.last, "method": method, "params": params });
        if !self.session.is_empty() {
            message["sessionId"] = json!(self.session);
        }
        write!(self.input, "{message}\0").unwrap();
        self.input.flush().unwrap();
        let id = self.last;
        let answer = self.wait(method, |message| message["id"] == id);
        assert!(answer.get("error").is_none(), "{method}: {answer}");
        answer["result"].clone()
    }

    fn wait(&mut self, what: &str, is: impl Fn(&Value) -> bool) -> Value {
        let end = Instant::now() + PATIENCE;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let message = self.answers.recv_timeout(left);
            let message = message.unwrap_or_else(|error| panic!("waiting for {what}: {error}"));
            let method = message["method"].as_str().unwrap_or_default();
            if SAYS.contains(&method) {
                self.said.push(format!("{method}: {}", message["params"]));
            }
            if is(&message) {
                return message;
            }
        }
    }

    fn open(&mut self, file: &Path, width: u32, dark: bool) {
        let size =
            json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false });
        self.call("Emulation.setDeviceMetricsOverride", &size);
        let scheme = if dark { "dark" } else { "light" };
        let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.call("Emulation.setEmulatedMedia", &media);
        let url = format!("file://{}", file.display());
        self.call("Page.navigate", &json!({ "url": url }));
        self.wait("the page", |message| {
            message["method"] == "Page.loadEventFired"
        });
    }

    fn evaluate(&mut self, expression: &str) -> Value {
        let params = json!({ "expression": expression, "returnByValue": true });
        let answer = self.call("Runtime.evaluate", &params);
        assert!(
            answer.get("exceptionDetails").is_none(),
            "{expression}: {answer}"
        );
        answer["result"]["value"].clone()
    }

    fn picture(&mut self) -> Vec<u8> {
        let height = self.evaluate("document.documentElement.scrollHeight");
        let width = self.evaluate("document.documentElement.clientWidth");
        let whole = json!({
            "format": "png",
            "captureBeyondViewport": true,
            "clip": { "x": 0, "y": 0, "width": width, "height": height, "scale": 1 },
        });
        let answer = self.call("Page.captureScreenshot", &whole);
        let data = answer["data"].as_str().unwrap();
        base64::engine::general_purpose::STANDARD
            .decode(data)
            .unwrap()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The process that was started became the browser, so this ends all of it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What stands over the right edge, by the names of the elements, but for what scrolls itself.
const TOO_WIDE: &str = "[...document.querySelectorAll('body *')].filter((one) => {
  const at = one.getBoundingClientRect();
  return at.width && at.right > innerWidth + 1 && !one.closest('pre') && !one.closest('svg');
}).map((one) => one.tagName + '.' + one.className).slice(0, 9).join(' ')";

fn looked_at(browser: &mut Browser, name: &str, page: &str, folder: &Path) {
    let file = folder.join(format!("{name}.html"));
    std::fs::write(&file, page).unwrap();
    for (width, dark) in [(360, false), (1440, false), (360, true), (1440, true)] {
        browser.open(&file, width, dark);
        let named = format!("{name} at {width}");
        assert_eq!(browser.evaluate(TOO_WIDE), "", "{named}");
        let reach = browser.evaluate("document.documentElement.scrollWidth");
        assert_eq!(reach, width, "{named}");
        let paper = browser.evaluate("getComputedStyle(document.body).backgroundColor");
        assert_eq!(
            paper == "rgb(14, 18, 22)",
            dark,
            "{named}: the paper is {paper}"
        );
        if let Some(folder) = std::env::var_os("LAB_SCREENSHOTS") {
            let shade = if dark { "dark" } else { "light" };
            let file = Path::new(&folder).join(format!("{name}-{width}-{shade}.png"));
            std::fs::write(file, browser.picture()).unwrap();
        }
    }
}

#[test]
fn the_pages_are_good_in_a_browser() {
    let Some(program) = chromium() else {
        return not_run("the_pages_are_good_in_a_browser", "there is no chromium");
    };
    let folder = tempfile::tempdir().unwrap();
    let report = common::report();
    let mut later = report.clone();
    later.glance.kernel = "6.8.0-94-generic".to_owned();
    later.glance.cards[2].bandwidth_mb_s = Some(61_200);
    later.results.reverse();
    for one in later.results.iter_mut().take(2) {
        one.outcome = report
            .results
            .iter()
            .find(|one| one.id == "gpu.xid")
            .unwrap()
            .outcome
            .clone();
    }
    let mut hostile = report.clone();
    for one in &mut hostile.results {
        one.claim = "W".repeat(300);
        one.evidence = "<script>console.log('ran')</script>".repeat(4);
    }
    hostile.glance.cards[0].model = "M".repeat(200);
    hostile.glance.product = "P".repeat(200);
    hostile.host = "<img src=x onerror=console.log('ran')>".repeat(3);

    let mut browser = Browser::start(&program);
    looked_at(
        &mut browser,
        "report",
        &html(&report).unwrap(),
        folder.path(),
    );
    it_answers(
        &mut browser,
        &folder.path().join("report.html"),
        report.results.len(),
    );
    let compared = compare_html(&compare(&report, &later)).unwrap();
    looked_at(&mut browser, "compared", &compared, folder.path());
    looked_at(
        &mut browser,
        "hostile",
        &html(&hostile).unwrap(),
        folder.path(),
    );
    assert_eq!(browser.said, Vec::<String>::new());
}

/// The filter hides, a square leads to its check, and a curve tells its values.
fn it_answers(browser: &mut Browser, file: &Path, all: usize) {
    browser.open(file, 1440, false);
    let shown = "document.querySelectorAll('.check:not([hidden])').length";
    assert_eq!(browser.evaluate(shown), all);
    browser.evaluate(
        "{ const box = document.querySelector('#filter [value=p]'); box.checked = false;
           box.dispatchEvent(new Event('input', { bubbles: true })); }",
    );
    assert_eq!(browser.evaluate(shown), 12);
    browser.evaluate("document.querySelector('.squares a.p').click()");
    let end = Instant::now() + PATIENCE;
    while browser.evaluate("document.querySelectorAll('.check[open]').length") != 1 {
        assert!(Instant::now() < end, "a square does not lead to its check");
    }
    browser.evaluate(
        "{ const svg = document.querySelector('.plot svg'), at = svg.getBoundingClientRect();
           svg.dispatchEvent(new PointerEvent('pointermove', { clientX: at.left + at.width / 2, clientY: at.top + 9 })); }",
    );
    let said = browser.evaluate("document.querySelector('.chart output').textContent");
    let said = said.as_str().unwrap();
    assert!(said.starts_with("12 s · gt1030 0 % · k2200 9"), "{said}");
}
