//! `tbot run`: core and web as two processes, for development and for one machine.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

use super::CliError;
use super::live::{self, ClockOption, DataDir, WebOptions};
use super::output::print;
use crate::runtime::protocol::{Peer, Request, Secret, Verb};
use crate::runtime::{Op, server};
use crate::web::CoreClient;

/// How long both may take to answer for the first time.
const START_TIME: Duration = Duration::from_secs(60);
/// How long they may take to end.
const END_TIME: Duration = Duration::from_secs(10);
/// A web that dies is started again, after this long.
const RESTART_PAUSE: Duration = Duration::from_millis(500);

/// Starts core and web as two processes and prints READY with the address when both answer. A web that dies is started
/// again; when the core ends, all ends.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    data: DataDir,
    #[command(flatten)]
    clock: ClockOption,
    #[command(flatten)]
    web: WebOptions,
}

/// Runs the command.
pub fn run(args: &Args) -> Result<(), CliError> {
    args.web.check()?;
    live::begin()?;
    let root = args.data.absolute()?;
    let socket = server::socket_path(&root).map_err(CliError::input)?;
    live::event_loop()?.block_on(async {
        let stop = live::stop_signal()?;
        let mut stop = std::pin::pin!(stop);
        let mut core = start("core", &root, &args.clock.to_args())?;
        let client = CoreClient::new(socket);
        let began = Instant::now();
        while client.call(&health()).await.is_err() {
            if let Some(status) = core.try_wait().map_err(CliError::failed)? {
                let words = format!("the core ended with {status}");
                // The core has said what is wrong with the options.
                return Err(if status.code() == Some(2) { CliError::Input(words) } else { CliError::Failed(words) });
            }
            if began.elapsed() > START_TIME {
                let _ = core.kill().await;
                return Err(CliError::Failed("the core does not answer".to_string()));
            }
            sleep(Duration::from_millis(20)).await;
        }
        let mut web = start("web", &root, &args.web.to_args())?;
        while tokio::net::TcpStream::connect(args.web.bind).await.is_err() {
            if let Some(status) = web.try_wait().map_err(CliError::failed)? {
                end(&mut core).await;
                return Err(CliError::Failed(format!("the web ended with {status}")));
            }
            if began.elapsed() > START_TIME {
                end(&mut web).await;
                end(&mut core).await;
                return Err(CliError::Failed("the web does not answer".to_string()));
            }
            sleep(Duration::from_millis(20)).await;
        }
        let scheme = if args.web.tls_cert.is_some() { "https" } else { "http" };
        print(&format!("READY {scheme}://{}\n", args.web.bind))?;
        loop {
            tokio::select! {
                () = &mut stop => {
                    end(&mut web).await;
                    end(&mut core).await;
                    return Ok(());
                }
                status = core.wait() => {
                    end(&mut web).await;
                    let status = status.map_err(CliError::failed)?;
                    return Err(CliError::Failed(format!("the core ended with {status}")));
                }
                status = web.wait() => {
                    eprintln!("run: the web ended with {}; starting it again", status.map_err(CliError::failed)?);
                    sleep(RESTART_PAUSE).await;
                    web = start("web", &root, &args.web.to_args())?;
                }
            }
        }
    })
}

/// Starts this program again with another command.
fn start(command: &str, root: &Path, more: &[String]) -> Result<Child, CliError> {
    let program = std::env::current_exe().map_err(CliError::failed)?;
    Command::new(program)
        .arg(command)
        .arg("--data-dir")
        .arg(root)
        .args(more)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| CliError::Failed(format!("cannot start '{command}': {error}")))
}

/// Asks a process to end, and makes it if it does not.
async fn end(child: &mut Child) {
    let pid = child.id().and_then(|id| rustix::process::Pid::from_raw(i32::try_from(id).ok()?));
    if let Some(pid) = pid {
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
    }
    if timeout(END_TIME, child.wait()).await.is_err() {
        let _ = child.kill().await;
    }
}

fn health() -> Request {
    Request {
        verb: Verb::Call,
        op: Some(Op::Healthz),
        other_method: false,
        api: true,
        safe: true,
        params: std::collections::BTreeMap::new(),
        query: String::new(),
        content_type: String::new(),
        body: Secret::default(),
        peer: Peer::default(),
    }
}
