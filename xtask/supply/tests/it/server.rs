//! A small HTTP server whose every byte a test decides.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// One request, as far as tests look at it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    /// N in `Range: bytes=N-`.
    pub(crate) from: Option<usize>,
    pub(crate) if_range: Option<String>,
    pub(crate) authorization: Option<String>,
    /// How many requests for the same path came before.
    pub(crate) nth: usize,
}

pub(crate) struct Server {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// Answers each connection by `answer`, after which it is closed.
    pub(crate) fn new(answer: impl Fn(&Request, &mut TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (stopped, seen, answer) = (stop.clone(), requests.clone(), Arc::new(answer));
        thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                let (seen, answer) = (seen.clone(), answer.clone());
                thread::spawn(move || {
                    let mut stream = stream.unwrap();
                    let request = read_request(&stream, &seen);
                    answer(&request, &mut stream);
                });
            }
        });
        Self {
            address,
            stop,
            requests,
        }
    }

    /// Like [`Server::new`], for the file alone: there is no signed list.
    pub(crate) fn of_file(
        answer: impl Fn(&Request, &mut TcpStream) + Send + Sync + 'static,
    ) -> Self {
        Self::new(move |request, stream| {
            if request.path.contains("SHA256SUMS") {
                return not_found(stream);
            }
            answer(request, stream);
        })
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The requests for the file so far.
    pub(crate) fn requests(&self) -> Vec<Request> {
        let all = self.requests.lock().unwrap();
        all.iter()
            .filter(|request| !request.path.contains("SHA256SUMS"))
            .cloned()
            .collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
    }
}

fn read_request(stream: &TcpStream, seen: &Mutex<Vec<Request>>) -> Request {
    stream
        .set_read_timeout(Some(Duration::from_secs(5)))
        .unwrap();
    let mut request = Request::default();
    for (index, line) in BufReader::new(stream).lines().enumerate() {
        let Ok(line) = line else { break };
        if line.is_empty() {
            break;
        }
        if index == 0 {
            request.method = line.split(' ').next().unwrap_or_default().to_owned();
            request.path = line.split(' ').nth(1).unwrap_or_default().to_owned();
        }
        let Some((name, value)) = line.split_once(": ") else {
            continue;
        };
        match name.to_ascii_lowercase().as_str() {
            "range" => {
                request.from = value
                    .strip_prefix("bytes=")
                    .and_then(|v| v.strip_suffix('-')?.parse().ok());
            }
            "if-range" => request.if_range = Some(value.to_owned()),
            "authorization" => request.authorization = Some(value.to_owned()),
            _ => {}
        }
    }
    let mut seen = seen.lock().unwrap();
    request.nth = seen
        .iter()
        .filter(|before| before.path == request.path)
        .count();
    seen.push(request.clone());
    request
}

/// Sends `status`, `headers` and `body`. A client that hung up is no error.
pub(crate) fn send(stream: &mut TcpStream, status: &str, headers: &[(&str, &str)], body: &[u8]) {
    let mut head = format!("HTTP/1.1 {status}\r\n");
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    head += "\r\n";
    let _ = stream
        .write_all(head.as_bytes())
        .and_then(|()| stream.write_all(body));
}

pub(crate) fn not_found(stream: &mut TcpStream) {
    send(stream, "404 Not Found", &[("Content-Length", "4")], b"none");
}

/// What an honest server does: ranges, `If-Range`, an entity tag.
pub(crate) fn honest(request: &Request, stream: &mut TcpStream, content: &[u8], tag: &str) {
    honest_until(request, stream, content, tag, content.len());
}

/// Honest, but the connection dies when `end` bytes of the content were sent.
pub(crate) fn honest_until(
    request: &Request,
    stream: &mut TcpStream,
    content: &[u8],
    tag: &str,
    end: usize,
) {
    let unchanged = request.if_range.as_deref().is_none_or(|asked| asked == tag);
    let from = request.from.filter(|_| unchanged);
    let end = end.max(from.unwrap_or(0)).min(content.len());
    match from {
        Some(from) if from >= content.len() => {
            let range = format!("bytes */{}", content.len());
            send(
                stream,
                "416 Range Not Satisfiable",
                &[("Content-Range", &range), ("Content-Length", "0")],
                b"",
            );
        }
        Some(from) => {
            let range = format!("bytes {from}-{}/{}", content.len() - 1, content.len());
            let length = (content.len() - from).to_string();
            let headers = [
                ("Content-Range", range.as_str()),
                ("Content-Length", &length),
                ("ETag", tag),
            ];
            send(stream, "206 Partial Content", &headers, &content[from..end]);
        }
        None => {
            let length = content.len().to_string();
            send(
                stream,
                "200 OK",
                &[("Content-Length", &length), ("ETag", tag)],
                &content[..end],
            );
        }
    }
}
