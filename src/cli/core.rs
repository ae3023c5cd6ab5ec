//! `tbot core`: the process that owns keys, secrets, databases and the bot's state.

use super::CliError;
use super::live::{self, DataDir};
use crate::runtime::{Core, server};

/// The core process of the live system: owns keys, secrets, databases and the bot. Listens on control/core.sock of its
/// data folder and nowhere else.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    data: DataDir,
}

/// Runs the command.
pub fn run(args: &Args) -> Result<(), CliError> {
    live::begin()?;
    let root = args.data.absolute()?;
    server::socket_path(&root).map_err(CliError::input)?;
    live::event_loop()?.block_on(async {
        let stop = live::stop_signal()?;
        let core = Core::open(&root, &live::version(), live::clock()).map_err(CliError::failed)?;
        let listener = server::listen(&root).map_err(CliError::failed)?;
        eprintln!("core: {} is {}", root.display(), core.with(|house| house.bot_state()));
        core.jobs.start(std::env::current_exe().map_err(CliError::failed)?).map_err(CliError::failed)?;
        let jobs = std::sync::Arc::clone(&core.jobs);
        if let Some(token) = core.with(|house| house.setup.announce()) {
            eprintln!("core: setup token: {}", token.expose());
        }
        core.go_on();
        server::serve(core, listener, stop).await;
        jobs.stop().await;
        let _ = std::fs::remove_file(root.join(server::SOCKET));
        Ok(())
    })
}
