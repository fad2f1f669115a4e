//! How far a machine is: stages that end when its serial port shows something.

/// What a machine does for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stage {
    /// One word, for file names and reports.
    pub id: &'static str,
    /// What a person reads.
    pub title: &'static str,
    /// When it is over.
    pub ends: Ends,
    /// Which picture of it is kept.
    pub picture: Picture,
}

/// Which picture of a stage is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Picture {
    /// The last.
    Last,
    /// The one that changed least for the longest: of a menu with a countdown, the menu.
    Steadiest,
}

/// When a stage is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ends {
    /// When the serial port shows this.
    Shows(&'static str),
    /// When the machine switches itself off or starts anew.
    Off,
}

/// The first line of every kernel's log.
const KERNEL: &str = "Linux version";

/// The stick is started and installs.
pub const INSTALLATION: &[Stage] = &[
    Stage {
        id: "menu",
        title: "firmware and the stick's menu",
        ends: Ends::Shows(KERNEL),
        picture: Picture::Steadiest,
    },
    Stage {
        id: "live",
        title: "the installer's system starts",
        ends: Ends::Shows("start: subiquity/Early"),
        picture: Picture::Last,
    },
    Stage {
        id: "guard",
        title: "the guard looks at the machine",
        ends: Ends::Shows("finish: subiquity/Early"),
        picture: Picture::Last,
    },
    Stage {
        id: "installation",
        title: "the installer writes the disk",
        ends: Ends::Shows("start: subiquity/Late"),
        picture: Picture::Last,
    },
    Stage {
        id: "files",
        title: "the lab's files are laid down",
        ends: Ends::Shows("finish: subiquity/Late"),
        picture: Picture::Last,
    },
    Stage {
        id: "restart",
        title: "the installer lets go and restarts",
        ends: Ends::Off,
        picture: Picture::Last,
    },
];

/// The machine starts what was installed, with the stick still in.
pub const FIRST_BOOT: &[Stage] = &[
    Stage {
        id: "again",
        title: "firmware and the stick's menu, which starts the disk",
        ends: Ends::Shows(KERNEL),
        picture: Picture::Steadiest,
    },
    Stage {
        id: "ssh",
        title: "the installed system starts, up to SSH",
        ends: Ends::Shows("Started ssh.service"),
        picture: Picture::Last,
    },
    Stage {
        id: "lab",
        title: "the lab sets itself up, up to lab.target",
        ends: Ends::Shows("Reached target lab.target"),
        picture: Picture::Last,
    },
];

/// What a machine says that will not go on.
const STOPS: &[(&str, &str)] = &[
    (
        "IS NOT INSTALLED HERE",
        "the guard stopped the installation",
    ),
    (
        "lab guard: nothing was written",
        "the guard stopped the installation",
    ),
    (
        "An error occurred. Press enter",
        "the installer stopped with an error",
    ),
    ("Kernel panic", "the kernel stopped"),
    (
        "You are in emergency mode",
        "systemd ended in its emergency mode",
    ),
];

/// Why a machine will not go on, where its serial port says so: what stopped it, and the
/// lines around it.
#[must_use]
pub fn stopped(console: &str) -> Option<String> {
    let (mark, why) = STOPS.iter().find(|(mark, _)| console.contains(mark))?;
    let lines: Vec<&str> = console.lines().collect();
    let at = lines.iter().position(|line| line.contains(mark))?;
    let around = lines.get(at.saturating_sub(20)..(at + 25).min(lines.len()))?;
    Some(format!("{why}:\n{}", around.join("\n")))
}

impl Ends {
    /// Whether it is over.
    #[must_use]
    pub fn are_there(self, console: &str, off: bool) -> bool {
        match self {
            Self::Shows(mark) => console.contains(mark),
            Self::Off => off,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_that_stopped_says_why() {
        let console =
            "one\ntwo\n| THE LAB gpu-server IS NOT INSTALLED HERE: 1 thing\n| 1. found: x\n";
        let said = stopped(console).unwrap();
        assert!(said.starts_with("the guard stopped"), "{said}");
        assert!(said.contains("found: x"), "{said}");
        assert_eq!(stopped("all is well"), None);
    }

    #[test]
    fn the_stages_are_told_apart_by_their_words() {
        let mut words: Vec<_> = INSTALLATION
            .iter()
            .chain(FIRST_BOOT)
            .map(|one| one.id)
            .collect();
        let all = words.len();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), all);
    }
}
