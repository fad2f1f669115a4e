//! Finding in the evidence what a check looks at: a card, a unit, a container, a workload.

use std::collections::BTreeSet;
use std::fmt::Display;

use lab_catalog::PciId;
use lab_facts::{
    Container, DockerFacts, Fact, Gpu, GpuProcess, Listener, Nvidia, PciDevice, Protocol, Software,
    System, Unit, Workload, WorkloadRequest,
};
use lab_machine::Card;
use lab_machine::types::CardName;

use crate::{Claims, ExpectedUnit, Judgement, NotRun, Seen, Step, Subject};

impl<'a> Subject<'a> {
    pub(super) fn system(&self) -> Result<&'a System, NotRun> {
        Ok(&self.facts()?.system)
    }

    pub(super) fn nvidia(&self) -> Result<&'a Nvidia, NotRun> {
        Ok(&self.facts()?.nvidia)
    }

    pub(super) fn software(&self) -> Result<&'a Software, NotRun> {
        Ok(&self.facts()?.software)
    }

    pub(super) fn docker(&self) -> Result<&'a DockerFacts, NotRun> {
        Ok(self.root()?.docker.get()?)
    }

    /// A unit of systemd, by its name with the ending.
    pub(super) fn unit(&self, name: &str) -> Result<&'a Unit, NotRun> {
        let units = self.system()?.units.get()?;
        let unit = units.get(name);
        unit.ok_or_else(|| NotRun(format!("systemd was not asked about {name}")))
    }

    /// A unit of the lab that the description asks for.
    pub(super) fn expected_unit(&self, name: &str) -> Option<&'a ExpectedUnit> {
        let units = &self.evidence.expected.units;
        units.iter().find(|unit| unit.name == name)
    }

    /// Where that card is on the bus; or what is there instead, in words.
    pub(super) fn device(&self, card: &Card) -> Result<Result<&'a PciDevice, String>, NotRun> {
        let devices = self.nvidia()?.pci.get()?;
        let same: Vec<&PciDevice> = devices.iter().filter(|one| is(one, card.pci_id)).collect();
        if let Some(slot) = &card.slot {
            let there = devices.iter().find(|one| one.address == slot.as_str());
            return Ok(match there {
                Some(one) if is(one, card.pci_id) => Ok(one),
                Some(one) => Err(format!("{} sits at {slot}", one.id)),
                None => Err(format!("nothing sits at {slot}")),
            });
        }
        Ok(match same.as_slice() {
            [one] => Ok(one),
            [] => Err(format!("no {} is on the bus", card.pci_id)),
            several => Err(format!(
                "{} of {} are on the bus",
                several.len(),
                card.pci_id
            )),
        })
    }

    /// That card on the bus.
    pub(super) fn on_bus(&self, card: &Card) -> Result<&'a PciDevice, NotRun> {
        let found = self.device(card)?;
        found.map_err(|what| NotRun(format!("{} is not where it should be: {what}", card.name)))
    }

    /// That card as NVML sees it.
    pub(super) fn gpu(&self, card: &Card) -> Result<&'a Gpu, NotRun> {
        let gpus = self.nvidia()?.gpus.get()?;
        let address = match &card.slot {
            Some(slot) => slot.as_str(),
            None => &self.on_bus(card)?.address,
        };
        let gpu = gpus.iter().find(|gpu| gpu.address == address);
        let gpu = gpu.filter(|gpu| gpu.pci_id == card.pci_id.to_string());
        gpu.ok_or_else(|| NotRun(format!("NVML does not see {}", card.name)))
    }

    /// The UUIDs of the cards that a workload is given.
    pub(super) fn uuids(&self, names: &[CardName]) -> Result<BTreeSet<&'a str>, NotRun> {
        let uuid = |name: &CardName| {
            let card = self.machine.card(name);
            let card = card.ok_or_else(|| NotRun(format!("no card is called {name}")))?;
            Ok(self.gpu(card)?.uuid.as_str())
        };
        names.iter().map(uuid).collect()
    }

    /// The card's name in the description; the UUID itself where it has none.
    pub(super) fn name_of(&self, uuid: &str) -> String {
        let mut cards = self.machine.cards.iter();
        let card = cards.find(|card| self.gpu(card).is_ok_and(|gpu| gpu.uuid == uuid));
        card.map_or_else(|| uuid.to_owned(), |card| card.name.to_string())
    }

    /// The names of several cards, for a sentence.
    pub(super) fn names_of<'u>(&self, uuids: impl IntoIterator<Item = &'u str>) -> String {
        listed(uuids.into_iter().map(|uuid| self.name_of(uuid)))
    }

    /// A container that runs.
    pub(super) fn running(&self, name: &str) -> Result<&'a Container, NotRun> {
        running_in(self.docker()?, name)
    }

    /// Who takes TCP connections on that port.
    pub(super) fn listening(&self, port: u16) -> Result<Vec<&'a Listener>, NotRun> {
        let all = self.system()?.listeners.get()?.iter();
        let on_port = |one: &&Listener| one.protocol == Protocol::Tcp && one.port == port;
        Ok(all.filter(on_port).collect())
    }

    /// What something on that port answers. Where it takes connections and the answer is
    /// not known all the same, it did not give one, which is bad.
    pub(super) fn answer<'f, T>(
        &self,
        fact: &'f Fact<T>,
        port: u16,
    ) -> Result<Result<&'f T, Seen>, NotRun> {
        let why = match fact {
            Fact::Is(value) => return Ok(Ok(value)),
            Fact::Unknown(why) => why,
        };
        match self.listening(port) {
            Ok(there) if !there.is_empty() => Ok(Err(Seen::bad(format!(
                "something listens on port {port} and gives no answer: {why}"
            ))
            .because("It hangs, or another program has the port.")
            .way_out(format!(
                "`sudo ss -ltnp 'sport = :{port}'` says which program that is; `lab status` what the lab says of it."
            )))),
            _ => Err(NotRun(why.clone())),
        }
    }

    /// The workload of that kind which ran last.
    pub(super) fn workload(
        &self,
        what: &str,
        fits: impl Fn(&WorkloadRequest) -> bool,
    ) -> Result<&'a Workload, NotRun> {
        let found = self
            .evidence
            .workloads
            .iter()
            .rfind(|one| fits(&one.request));
        found.ok_or_else(|| match self.evidence.workloads_asked {
            true => NotRun(format!("{what} was not run")),
            false => NotRun(format!("{what} is run with --workloads only")),
        })
    }

    /// A disturbance of that name.
    pub(super) fn step(&self, name: &str) -> Result<&'a Step, NotRun> {
        let asked = self.evidence.disruption.as_ref();
        let asked = asked.ok_or("this is tried with --disruptive only")?;
        let step = asked.steps.iter().find(|step| step.name == name);
        step.ok_or_else(|| NotRun(format!("the step {name} was not tried")))
    }
}

/// A container that runs, among those that were looked into.
pub(super) fn running_in<'f>(docker: &'f DockerFacts, name: &str) -> Result<&'f Container, NotRun> {
    let container = docker.containers.iter().find(|one| one.name == name);
    let running = container.filter(|one| one.running);
    running.ok_or_else(|| NotRun(format!("the container {name} does not run")))
}

fn is(device: &PciDevice, id: PciId) -> bool {
    device.id.parse() == Ok(id)
}

/// A claim for each card of the description. `key` is that of its `[[gpu]]` table.
pub(super) fn each_card(
    subject: &Subject<'_>,
    claims: &mut Claims<'_>,
    key: &str,
    claim: impl Fn(&Card) -> String,
    judge: impl Fn(&Subject<'_>, &Card) -> Judgement,
) {
    for (index, card) in subject.machine.cards.iter().enumerate() {
        let key = format!("gpu[{index}].{key}");
        claims.claim_of(card.name.as_str(), &key, claim(card), || {
            judge(subject, card)
        });
    }
}

/// The same, where the description wants NVIDIA's driver.
pub(super) fn each_driven_card(
    subject: &Subject<'_>,
    claims: &mut Claims<'_>,
    key: &str,
    claim: impl Fn(&Card) -> String,
    judge: impl Fn(&Subject<'_>, &Card) -> Judgement,
) {
    if subject.machine.driver.enabled {
        each_card(subject, claims, key, claim, judge);
    }
}

/// Whether a workload's programs computed on the cards that it is given, and nowhere else.
pub(super) fn on_its_cards(
    subject: &Subject<'_>,
    workload: &Workload,
    given: &[CardName],
    belongs: impl Fn(&GpuProcess) -> bool,
) -> Judgement {
    if workload.samples.is_empty() && workload.seen.is_empty() {
        return Err("NVML told nothing of the cards while it ran".into());
    }
    let named = |process: &GpuProcess| process.program.is_some() || process.unit.is_some();
    if !workload.seen.is_empty() && !workload.seen.iter().any(|one| named(&one.process)) {
        return Err("whose programs they are that were on the cards cannot be read".into());
    }
    let given = subject.uuids(given)?;
    let own = workload.seen.iter().filter(|one| belongs(&one.process));
    let used: BTreeSet<&str> = own.map(|one| one.uuid.as_str()).collect();
    let evidence = format!(
        "its programs were on {}, given is {}",
        subject.names_of(used.iter().copied()),
        subject.names_of(given.iter().copied())
    );
    let seen = Seen::when(used == given, evidence);
    Ok(match used.is_empty() {
        true => seen.because("It computes on the processor: the card was not there when it started, or its software has no code for it."),
        false => seen,
    })
}

/// Several things in one sentence: `a, b`, or `none`.
pub(super) fn listed<T: Display>(items: impl IntoIterator<Item = T>) -> String {
    let items: Vec<String> = items.into_iter().map(|one| one.to_string()).collect();
    match items.is_empty() {
        true => "none".to_owned(),
        false => items.join(", "),
    }
}

/// Whether `found` is `wanted`, give or take a tenth, as the guard lets it be.
pub(super) fn about(found: u64, wanted: u64) -> bool {
    let (found, wanted) = (u128::from(found), u128::from(wanted));
    found * 10 >= wanted * 9 && found * 10 <= wanted * 11
}

/// Bytes in MiB, for a sentence.
pub(super) fn mib(bytes: u64) -> u64 {
    bytes >> 20
}
