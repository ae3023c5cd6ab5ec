//! The program `tbot`.

// A run makes and drops some large vectors: an allocator that keeps their pages spares the page faults.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    tradebot::cli::main()
}
