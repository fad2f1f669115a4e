//! Stands in for Ollama: `ollama serve` and `ollama --version`.
//!
//! The store has the real layout, models are named and digested as in the real one, and
//! the answers have the real fields. What it does not prove: that a model runs. It puts
//! together a fixed text, its durations are made up, and `size_vram` says only that NVML
//! showed a card with room, not that anything computed there. Unlike the real one it reads
//! a model's blobs through when it loads it and refuses one whose digest is not its name,
//! it takes the order of the PCI bus for numbers in `CUDA_VISIBLE_DEVICES`, and
//! `--version` asks no server. It pulls nothing.
//!
//! Its own variables: `OLLAMA_STANDIN_VERSION` is the version it gives; else that stands
//! in the file `version` of the folder above the program's, or in `lib/ollama` there.
//! `OLLAMA_STANDIN_REQUIRES` lists paths, with colons between, without which CUDA is dead
//! though NVML answers, as it is without `/dev/nvidia-uvm`.

mod answer;
mod api;
mod generate;
mod gpu;
mod loaded;
mod settings;
mod slog;
mod store;

use std::process::ExitCode;

use anyhow::Result;

use settings::Settings;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let ended = match words.as_slice() {
        ["--version" | "-v"] => {
            println!("ollama version is {}", settings::version());
            Ok(())
        }
        ["serve" | "start"] => serve(),
        other => Err(anyhow::anyhow!(
            "unknown command \"{}\" for \"ollama\": this stand-in knows serve and --version",
            other.join(" ")
        )),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("Error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// In the order of the real one: clean up, listen, look for cards, answer.
fn serve() -> Result<()> {
    let settings = Settings::from_environment()?;
    let store = store::Store::open(&settings.models)?;
    if !settings.no_prune {
        store.prune()?;
    }
    let server = api::listen(&settings)?;
    let cards = gpu::discover();
    gpu::log(&cards);
    api::serve(server, settings, store, cards)
}
