//! What the commands of the live system share: the first steps of a process, its clock, its signals.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};

use super::CliError;
use crate::runtime::{Clock, ClockSource};
use crate::vault::process;

/// Where the data of the live system lie.
#[derive(Debug, Clone, clap::Args)]
pub struct DataDir {
    /// Folder of keys, secrets, databases, logs and results; made if it is missing
    #[arg(long, value_name = "DIR")]
    pub data_dir: PathBuf,
}

impl DataDir {
    /// The folder by its full path, which a socket and a child process need.
    ///
    /// # Errors
    /// The current folder is gone.
    pub fn absolute(&self) -> Result<PathBuf, CliError> {
        std::path::absolute(&self.data_dir).map_err(|e| CliError::Input(format!("{}: {e}", self.data_dir.display())))
    }
}

/// Which clock trading follows.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct ClockOption {
    /// Clock of schedule, strategies, orders, journal and ledger. 'feed' follows the times that the broker tells, to
    /// play a recorded day against a broker on this machine; every broker must be SIM or at a loopback address
    #[arg(long, value_name = "CLOCK", value_enum, default_value_t = ClockWord::System)]
    clock: ClockWord,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum ClockWord {
    System,
    Feed,
}

impl ClockOption {
    /// What it names.
    pub fn source(self) -> ClockSource {
        match self.clock {
            ClockWord::System => ClockSource::System,
            ClockWord::Feed => ClockSource::Feed,
        }
    }

    /// As arguments of a child process.
    pub fn to_args(self) -> Vec<String> {
        match self.clock {
            ClockWord::System => Vec::new(),
            ClockWord::Feed => vec!["--clock".to_string(), "feed".to_string()],
        }
    }
}

/// How the web is reached.
#[derive(Debug, Clone, clap::Args)]
pub struct WebOptions {
    /// Address and port to listen on. Beyond this machine it needs --tls-cert and --tls-key, or --behind-proxy
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:6900")]
    pub bind: SocketAddr,
    /// PEM file of the certificate chain, to speak TLS
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// PEM file of the private key
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// A proxy on this machine speaks TLS for us: cookies are secure, and its X-Forwarded-For is believed
    #[arg(long)]
    pub behind_proxy: bool,
}

impl WebOptions {
    /// Whether others than this machine can reach the web.
    pub fn is_exposed(&self) -> bool {
        !self.bind.ip().is_loopback() || self.behind_proxy
    }

    /// Refuses to speak plain HTTP beyond this machine.
    ///
    /// # Errors
    /// It would.
    pub fn check(&self) -> Result<(), CliError> {
        if self.bind.ip().is_loopback() || self.tls_cert.is_some() || self.behind_proxy {
            return Ok(());
        }
        Err(CliError::Input(format!(
            "--bind {}: passwords would cross the network in plain text; give --tls-cert and --tls-key, or \
             --behind-proxy, or bind 127.0.0.1",
            self.bind
        )))
    }

    /// As arguments of a child process.
    pub fn to_args(&self) -> Vec<String> {
        let mut args = vec!["--bind".to_string(), self.bind.to_string()];
        for (name, file) in [("--tls-cert", &self.tls_cert), ("--tls-key", &self.tls_key)] {
            if let Some(file) = file {
                args.extend([name.to_string(), file.display().to_string()]);
            }
        }
        if self.behind_proxy {
            args.push("--behind-proxy".to_string());
        }
        args
    }
}

/// What a process of the live system does before anything else: what it makes belongs to its owner only, and its
/// memory is in no dump.
///
/// # Errors
/// The system refused.
pub fn begin() -> Result<(), CliError> {
    process::restrict_new_files();
    process::forbid_memory_dumps().map_err(CliError::failed)?;
    process::raise_open_files();
    Ok(())
}

/// An event loop for work that mostly waits.
///
/// # Errors
/// The system gave no threads.
pub fn event_loop() -> Result<tokio::runtime::Runtime, CliError> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(2).max_blocking_threads(32).enable_all().build().map_err(CliError::failed)
}

/// Ready when the process is asked to end.
///
/// # Errors
/// The system refused to tell.
pub fn stop_signal() -> Result<impl Future<Output = ()> + Send, CliError> {
    let mut terminate = signal(SignalKind::terminate()).map_err(CliError::failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(CliError::failed)?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// The system's clock.
pub fn clock() -> Clock {
    Arc::new(|| chrono::Utc::now().timestamp_nanos_opt().unwrap_or(i64::MAX))
}

/// The version as settings name it.
pub fn version() -> String {
    format!("v{}", env!("CARGO_PKG_VERSION"))
}
