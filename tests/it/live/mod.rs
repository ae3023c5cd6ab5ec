//! The live system as its users have it: the real program in a folder of its own, asked over HTTP.

mod broker;
pub mod client;
mod clock;
mod crashes;
mod exchanges;
mod first_run;
mod four_ways;
mod halted;
mod paper;
mod recoveries;
mod sessions;
mod start_refusals;
mod tested;
mod traded;
mod universe;

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

pub use client::Client;
use tempfile::TempDir;

/// How long anything may take before a test gives up. Nothing is expected to take this long.
const PATIENCE: Duration = Duration::from_secs(60);
/// The admin of [`Live::registered`].
pub const ADMIN: &str = "alice";
/// Everybody's password.
pub const PASSWORD: &str = "blue kettle sings";
/// A configuration of the simulated broker, with secrets to look for.
pub const CONFIGURATION: [(&str, &str); 6] = [
    ("entity_code", "ACME"),
    ("jurisdiction_code", "US"),
    ("broker_code", "SIM"),
    ("bot_id", "BOT1"),
    ("smtp_password", "PLANTED-SECRET-1"),
    ("sms_token", "PLANTED-SECRET-2"),
];

/// A running `tbot run`: core and web on a free port.
pub struct Live {
    run: Child,
    /// Where the web listens.
    pub address: SocketAddr,
    folder: Option<TempDir>,
    words: Arc<Mutex<String>>,
}

impl Live {
    /// On an empty folder.
    pub fn start() -> Live {
        Live::start_on(tempfile::tempdir().expect("a temporary folder"), &[])
    }

    /// On a folder, with more options. Returns when both processes answer.
    pub fn start_on(folder: TempDir, options: &[&str]) -> Live {
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port");
        let mut run = Command::new(env!("CARGO_BIN_EXE_tbot"))
            .args(["run", "--bind", &free.to_string(), "--data-dir"])
            .arg(folder.path())
            .args(options)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let words = Arc::new(Mutex::new(String::new()));
        let heard = Arc::clone(&words);
        let stderr = BufReader::new(run.stderr.take().expect("its stderr"));
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                let mut heard = heard.lock().unwrap();
                heard.push_str(&line);
                heard.push('\n');
            }
        });
        let (tell, told) = mpsc::channel();
        let stdout = BufReader::new(run.stdout.take().expect("its stdout"));
        std::thread::spawn(move || stdout.lines().map_while(Result::ok).for_each(|line| drop(tell.send(line))));
        let live = Live { run, address: free, folder: Some(folder), words };
        match told.recv_timeout(PATIENCE) {
            Ok(line) => assert_eq!(line, format!("READY http://{free}")),
            Err(_) => panic!("not ready: {}", live.stderr()),
        }
        live
    }

    /// Configured for the simulated broker, with the admin [`ADMIN`].
    pub fn registered() -> Live {
        let live = Live::start();
        let mut browser = live.client();
        assert_eq!(browser.form("/configuration", &CONFIGURATION).location(), Some("/wait"));
        assert_eq!(live.settle(), "registration");
        live.register(&mut browser, &[]);
        live
    }

    /// Creates [`ADMIN`]; `more`: the setup token, if the browser is not the one that configured.
    pub fn register(&self, browser: &mut Client, more: &[(&str, &str)]) {
        let form = [
            ("username", ADMIN),
            ("email", "alice@example.com"),
            ("password", PASSWORD),
            ("password_confirm", PASSWORD),
        ];
        let reply = browser.form("/register", &[&form, more].concat());
        assert_eq!(reply.location(), Some("/login"), "{}", reply.text());
    }

    /// A browser without cookies.
    pub fn client(&self) -> Client {
        Client::new(self.address)
    }

    /// A browser in which somebody is logged in.
    pub fn logged_in(&self, name: &str) -> Client {
        let mut client = self.client();
        let reply = client.form("/login", &[("username", name), ("password", PASSWORD)]);
        assert_eq!(reply.location(), Some("/main"), "{}", reply.text());
        client
    }

    /// Waits for the end of the provisioning and returns the phase after it.
    pub fn settle(&self) -> String {
        let mut client = self.client();
        until("the end of the provisioning", || {
            let phase = client.get("/api/v1/phase").json()["phase"].as_str().unwrap_or("").to_string();
            (phase != "provisioning").then_some(phase)
        })
    }

    /// What the processes have said on stderr.
    pub fn stderr(&self) -> String {
        self.words.lock().unwrap().clone()
    }

    /// The data folder.
    pub fn data(&self) -> &Path {
        self.folder.as_ref().expect("running").path()
    }

    /// The process id of `core` or `web`.
    pub fn pid(&self, command: &str) -> u32 {
        let run = self.run.id();
        let children = std::fs::read_to_string(format!("/proc/{run}/task/{run}/children")).expect("Linux");
        let is_it = |pid: &str| {
            let words = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            words.split(|byte| *byte == 0).nth(1) == Some(command.as_bytes())
        };
        // The event loop's threads start processes as well.
        let threads = std::fs::read_dir(format!("/proc/{run}/task")).expect("Linux").map_while(Result::ok);
        let more = threads.map(|thread| std::fs::read_to_string(thread.path().join("children")).unwrap_or_default());
        let all = more.fold(children, |all, some| all + " " + &some);
        let found = all.split_whitespace().find(|pid| is_it(pid)).map(|pid| pid.parse().expect("a number"));
        found.unwrap_or_else(|| panic!("no process '{command}': {}", self.stderr()))
    }

    /// Kills `core` or `web`, which cannot prevent it.
    pub fn kill(&self, command: &str) {
        signal(self.pid(command), "KILL");
    }

    /// Waits until all have ended; the folder stays.
    pub fn ended(mut self) -> (ExitStatus, TempDir) {
        let status = until("the end of the program", || self.run.try_wait().expect("a child"));
        (status, self.folder.take().expect("running"))
    }

    /// Asks all to end, and waits for it; the folder stays.
    pub fn stop(self) -> TempDir {
        signal(self.run.id(), "TERM");
        let (status, folder) = self.ended();
        assert!(status.success(), "{status}");
        folder
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        if matches!(self.run.try_wait(), Ok(None)) {
            signal(self.run.id(), "TERM");
            let _ = self.run.wait();
        }
    }
}

/// Sends a signal to a process.
pub fn signal(pid: u32, name: &str) {
    let sent = Command::new("kill").args([&format!("-{name}"), &pid.to_string()]).status();
    assert!(sent.is_ok_and(|status| status.success()), "kill -{name} {pid}");
}

/// Asks again and again until there is an answer.
pub fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(began.elapsed() < PATIENCE, "{what}: not after {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
