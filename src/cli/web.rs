//! `tbot web`: the process that speaks HTTP.

use std::io::Write;

use tracing_subscriber::layer::SubscriberExt;

use super::CliError;
use super::live::{self, DataDir, WebOptions};
use crate::live::priority::{BESIDE_TRADING, give_way};
use crate::runtime::logs::{Messages, panic_hook};
use crate::runtime::server;
use crate::web::{CoreClient, Settings, Tls, router, serve};

/// The web process of the live system: pages and API over HTTP. It holds no key and asks the core for everything.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    data: DataDir,
    #[command(flatten)]
    web: WebOptions,
}

/// Runs the command.
pub fn run(args: &Args) -> Result<(), CliError> {
    args.web.check()?;
    live::begin()?;
    // Whoever looks on must not hold up a session of the core.
    give_way(BESIDE_TRADING);
    let socket = server::socket_path(&args.data.absolute()?).map_err(CliError::input)?;
    let web = &args.web;
    let tls = match (&web.tls_cert, &web.tls_key) {
        (Some(certificate), Some(key)) => Some(Tls { certificate: certificate.clone(), key: key.clone() }),
        _ => None,
    };
    let acceptor = tls.map(|tls| tls.acceptor()).transpose().map_err(CliError::input)?;
    live::event_loop()?.block_on(async {
        let stop = live::stop_signal()?;
        let listener = tokio::net::TcpListener::bind(web.bind)
            .await
            .map_err(|error| CliError::Failed(format!("--bind {}: {error}", web.bind)))?;
        let settings = Settings { tls: acceptor.is_some(), behind_proxy: web.behind_proxy, exposed: web.is_exposed() };
        let address = listener.local_addr().map_err(CliError::failed)?;
        eprintln!("web: listening on {address}");
        // Nobody reading stderr is no reason to end.
        let print = |line: &str| drop(std::io::stderr().write_all(line.as_bytes()));
        let messages = Messages::as_lines(print, live::clock());
        // There is one process here, and nothing else has set this.
        let _ = tracing::subscriber::set_global_default(tracing_subscriber::registry().with(messages));
        std::panic::set_hook(Box::new(panic_hook));
        serve(listener, acceptor, router(CoreClient::new(socket), settings), stop).await;
        Ok(())
    })
}
