//! The checkout that the command runs in: which machines it describes, and
//! where what belongs to them is kept.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use lab_catalog::{Catalog, Date};
use lab_machine::{Diagnostic, Machine, Outcome, Severity, Sources};

use crate::failure::Failure;
use crate::{MachineArg, probe};

/// A description that was found and read.
pub(crate) struct Described {
    /// Its file.
    pub(crate) path: PathBuf,
    /// Its texts.
    pub(crate) sources: Sources,
    /// What came of reading them.
    pub(crate) outcome: Outcome,
}

impl Described {
    /// The machine; with errors in the description they are shown, and that is it.
    pub(crate) fn machine(&self) -> Result<&Machine, Failure> {
        match &self.outcome.machine {
            Some(machine) => {
                self.print(Severity::Warning);
                Ok(machine)
            }
            None => {
                self.print(Severity::Error);
                anstream::eprintln!("{}", self.summary());
                Err(Failure::Said)
            }
        }
    }

    /// The machine although its description breaks these rules: for a command that changes
    /// nothing and tells more of them. Other errors are shown, and that is it.
    pub(crate) fn machine_despite(&self, rules: &[&str]) -> Result<&Machine, Failure> {
        match self.outcome.machine_despite(rules) {
            Some(machine) => {
                self.print(Severity::Warning);
                Ok(machine)
            }
            None => self.machine(),
        }
    }

    /// Prints the findings of at least this severity, errors in any case.
    fn print(&self, least: Severity) {
        for finding in self
            .outcome
            .diagnostics
            .iter()
            .filter(|one| one.severity >= least)
        {
            anstream::eprintln!("{}\n", finding.render(&self.sources, true));
        }
    }

    /// How many errors and warnings there are, in words.
    pub(crate) fn summary(&self) -> String {
        let count = |severity| {
            self.outcome
                .diagnostics
                .iter()
                .filter(|one: &&Diagnostic| one.severity == severity)
                .count()
        };
        let number = |count: usize, what: &str| match count {
            0 => format!("no {what}s"),
            1 => format!("1 {what}"),
            many => format!("{many} {what}s"),
        };
        let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
        format!(
            "{}: {}, {}",
            self.path.display(),
            number(errors, "error"),
            number(warnings, "warning")
        )
    }

    /// The names and texts that the description is made of, its own last.
    pub(crate) fn texts(&self) -> Vec<(String, String)> {
        // The last part of the path only: where the checkout lies must not get
        // into the image.
        let name = |path: &str| path.rsplit('/').next().unwrap_or(path).to_owned();
        self.sources
            .files()
            .iter()
            .map(|file| (name(&file.name), file.text.clone()))
            .collect()
    }
}

/// The folder of the workspace: the nearest one above that has `images` and
/// `xtask`, else the one that cargo built this program in.
pub(crate) fn workspace() -> Result<PathBuf, Failure> {
    let here = std::env::current_dir().context("asking for the current folder")?;
    let is_lab =
        |folder: &&Path| folder.join("images").is_dir() && folder.join("xtask/cli").is_dir();
    if let Some(found) = here.ancestors().find(is_lab) {
        return Ok(found.to_owned());
    }
    let from_cargo = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let found = from_cargo
        .as_deref()
        .and_then(|folder| folder.ancestors().find(is_lab))
        .map(Path::to_owned);
    found.ok_or_else(|| {
        Failure::Environment(anyhow::anyhow!(
            "{} lies in no checkout of this lab (a folder with images/ and xtask/): change into one",
            here.display()
        ))
    })
}

/// The file that `--machine` means.
pub(crate) fn machine_file(argument: &MachineArg) -> Result<PathBuf, Failure> {
    let images = || workspace().map(|folder| folder.join("images"));
    let Some(wanted) = argument.machine.as_deref() else {
        let images = images()?;
        let machines = machines(&images)?;
        let name = match machines.as_slice() {
            [only] => only,
            _ => "gpu-server",
        };
        return described(&images, name);
    };
    if wanted.ends_with(".toml") || wanted.contains(std::path::MAIN_SEPARATOR) {
        let path = PathBuf::from(wanted);
        let path = if path.is_dir() {
            path.join("machine.toml")
        } else {
            path
        };
        return Ok(path);
    }
    described(&images()?, wanted)
}

fn described(images: &Path, name: &str) -> Result<PathBuf, Failure> {
    let path = images.join(name).join("machine.toml");
    if path.is_file() {
        return Ok(shorten(&path));
    }
    let known = machines(images)?;
    let names: Vec<&str> = known.iter().map(String::as_str).collect();
    let hint = match lab_machine::rules::closest(name, &names) {
        Some(close) => format!("; did you mean `{close}`?"),
        None => String::new(),
    };
    Err(Failure::input(format!(
        "there is no machine `{name}`: expected {} to exist, or one of {}{hint}",
        shorten(&path).display(),
        names.join(", ")
    )))
}

/// The names of all machines of the checkout.
pub(crate) fn machine_names() -> Result<Vec<String>, Failure> {
    machines(&workspace()?.join("images"))
}

/// Where `iso` writes the image of a machine.
pub(crate) fn built_image(argument: &MachineArg) -> Result<PathBuf, Failure> {
    let described = describe(argument)?;
    let name = described.machine()?.identity.name.to_string();
    Ok(workspace()?.join("target/iso").join(format!("{name}.iso")))
}

/// The store of everything that locks name.
pub(crate) fn store() -> Result<lab_supply::store::Store, Failure> {
    Ok(lab_supply::store::Store::open(&cache()?)?)
}

fn machines(images: &Path) -> Result<Vec<String>, Failure> {
    let entries = std::fs::read_dir(images)
        .with_context(|| format!("listing the machines in {}", images.display()))?;
    let mut names: Vec<String> = entries
        .filter_map(Result::ok)
        .filter(|entry| entry.path().join("machine.toml").is_file())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    Ok(names)
}

/// A path as the user would write it from here.
fn shorten(path: &Path) -> PathBuf {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(&here)
        .map_or_else(|_| path.to_owned(), Path::to_owned)
}

/// No description is longer; a file that is was named by mistake.
const MAX_DESCRIPTION: u64 = 1 << 20;

/// Finds and reads the description that `--machine` means.
pub(crate) fn describe(argument: &MachineArg) -> Result<Described, Failure> {
    let path = machine_file(argument)?;
    let sources = Sources::load(&path.to_string_lossy(), |name, from| {
        let base = from
            .and_then(|from| Path::new(from).parent())
            .unwrap_or(Path::new(""));
        let path = base.join(name);
        let shown = path
            .components()
            .collect::<PathBuf>()
            .to_string_lossy()
            .into_owned();
        let text = read_text(&path).map_err(|why| match from {
            Some(from) => format!("reading {shown}, which {from} extends: {why}"),
            None => format!("reading {shown}: {why}"),
        })?;
        Ok((shown, text))
    })
    .map_err(Failure::input)?;
    let outcome = lab_machine::read(&sources, catalog()?, Some(today()));
    Ok(Described {
        path,
        sources,
        outcome,
    })
}

fn read_text(path: &Path) -> Result<String, String> {
    let length = std::fs::metadata(path).map_err(|error| error.to_string())?;
    if !length.is_file() {
        return Err("it is no file".to_owned());
    }
    if length.len() > MAX_DESCRIPTION {
        return Err(format!(
            "it has {} bytes, more than any description (at most {MAX_DESCRIPTION})",
            length.len()
        ));
    }
    let bytes = std::fs::read(path).map_err(|error| error.to_string())?;
    String::from_utf8(bytes).map_err(|error| {
        format!(
            "it is no UTF-8 text (byte {})",
            error.utf8_error().valid_up_to()
        )
    })
}

/// Today, for the rules about the end of support. Nothing that is built depends
/// on it.
pub(crate) fn today() -> Date {
    let days = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |past| past.as_secs() / 86_400);
    let date = u32::try_from(days)
        .ok()
        .and_then(Date::from_days_since_epoch);
    date.or_else(|| Date::from_days_since_epoch(0))
        .unwrap_or_else(|| unreachable!("the epoch is a day"))
}

/// Where keys and other things that belong to a machine are kept, outside of
/// version control: `$LAB_STATE_DIR`, else the user's data folder.
pub(crate) fn state_dir() -> Result<PathBuf, Failure> {
    let var = |name: &str| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let own = var("LAB_STATE_DIR")
        .or_else(|| var("XDG_DATA_HOME").map(|folder| folder.join("lab-in-a-box")));
    let own = own.or_else(|| var("HOME").map(|home| home.join(".local/share/lab-in-a-box")));
    own.ok_or_else(|| Failure::Environment(anyhow::anyhow!("neither HOME nor LAB_STATE_DIR is set: set LAB_STATE_DIR to the folder that shall keep the machines' keys")))
}

/// The cache of downloads.
pub(crate) fn cache() -> Result<lab_supply::Cache, Failure> {
    let dir = lab_supply::Cache::default_dir(|name| std::env::var_os(name)).ok_or_else(|| {
        Failure::Environment(anyhow::anyhow!("neither HOME nor LAB_CACHE_DIR is set: set LAB_CACHE_DIR to the folder that shall keep downloads"))
    })?;
    Ok(lab_supply::Cache::open(dir)?)
}

/// What everything of a machine is rendered from.
pub(crate) fn subject<'a>(
    machine: &'a Machine,
    secrets: &'a lab_plan::Secrets,
    description: &'a [(String, String)],
    lock: Option<&'a lab_lock::Lock>,
) -> Result<lab_plan::Subject<'a>, Failure> {
    Ok(lab_plan::Subject {
        machine,
        catalog: catalog()?,
        secrets,
        description,
        probe: probe::program()?,
        lock,
    })
}

/// The facts that everything is judged by: those that are built in, with the files of
/// the folder `$LAB_CATALOG` in place of those of the same names. A lab with its own
/// mirror, or one that cannot wait for a release with a new pin, has such a folder.
pub(crate) fn catalog() -> Result<&'static Catalog, Failure> {
    static OWN: OnceLock<Catalog> = OnceLock::new();
    let Some(folder) = std::env::var_os("LAB_CATALOG").filter(|folder| !folder.is_empty()) else {
        return Ok(Catalog::builtin());
    };
    if let Some(own) = OWN.get() {
        return Ok(own);
    }
    let read = own_catalog(Path::new(&folder))
        .map_err(|why| Failure::input(format!("LAB_CATALOG: {why}")))?;
    Ok(OWN.get_or_init(|| read))
}

fn own_catalog(folder: &Path) -> Result<Catalog, String> {
    let place = |why: &dyn std::fmt::Display| format!("{}: {why}", folder.display());
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|error| place(&error))? {
        let path = entry.map_err(|error| place(&error))?.path();
        if path.extension().is_some_and(|end| end == "toml") {
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            files.push((name, read_text(&path).map_err(|error| place(&error))?));
        }
    }
    if files.is_empty() {
        return Err(place(
            &"no file in it ends in .toml; expected some of those in xtask/catalog/data",
        ));
    }
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_str()))
        .collect();
    Catalog::with_files(&files).map_err(|why| place(&why))
}
