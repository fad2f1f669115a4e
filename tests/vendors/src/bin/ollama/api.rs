//! The server: which path answers what.

use std::net::TcpListener;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tiny_http::{Method, Request, Server};

use crate::answer::{Answer, expiry, time};
use crate::gpu::Card;
use crate::loaded::Memory;
use crate::settings::{self, Settings};
use crate::store::{Model, Store};
use crate::{generate, slog};

/// How many requests are answered at once.
const THREADS: usize = 4;

/// What every request needs.
struct Service {
    settings: Settings,
    store: Store,
    cards: Vec<Card>,
    memory: Mutex<Memory>,
}

/// Binds the address.
pub(crate) fn listen(settings: &Settings) -> Result<Server> {
    let doing = || format!("listening on {}", settings.host);
    let listener = TcpListener::bind(&settings.host).with_context(doing)?;
    let address = listener.local_addr().with_context(doing)?;
    let version = settings::version();
    let text = format!("Listening on {address} (version {version})");
    slog::log("INFO", "routes.go:1544", &text, &[]);
    Server::from_listener(listener, None)
        .map_err(|error| anyhow!(error))
        .with_context(doing)
}

/// Answers until the process ends.
pub(crate) fn serve(
    server: Server,
    settings: Settings,
    store: Store,
    cards: Vec<Card>,
) -> Result<()> {
    let service = Arc::new(Service {
        settings,
        store,
        cards,
        memory: Mutex::default(),
    });
    let server = Arc::new(server);
    let workers: Vec<_> = (0..THREADS)
        .map(|_| {
            let (server, service) = (Arc::clone(&server), Arc::clone(&service));
            std::thread::spawn(move || work(&server, &service))
        })
        .collect();
    for worker in workers {
        worker
            .join()
            .map_err(|_| anyhow!("a thread of the server panicked"))??;
    }
    Ok(())
}

fn work(server: &Server, service: &Service) -> Result<()> {
    loop {
        let mut request = server.recv().context("waiting for a request")?;
        let answer = service.answer(&mut request);
        // A client that is gone misses its answer.
        let _ = request.respond(answer.response());
    }
}

/// A request that names a model, under either of two keys.
#[derive(Deserialize)]
struct Named {
    #[serde(alias = "name")]
    model: String,
}

impl Service {
    fn answer(&self, request: &mut Request) -> Answer {
        let path = request
            .url()
            .split('?')
            .next()
            .unwrap_or_default()
            .to_owned();
        let answered = match (request.method(), path.as_str()) {
            (Method::Get | Method::Head, "/") => Ok(Answer::text(200, "Ollama is running")),
            (Method::Get, "/api/version") => {
                Ok(Answer::json(&json!({"version": settings::version()})))
            }
            (Method::Get, "/api/tags") => self.tags(),
            (Method::Get, "/api/ps") => self.ps(),
            (Method::Post, "/api/show") => body(request).and_then(|named| self.show(&named)),
            (Method::Post, "/api/generate") => {
                body(request).and_then(|asked| self.generate(&asked))
            }
            (Method::Post, "/api/pull") => Err(Answer::error(
                501,
                "this stand-in pulls nothing: lay the model down in the store",
            )),
            _ => Err(Answer::text(404, "404 page not found")),
        };
        answered.unwrap_or_else(|refusal| refusal)
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        // Every change of the list is one step, so a panic elsewhere leaves it in order.
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tags(&self) -> Result<Answer, Answer> {
        let models = self.store.models().map_err(failed)?;
        let models: Vec<Value> = models
            .iter()
            .map(|model| {
                json!({
                    "name": model.name,
                    "model": model.name,
                    "modified_at": time(model.modified),
                    "size": model.manifest.size(),
                    "digest": model.digest,
                    "details": self.details(model),
                })
            })
            .collect();
        Ok(Answer::json(&json!({"models": models})))
    }

    fn ps(&self) -> Result<Answer, Answer> {
        let loaded = self.memory().list().to_vec();
        let models: Vec<Value> = loaded
            .iter()
            .map(|one| {
                json!({
                    "name": one.name,
                    "model": one.name,
                    "size": one.size,
                    "digest": one.digest,
                    "expires_at": expiry(one.expires),
                    "size_vram": one.size_vram,
                    "context_length": 4096,
                })
            })
            .collect();
        Ok(Answer::json(&json!({"models": models})))
    }

    fn show(&self, named: &Named) -> Result<Answer, Answer> {
        let model = self.find(&named.model)?;
        Ok(Answer::json(&json!({
            "modelfile": format!("# Modelfile generated by \"ollama show\"\nFROM {}\n", model.name),
            "parameters": "",
            "template": "{{ .Prompt }}",
            "details": self.details(&model),
            "model_info": {},
            "capabilities": ["completion"],
            "modified_at": time(model.modified),
        })))
    }

    fn generate(&self, asked: &generate::Request) -> Result<Answer, Answer> {
        let model = self.find(&asked.model)?;
        let keep = asked.keep_alive(self.settings.keep_alive)?;
        let ends = keep == Some(Duration::ZERO);
        if ends && asked.prompt.is_empty() {
            self.memory().remove(&model.name);
            return Ok(asked.without_prompt("unload"));
        }
        let (on_a_card, load) = self.load(&model, keep)?;
        if asked.prompt.is_empty() {
            return Ok(asked.without_prompt("load"));
        }
        Ok(asked.answer(on_a_card, load))
    }

    /// Loads a model that is not there yet; whether it is on a card, and what it took.
    fn load(&self, model: &Model, keep: Option<Duration>) -> Result<(bool, Duration), Answer> {
        let start = Instant::now();
        if !self.memory().has(model) {
            self.store.verify(model).map_err(failed)?;
        }
        let on_a_card = self.memory().keep(model, &self.cards, keep);
        Ok((on_a_card, start.elapsed()))
    }

    fn find(&self, name: &str) -> Result<Model, Answer> {
        let found = self.store.find(name).map_err(failed)?;
        found.ok_or_else(|| Answer::error(404, &format!("model '{name}' not found")))
    }

    fn details(&self, model: &Model) -> Value {
        let config = self.store.config(model);
        json!({
            "parent_model": "",
            "format": config.model_format,
            "family": config.model_family,
            "families": [config.model_family],
            "parameter_size": config.model_type,
            "quantization_level": config.file_type,
        })
    }
}

/// What the client sent, as JSON.
fn body<T: DeserializeOwned>(request: &mut Request) -> Result<T, Answer> {
    let read = serde_json::from_reader(request.as_reader());
    read.map_err(|error| Answer::error(400, &error.to_string()))
}

#[expect(clippy::needless_pass_by_value, reason = "the form that map_err wants")]
fn failed(error: anyhow::Error) -> Answer {
    let text = format!("{error:#}");
    slog::log("ERROR", "routes.go:200", &text, &[]);
    Answer::error(500, &text)
}
