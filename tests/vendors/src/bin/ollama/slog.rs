//! The log on standard error, in the form of the real server's: `key=value`, quoted where
//! a value has a space or is empty.

use std::io::Write as _;
use std::time::SystemTime;

/// One line.
pub(crate) fn log(level: &str, source: &str, message: &str, values: &[(&str, &str)]) {
    let time = humantime::format_rfc3339_millis(SystemTime::now());
    let mut line = format!(
        "time={time} level={level} source={source} msg={}",
        quoted(message)
    );
    for (name, value) in values {
        line.push_str(&format!(" {name}={}", quoted(value)));
    }
    line.push('\n');
    // One write, so that two threads do not mix their lines. Whoever closed standard
    // error wants no log.
    let _ = std::io::stderr().write_all(line.as_bytes());
}

fn quoted(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'=';
    if !text.is_empty() && text.bytes().all(plain) {
        return text.to_owned();
    }
    format!("{text:?}")
}
