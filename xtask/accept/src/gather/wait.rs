//! Waiting until a machine is ready: through its first boot and its restarts.

use std::thread::sleep;
use std::time::{Duration, Instant};

use lab_remote::{ConnectError, RunError};

use super::{Link, Reconnect};

/// How often it is asked.
const EVERY: Duration = Duration::from_secs(2);
/// How long an answer may take.
const SHORT: Duration = Duration::from_secs(20);

/// What the machine says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    /// Every unit is ready.
    Ready,
    /// A unit failed for good.
    Failed,
    /// Not within the time; the last thing that was heard of it.
    Late(String),
}

/// Follows `lab.target` until it is reached, a unit has failed for good, or it took too
/// long. A line that is lost is made again: machines restart. `say` gets each new thing
/// that is heard.
///
/// # Errors
///
/// When the machine shows another host key, or lets nobody in: waiting mends neither.
pub fn wait(
    link: Option<Link>,
    reconnect: Reconnect<'_>,
    patience: Duration,
    say: &mut dyn FnMut(&str),
) -> Result<(Option<Link>, Readiness), ConnectError> {
    let begin = Instant::now();
    let mut link = link;
    let mut last = String::new();
    let mut heard = |words: String, last: &mut String| {
        if *last != words {
            say(&words);
            *last = words;
        }
    };
    while begin.elapsed() < patience {
        let Some(there) = &mut link else {
            match reconnect() {
                Ok(new) => link = Some(new),
                Err(error @ (ConnectError::HostKey(_) | ConnectError::Auth(_))) => {
                    return Err(error);
                }
                Err(error) => {
                    heard(first_line(&error.to_string()), &mut last);
                    sleep(EVERY);
                }
            }
            continue;
        };
        let asked = there.user("exec /usr/local/bin/lab status --porcelain", b"", SHORT);
        match asked {
            Ok(output) => match output.status {
                Some(0) => return Ok((link, Readiness::Ready)),
                Some(1) => return Ok((link, Readiness::Failed)),
                _ => heard(at_work(&output.text()), &mut last),
            },
            Err(RunError::Cut { .. }) => {
                heard("the line was cut; connects again".to_owned(), &mut last);
                link = None;
            }
            Err(error) => heard(first_line(&error.to_string()), &mut last),
        }
        sleep(EVERY);
    }
    Ok((link, Readiness::Late(last)))
}

fn first_line(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    line.chars().filter(|c| !c.is_control()).collect()
}

/// What is not ready, in a line.
fn at_work(status: &str) -> String {
    let busy = status.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split('\t').collect();
        let [unit, state, _, _, text, _] = fields.as_slice() else {
            return None;
        };
        (*state != "ready").then(|| format!("{unit} {state}: {text}"))
    });
    let busy: Vec<String> = busy.collect();
    match busy.is_empty() {
        true => "not ready yet".to_owned(),
        false => first_line(&busy.join("; ")),
    }
}
