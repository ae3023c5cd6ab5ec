//! The program `tbot`.

fn main() -> std::process::ExitCode {
    tradebot::cli::main()
}
