//! `ollama` over the mock: the store, the answers, and where a model lies.

#![expect(clippy::unwrap_used, reason = "a test fails where a value is missing")]

mod lab;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStderr, Stdio};

use lab::{GTX1050TI, K2200, Lab, Z440};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

const OLLAMA: &str = env!("CARGO_BIN_EXE_ollama");

/// A server that runs, and what it has said so far.
struct Server {
    child: Child,
    _log: BufReader<ChildStderr>,
    said: String,
    address: String,
}

impl Server {
    /// Starts it with these variables, and waits until it has looked for cards.
    fn start(lab: &Lab, variables: &[(&str, &str)]) -> Self {
        let mut child = lab
            .command(OLLAMA)
            .arg("serve")
            .env("OLLAMA_HOST", "127.0.0.1:0")
            .env("OLLAMA_MODELS", lab.path("models"))
            .env("OLLAMA_STANDIN_VERSION", "0.35.1")
            .envs(variables.iter().copied())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut said = String::new();
        while !said.contains("inference compute") {
            assert_ne!(log.read_line(&mut said).unwrap(), 0, "it ended: {said}");
        }
        let listening = said.split("Listening on ").nth(1).unwrap();
        let address = listening.split(' ').next().unwrap().to_owned();
        Server {
            child,
            _log: log,
            said,
            address,
        }
    }

    /// Asks, and returns the status and the body.
    fn ask(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let length = body.len();
        write!(
            stream,
            "{method} {path} HTTP/1.0\r\nHost: x\r\nContent-Length: {length}\r\n\r\n{body}"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, body.to_owned())
    }

    fn get(&self, path: &str) -> Value {
        let (status, body) = self.ask("GET", path, "");
        assert_eq!(status, 200, "{body}");
        serde_json::from_str(&body).unwrap()
    }

    fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let (status, body) = self.ask("POST", path, &body.to_string());
        (status, serde_json::from_str(&body).unwrap())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn digest(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// Lays a model down, and returns its digest.
fn lay_down(lab: &Lab, weights: &[u8]) -> String {
    let models = lab.path("models");
    let config = br#"{"model_format":"gguf","model_family":"gemma3","model_type":"1B"}"#;
    let mut layers = Vec::new();
    for bytes in [weights, config] {
        put(
            &models
                .join("blobs")
                .join(format!("sha256-{}", digest(bytes))),
            bytes,
        );
        layers.push(json!({"digest": format!("sha256:{}", digest(bytes)), "size": bytes.len()}));
    }
    let manifest = json!({"schemaVersion": 2, "layers": [layers[0]], "config": layers[1]});
    let manifest = manifest.to_string();
    let place = "manifests/registry.ollama.ai/library/gemma3/1b";
    put(&models.join(place), manifest.as_bytes());
    digest(manifest.as_bytes())
}

fn put(path: &Path, bytes: &[u8]) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn a_model_on_a_card() {
    let lab = Lab::z440();
    let digest = lay_down(&lab, b"weights");
    let server = Server::start(&lab, &[("CUDA_VISIBLE_DEVICES", GTX1050TI)]);
    assert_eq!(server.ask("GET", "/", "").1, "Ollama is running");
    assert_eq!(server.get("/api/version"), json!({"version": "0.35.1"}));
    let tags = server.get("/api/tags");
    assert_eq!(tags["models"][0]["name"], "gemma3:1b");
    assert_eq!(tags["models"][0]["digest"], digest.as_str());
    assert_eq!(server.get("/api/ps"), json!({"models": []}));

    let (status, loaded) = server.post("/api/generate", &json!({"model": "gemma3:1b"}));
    assert_eq!((status, &loaded["done_reason"]), (200, &json!("load")));
    let ps = server.get("/api/ps");
    let model = &ps["models"][0];
    assert_eq!(model["digest"], digest.as_str());
    assert_eq!(model["size"], model["size_vram"]);
    assert_eq!(model["size"], tags["models"][0]["size"]);
    assert!(model["expires_at"].is_string());

    let unload = json!({"model": "gemma3:1b", "keep_alive": 0});
    assert_eq!(
        server.post("/api/generate", &unload).1["done_reason"],
        "unload"
    );
    assert_eq!(server.get("/api/ps"), json!({"models": []}));
}

#[test]
fn an_answer_whole_and_in_lines() {
    let lab = Lab::z440();
    lay_down(&lab, b"weights");
    let server = Server::start(&lab, &[]);
    let asked = json!({"model": "gemma3:1b", "prompt": "Why?", "stream": false});
    let whole = server.post("/api/generate", &asked).1;
    assert_eq!(whole["done"], true);
    assert!(whole["eval_count"].as_u64().unwrap() > 0);
    assert!(whole["eval_duration"].as_u64().unwrap() > 0);

    let asked = json!({"model": "gemma3:1b", "prompt": "Why?"}).to_string();
    let (_, lines) = server.ask("POST", "/api/generate", &asked);
    let lines: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let text: String = lines
        .iter()
        .map(|line| line["response"].as_str().unwrap())
        .collect();
    assert_eq!(text, whole["response"].as_str().unwrap());
    assert_eq!(lines.last().unwrap()["eval_count"], whole["eval_count"]);
}

#[test]
fn the_cards_are_logged_in_the_order_that_was_asked_for() {
    let lab = Lab::z440();
    let wanted = format!("{GTX1050TI},{K2200}");
    let server = Server::start(&lab, &[("CUDA_VISIBLE_DEVICES", &wanted)]);
    let line = server.said.lines().last().unwrap();
    let expected = format!(
        "level=INFO source=types.go:130 msg=\"inference compute\" id={GTX1050TI} library=CUDA \
         compute=6.1 name=CUDA0 description=\"NVIDIA GeForce GTX 1050 Ti\" \
         libdirs=ollama,cuda_v12 driver=13.0 pci_id=0000:03:00.0 type=discrete \
         total=\"4.0 GiB\" available=\"4.0 GiB\""
    );
    assert!(
        line.starts_with("time=20") && line.ends_with(&expected),
        "{line}"
    );
}

#[test]
fn without_a_card_it_falls_back_to_the_cpu() {
    let lost = format!("fault = \"driver-not-loaded\"\n{Z440}");
    let missing = [("OLLAMA_STANDIN_REQUIRES", "/nowhere/nvidia-uvm")];
    let unknown = [("CUDA_VISIBLE_DEVICES", "GPU-00000000")];
    for (cards, variables) in [(lost.as_str(), &[][..]), (Z440, &missing), (Z440, &unknown)] {
        let lab = Lab::new(cards);
        lay_down(&lab, b"weights");
        let server = Server::start(&lab, variables);
        let said = "msg=\"inference compute\" id=cpu library=cpu";
        assert!(server.said.contains(said), "{}", server.said);
        server.post("/api/generate", &json!({"model": "gemma3:1b"}));
        let model = &server.get("/api/ps")["models"][0];
        assert_eq!(model["size_vram"], 0);
        assert_ne!(model["size"], 0);
    }
}

#[test]
fn a_card_without_room_is_not_used() {
    let full = Z440.replace("memory_used_mib = 4\n", "memory_used_mib = 4096\n");
    let lab = Lab::new(&full);
    lay_down(&lab, b"weights");
    let server = Server::start(&lab, &[("CUDA_VISIBLE_DEVICES", GTX1050TI)]);
    server.post("/api/generate", &json!({"model": "gemma3:1b"}));
    assert_eq!(server.get("/api/ps")["models"][0]["size_vram"], 0);
}

#[test]
fn a_blob_that_is_not_what_its_name_says_is_refused() {
    let lab = Lab::z440();
    lay_down(&lab, b"weights");
    let blob = format!("models/blobs/sha256-{}", digest(b"weights"));
    std::fs::write(lab.path(&blob), b"weightz").unwrap();
    let server = Server::start(&lab, &[]);
    let (status, said) = server.post("/api/generate", &json!({"model": "gemma3:1b"}));
    assert_eq!(status, 500);
    let error = said["error"].as_str().unwrap();
    assert!(error.contains("digest mismatch"), "{error}");
    assert_eq!(server.get("/api/ps"), json!({"models": []}));
}

#[test]
fn blobs_without_a_manifest_are_pruned() {
    let lab = Lab::z440();
    lay_down(&lab, b"weights");
    let orphan = format!("models/blobs/sha256-{}", digest(b"orphan"));
    put(&lab.path(&orphan), b"orphan");
    let server = Server::start(&lab, &[]);
    assert!(!lab.path(&orphan).exists());
    assert!(server.said.contains("total unused blobs removed: 1"));
    drop(server);
    // A manifest that cannot be read: nobody knows what may go.
    put(&lab.path(&orphan), b"orphan");
    put(
        &lab.path("models/manifests/registry.ollama.ai/library/x/y"),
        b"{",
    );
    let _server = Server::start(&lab, &[]);
    assert!(lab.path(&orphan).exists());
}

#[test]
fn what_is_not_there_is_said() {
    let lab = Lab::z440();
    lay_down(&lab, b"weights");
    let server = Server::start(&lab, &[]);
    let (status, said) = server.post("/api/generate", &json!({"model": "llama"}));
    assert_eq!(
        (status, said),
        (404, json!({"error": "model 'llama' not found"}))
    );
    assert_eq!(server.post("/api/pull", &json!({"model": "llama"})).0, 501);
    assert_eq!(server.ask("POST", "/api/generate", "{").0, 400);
    assert_eq!(server.ask("GET", "/api/nothing", "").0, 404);
    let (status, shown) = server.post("/api/show", &json!({"model": "gemma3:1b"}));
    assert_eq!(status, 200);
    assert_eq!(shown["details"]["family"], "gemma3");
}

#[test]
fn the_version() {
    let lab = Lab::z440();
    let said = lab
        .command(OLLAMA)
        .arg("--version")
        .env("OLLAMA_STANDIN_VERSION", "0.32.15")
        .output()
        .unwrap();
    assert_eq!(lab::Said::from(said).well(), "ollama version is 0.32.15\n");
    // As the archive is laid out: bin/ollama, lib/ollama.
    let program = lab.path("usr/bin/ollama");
    put(&program, b"");
    std::fs::copy(lab_vendors::program("ollama").unwrap(), &program).unwrap();
    put(&lab.path("usr/lib/ollama/version"), b"0.35.1\n");
    let said = lab.run(lab::word(&program), &["--version"]);
    assert_eq!(said.well(), "ollama version is 0.35.1\n");
}

#[test]
fn a_program_that_is_none_of_the_stand_ins() {
    let error = lab_vendors::program("nvidia-settings").unwrap_err();
    assert!(
        format!("{error:#}").contains("nvidia-settings"),
        "{error:#}"
    );
}
