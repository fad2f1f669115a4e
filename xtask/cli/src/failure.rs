//! Why a command did not do what it was asked: the input is at fault (exit
//! code 1), or it could not run (exit code 2).

use std::process::ExitCode;

/// A command's failure.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The user's input is at fault; the text says where and how.
    Input(anyhow::Error),
    /// The input is at fault, and everything has been said about it already.
    Said,
    /// The command could not run: no network, no room, a missing program.
    Environment(anyhow::Error),
}

impl Failure {
    /// The exit code that this failure ends with.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Input(_) | Self::Said => ExitCode::from(1),
            Self::Environment(_) => ExitCode::from(2),
        }
    }

    /// The same where a command has no input that could be at fault: it could not run.
    pub(crate) fn into_environment(self) -> Self {
        match self {
            Self::Input(error) | Self::Environment(error) => Self::Environment(error),
            Self::Said => Self::Environment(anyhow::anyhow!("the description has errors")),
        }
    }

    /// What is wrong, in words.
    pub(crate) fn why(self) -> anyhow::Error {
        match self {
            Self::Input(error) | Self::Environment(error) => error,
            Self::Said => anyhow::anyhow!("the description has errors"),
        }
    }

    /// The same, with the machine that it is about.
    pub(crate) fn within(self, host: &str) -> Self {
        match self {
            Self::Input(error) => Self::Input(error.context(host.to_owned())),
            Self::Environment(error) => Self::Environment(error.context(host.to_owned())),
            Self::Said => Self::Said,
        }
    }

    /// The input is at fault.
    pub(crate) fn input(why: impl std::fmt::Display) -> Self {
        Self::Input(anyhow::anyhow!("{why}"))
    }
}

/// Whatever is not said to be the input's fault is the environment's.
impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Environment(error)
    }
}

impl From<lab_supply::FetchError> for Failure {
    fn from(error: lab_supply::FetchError) -> Self {
        match error.input_at_fault() {
            true => Self::Input(error.into()),
            false => Self::Environment(error.into()),
        }
    }
}

impl From<lab_image::ComposeError> for Failure {
    fn from(error: lab_image::ComposeError) -> Self {
        match error.is_input_fault() {
            true => Self::Input(error.into()),
            false => Self::Environment(error.into()),
        }
    }
}
