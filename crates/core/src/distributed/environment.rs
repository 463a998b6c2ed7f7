//! What a process is told of its place among others: torchrun's environment variables.

use std::env;
use std::str::FromStr;

use crate::error::{Error, Result};

/// Set for processes that `--processes` has started, whose parent says what became of them.
pub(crate) const LAUNCHED: &str = "CROSSTUNE_LAUNCHED";

/// Who has started the processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Launcher {
    /// torchrun, or somebody who sets its variables.
    Torchrun,
    /// Crosstune itself, as `--processes` asks.
    Crosstune,
}

/// The place of a process among those that train together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// `RANK`: its number among all, from 0.
    pub rank: usize,
    /// `WORLD_SIZE`: how many there are.
    pub size: usize,
    /// `LOCAL_RANK`: its number among those of its machine, from 0.
    pub local_rank: usize,
    /// `LOCAL_WORLD_SIZE`: how many its machine has.
    pub local_size: usize,
    /// `MASTER_ADDR`: where the store is.
    pub address: String,
    /// `MASTER_PORT`.
    pub port: u16,
    /// `TORCHELASTIC_USE_AGENT_STORE`: whether the launcher serves the store; else rank 0 does.
    pub agent_store: bool,
    /// `TORCHELASTIC_RESTART_COUNT`: how often they were started before.
    pub restarts: usize,
    /// Who has started them.
    pub launcher: Launcher,
}

impl Environment {
    /// What the variables say; `None` where there are none, and a process is alone.
    ///
    /// # Errors
    /// If one of them is missing, or cannot be what it is.
    pub fn read() -> Result<Option<Self>> {
        Self::from(|name| env::var(name).ok())
    }

    fn from(variable: impl Fn(&str) -> Option<String>) -> Result<Option<Self>> {
        if variable("RANK").is_none() && variable("WORLD_SIZE").is_none() {
            return Ok(None);
        }
        let wrong = |name, problem| Error::setting(name, format!("{problem}: see torchrun"));
        let wanted = |name| {
            variable(name).ok_or_else(|| wrong(name, "this environment variable is not set".into()))
        };
        let size = number("WORLD_SIZE", &wanted("WORLD_SIZE")?)?;
        let rank = number("RANK", &wanted("RANK")?)?;
        let optional = |name, default| match variable(name) {
            Some(value) => number(name, &value),
            None => Ok(default),
        };
        if rank >= size {
            return Err(wrong("RANK", format!("{rank}, of {size} processes counted from 0")));
        }
        let local_size = optional("LOCAL_WORLD_SIZE", size)?;
        Ok(Some(Self {
            rank,
            size,
            local_rank: optional("LOCAL_RANK", rank % local_size.max(1))?,
            local_size,
            address: wanted("MASTER_ADDR")?,
            port: number("MASTER_PORT", &wanted("MASTER_PORT")?)?,
            agent_store: variable("TORCHELASTIC_USE_AGENT_STORE").as_deref() == Some("True"),
            restarts: optional("TORCHELASTIC_RESTART_COUNT", 0)?,
            launcher: match variable(LAUNCHED) {
                Some(_) => Launcher::Crosstune,
                None => Launcher::Torchrun,
            },
        }))
    }

    /// The variables that tell a process this.
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        let mut all = vec![
            ("RANK", self.rank.to_string()),
            ("WORLD_SIZE", self.size.to_string()),
            ("LOCAL_RANK", self.local_rank.to_string()),
            ("LOCAL_WORLD_SIZE", self.local_size.to_string()),
            ("MASTER_ADDR", self.address.clone()),
            ("MASTER_PORT", self.port.to_string()),
            ("TORCHELASTIC_RESTART_COUNT", self.restarts.to_string()),
        ];
        if self.agent_store {
            all.push(("TORCHELASTIC_USE_AGENT_STORE", "True".into()));
        }
        if self.launcher == Launcher::Crosstune {
            all.push((LAUNCHED, "1".into()));
        }
        all
    }
}

fn number<T: FromStr>(name: &'static str, value: &str) -> Result<T> {
    value.trim().parse().map_err(|_| {
        Error::setting(name, format!("`{value}` in this environment variable is no such number"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(given: &[(&'static str, &str)]) -> Result<Option<Environment>> {
        let value = |name: &str| given.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).into());
        Environment::from(value)
    }

    #[test]
    fn a_process_without_variables_is_alone() {
        assert_eq!(read(&[("MASTER_PORT", "29500")]).unwrap(), None);
    }

    #[test]
    fn what_is_written_is_read() {
        let here = Environment {
            rank: 3,
            size: 4,
            local_rank: 1,
            local_size: 2,
            address: "10.0.0.1".into(),
            port: 29500,
            agent_store: true,
            restarts: 2,
            launcher: Launcher::Crosstune,
        };
        let variables = here.variables();
        let given: Vec<_> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
        assert_eq!(read(&given).unwrap(), Some(here));
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        let address = [("MASTER_ADDR", "here"), ("MASTER_PORT", "1")];
        for (given, said) in [
            (&[("RANK", "0")][..], "WORLD_SIZE: this environment variable is not set"),
            (&[("RANK", "2"), ("WORLD_SIZE", "2")], "RANK: 2, of 2 processes counted from 0"),
            (&[("RANK", "x"), ("WORLD_SIZE", "2")], "RANK: `x` in this environment variable"),
            (&[("RANK", "0"), ("WORLD_SIZE", "2")], "MASTER_ADDR: this environment variable"),
        ] {
            let error = read(given).unwrap_err().to_string();
            assert!(error.starts_with(said), "{error}");
        }
        let port =
            [&[("RANK", "0"), ("WORLD_SIZE", "1")], &address[..1], &[("MASTER_PORT", "99999")]];
        let error = read(&port.concat()).unwrap_err().to_string();
        assert!(error.starts_with("MASTER_PORT: `99999`"), "{error}");
    }
}
