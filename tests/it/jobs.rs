//! Backtests and sweeps from the browser: a core in this process, its children as real processes.

use super::program::{tbot_in, text};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tradebot::runtime::gate::csrf_before_login;
use tradebot::runtime::jobs::Kind;
use tradebot::runtime::jobs::spec::{FIELDS, Shape};
use tradebot::runtime::protocol::{CookieChange, Peer, Reply, Request, Secret, Verb};
use tradebot::runtime::{ClockSource, Core, Op, Route};

const PASSWORD: &str = "blue kettle sings";
const PRE: &str = "a random cookie";

/// A core on a folder, with the admin alice logged in.
struct Bot {
    core: Arc<Core>,
    folder: TempDir,
    runtime: tokio::runtime::Runtime,
    session: Option<String>,
}

impl Bot {
    /// Configured and registered. The first one takes seconds, the others are copies.
    fn new() -> Bot {
        static TEMPLATE: LazyLock<TempDir> = LazyLock::new(|| {
            let mut bot = Bot::on(tempfile::tempdir().expect("a folder"));
            bot.register();
            bot.stop()
        });
        let folder = tempfile::tempdir().expect("a folder");
        copy(TEMPLATE.path(), folder.path());
        let mut bot = Bot::on(folder);
        bot.log_in();
        bot
    }

    fn on(folder: TempDir) -> Bot {
        let clock = || chrono::Utc::now().timestamp_nanos_opt().expect("a time");
        // A process that another test is just starting holds the lock of a core before for a moment.
        let begun = Instant::now();
        let core = loop {
            match Core::open(folder.path(), "v1.0.0", Arc::new(clock), ClockSource::System) {
                Err(_) if begun.elapsed() < Duration::from_secs(20) => std::thread::sleep(Duration::from_millis(50)),
                opened => break opened.expect("a core"),
            }
        };
        let runtime = tokio::runtime::Runtime::new().expect("an event loop");
        runtime.block_on(async { core.jobs.start(PathBuf::from(env!("CARGO_BIN_EXE_tbot"))) }).expect("jobs");
        Bot { core, folder, runtime, session: None }
    }

    fn register(&mut self) {
        let fields = [("entity_code", "ACME"), ("jurisdiction_code", "US"), ("broker_code", "SIM"), ("bot_id", "BOT1")];
        assert_eq!(self.form(Op::ConfigurationSubmit, &fields).status, 303);
        let token = self.folder.path().join("control/setup_token");
        let begun = Instant::now();
        while self.get(Op::Phase, &[], "").body["phase"] != "registration" {
            assert!(begun.elapsed() < Duration::from_secs(60), "the provisioning does not end");
            std::thread::sleep(Duration::from_millis(20));
        }
        let token = fs::read_to_string(token).expect("a token");
        let fields = [
            ("username", "alice"),
            ("email", "alice@example.com"),
            ("password", PASSWORD),
            ("password_confirm", PASSWORD),
            ("setup_token", token.trim()),
        ];
        assert_eq!(self.form(Op::Register, &fields).status, 303);
    }

    fn log_in(&mut self) {
        assert_eq!(self.form(Op::Login, &[("username", "alice"), ("password", PASSWORD)]).status, 303);
    }

    /// Changes settings of the bot.
    fn set(&self, values: &Value) {
        let settings = self.get(Op::Settings, &[], "").body;
        let body = json!({ "version": settings["version"], "values": values });
        let reply = self.answer(self.request(Op::SettingsPut, &[], "", "application/json", body.to_string()));
        assert_eq!(reply.status, 200, "{}", reply.body);
    }

    /// The core ends as it does on SIGTERM; the folder stays.
    fn stop(self) -> TempDir {
        self.runtime.block_on(self.core.jobs.stop());
        drop((self.core, self.runtime));
        self.folder
    }

    fn restart(self) -> Bot {
        let mut bot = Bot::on(self.stop());
        bot.log_in();
        bot
    }

    fn request(&self, op: Op, params: &[(&str, &str)], query: &str, kind: &str, body: String) -> Request {
        let route = Route::of(op);
        let csrf = match &self.session {
            Some(_) if !route.method.is_safe() => {
                let reply = self.answer(self.request(Op::Session, &[], "", "", String::new()));
                reply.body["csrf_token"].as_str().unwrap_or("none").to_string()
            }
            _ => csrf_before_login(PRE),
        };
        Request {
            verb: Verb::Call,
            op: Some(op),
            other_method: false,
            api: route.is_api(),
            safe: route.method.is_safe(),
            params: params.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect(),
            query: query.to_string(),
            content_type: kind.to_string(),
            body: Secret::new(body),
            peer: Peer {
                ip: "127.0.0.1".to_string(),
                sessions: self.session.iter().map(|token| Secret::new(token.as_str())).collect(),
                pre: Some(Secret::new(PRE)),
                csrf: Some(Secret::new(csrf)),
                host: "127.0.0.1:6900".to_string(),
                ..Peer::default()
            },
        }
    }

    fn answer(&self, request: Request) -> Reply {
        self.runtime.block_on(self.core.answer(request))
    }

    fn form(&mut self, op: Op, fields: &[(&str, &str)]) -> Reply {
        let mut body = form_urlencoded::Serializer::new(String::new());
        body.extend_pairs(fields);
        let kind = "application/x-www-form-urlencoded";
        let reply = self.answer(self.request(op, &[], "", kind, body.finish()));
        for cookie in &reply.cookies {
            if let CookieChange::Session(token) = cookie {
                self.session = Some(token.expose().to_string());
            }
        }
        reply
    }

    fn get(&self, op: Op, params: &[(&str, &str)], query: &str) -> Reply {
        self.answer(self.request(op, params, query, "", String::new()))
    }

    /// A download: its status, name, content type and bytes.
    fn download(&self, op: Op, params: &[(&str, &str)], query: &str) -> (u16, String, String, Vec<u8>) {
        let request = self.request(op, params, query, "", String::new());
        self.runtime.block_on(async {
            let sending = self.core.transfer(request, &mut tokio::io::empty()).await;
            let mut bytes = Vec::new();
            if let Some(mut data) = sending.data {
                tokio::io::AsyncReadExt::read_to_end(&mut data, &mut bytes).await.expect("read");
            }
            let (name, kind) = sending.reply.download.map(|d| (d.filename, d.content_type)).unwrap_or_default();
            (sending.reply.status, name, kind, bytes)
        })
    }

    fn post(&self, op: Op, params: &[(&str, &str)], body: &Value) -> Reply {
        self.answer(self.request(op, params, "", "application/json", body.to_string()))
    }

    /// Submits, which must succeed, and answers the id.
    fn submit(&self, op: Op, spec: &Value) -> String {
        let reply = self.post(op, &[], spec);
        assert_eq!(reply.status, 202, "{}", reply.body);
        reply.body["id"].as_str().expect("an id").to_string()
    }

    /// What is known of a job.
    fn job(&self, op: Op, id: &str) -> Value {
        let reply = self.get(op, &[("id", id)], "");
        assert_eq!(reply.status, 200, "{}", reply.body);
        reply.body
    }

    /// Waits until something holds of a job.
    fn wait(&self, op: Op, id: &str, until: impl Fn(&Value) -> bool) -> Value {
        let begun = Instant::now();
        loop {
            let job = self.job(op, id);
            if until(&job) {
                return job;
            }
            assert!(begun.elapsed() < Duration::from_secs(120), "{job}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Waits for the end of a job, which must be `state`.
    fn end(&self, op: Op, id: &str, state: &str) -> Value {
        let job = self.wait(op, id, |job| !matches!(job["state"].as_str(), Some("queued" | "running")));
        assert_eq!(job["state"], state, "{job}");
        job
    }

    fn results(&self) -> PathBuf {
        self.folder.path().join("backtest_results")
    }
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let (kind, target) = (entry.file_type().expect("a type"), to.join(entry.file_name()));
        if kind.is_dir() {
            fs::create_dir_all(&target).expect("made");
            copy(&entry.path(), &target);
        } else if kind.is_file() {
            fs::copy(entry.path(), &target).expect("copied");
        }
    }
}

fn daily() -> Value {
    json!({
        "data": "wiki_daily", "symbols": ["AAPL", "MSFT"], "from": "1998-01-02", "to": "2001-12-31",
        "strategy": ["sma_cross"], "param": {"weight": 0.4},
    })
}

/// A sweep of some seconds.
fn sweep() -> Value {
    let mut spec = daily();
    spec["method"] = json!("random");
    spec["space"] = json!({"fast": "int:2..30", "slow": "int:31..250"});
    spec["trials"] = json!(500);
    spec["batch"] = json!(50);
    spec["bootstrap"] = json!(50);
    spec
}

/// The files of a finished sweep without what the clock decides.
fn content(dir: &Path) -> BTreeMap<&'static str, Vec<u8>> {
    let read = |name| fs::read(dir.join(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
    let mut files: BTreeMap<_, _> =
        ["trials.jsonl", "returns.f64", "trials.parquet"].map(|name| (name, read(name))).into();
    let mut summary: Value = serde_json::from_slice(&read("summary.json")).expect("JSON");
    assert!(summary.as_object_mut().and_then(|map| map.shift_remove("elapsed")).is_some());
    files.insert("summary.json", summary.to_string().into_bytes());
    files
}

#[test]
fn a_backtest_from_the_browser_is_that_of_the_command_line() {
    let bot = Bot::new();
    let id = bot.submit(Op::BacktestSubmit, &daily());
    let job = bot.end(Op::Backtest, &id, "finished");
    let name = job["run_id"].as_str().expect("a run id");
    // The settings of the bot are those of its runs.
    let args = "backtest --data wiki_daily --symbols AAPL,MSFT --from 1998-01-02 --to 2001-12-31 --strategy sma_cross \
                --param weight=0.4 --set BROKER_NAME=SIM --out other --quiet";
    let output = tbot_in(bot.folder.path(), &args.split_whitespace().collect::<Vec<_>>());
    let other = bot.folder.path().join(text(&output.stdout).trim_end());
    for file in ["trades.csv", "equity.parquet", "orders.csv", "fills.csv"] {
        let read = |dir: &Path| fs::read(dir.join(file)).expect(file);
        assert!(read(&bot.results().join(name)) == read(&other), "{file}");
    }
    // Both ids lead to it, and its files have the modes of the data folder.
    assert_eq!(bot.job(Op::Backtest, name)["id"], id.as_str());
    assert_eq!(bot.get(Op::Sweep, &[("id", name)], "").status, 404);
    use std::os::unix::fs::PermissionsExt;
    let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!((mode(&bot.results().join(name)), mode(&bot.results().join(name).join("run.json"))), (0o700, 0o600));
    let names: Vec<&str> = job["files"].as_array().expect("files").iter().filter_map(|f| f["name"].as_str()).collect();
    assert_eq!(names.len(), 7, "{names:?}");
    assert_eq!(job["summary"]["strategies"], json!(["sma_cross"]));
    assert!(!job.to_string().contains(bot.folder.path().to_str().expect("UTF-8")), "no path of this machine");

    let series = |query: &str, name: &str| bot.get(Op::BacktestSeries, &[("id", &id), ("name", name)], query);
    let all = series("", "equity").body;
    let sessions = job["summary"]["sessions"].as_u64();
    assert_eq!(all["points"].as_u64(), sessions);
    assert_eq!(all["equity"].as_array().map(|column| column.len() as u64), sessions);
    let few = series("px=20", "equity").body;
    let extreme = |body: &Value, pick: fn(f64, f64) -> f64| {
        body["equity"].as_array().expect("a column").iter().filter_map(Value::as_f64).reduce(pick)
    };
    assert!(few["t"].as_array().is_some_and(|t| t.len() <= 80));
    assert_eq!(extreme(&few, f64::max), extreme(&all, f64::max));
    assert_eq!(extreme(&few, f64::min), extreme(&all, f64::min));
    let bars = series("symbol=AAPL&from=2001-03-05&to=2001-03-09", "bars").body;
    assert_eq!(bars["close"].as_array().map(Vec::len), Some(5), "{bars}");
    assert_eq!(series("symbol=IBM", "bars").status, 422);
    assert_eq!(series("", "secrets").status, 404);
    assert_eq!(series("from=yesterday", "equity").status, 422);
    let trades = bot.get(Op::BacktestTrades, &[("id", &id)], "sort=-pnl&limit=3&symbol=AAPL").body;
    let pnl: Vec<f64> = trades["trades"].as_array().expect("trades").iter().filter_map(|t| t["pnl"].as_f64()).collect();
    assert!(pnl.len() == 3 && pnl[0] >= pnl[1] && pnl[1] >= pnl[2], "{trades}");

    let (status, _, kind, bytes) = bot.download(Op::BacktestSeries, &[("id", &id), ("name", "equity")], "px=20");
    assert_eq!((status, kind.as_str()), (200, "application/octet-stream"));
    let numbers: Vec<f64> =
        bytes.chunks_exact(8).map(|bytes| f64::from_le_bytes(bytes.try_into().expect("eight"))).collect();
    let both = [&few["t"], &few["equity"]].map(|column| column.as_array().expect("a column").clone());
    assert_eq!(json!(numbers), json!(both.concat()), "the time, then the values");
    let account = series("px=20", "account").body;
    assert_eq!(account["drawdown"].as_array().map(Vec::len), account["equity"].as_array().map(Vec::len));

    let file = |name: &str| bot.download(Op::BacktestFile, &[("id", &id), ("name", name)], "");
    let (status, filename, kind, bytes) = file("report.html");
    assert_eq!((status, kind.as_str()), (200, "text/html; charset=utf-8"));
    assert_eq!(filename, format!("{name}-report.html"));
    assert!(bytes == fs::read(bot.results().join(name).join("report.html")).expect("a page"));
    assert!(
        file("trades.csv").3 == fs::read(other.join("trades.csv")).expect("trades"),
        "no cell looks like a formula"
    );
    for name in ["../run.json", "equity.csv", "secrets", "", "run.json\0"] {
        assert_eq!(file(name).0, 404, "{name}");
    }
    let audited = bot.core.with(|house| {
        let now = chrono::Utc::now().timestamp_nanos_opt().expect("a time");
        house.audit.page(0, 1, now).expect("a page").entries
    });
    assert_eq!((audited[0].user.as_str(), audited[0].action.as_str()), ("alice", "job.submit"));

    let list = bot.get(Op::Backtests, &[], "").body;
    assert_eq!(
        (&list["total"], &list["runs"][0]["id"], &list["runs"][0]["state"]),
        (&json!(1), &json!(id), &json!("finished"))
    );
    assert_eq!(list["runs"][0]["trades"], job["summary"]["trades"]);
    // A run that the command line made is there too.
    fs::rename(&other, bot.results().join("20200101T000000Z-0123456789ab")).expect("moved");
    let list = bot.get(Op::Backtests, &[], "").body;
    assert_eq!((&list["total"], &list["runs"][1]["id"]), (&json!(2), &json!("20200101T000000Z-0123456789ab")));
    assert_eq!(list["runs"][1]["state"], "finished");
}

#[test]
fn a_sweep_that_is_cancelled_and_taken_up_gives_the_bytes_of_one_that_was_not() {
    let bot = Bot::new();
    let whole = bot.submit(Op::SweepSubmit, &sweep());
    let whole = bot.end(Op::Sweep, &whole, "finished");
    let tuning = bot.results().join("strategy_tuning");
    let expected = content(&tuning.join(whole["run_id"].as_str().expect("a run id")));
    // Nothing was tried before, for the second one too.
    fs::rename(&tuning, bot.folder.path().join("output/tuning")).expect("moved");

    let first = bot.submit(Op::SweepSubmit, &sweep());
    let running = |job: &Value| job["progress"]["done"].as_u64().is_some_and(|done| done > 0);
    let job = bot.wait(Op::Sweep, &first, |job| running(job) || job["state"] == "finished");
    assert_eq!(job["progress"]["total"], 500, "{job}");
    assert_eq!(job["progress"]["unit"], "trials");
    let reply = bot.post(Op::SweepCancel, &[("id", &first)], &json!({}));
    assert_eq!(reply.status, 202, "{}", reply.body);
    let cancelled = bot.end(Op::Sweep, &first, "cancelled");
    let name = cancelled["run_id"].as_str().expect("a run id").to_string();
    let kept = cancelled["sweep"]["trials"].as_u64().expect("trials");
    assert!(0 < kept && kept < 500, "{kept}");
    assert_eq!(bot.post(Op::SweepCancel, &[("id", &first)], &json!({})).status, 409);
    // What is done can be looked at.
    let page = bot.get(Op::SweepTrials, &[("id", &name)], "limit=2").body;
    assert_eq!(page["total"].as_u64(), Some(kept), "{page}");

    let second = bot.submit(Op::SweepSubmit, &json!({"resume": first}));
    let finished = bot.end(Op::Sweep, &second, "finished");
    assert_eq!(finished["run_id"], name.as_str());
    let found = content(&tuning.join(&name));
    for (file, bytes) in &expected {
        assert!(found[file] == *bytes, "{file} differs");
    }
}

#[test]
fn a_core_that_ends_in_the_middle_goes_on_where_it_was() {
    let bot = Bot::new();
    let running = bot.submit(Op::SweepSubmit, &sweep());
    let waiting = bot.submit(Op::BacktestSubmit, &daily());
    bot.wait(Op::Sweep, &running, |job| job["progress"]["done"].as_u64().is_some_and(|done| done > 0));
    assert_eq!(bot.job(Op::Backtest, &waiting)["state"], "queued", "one at a time");
    let bot = bot.restart();
    let job = bot.end(Op::Sweep, &running, "finished");
    assert_eq!(job["sweep"]["trials"], 500);
    bot.end(Op::Backtest, &waiting, "finished");
    let folders = fs::read_dir(bot.results().join("strategy_tuning")).expect("a folder").count();
    assert_eq!(folders, 1, "it went on in its folder");
}

#[cfg(target_os = "linux")]
#[test]
fn the_child_of_a_core_that_is_killed_ends_and_the_next_core_goes_on() {
    let bot = Bot::new();
    let id = bot.submit(Op::SweepSubmit, &sweep());
    bot.wait(Op::Sweep, &id, |job| job["progress"]["done"].as_u64().is_some_and(|done| done > 0));
    let folder = bot.stop();
    let trials = || {
        let tuning = fs::read_dir(folder.path().join("backtest_results/strategy_tuning")).expect("a folder");
        let logs = tuning.map(|entry| entry.expect("an entry").path().join("trials.jsonl"));
        logs.filter_map(|log| fs::read_to_string(log).ok()).map(|log| log.lines().count()).sum::<usize>()
    };
    let before = trials();
    let mut core = std::process::Command::new(env!("CARGO_BIN_EXE_tbot"))
        .args(["core", "--data-dir"])
        .arg(folder.path())
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("a core");
    let begun = Instant::now();
    while trials() <= before {
        assert!(begun.elapsed() < Duration::from_secs(120), "the core does not go on");
        std::thread::sleep(Duration::from_millis(20));
    }
    core.kill().expect("killed");
    core.wait().expect("ended");
    let path = folder.path().canonicalize().expect("a path");
    while !processes_in(&path).is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(120), "the child lives on");
        std::thread::sleep(Duration::from_millis(20));
    }
    let mut bot = Bot::on(folder);
    bot.log_in();
    assert_eq!(bot.end(Op::Sweep, &id, "finished")["sweep"]["trials"], 500);
}

/// Processes that were started in a folder.
#[cfg(target_os = "linux")]
fn processes_in(folder: &Path) -> Vec<i32> {
    fs::read_dir("/proc")
        .expect("processes")
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|pid| fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd == folder))
        .collect()
}

#[cfg(target_os = "linux")]
#[test]
fn a_child_that_is_killed_is_a_failed_job_that_can_be_taken_up() {
    let bot = Bot::new();
    let id = bot.submit(Op::SweepSubmit, &sweep());
    bot.wait(Op::Sweep, &id, |job| job["progress"]["done"].as_u64().is_some_and(|done| done > 0));
    let folder = bot.folder.path().canonicalize().expect("a path");
    let children = processes_in(&folder);
    assert_eq!(children.len(), 1, "one child at a time");
    let nice = fs::read_to_string(format!("/proc/{}/stat", children[0])).expect("a process");
    assert_eq!(nice.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(16)), Some("19"));
    let pid = rustix::process::Pid::from_raw(children[0]).expect("a number");
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("killed");
    let job = bot.end(Op::Sweep, &id, "failed");
    assert!(job["message"].as_str().is_some_and(|words| words.contains("signal 9")), "{job}");
    let again = bot.submit(Op::SweepSubmit, &json!({"resume": job["run_id"]}));
    assert_eq!(bot.end(Op::Sweep, &again, "finished")["sweep"]["trials"], 500);
}

#[test]
fn what_cannot_be_run_is_refused_by_its_key_before_it_waits() {
    let bot = Bot::new();
    let refused = |op: Op, spec: Value| {
        let reply = bot.post(op, &[], &spec);
        assert_eq!(reply.status, 422, "{spec}: {}", reply.body);
        let fields = reply.body["error"]["fields"].as_object().expect("fields").clone();
        assert!(!reply.body.to_string().contains(bot.folder.path().to_str().expect("UTF-8")));
        fields.into_iter().map(|(key, _)| key).collect::<Vec<_>>()
    };
    let backtest = |spec: Value| refused(Op::BacktestSubmit, spec);
    assert_eq!(backtest(json!({"data": "../storage"})), ["data"]);
    assert_eq!(backtest(json!({"data": "wiki_daily", "out": "/tmp/x"})), ["out"]);
    assert_eq!(backtest(json!({"strategy": "--out=/tmp/x"})), ["strategy"]);
    assert_eq!(backtest(json!({"strategy": "no_such"})), ["strategy"]);
    assert_eq!(backtest(json!({"strategy": "sma_cross", "param": {"fast": 60}})), ["spec"]);
    assert_eq!(backtest(json!({"strategy": "sma_cross", "param": {"fast": "many"}})), ["param"]);
    assert_eq!(backtest(json!({"strategy": "signals"})), ["spec"], "it needs a file");
    assert_eq!(backtest(json!({"fill": "never"})), ["fill"]);
    assert_eq!(backtest(json!({"cash": -5})), ["cash"]);
    assert_eq!(backtest(json!({"set": {"NO_SUCH": 1}})), ["set"]);
    assert_eq!(backtest(json!({"from": "2001-01-02", "to": "2000-01-03"})), ["from"]);
    assert_eq!(backtest(json!({"from_trial": "nothing/3"})), ["from_trial"]);
    let sweep = |spec: Value| refused(Op::SweepSubmit, spec);
    assert_eq!(sweep(json!({"strategy": "sma_cross"})), ["space"]);
    assert_eq!(sweep(json!({"strategy": "sma_cross", "space": {"no": "1..5:1"}})).len(), 1);
    assert_eq!(
        sweep(json!({"strategy": "sma_cross", "space": {"fast": "1..5:1"}, "objective": "luck"})),
        ["objective"]
    );
    assert_eq!(sweep(json!({"kind": "grid"})), ["kind"]);
    assert_eq!(sweep(json!({"resume": "nothing"})), ["resume"]);
    assert_eq!(bot.get(Op::Backtests, &[], "").body["total"], 0);
    assert_eq!(bot.post(Op::BacktestSubmit, &[], &json!([1])).status, 422);
    for id in ["..", "a/b", "", "x".repeat(65).as_str(), "nothing"] {
        assert_eq!(bot.get(Op::Backtest, &[("id", id)], "").status, 404, "{id}");
        assert_eq!(bot.post(Op::BacktestCancel, &[("id", id)], &json!({})).status, 404, "{id}");
    }
}

#[test]
fn the_settings_bind_searches_from_the_browser() {
    let bot = Bot::new();
    let mut spec = sweep();
    spec["trials"] = json!(3);
    if let Some(spec) = spec.as_object_mut() {
        spec.shift_remove("from");
        spec.shift_remove("method");
        spec["space"] = json!({"fast": "2|3|4"});
    }
    let id = bot.submit(Op::SweepSubmit, &spec);
    let job = bot.end(Op::Sweep, &id, "finished");
    assert_eq!(job["sweep"]["from"], "2001-12-03", "30 days up to 2001-12-31, a Sunday before the first session");
    assert_eq!(job["sweep"]["method"], "grid");
    bot.set(&json!({"ENABLE_STRATEGY_OPTIMIZER": false}));
    let reply = bot.post(Op::SweepSubmit, &[], &spec);
    assert_eq!((reply.status, &reply.body["error"]["code"]), (409, &json!("optimizer_disabled")));
}

#[test]
fn a_search_goes_to_the_folder_of_the_settings_and_is_found_there() {
    let bot = Bot::new();
    bot.set(&json!({"OPTIMIZER_OUTPUT_DIR": "backtest_results/spring/first/"}));
    let mut spec = sweep();
    spec["space"] = json!({"fast": "2|3|4"});
    spec["method"] = json!("grid");
    let id = bot.submit(Op::SweepSubmit, &spec);
    let job = bot.end(Op::Sweep, &id, "finished");
    let name = job["run_id"].as_str().expect("a run");
    assert!(bot.results().join("spring/first").join(name).join("summary.json").is_file());
    assert_eq!(bot.get(Op::Sweeps, &[], "").body["runs"][0]["run_id"], name);
    let trial = bot.submit(Op::BacktestSubmit, &json!({"from_trial": format!("{name}/1")}));
    bot.end(Op::Backtest, &trial, "finished");
    bot.set(&json!({"OPTIMIZER_OUTPUT_DIR": "storage/keys"}));
    let reply = bot.post(Op::SweepSubmit, &[], &spec);
    assert_eq!((reply.status, &reply.body["error"]["code"]), (409, &json!("output_dir")), "{}", reply.body);
}

#[test]
fn a_check_of_a_sweep_counts_and_queues_nothing() {
    let bot = Bot::new();
    let mut spec = sweep();
    spec["method"] = json!("grid");
    spec["space"] = json!({"fast": "2..5:1", "slow": "3..6:1"});
    for key in ["trials", "param"] {
        spec.as_object_mut().expect("an object").shift_remove(key);
    }
    let check = |spec: &Value| bot.post(Op::SweepCheck, &[], spec);
    let found = |spec: &Value| {
        let reply = check(spec);
        assert_eq!(reply.status, 200, "{}", reply.body);
        (reply.body["trials"].clone(), reply.body["combinations"].clone())
    };
    assert_eq!(found(&spec), (json!(16), json!({"count": 16, "exact": true})));
    // Of 4 by 4 pairs, 3 have equal values and 3 are the wrong way round.
    spec["where"] = json!(["fast < slow"]);
    assert_eq!(found(&spec), (json!(10), json!({"count": 10, "exact": true})));
    spec["trials"] = json!(4);
    assert_eq!(found(&spec), (json!(4), json!({"count": 10, "exact": true})));
    (spec["method"], spec["space"]) =
        (json!("random"), json!({"fast": "2..5:1", "slow": "3..6:1", "weight": "0.1..0.9"}));
    assert_eq!(found(&spec), (json!(4), Value::Null));
    spec["space"] = json!({"fast": "5..2"});
    let reply = check(&spec);
    assert_eq!((reply.status, reply.body["error"]["fields"]["space"].is_string()), (422, true), "{}", reply.body);
    assert_eq!(bot.get(Op::Sweeps, &[], "").body["total"], 0);
}

#[test]
fn questions_about_a_sweep_are_answered_from_all_its_trials() {
    let bot = Bot::new();
    let mut spec = daily();
    spec["method"] = json!("grid");
    spec["space"] = json!({"fast": "5..20:5", "slow": "10..50:10"});
    spec["where"] = json!(["fast < slow"]);
    spec["bootstrap"] = json!(50);
    spec["objective"] = json!(["sharpe", "max_drawdown"]);
    let id = bot.submit(Op::SweepSubmit, &spec);
    let job = bot.end(Op::Sweep, &id, "finished");
    let ask = |op: Op, query: &str| {
        let reply = bot.get(op, &[("id", &id)], query);
        assert_eq!(reply.status, 200, "{}", reply.body);
        reply.body
    };
    let page = ask(Op::SweepTrials, "");
    assert_eq!((&page["total"], &page["matching"]), (&json!(16), &json!(16)));
    assert_eq!(page["trials"][0]["id"], job["summary"]["best"]["id"], "the best first");
    assert_eq!(page["trials"][0]["values"], job["summary"]["best"]["values"]);
    let page = ask(Op::SweepTrials, "sort=-fast&filter=slow%3E%3D40,fast%3C20&limit=3&offset=1");
    let pairs: Vec<(i64, i64)> = page["trials"]
        .as_array()
        .expect("trials")
        .iter()
        .map(|trial| (trial["params"]["fast"].as_i64().expect("fast"), trial["params"]["slow"].as_i64().expect("slow")))
        .collect();
    assert_eq!((page["matching"].as_u64(), pairs), (Some(6), vec![(15, 50), (10, 40), (10, 50)]));
    assert_eq!(bot.get(Op::SweepTrials, &[("id", &id)], "sort=luck").status, 422);
    assert_eq!(bot.get(Op::SweepTrials, &[("id", &id)], "filter=fast").status, 422);
    assert_eq!(bot.get(Op::SweepTrials, &[("id", &id)], "limit=100000").status, 422);
    let map = ask(Op::SweepHeatmap, "x=fast&y=slow&stat=count");
    assert_eq!(map["x"]["labels"], json!(["5", "10", "15", "20"]));
    let cells: u64 = map["cells"].as_array().expect("cells").iter().filter_map(Value::as_u64).sum();
    assert_eq!(cells, 16);
    assert_eq!(bot.get(Op::SweepHeatmap, &[("id", &id)], "x=luck").status, 422);
    assert_eq!(ask(Op::SweepSlices, "")["trials"].as_array().map(Vec::len), Some(16));
    let importance = ask(Op::SweepImportance, "");
    assert_eq!(importance["importance"][0]["share"], job["summary"]["importance"]["fast"]);
    let ids = |trials: &Value| -> Vec<u64> {
        trials.as_array().expect("trials").iter().filter_map(|trial| trial["id"].as_u64()).collect()
    };
    assert_eq!(ids(&ask(Op::SweepFront, "")["trials"]), ids(&job["summary"]["pareto"]));
    let curves = ask(Op::SweepCurves, "");
    assert_eq!(curves["curves"][0]["trial"], job["summary"]["best"]["id"]);
    assert_eq!(curves["closes"].as_array().map(|c| c.len() as u64), job["summary"]["sessions"].as_u64());

    // The log says what the table says: what a sweep that is not finished would answer.
    let name = job["run_id"].as_str().expect("a run id");
    let dir = bot.results().join("strategy_tuning").join(name);
    let questions = [
        (Op::SweepTrials, "sort=-sharpe&filter=trades%3E3"),
        (Op::SweepHeatmap, "x=slow&y=fast&stat=best"),
        (Op::SweepSlices, ""),
        (Op::SweepImportance, ""),
        (Op::SweepFront, ""),
        (Op::SweepCurves, ""),
    ];
    let before: Vec<Value> = questions.iter().map(|(op, query)| ask(*op, query)).collect();
    fs::remove_file(dir.join("trials.parquet")).expect("removed");
    fs::rename(dir.join("summary.json"), dir.join("kept")).expect("renamed");
    for ((op, query), before) in questions.iter().zip(before) {
        assert_eq!(ask(*op, query), before, "{op:?}");
    }
    fs::rename(dir.join("kept"), dir.join("summary.json")).expect("renamed");

    // A trial becomes a backtest with the same figures.
    let best = job["summary"]["best"]["id"].to_string();
    let run = bot.submit(Op::BacktestSubmit, &json!({"from_trial": format!("{name}/{best}")}));
    let run = bot.end(Op::Backtest, &run, "finished");
    assert_eq!(run["summary"]["metrics"]["sharpe"], job["summary"]["best"]["values"][0]);
}

#[test]
fn a_walk_forward_analysis_is_started_and_shown_among_the_sweeps() {
    let bot = Bot::new();
    let mut spec = daily();
    for (key, value) in [
        ("kind", json!("walk_forward")),
        ("method", json!("grid")),
        ("space", json!({"fast": "5..20:5"})),
        ("train", json!(250)),
        ("test", json!(100)),
        ("step", json!(100)),
    ] {
        spec[key] = value;
    }
    let id = bot.submit(Op::SweepSubmit, &spec);
    let job = bot.end(Op::Sweep, &id, "finished");
    assert_eq!(job["windows"].as_array().map(|w| w.len() as u64), job["summary"]["windows"].as_u64());
    let equity = bot.get(Op::SweepSeries, &[("id", &id), ("name", "equity")], "px=100").body;
    assert!(equity["points"].as_u64().is_some_and(|points| points > 100), "{equity}");
    assert_eq!(bot.get(Op::SweepTrials, &[("id", &id)], "").status, 404);
}

#[test]
fn forms_are_made_from_data_sets_and_strategies() {
    let bot = Bot::new();
    fs::write(bot.folder.path().join("datasets/mine.csv"), "ts,open,high,low,close,volume\n").expect("written");
    let sets = bot.get(Op::Datasets, &[], "").body;
    let names: Vec<&str> =
        sets["datasets"].as_array().expect("sets").iter().filter_map(|set| set["name"].as_str()).collect();
    assert_eq!(names, ["generated_minutes", "wiki_daily", "mine.csv"]);
    let daily = bot.get(Op::Dataset, &[("name", "wiki_daily")], "").body;
    assert_eq!((&daily["symbols"], &daily["bar"]), (&json!(["AAPL", "FB", "MSFT"]), &json!("1d")));
    assert_eq!(bot.get(Op::Dataset, &[("name", "../storage")], "").status, 404);
    assert_eq!(bot.get(Op::Dataset, &[("name", "mine.csv")], "").status, 422, "it is empty");
    let strategies = bot.get(Op::Strategies, &[], "").body;
    let cross = strategies["strategies"].as_array().expect("strategies").iter().find(|s| s["name"] == "sma_cross");
    let fast = cross.and_then(|cross| cross["params"].as_array()).and_then(|p| p.iter().find(|p| p["name"] == "fast"));
    let fast = fast.expect("a parameter");
    assert_eq!((&fast["type"], &fast["default"]), (&json!("int"), &json!("20")));
    assert!(fast["min"].is_number() && fast["max"].is_number() && fast["meaning"].is_string());
}

#[test]
fn every_option_of_the_table_exists_and_none_takes_a_file() {
    use clap::CommandFactory;
    let program = tradebot::cli::Cli::command();
    for field in FIELDS {
        for kind in field.kinds {
            let command = program.find_subcommand(kind.command()).expect("a command");
            let option = command.get_arguments().find(|option| option.get_long() == Some(field.option));
            let option = option.unwrap_or_else(|| panic!("{} has no --{}", kind.command(), field.option));
            assert_eq!(option.get_action().takes_values(), field.shape != Shape::Flag, "--{}", field.option);
            let names: Vec<&str> = option.get_value_names().into_iter().flatten().map(|name| name.as_str()).collect();
            let takes_file = names.iter().any(|name| ["FILE", "DIR", "PATH", "PATH|NAME"].contains(name));
            assert_eq!(takes_file, field.shape == Shape::Data, "--{} takes {names:?}", field.option);
        }
    }
    assert_eq!(Kind::WalkForward.command(), "walk-forward");
}
