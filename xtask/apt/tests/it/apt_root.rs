//! An apt of its own: the machine's sources, with all of Debian's components, in a root that
//! is not the machine's. Nothing is fetched or installed; `--print-uris` says what apt would.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// A root with lists, and a minimal Debian in its status file.
pub(crate) struct AptRoot {
    dir: PathBuf,
    /// The `Packages` files: what apt calls them, and their bytes.
    pub(crate) indexes: Vec<(String, Vec<u8>)>,
    /// dpkg's status file.
    pub(crate) status: Vec<u8>,
}

/// A package that apt would fetch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fetched {
    pub(crate) version: String,
    /// Where it lies, in full.
    pub(crate) address: String,
    pub(crate) size: String,
    /// `SHA256:` and the digits.
    pub(crate) digest: String,
}

/// The root that all tests of this process share, or why there is none.
pub(crate) fn shared() -> Result<&'static AptRoot, &'static str> {
    static ROOT: OnceLock<Result<AptRoot, String>> = OnceLock::new();
    ROOT.get_or_init(AptRoot::make)
        .as_ref()
        .map_err(String::as_str)
}

impl AptRoot {
    fn make() -> Result<Self, String> {
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("apt-root");
        for folder in [
            "etc/apt/sources.list.d",
            "etc/apt/apt.conf.d",
            "etc/apt/preferences.d",
            "var/lib/apt/lists/partial",
            "var/cache/apt/archives/partial",
            "var/lib/dpkg",
        ] {
            fs::create_dir_all(dir.join(folder)).unwrap();
        }
        fs::write(dir.join("var/lib/dpkg/status"), "").unwrap();
        let mut root = Self {
            dir,
            indexes: Vec::new(),
            status: Vec::new(),
        };
        root.write_configuration()?;
        root.fetch_lists()?;
        root.make_minimal_system()?;
        Ok(root)
    }

    fn write_configuration(&self) -> Result<(), String> {
        let dir = self.dir.display();
        let configuration = format!(
            "Dir \"{dir}/\";\nDir::State::status \"{dir}/var/lib/dpkg/status\";\n\
             Dir::Bin::methods \"/usr/lib/apt/methods\";\nDir::Etc::trusted \"/etc/apt/trusted.gpg\";\n\
             Dir::Etc::trustedparts \"/etc/apt/trusted.gpg.d\";\nDir::Etc::netrcparts \"/etc/apt/auth.conf.d\";\n\
             Debug::NoLocking \"1\";\nAPT::Sandbox::User \"root\";\nAPT::Architecture \"amd64\";\n\
             APT::Architectures {{ \"amd64\"; }};\nAcquire::Languages \"none\";\n"
        );
        fs::write(self.dir.join("apt.conf"), configuration).unwrap();
        // What an earlier run copied may be gone from the machine.
        let copies = self.dir.join("etc/apt/sources.list.d");
        fs::remove_dir_all(&copies)
            .and_then(|()| fs::create_dir(&copies))
            .unwrap();
        let sources = fs::read_dir("/etc/apt/sources.list.d").map_err(|error| error.to_string())?;
        for source in sources
            .flatten()
            .map(|entry| entry.path())
            .chain([PathBuf::from("/etc/apt/sources.list")])
        {
            let known = source
                .extension()
                .is_some_and(|end| end == "sources" || end == "list");
            // Backports are NotAutomatic: apt takes nothing from them by itself, and every
            // list here counts alike.
            let own = |text: &String| !text.contains("-backports");
            if let (true, Some(text)) = (known, fs::read_to_string(&source).ok().filter(own)) {
                let text =
                    text.replace("Components: main\n", "Components: main contrib non-free\n");
                fs::write(
                    self.dir
                        .join("etc/apt/sources.list.d")
                        .join(source.file_name().unwrap()),
                    text,
                )
                .unwrap();
            }
        }
        Ok(())
    }

    /// The command `program` in this root.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .env("APT_CONFIG", self.dir.join("apt.conf"))
            .env("LC_ALL", "C");
        command
    }

    fn output(&self, program: &str, arguments: &[&str]) -> Result<Vec<u8>, String> {
        let output = self.command(program).args(arguments).output();
        let output = output.map_err(|error| format!("{program}: {error}"))?;
        match output.status.success() {
            true => Ok(output.stdout),
            false => Err(format!(
                "{program} {arguments:?}: {}",
                String::from_utf8_lossy(&output.stderr)
            )),
        }
    }

    /// Lists that are there already are used: the tests compare with whatever they say.
    fn fetch_lists(&mut self) -> Result<(), String> {
        if self.list_targets()?.is_empty() {
            self.output("apt-get", &["update"])?;
        }
        for (source, file) in self.list_targets()? {
            let bytes = self.output("/usr/lib/apt/apt-helper", &["cat-file", &file])?;
            self.indexes.push((source, bytes));
        }
        match self
            .indexes
            .iter()
            .map(|(_, bytes)| bytes.len())
            .sum::<usize>()
        {
            0..10_000_000 => Err("apt has no lists of a whole archive here".to_owned()),
            _ => Ok(()),
        }
    }

    fn list_targets(&self) -> Result<Vec<(String, String)>, String> {
        let format = "$(CREATED_BY) $(CODENAME)/$(COMPONENT) $(FILENAME)";
        let text = self.output("apt-get", &["indextargets", "--format", format])?;
        let text = String::from_utf8(text).unwrap();
        let lines = text
            .lines()
            .filter_map(|line| line.strip_prefix("Packages "));
        let pairs = lines.filter_map(|line| line.split_once(' '));
        Ok(pairs
            .map(|(source, file)| (source.to_owned(), file.to_owned()))
            .collect())
    }

    /// All essential packages and apt, as the index has them.
    fn make_minimal_system(&mut self) -> Result<(), String> {
        let essential = self.stanzas(|stanza| stanza.contains("\nEssential: yes\n"));
        let names: BTreeSet<_> = essential
            .iter()
            .map(|stanza| value(stanza, "Package"))
            .collect();
        let mut arguments = vec!["apt", "base-files"];
        arguments.extend(names);
        let system = self.fetches(&arguments)?;
        let wanted = |stanza: &str| {
            let fetched = system.get(value(stanza, "Package"));
            fetched.is_some_and(|fetched| fetched.version == value(stanza, "Version"))
        };
        let stanzas = self.stanzas(wanted);
        let status: String = stanzas
            .iter()
            .map(|stanza| format!("Status: install ok installed\n{stanza}\n\n"))
            .collect();
        let path = self.dir.join("var/lib/dpkg/status");
        fs::write(path, &status).unwrap();
        self.status = status.into_bytes();
        Ok(())
    }

    /// The stanzas of all indexes that are wanted.
    pub(crate) fn stanzas(&self, wanted: impl Fn(&str) -> bool) -> Vec<&str> {
        let texts = self
            .indexes
            .iter()
            .map(|(_, bytes)| std::str::from_utf8(bytes).unwrap());
        let all = texts
            .flat_map(|text| text.split("\n\n"))
            .filter(|stanza| !stanza.trim().is_empty());
        all.filter(|stanza| wanted(stanza)).collect()
    }

    /// What apt would fetch to install `packages` without what is only recommended, by name. To
    /// remove something counts as a failure.
    pub(crate) fn fetches(&self, packages: &[&str]) -> Result<BTreeMap<String, Fetched>, String> {
        let mut arguments = vec!["-qq", "-y", "--no-remove", "--no-install-recommends"];
        arguments.extend(["-oAcquire::ForceHash=SHA256", "--print-uris", "install"]);
        arguments.extend(packages);
        let text = String::from_utf8(self.output("apt-get", &arguments)?).unwrap();
        Ok(text.lines().filter_map(fetched).collect())
    }
}

/// `'ADDRESS' NAME_VERSION_ARCHITECTURE.deb SIZE DIGEST`
fn fetched(line: &str) -> Option<(String, Fetched)> {
    let (address, rest) = line.strip_prefix('\'')?.split_once("' ")?;
    let [file, size, digest] = rest.split(' ').collect::<Vec<_>>().try_into().ok()?;
    let (name, rest) = file.split_once('_')?;
    let (version, _) = rest.rsplit_once('_')?;
    let fetched = Fetched {
        version: version.replace("%3a", ":"),
        address: address
            .replace("%2b", "+")
            .replace("%7e", "~")
            .replace("%3a", ":"),
        size: size.to_owned(),
        digest: digest.to_owned(),
    };
    Some((name.to_owned(), fetched))
}

/// The value of a field that stands on one line.
pub(crate) fn value<'a>(stanza: &'a str, field: &str) -> &'a str {
    let line = stanza.lines().find(|line| {
        line.strip_prefix(field)
            .is_some_and(|rest| rest.starts_with(':'))
    });
    line.map(|line| line[field.len() + 1..].trim())
        .unwrap_or_default()
}
