//! `tbot sweep` from outside: the same bytes whatever happens on the way, honest counts, refusals with words.

use super::program::{tbot_in, text};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

/// Two years of daily bars of two shares: hundreds of trials a second.
const DATA: [&str; 5] =
    ["--data=wiki_daily", "--symbols=AAPL,MSFT", "--to=2001-12-31", "--strategy=sma_cross", "--param=weight=0.4"];
const SPACE: [&str; 3] = ["--space=fast=int:2..30", "--space=slow=int:5..90", "--where=fast < slow"];
/// A grid of 20 points, of which 16 are allowed.
const GRID: [&str; 4] = ["--method=grid", "--space=fast=5..20:5", "--space=slow=10..50:10", "--where=fast < slow"];

/// A folder in which sweeps are run.
struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    fn new() -> Place {
        Place { dir: tempfile::tempdir().expect("a temporary folder") }
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn tbot(&self, args: &[&str]) -> Output {
        tbot_in(self.path(), args)
    }

    /// Runs a sweep, which must succeed, and answers its folder.
    fn sweep(&self, out: &str, args: &[&[&str]]) -> PathBuf {
        let output = self.try_sweep(out, args);
        assert!(output.status.success(), "{}", text(&output.stderr));
        self.path().join(text(&output.stdout).trim_end())
    }

    fn try_sweep(&self, out: &str, args: &[&[&str]]) -> Output {
        let mut all = vec!["sweep", "--quiet", "--bootstrap=50", "--out", out];
        all.extend(DATA);
        all.extend(args.concat());
        self.tbot(&all)
    }

    /// Runs a sweep that must be refused with exit code 2, and answers the words.
    fn refused(&self, args: &[&[&str]]) -> String {
        let output = self.try_sweep("refused", args);
        let words = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{words}");
        words
    }
}

/// The files of a finished sweep without what the clock decides.
fn content(dir: &Path) -> Vec<(&'static str, Vec<u8>)> {
    let read = |name| std::fs::read(dir.join(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
    let mut files: Vec<(&str, Vec<u8>)> =
        ["trials.jsonl", "returns.f64", "trials.parquet"].into_iter().map(|name| (name, read(name))).collect();
    let mut summary = summary(dir);
    assert!(summary.as_object_mut().and_then(|map| map.remove("elapsed")).is_some());
    files.push(("summary.json", summary.to_string().into_bytes()));
    files
}

fn assert_same(a: &Path, b: &Path, what: &str) {
    for ((name, x), (_, y)) in content(a).into_iter().zip(content(b)) {
        assert!(x == y, "{what}: {name} differs");
    }
}

fn summary(dir: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(dir.join("summary.json")).expect("summary.json")).expect("JSON")
}

fn trials(dir: &Path) -> Vec<Value> {
    let log = std::fs::read_to_string(dir.join("trials.jsonl")).expect("trials.jsonl");
    log.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[test]
fn a_grid_is_swept_in_order_and_the_best_is_the_best() {
    let place = Place::new();
    let dir = place.sweep("out", &[&GRID]);
    let trials = trials(&dir);
    let pairs: Vec<(i64, i64)> = trials
        .iter()
        .map(|t| (t["params"]["fast"].as_i64().expect("fast"), t["params"]["slow"].as_i64().expect("slow")))
        .collect();
    let expected: Vec<(i64, i64)> =
        (1..=4).flat_map(|f| (1..=5).map(move |s| (5 * f, 10 * s))).filter(|(fast, slow)| fast < slow).collect();
    assert_eq!(pairs, expected);
    assert!(trials.iter().enumerate().all(|(k, trial)| trial["id"] == k));
    let summary = summary(&dir);
    let sharpe = |trial: &Value| trial["metrics"]["sharpe"].as_f64().unwrap_or(f64::NEG_INFINITY);
    let best = trials.iter().max_by(|a, b| sharpe(a).total_cmp(&sharpe(b))).expect("a trial");
    assert_eq!(summary["best"]["id"], best["id"]);
    assert_eq!(summary["best"]["values"], best["values"]);
    assert_eq!(summary["best"]["params"], best["params"]);
    assert_eq!(summary["trials"]["finished"], expected.len());
}

#[test]
fn the_number_of_threads_changes_no_byte() {
    let place = Place::new();
    let random = ["--method=random", "--trials=60", "--batch=10", "--prune"];
    let genetic = ["--method=genetic", "--trials=60", "--batch=10"];
    let bayesian = ["--method=bayesian", "--trials=20", "--batch=4"];
    for method in [&random[..], &genetic[..], &bayesian[..]] {
        let first = place.sweep("one", &[&SPACE, method, &["--jobs=1"]]);
        assert_same(&first, &place.sweep("two", &[&SPACE, method, &["--jobs=2"]]), "2 threads");
        assert_same(&first, &place.sweep("seven", &[&SPACE, method, &["--jobs=7"]]), "7 threads");
    }
}

#[test]
fn kill_at_any_moment_and_resume_gives_the_same_bytes() {
    let place = Place::new();
    let search = ["--method=random", "--trials=400", "--batch=16", "--prune", "--jobs=2"];
    let whole = place.sweep("whole", &[&SPACE, &search]);
    assert!(summary(&whole)["trials"]["pruned"].as_u64() > Some(0), "nothing was pruned");

    let mut args = vec!["sweep", "--quiet", "--bootstrap=50", "--out", "killed"];
    args.extend(DATA);
    args.extend(SPACE);
    args.extend(search);
    let start = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tbot"));
        command.current_dir(place.path()).args(args).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().expect("the program starts")
    };
    let mut child = start(&args);
    let mut folder = None;
    let mut random = 12_345_u64;
    for kill in 0..20 {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let dir = loop {
            let found = std::fs::read_dir(place.path().join("killed")).ok().and_then(|mut dir| dir.next());
            if let Some(Ok(entry)) = found
                && entry.path().join("trials.jsonl").is_file()
            {
                break entry.path();
            }
            std::thread::sleep(Duration::from_millis(1));
        };
        // Some trials later: at a moment inside the search, whatever the speed of the machine.
        let size = |name: &str| std::fs::metadata(dir.join(name)).map_or(0, |file| file.len());
        let from = size("returns.f64");
        let more = (random >> 33) % 10_000;
        while size("returns.f64") < from + more && child.try_wait().expect("a state").is_none() {
            std::thread::sleep(Duration::from_micros(200));
        }
        if child.try_wait().expect("a state").is_some() {
            panic!("the sweep ended before kill number {kill}");
        }
        child.kill().expect("killed");
        child.wait().expect("ended");
        let name = dir.to_string_lossy().into_owned();
        child = start(&["sweep", "--quiet", "--jobs=2", "--resume", &name]);
        folder = Some(dir);
    }
    assert!(child.wait().expect("ended").success());
    assert_same(&whole, &folder.expect("a folder"), "killed 20 times");
}

#[test]
fn methods_that_learn_go_on_in_the_middle_of_a_round() {
    let place = Place::new();
    for (method, trials) in [("--method=genetic", "--trials=50"), ("--method=bayesian", "--trials=20")] {
        let args = [method, trials, "--batch=6", "--objective=total_return"];
        let whole = place.sweep("whole", &[&SPACE, &args]);
        let cut = place.sweep("cut", &[&SPACE, &args]);
        let log = cut.join("trials.jsonl");
        let lines = std::fs::read_to_string(&log).expect("the log");
        let kept: Vec<&str> = lines.split_inclusive('\n').take(15).collect();
        std::fs::write(&log, kept.concat()).expect("written");
        let output = place.tbot(&["sweep", "--quiet", "--resume", &cut.to_string_lossy()]);
        assert!(output.status.success(), "{}", text(&output.stderr));
        assert_same(&whole, &cut, method);
    }
}

#[test]
fn a_torn_end_is_dropped_and_a_torn_middle_is_named() {
    let place = Place::new();
    let whole = place.sweep("whole", &[&GRID]);
    let torn = place.sweep("torn", &[&GRID]);
    let name = torn.to_string_lossy().into_owned();
    let log = torn.join("trials.jsonl");
    let text_of = || std::fs::read_to_string(&log).expect("the log");
    let lines = text_of();
    let cut = lines.char_indices().filter(|(_, c)| *c == '\n').nth(5).expect("a line").0 + 40;
    std::fs::write(&log, &lines[..cut]).expect("written");
    let output = place.tbot(&["sweep", "--resume", &name]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("6 of 16 trials are done already"), "{}", text(&output.stderr));
    assert_same(&whole, &torn, "torn");

    std::fs::write(&log, lines.replacen("\"status\":\"ok\"", "\"status\":\"o", 1)).expect("written");
    let output = place.tbot(&["sweep", "--resume", &name]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("trials.jsonl, line 1"), "{}", text(&output.stderr));

    // A trial that the method would not propose.
    std::fs::write(&log, lines.replacen("\"fast\":5,\"slow\":20", "\"fast\":5,\"slow\":30", 1)).expect("written");
    let output = place.tbot(&["sweep", "--resume", &name]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("trial 1 "), "{}", text(&output.stderr));
}

#[test]
fn what_changed_is_said_and_nothing_is_resumed() {
    let place = Place::new();
    let args = ["data", "convert", "wiki_daily", "--symbols=AAPL", "--to=2001-12-31", "--out", "bars.csv"];
    assert!(place.tbot(&args).status.success());
    let sweep = |more: &[&str]| {
        let mut all = vec!["sweep", "--quiet", "--data=bars.csv", "--strategy=sma_cross", "--out=out"];
        all.extend(more);
        place.tbot(&all)
    };
    let output = sweep(&GRID);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let dir = place.path().join(text(&output.stdout).trim_end());
    let name = dir.to_string_lossy().into_owned();
    let refused = |more: &[&str]| {
        let mut all = GRID.to_vec();
        all.extend(["--resume", &name]);
        all.extend(more);
        let output = sweep(&all);
        assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
        text(&output.stderr)
    };
    let same = sweep(&[&GRID[..], &["--resume", &name]].concat());
    assert!(same.status.success(), "the same options: {}", text(&same.stderr));
    assert!(refused(&["--space=qty=1|2"]).contains("space.qty was nothing"));
    assert!(refused(&["--seed=2"]).contains("seed was 1 and is 2 now"));
    assert!(refused(&["--commission=bps:10"]).contains("commission was"));
    assert!(refused(&["--objective=sortino"]).contains("objectives was [\"sharpe\"] and is [\"sortino\"] now"));
    assert!(refused(&["--trials=9"]).contains("trials was 16 and is 9 now"));

    let plan = std::fs::read_to_string(dir.join("sweep.json")).expect("sweep.json");
    let version = format!("\"version\": \"{}\"", env!("CARGO_PKG_VERSION"));
    std::fs::write(dir.join("sweep.json"), plan.replacen(&version, "\"version\": \"0.9.0\"", 1)).expect("written");
    let output = place.tbot(&["sweep", "--resume", &name]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("version was 0.9.0"), "{}", text(&output.stderr));
    std::fs::write(dir.join("sweep.json"), plan).expect("written");

    let bars = std::fs::read_to_string(place.path().join("bars.csv")).expect("the bars");
    let (rest, _) = bars.trim_end().rsplit_once('\n').expect("lines");
    std::fs::write(place.path().join("bars.csv"), format!("{rest}\n")).expect("written");
    let output = place.tbot(&["sweep", "--resume", &name]);
    assert_eq!(output.status.code(), Some(2));
    let words = text(&output.stderr);
    assert!(words.contains("data_hash was") && words.contains("bars was 460 and is 459 now"), "{words}");
}

#[test]
fn a_space_from_a_file_has_parameters_that_count_only_sometimes() {
    let place = Place::new();
    let file = "where = \"open.target_r > 1.5\"\n\"open.stop\" = \"none|range\"\n\
                [\"open.target_r\"]\ntype = \"float\"\nlow = 1.0\nhigh = 3.0\nstep = 1.0\n\
                parent = { name = \"open.stop\", in = [\"range\"] }\n";
    std::fs::write(place.path().join("space.toml"), file).expect("written");
    let run = ["sweep", "--quiet", "--symbols=SIM01", "--bars=1000", "--set=OPTIMIZER_ALGORITHM=grid_search"];
    let output = place.tbot(&[&run[..], &["--space-file=space.toml", "--objective=total_return"]].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    let dir = place.path().join(text(&output.stdout).trim_end());
    assert!(dir.starts_with(place.path().join("backtest_results/strategy_tuning")), "OPTIMIZER_OUTPUT_DIR");
    let params: Vec<String> = trials(&dir).iter().map(|trial| trial["params"].to_string()).collect();
    assert_eq!(
        params,
        [
            r#"{"open.stop":"none"}"#,
            r#"{"open.stop":"range","open.target_r":2.0}"#,
            r#"{"open.stop":"range","open.target_r":3.0}"#
        ]
    );
    // Found by its name from the folder of results, and resumed without repeating anything.
    let name = dir.file_name().expect("a name").to_string_lossy().into_owned();
    let output = place.tbot(&["sweep", "--quiet", "--resume", &name]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(place.tbot(&["verify", &name]).status.success());
}

#[test]
fn shards_join_to_the_sweep_that_was_never_divided() {
    let place = Place::new();
    let random = ["--method=random", "--trials=23"];
    for (name, method) in [("grid", [&GRID[..]].concat()), ("random", [&SPACE[..], &random].concat())] {
        let whole = place.sweep(&format!("{name}-whole"), &[&method]);
        let mut parts = Vec::new();
        for shard in ["--shard=2/3", "--shard=0/3", "--shard=1/3"] {
            parts.push(place.sweep(&format!("{name}-parts"), &[&method, &[shard]]).to_string_lossy().into_owned());
        }
        let mut all = vec!["sweep", "merge", "--quiet", "--out", "merged"];
        all.extend(parts.iter().map(String::as_str));
        let output = place.tbot(&all);
        assert!(output.status.success(), "{}", text(&output.stderr));
        assert_same(&whole, &place.path().join(text(&output.stdout).trim_end()), name);

        let output = place.tbot(&["sweep", "merge", "--out=merged", &parts[0], &parts[2]]);
        assert_eq!(output.status.code(), Some(2));
        assert!(text(&output.stderr).contains("shards are missing: 0/3"), "{}", text(&output.stderr));
        let log = Path::new(&parts[1]).join("trials.jsonl");
        let lines = std::fs::read_to_string(&log).expect("the log");
        let (first, _) = lines.split_once('\n').expect("a line");
        std::fs::write(&log, format!("{first}\n")).expect("written");
        let output = place.tbot(&all);
        assert_eq!(output.status.code(), Some(2));
        assert!(text(&output.stderr).contains("shard 0/3 is not complete: 1 of"), "{}", text(&output.stderr));
    }
    let words = place.refused(&[&SPACE, &["--method=genetic", "--shard=0/2"]]);
    assert!(words.contains("expected grid or random"), "{words}");
}

#[test]
fn trials_of_earlier_sweeps_on_the_same_data_count() {
    let place = Place::new();
    let counts = |dir: &Path| {
        let overfit = summary(dir)["overfit"].clone();
        ["trials", "own_trials", "earlier_trials", "earlier_sweeps"].map(|name| overfit[name].as_u64().expect(name))
    };
    let first = place.sweep("out", &[&GRID]);
    assert_eq!(counts(&first), [16, 16, 0, 0]);
    let again = place.sweep("out", &[&GRID]);
    assert_eq!(counts(&again), [16, 16, 0, 0], "a repetition tries nothing new");
    assert_same(&first, &again, "again");
    let other = place.sweep("out", &[&["--method=grid", "--space=slow=25..45:10"]]);
    assert_eq!(counts(&other), [19, 3, 16, 1]);
    let more = place.sweep("out", &[&GRID, &["--objective=sortino"]]);
    assert_eq!(counts(&more), [35, 16, 19, 2]);
    // What one of them showed is worth less, the more were tried.
    let deflated = |dir: &Path| summary(dir)["overfit"]["deflated_sharpe"].as_f64().expect("a probability");
    if summary(&more)["best"]["id"] == summary(&first)["best"]["id"] {
        assert!(deflated(&more) < deflated(&first));
    }
    let other_data = place.sweep("out", &[&GRID, &["--from=2000-06-01"]]);
    assert_eq!(counts(&other_data)[2], 0);
}

#[test]
fn what_the_strategy_refuses_is_logged_and_counted() {
    let place = Place::new();
    let dir = place.sweep("out", &[&["--method=grid", "--space=fast=5|20", "--space=slow=10..30:10"]]);
    let summary = summary(&dir);
    assert_eq!(summary["trials"]["failed"], 2);
    assert_eq!(summary["trials"]["ok"], 4);
    let failed: Vec<Value> = trials(&dir).into_iter().filter(|trial| trial["status"] == "failed").collect();
    assert!(
        failed[0]["reason"].as_str().is_some_and(|r| r.contains("fast=20 must be less than slow=10")),
        "{failed:?}"
    );
    // Nothing is known of a trial without trades but that it was made.
    let dir = place.sweep("out", &[&["--method=grid", "--space=slow=40..1000:480"]]);
    let last = trials(&dir).pop().expect("a trial");
    assert_eq!((last["status"].as_str(), last["values"][0].clone()), (Some("failed"), Value::Null));
    assert_eq!(last["reason"], "sharpe is undefined");
}

#[test]
fn any_trial_becomes_a_full_backtest_with_its_metrics() {
    let place = Place::new();
    let dir = place.sweep("out", &[&GRID, &["--commission=bps:5", "--fill=next_open"]]);
    for trial in [0, 9] {
        let name = format!("{}/{trial}", dir.display());
        let output = place.tbot(&["backtest", "--json", "--from-trial", &name]);
        assert!(output.status.success(), "{}", text(&output.stderr));
        let run: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(run["metrics"], trials(&dir)[trial]["metrics"]);
    }
    let output = place.tbot(&["backtest", "--from-trial", &format!("{}/99", dir.display())]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("no trial 99; its trials end with 15"), "{}", text(&output.stderr));
    let output = place.tbot(&["backtest", "--seed=7", "--from-trial", &format!("{}/1", dir.display())]);
    assert_eq!(output.status.code(), Some(2), "options of a run beside --from-trial");
    assert!(text(&output.stderr).contains("--seed"), "{}", text(&output.stderr));
}

#[test]
fn sweeps_are_listed_shown_and_verified() {
    let place = Place::new();
    let dir = place.sweep("out", &[&GRID, &["--objective=sharpe,-annual_volatility", "--constraint=trades >= 5"]]);
    let output = place.tbot(&["runs", "--out=out", "--json"]);
    let list: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!((list[0]["kind"].as_str(), list[0]["trials"].as_u64()), (Some("sweep"), Some(16)));
    assert_eq!(list[0]["version"], env!("CARGO_PKG_VERSION"));
    let summary = summary(&dir);
    assert_eq!(list[0]["best"]["id"], summary["best"]["id"]);
    assert!(summary["pareto"].as_array().is_some_and(|front| !front.is_empty()));

    let name = dir.to_string_lossy().into_owned();
    let verify = place.tbot(&["verify", &name]);
    assert!(verify.status.success(), "{}{}", text(&verify.stdout), text(&verify.stderr));
    let log = std::fs::read_to_string(dir.join("trials.jsonl")).expect("the log");
    std::fs::write(dir.join("trials.jsonl"), log.replacen("\"trades\":", "\"trades\":1", 1)).expect("written");
    let verify = place.tbot(&["verify", &name]);
    assert_eq!(verify.status.code(), Some(1));
    assert!(text(&verify.stdout).contains("trials.jsonl: line 1"), "{}", text(&verify.stdout));
}

#[test]
fn what_cannot_be_searched_is_refused_with_words() {
    let place = Place::new();
    let grid = ["--method=grid"];
    for (args, words) in [
        (&["--space=quick=1..5:1"][..], "no strategy of the run has 'quick'; there are fast, slow"),
        (&["--space=open.fast=1..5:1"], "the run has no strategy 'open'"),
        (&["--space=fast=2..30:0.5"], "'2.5' is not a whole number from 1 to 100000"),
        (&["--space=fast=0..5:1"], "'0' is not a whole number from 1"),
        (&["--space=direction=long|sideways"], "'sideways' is not one of long, long_short"),
        (&["--space=fast=2..9:1", "--objective=profit"], "there is no metric 'profit'"),
        (&["--space=fast=2..9:1", "--constraint=trades > 3"], "constraint"),
        (&["--space=fast=2..9:1", "--where=fast > 100"], "rules out every combination"),
        (&["--space=fast=2..9:1", "--set=ENABLE_STRATEGY_OPTIMIZER=false"], "ENABLE_STRATEGY_OPTIMIZER"),
        (&["--space=qty=1..2000000:1"], "--yes"),
        (&["--space=fast=2..9:1", "--prune", "--objective=max_drawdown"], "--prune"),
        (&["--space=fast=2..9:1", "--shard=2/2"], "numbered from 0 to 1"),
        (&[], "--space"),
    ] {
        let refusal = place.refused(&[&grid, args]);
        assert!(refusal.contains(words), "{args:?}: {refusal}");
    }
    assert!(!place.path().join("refused").exists(), "a refused sweep leaves nothing");
}

#[test]
fn a_folder_in_use_is_not_written_to() {
    let place = Place::new();
    let dir = place.sweep("out", &[&GRID]);
    let log = std::fs::File::open(dir.join("trials.jsonl")).expect("the log");
    log.lock().expect("locked");
    let output = place.tbot(&["sweep", "--resume", &dir.to_string_lossy()]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("in use by another process"), "{}", text(&output.stderr));
}

#[test]
fn an_interrupted_sweep_says_how_to_go_on() {
    let place = Place::new();
    let mut args = vec!["sweep", "--out=out", "--method=random", "--trials=2143"];
    args.extend(DATA);
    args.extend(SPACE);
    let mut command = Command::new(env!("CARGO_BIN_EXE_tbot"));
    command.current_dir(place.path()).args(&args).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().expect("the program starts");
    let log = || {
        let entry = std::fs::read_dir(place.path().join("out")).ok()?.next()?.ok()?;
        std::fs::metadata(entry.path().join("trials.jsonl")).ok().filter(|file| file.len() > 0)
    };
    while log().is_none() {
        std::thread::sleep(Duration::from_millis(1));
    }
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().expect("kill").success());
    let output = child.wait_with_output().expect("ended");
    assert_eq!(output.status.code(), Some(130));
    let words = text(&output.stderr);
    assert!(words.contains("of 2143 trials; to go on: tbot sweep --resume out/"), "{words}");
    assert_eq!(text(&output.stdout), "");
}

#[test]
fn a_file_of_the_record_that_is_gone_is_named_and_the_other_one_is_kept() {
    let place = Place::new();
    let dir = place.sweep("a", &[&GRID]);
    for (gone, there) in [("returns.f64", "trials.jsonl"), ("trials.jsonl", "returns.f64")] {
        let (aside, kept) = (dir.join("aside"), std::fs::read(dir.join(there)).expect(there));
        std::fs::rename(dir.join(gone), &aside).expect(gone);
        let output = place.tbot(&["sweep", "--resume", dir.to_str().expect("a name")]);
        let words = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{words}");
        assert!(words.contains(gone) && words.contains("is gone") && words.contains(there), "{words}");
        assert_eq!(std::fs::read(dir.join(there)).expect(there), kept, "finished trials are not thrown away");
        std::fs::rename(&aside, dir.join(gone)).expect(gone);
    }
}

#[test]
fn a_shard_says_what_it_lacks() {
    let place = Place::new();
    let dir = place.sweep("shards", &[&GRID, &["--shard=1/2"]]);
    let name = dir.to_str().expect("a name");
    let shown = text(&place.tbot(&["runs", "show", name]).stderr);
    assert!(shown.contains("shard 1/2, complete with 8 trials") && shown.contains("sweep merge"), "{shown}");
    assert_eq!(place.tbot(&["verify", name]).status.code(), Some(0));
    let log = std::fs::read_to_string(dir.join("trials.jsonl")).expect("a log");
    let lines: Vec<&str> = log.lines().take(7).collect();
    std::fs::write(dir.join("trials.jsonl"), lines.join("\n") + "\n").expect("a log");
    for command in [&["runs", "show", name][..], &["verify", name]] {
        let output = place.tbot(command);
        let words = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{words}");
        assert!(words.contains("7 of 8 trials") && words.contains("--resume"), "{words}");
    }
}

#[test]
fn failures_are_said_with_a_reason() {
    let place = Place::new();
    let dir = place.sweep("a", &[&["--method=grid", "--space=fast=60..70:5", "--space=slow=20..30:10"]]);
    let summary = summary(&dir);
    let warnings = summary["warnings"].to_string();
    assert!(warnings.contains("no trial has a value"), "{warnings}");
    assert!(warnings.contains("6 trials failed, the first is 0:") && warnings.contains("slow"), "{warnings}");
}

#[test]
fn prune_leaves_sweeps_alone_until_they_are_named() {
    let place = Place::new();
    let old = place.sweep("results/strategy_tuning", &[&GRID]);
    let new = place.sweep("results/strategy_tuning", &[&GRID, &["--objective=sortino"]]);
    let older = if old.file_name() < new.file_name() { &old } else { &new };
    let prune = |more: &[&str]| {
        let output = place.tbot(&[&["runs", "--out=results", "prune", "--keep=1"], more].concat());
        assert!(output.status.success(), "{}", text(&output.stderr));
        (text(&output.stdout), text(&output.stderr))
    };
    let (names, words) = prune(&["--yes"]);
    assert!(names.is_empty() && words.contains("2 sweeps") && words.contains("--sweeps"), "{words}");
    let gone = older.file_name().and_then(|name| name.to_str()).expect("a name").to_string();
    assert_eq!(prune(&["--sweeps"]).0.trim(), gone);
    assert!(old.is_dir() && new.is_dir(), "nothing goes without --yes");
    assert_eq!(prune(&["--sweeps", "--yes"]).0.trim(), gone);
    assert!(!older.exists() && old.is_dir() != new.is_dir());
}

#[test]
fn quiet_says_the_folder_and_nothing_else() {
    let place = Place::new();
    let output = place.try_sweep("a", &[&GRID]);
    assert_eq!(text(&output.stdout).lines().count(), 1);
    assert!(output.stderr.is_empty(), "{}", text(&output.stderr));
}

#[test]
fn an_earlier_sweep_that_cannot_be_read_is_named() {
    let place = Place::new();
    let dir = place.sweep("a", &[&GRID]);
    std::fs::write(dir.join("sweep.json"), "{").expect("written");
    let output = place.try_sweep("a", &[&GRID, &["--objective=sortino"]]);
    let words = text(&output.stderr);
    assert!(output.status.success() && words.contains("sweep.json") && words.contains("not counted"), "{words}");
}
