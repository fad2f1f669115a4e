//! The models in memory, and until when they stay there.

use std::time::{Duration, SystemTime};

use crate::gpu::Card;
use crate::store::Model;

/// A model in memory.
#[derive(Clone)]
pub(crate) struct Loaded {
    pub(crate) name: String,
    pub(crate) digest: String,
    pub(crate) size: u64,
    pub(crate) size_vram: u64,
    /// None where it stays for ever.
    pub(crate) expires: Option<SystemTime>,
    card: Option<String>,
}

/// All of them.
#[derive(Default)]
pub(crate) struct Memory(Vec<Loaded>);

impl Memory {
    /// Those that have not expired.
    pub(crate) fn list(&mut self) -> &[Loaded] {
        let now = SystemTime::now();
        self.0
            .retain(|loaded| loaded.expires.is_none_or(|expires| expires > now));
        &self.0
    }

    /// Whether this model is here, in this version.
    pub(crate) fn has(&mut self, model: &Model) -> bool {
        self.list()
            .iter()
            .any(|loaded| loaded.name == model.name && loaded.digest == model.digest)
    }

    /// Takes a model out.
    pub(crate) fn remove(&mut self, name: &str) {
        self.0.retain(|loaded| loaded.name != name);
    }

    /// Puts a model in, on the card with the most room, or keeps it longer; whether it is
    /// on a card.
    pub(crate) fn keep(&mut self, model: &Model, cards: &[Card], keep: Option<Duration>) -> bool {
        let expires = keep.map(|keep| SystemTime::now() + keep);
        let here =
            |loaded: &&mut Loaded| loaded.name == model.name && loaded.digest == model.digest;
        if let Some(loaded) = self.0.iter_mut().find(here) {
            loaded.expires = expires;
            return loaded.size_vram > 0;
        }
        self.remove(&model.name);
        let size = model.manifest.size();
        let card = self.roomiest(cards).filter(|(_, free)| *free >= size);
        let on_a_card = card.is_some();
        self.0.push(Loaded {
            name: model.name.clone(),
            digest: model.digest.clone(),
            size,
            size_vram: if on_a_card { size } else { 0 },
            expires,
            card: card.map(|(uuid, _)| uuid),
        });
        on_a_card
    }

    /// The card with the most room, and how much.
    fn roomiest(&self, cards: &[Card]) -> Option<(String, u64)> {
        let free = |card: &Card| {
            let on_it = |loaded: &&Loaded| loaded.card.as_ref() == Some(&card.uuid);
            let used: u64 = self.0.iter().filter(on_it).map(|one| one.size_vram).sum();
            card.available.saturating_sub(used)
        };
        let rooms = cards.iter().map(|card| (card.uuid.clone(), free(card)));
        rooms.max_by_key(|(_, free)| *free)
    }
}
