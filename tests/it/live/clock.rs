//! `--clock feed` from outside.

use std::process::Command;

use super::{CONFIGURATION, Live};

#[test]
fn the_clock_of_the_feed_is_taken_on_this_machine_and_refused_elsewhere() {
    let with_url = |url: &'static str| {
        let mut form: Vec<_> = CONFIGURATION.into_iter().filter(|(name, _)| *name != "broker_code").collect();
        form.extend([("broker_code", "ALPACA"), ("broker_api_key", "PLANTED-SECRET-3"), ("broker_url", url)]);
        form
    };
    let elsewhere = with_url("https://paper-api.alpaca.markets");
    let live = Live::start_on(tempfile::tempdir().unwrap(), &["--clock", "feed"]);
    let refused = live.client().form("/configuration", &elsewhere);
    assert_eq!(refused.status, 422);
    assert!(refused.text().contains("clock_feed_needs_loopback"));
    assert_eq!(live.client().form("/configuration", &with_url("http://127.0.0.1:9")).location(), Some("/wait"));
    assert_eq!(live.settle(), "registration");
    live.stop();
    let live = Live::start();
    assert_eq!(live.client().form("/configuration", &elsewhere).location(), Some("/wait"));
    assert_eq!(live.settle(), "registration");
    let folder = live.stop();
    for (command, more) in [("core", &[][..]), ("run", &["--bind", "127.0.0.1:0"][..])] {
        let ended = Command::new(env!("CARGO_BIN_EXE_tbot"))
            .args([command, "--clock", "feed", "--data-dir"])
            .arg(folder.path())
            .args(more)
            .output()
            .unwrap();
        assert_eq!(ended.status.code(), Some(2), "{command}");
        let words = String::from_utf8(ended.stderr).unwrap();
        assert!(words.contains("--clock feed: broker_url does not lead to this machine"), "{words}");
    }
}
