//! The options of `serve`, as clap reads them.

use std::{
    fs,
    net::{SocketAddr, ToSocketAddrs},
    num::NonZeroUsize,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Result;
use clap::{Args, ValueEnum};
use crosstune_core::{Device, Error, Modality};
use crosstune_serve::{Named, Options, Token};

use crate::args::{Bytes, DecodeArgs, PlaceArgs, ReadArgs, setting};

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// Models: run folders, or pretrained models with a head as predict takes them. Requests name each
    /// as its folder is called, or as NAME says
    #[arg(required = true, value_name = "[NAME=]MODEL")]
    pub(crate) models: Vec<String>,
    #[command(flatten)]
    pub(crate) read: ReadArgs,
    /// Address and port to listen at; port 0: any that is free. Only a loopback address, as the default
    /// is, keeps other machines out
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080")]
    listen: String,
    /// File with a token that each request must bring, as Authorization: Bearer TOKEN
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Open a model anew when its files have changed, while the old one goes on [default: on SIGHUP]
    #[arg(long)]
    watch: bool,
    /// Number of classes to tell, most probable first, where a request does not say
    #[arg(long, value_name = "N", default_value = "3")]
    top: NonZeroUsize,
    /// What to tell of on stderr
    #[arg(long, value_enum, value_name = "WHAT")]
    log: Option<LogArg>,
    #[command(flatten)]
    batches: BatchArgs,
    #[command(flatten)]
    limits: LimitArgs,
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
    #[command(flatten)]
    pub(crate) decode: DecodeArgs,
}

/// How requests share batches.
#[derive(Debug, Args)]
#[command(next_help_heading = "Batches")]
struct BatchArgs {
    /// Most inputs in a batch
    #[arg(long, value_name = "N", default_value = "32")]
    max_batch: NonZeroUsize,
    /// Time that an input waits for others that are being read, in milliseconds; while a batch is
    /// computed, others collect anyway
    #[arg(long, value_name = "MS", default_value_t = 3)]
    max_wait_ms: u64,
    /// Batches that are computed at a time, each on its part of the cores [default: one for each core,
    /// at most 4; on a GPU 1]
    #[arg(long, value_name = "N")]
    workers: Option<NonZeroUsize>,
}

/// What a server takes.
#[derive(Debug, Args)]
#[command(next_help_heading = "Limits")]
struct LimitArgs {
    /// Most inputs that are read, wait or are answered at a time; more are refused with 429
    #[arg(long, value_name = "N", default_value = "1024")]
    max_queue: NonZeroUsize,
    /// Largest body of a request, in bytes
    #[arg(long, value_name = "BYTES", default_value = "32M")]
    max_body: Bytes,
    /// Most connections at a time; others wait
    #[arg(long, value_name = "N", default_value = "1000")]
    max_connections: NonZeroUsize,
    /// Time that a body may take to arrive, and an answer to be given, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30.)]
    timeout: f64,
    /// Largest picture, width times height [default: 67108864]
    #[arg(long, value_name = "N")]
    max_pixels: Option<f64>,
    /// Longest recording, in seconds [default: 900]
    #[arg(long, value_name = "N")]
    max_seconds: Option<f64>,
    /// Longest text, in characters [default: 1000000]
    #[arg(long, value_name = "N")]
    max_characters: Option<f64>,
}

/// What is told of on stderr.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum LogArg {
    /// A line for each request
    Requests,
}

impl ServeArgs {
    /// The models with their names.
    ///
    /// # Errors
    /// If one has none.
    pub(crate) fn named(&self) -> Result<Vec<Named>> {
        self.models.iter().map(|given| named(given)).collect()
    }

    /// The same for the library.
    ///
    /// # Errors
    /// If the address cannot be used, the token cannot be read, or a limit is none.
    pub(crate) fn options<M: Modality>(&self, device: Device) -> Result<Options> {
        let Self { batches, limits, .. } = self;
        let computing = tch::get_num_threads().max(1) as usize;
        let usual = if device == Device::Cpu { computing.min(4) } else { 1 };
        let workers = batches.workers.map_or(usual, NonZeroUsize::get);
        let threads = some(computing / workers);
        if !(limits.timeout.is_finite() && (0.001..=1e6).contains(&limits.timeout)) {
            let problem = format!("{}: must be from 0.001 to 1000000 seconds", limits.timeout);
            return Err(setting("--timeout", problem));
        }
        Ok(Options {
            max_batch: batches.max_batch,
            max_wait: Duration::from_millis(batches.max_wait_ms),
            max_queue: limits.max_queue,
            max_body: some(limits.max_body.0),
            timeout: Duration::from_secs_f64(limits.timeout),
            max_connections: limits.max_connections,
            max_size: limits.size::<M>()?,
            top: self.top,
            token: self.token_file.as_deref().map(token).transpose()?,
            watch: self.watch.then_some(Duration::from_secs(1)),
            log_requests: self.log == Some(LogArg::Requests),
            ..Options::new(self.address()?, some(workers), threads)
        })
    }

    fn address(&self) -> Result<SocketAddr> {
        let listen = &self.listen;
        match listen.to_socket_addrs().ok().and_then(|mut all| all.next()) {
            Some(address) => Ok(address),
            None => {
                let problem = "no address and port; expected one such as 127.0.0.1:8080, 0.0.0.0:80 \
                               or [::1]:8080";
                Err(setting("--listen", format!("{listen}: {problem}")))
            }
        }
    }
}

fn some(n: usize) -> NonZeroUsize {
    NonZeroUsize::new(n).unwrap_or(NonZeroUsize::MIN)
}

impl LimitArgs {
    /// The largest input, in the unit of the modality's size.
    fn size<M: Modality>(&self) -> Result<Option<f64>> {
        let all = [
            ("--max-pixels", "pixels", self.max_pixels, (1 << 26) as f64),
            ("--max-seconds", "seconds", self.max_seconds, 900.),
            ("--max-characters", "characters", self.max_characters, 1e6),
        ];
        let unit = M::SIZE.first().and_then(|name| name.split_once(", ")).map(|(_, unit)| unit);
        let mut size = None;
        for (option, of, given, usual) in all {
            match given {
                Some(_) if unit != Some(of) => {
                    let problem = format!("{} have no {of}; leave it out", M::SAMPLES);
                    return Err(setting(option, problem));
                }
                Some(n) if !(n.is_finite() && n > 0.) => {
                    return Err(setting(option, format!("{n}: must be more than 0")));
                }
                _ if unit == Some(of) => size = Some(given.unwrap_or(usual)),
                _ => {}
            }
        }
        Ok(size)
    }
}

fn token(path: &Path) -> Result<Token> {
    let text = fs::read_to_string(path).map_err(Error::io(path, "read"))?;
    let malformed =
        |problem: &str| Error::Malformed { path: path.to_path_buf(), problem: problem.into() };
    Ok(Token::new(&text).map_err(malformed)?)
}

/// `NAME=MODEL`, or a model that is called as its folder.
fn named(given: &str) -> Result<Named> {
    if let Some((name, path)) = given.split_once('=')
        && !Path::new(given).exists()
    {
        return Ok(Named { name: name.into(), path: path.into() });
    }
    let path = PathBuf::from(given);
    // `.` and `..` are called otherwise, too.
    let whole = path.canonicalize().unwrap_or_else(|_| path.clone());
    let name = if whole.is_file() { whole.file_stem() } else { whole.file_name() };
    match name {
        Some(name) => Ok(Named { name: name.to_string_lossy().into_owned(), path }),
        None => {
            let problem = format!("{given} has no name; give it one, NAME={given}");
            Err(setting("NAME=MODEL", problem))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_are_called_as_they_are_told_or_as_their_folders() {
        let of = |given: &str| {
            let Named { name, path } = named(given).unwrap();
            (name, path.to_string_lossy().into_owned())
        };
        let pair = |name: &str, path: &str| (name.to_string(), path.to_string());
        assert_eq!(of("a=runs/read"), pair("a", "runs/read"));
        assert_eq!(of("runs/read/"), pair("read", "runs/read/"));
        assert_eq!(of("hf://org/name"), pair("name", "hf://org/name"));
        let folder = tempfile::tempdir().unwrap();
        let odd = folder.path().join("lr=3e-3");
        fs::create_dir(&odd).unwrap();
        assert_eq!(of(odd.to_str().unwrap()).0, "lr=3e-3");
        assert!(named("/").is_err());
    }
}
