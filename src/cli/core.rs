//! `tbot core`: the process that owns keys, secrets, databases and the bot's state.

use std::sync::Arc;

use tokio::sync::watch;
use tracing_subscriber::layer::SubscriberExt;

use super::CliError;
use super::live::{self, ClockOption, DataDir};
use crate::runtime::logs::{Messages, panic_hook};
use crate::runtime::{Core, StartError, run_in_background, server, test_mode};

/// The core process of the live system: owns keys, secrets, databases and the bot. Listens on control/core.sock of its
/// data folder and nowhere else.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    data: DataDir,
    #[command(flatten)]
    clock: ClockOption,
}

/// Runs the command.
pub fn run(args: &Args) -> Result<(), CliError> {
    live::begin()?;
    let root = args.data.absolute()?;
    server::socket_path(&root).map_err(CliError::input)?;
    live::event_loop()?.block_on(async {
        let stop = live::stop_signal()?;
        let opened = Core::open(&root, &live::version(), live::clock(), args.clock.source());
        let core = opened.map_err(|error| match error {
            StartError::Clock(_) => CliError::input(error),
            error => CliError::failed(error),
        })?;
        let listener = server::listen(&root).map_err(CliError::failed)?;
        eprintln!("core: {} is {}", root.display(), core.with(|house| house.bot_state()));
        core.jobs.start(std::env::current_exe().map_err(CliError::failed)?).map_err(CliError::failed)?;
        let jobs = std::sync::Arc::clone(&core.jobs);
        let test = core.with(|house| Arc::clone(&house.test));
        if let Some(token) = core.with(|house| house.setup.announce()) {
            eprintln!("core: setup token: {}", token.expose());
        }
        let messages = Messages::new(Arc::clone(&core.logs), live::clock());
        // There is one process here, and nothing else has set this.
        let _ = tracing::subscriber::set_global_default(tracing_subscriber::registry().with(messages));
        std::panic::set_hook(Box::new(panic_hook));
        tracing::info!("started");
        core.go_on();
        let (ending, ended) = watch::channel(false);
        let background = tokio::spawn(run_in_background(Arc::clone(&core), async move {
            let mut ended = ended;
            let _ = ended.wait_for(|ended| *ended).await;
        }));
        server::serve(core, listener, stop).await;
        jobs.stop().await;
        test.stop(test_mode::State::Interrupted);
        // One that does not end in time is ended by the next start.
        let _ = tokio::task::spawn_blocking(move || test.wait_for_end(std::time::Duration::from_secs(5))).await;
        let _ = ending.send(true);
        let _ = background.await;
        tracing::info!("stopped");
        let _ = std::fs::remove_file(root.join(server::SOCKET));
        Ok(())
    })
}
