//! Asking services of this machine over HTTP, with bounds.

use std::io::Read as _;
use std::time::Duration;

use lab_facts::HttpAnswer;
use ureq::http::header::AUTHORIZATION;

/// The most that a page's body is kept of, in bytes.
const PAGE: u64 = 64 << 10;

/// The most that Ollama's answers are read of, in bytes.
const ANSWER: u64 = 8 << 20;

/// How long a page may take.
pub(crate) const PAGE_LIMIT: Duration = Duration::from_secs(4);

/// A page of a service on loopback; `authorization` is sent and never said.
pub(crate) fn page(
    port: u16,
    path: &str,
    authorization: Option<&str>,
) -> Result<HttpAnswer, String> {
    let url = format!("http://127.0.0.1:{port}{path}");
    let mut request = agent(PAGE_LIMIT).get(&url);
    if let Some(value) = authorization {
        request = request.header(AUTHORIZATION, value);
    }
    let answer = request.call().map_err(|error| in_words(&url, &error))?;
    read(&url, answer, PAGE)
}

/// What a service answers to a GET.
pub(crate) fn get(address: &str, path: &str) -> Result<String, String> {
    let url = url(address, path)?;
    let answer = agent(PAGE_LIMIT).get(&url).call();
    good(
        &url,
        read(
            &url,
            answer.map_err(|error| in_words(&url, &error))?,
            ANSWER,
        )?,
    )
}

/// What a service answers to a POST of JSON.
pub(crate) fn post(
    address: &str,
    path: &str,
    body: &serde_json::Value,
    limit: Duration,
) -> Result<String, String> {
    let url = url(address, path)?;
    let answer = agent(limit)
        .post(&url)
        .header("Content-Type", "application/json")
        .send(body.to_string());
    good(
        &url,
        read(
            &url,
            answer.map_err(|error| in_words(&url, &error))?,
            ANSWER,
        )?,
    )
}

fn url(address: &str, path: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || ".:-[]".contains(c);
    match address.contains(':') && address.chars().all(plain) {
        true => Ok(format!("http://{address}{path}")),
        false => Err(format!(
            "`{}` is not an address such as 127.0.0.1:11434",
            crate::root::short(address)
        )),
    }
}

fn agent(limit: Duration) -> ureq::Agent {
    ureq::Agent::config_builder()
        .timeout_global(Some(limit))
        .timeout_connect(Some(Duration::from_secs(2)))
        .proxy(None)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .http_status_as_error(false)
        .user_agent("lab-probe")
        .build()
        .into()
}

fn read(
    url: &str,
    answer: ureq::http::Response<ureq::Body>,
    most: u64,
) -> Result<HttpAnswer, String> {
    let status = answer.status().as_u16();
    let mut body = Vec::new();
    answer
        .into_body()
        .into_reader()
        .take(most)
        .read_to_end(&mut body)
        .map_err(|error| format!("{url} began to answer ({status}), then: {error}"))?;
    let body = String::from_utf8_lossy(&body).into_owned();
    Ok(HttpAnswer { status, body })
}

fn good(url: &str, answer: HttpAnswer) -> Result<String, String> {
    match answer.status {
        200..300 => Ok(answer.body),
        status => Err(format!(
            "{url} answers {status}: {}",
            crate::root::short(&answer.body)
        )),
    }
}

fn in_words(url: &str, error: &ureq::Error) -> String {
    match error {
        ureq::Error::Timeout(_) => format!("{url} did not answer in time"),
        error => format!("{url} does not answer: {error}"),
    }
}
