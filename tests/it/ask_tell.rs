//! `tbot optimizer ask-tell`: the optimiser for any program, over JSON lines.

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// A running `tbot optimizer ask-tell`.
struct Optimizer {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Optimizer {
    fn start() -> Optimizer {
        let mut child = Command::new(env!("CARGO_BIN_EXE_tbot"))
            .args(["optimizer", "ask-tell"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let input = child.stdin.take().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Optimizer { child, input, output }
    }

    fn line(&mut self, line: &str) -> Value {
        writeln!(self.input, "{line}").unwrap();
        let mut answer = String::new();
        self.output.read_line(&mut answer).unwrap();
        serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{answer:?}: {error}"))
    }

    fn says(&mut self, request: Value) -> Value {
        let answer = self.line(&request.to_string());
        assert_eq!(answer["ok"], true, "{request}: {answer}");
        answer
    }

    fn refuses(&mut self, line: &str) -> String {
        let answer = self.line(line);
        assert_eq!(answer["ok"], false, "{line}");
        answer["error"].as_str().unwrap().to_string()
    }

    fn close(mut self) {
        assert_eq!(self.says(json!({"op": "close"})), json!({"ok": true}));
        assert!(self.child.wait().unwrap().success());
    }
}

fn init(algorithm: &str) -> Value {
    json!({
        "op": "init", "protocol": 1,
        "space": [
            {"name": "x0", "type": "float", "low": 0, "high": 1, "log": false},
            {"name": "period", "type": "int", "low": 5, "high": 50, "step": 5},
            {"name": "filter", "type": "categorical", "choices": ["none", "ema"]},
            {"name": "fast", "type": "categorical", "choices": [true, false]},
            {"name": "gain", "type": "float", "low": 1e-3, "high": 1, "log": true,
             "parent": {"name": "filter", "in": ["ema"]}},
        ],
        "objectives": [{"name": "y", "direction": "minimize"}],
        "constraints": 1, "seed": 7, "budget": 40, "batch": 2, "algorithm": algorithm, "noisy": false,
    })
}

fn outcome(trial: &Value) -> Value {
    let params = &trial["params"];
    let x = params["x0"].as_f64().unwrap();
    let gain = params["gain"].as_f64();
    assert_eq!(gain.is_some(), params["filter"] == "ema", "a parameter is there while its condition is met");
    assert!(params["fast"].is_boolean(), "a choice comes back as it was given");
    let period = params["period"].as_i64().unwrap();
    assert_eq!(period % 5, 0);
    if period == 50 {
        return json!({"id": trial["id"], "status": "failed"});
    }
    let y = (x - 0.3).powi(2) + gain.unwrap_or(0.5) + period as f64 / 100.0;
    json!({"id": trial["id"], "status": "ok", "values": [y], "constraints": [0.2 - x]})
}

/// All that is asked in a whole search, and the recommendation.
fn search(algorithm: &str, rounds: usize) -> (Vec<Value>, Value) {
    let mut optimizer = Optimizer::start();
    optimizer.says(init(algorithm));
    assert_eq!(optimizer.says(json!({"op": "best"})), json!({"ok": true, "id": null, "params": null, "values": null}));
    let mut asked = Vec::new();
    for _ in 0..rounds {
        let trials = optimizer.says(json!({"op": "ask", "n": 2}))["trials"].as_array().unwrap().clone();
        let results: Vec<Value> = trials.iter().map(outcome).collect();
        assert_eq!(optimizer.says(json!({"op": "tell", "results": results})), json!({"ok": true}));
        asked.extend(trials);
    }
    let best = optimizer.says(json!({"op": "best"}));
    optimizer.close();
    (asked, best)
}

#[test]
fn a_whole_search_is_the_same_every_time() {
    // The models of the Bayesian method are slow without optimisation: a few rounds after the even spread.
    for (algorithm, rounds) in [("random", 20), ("genetic", 20), ("bayesian", 6)] {
        let (asked, best) = search(algorithm, rounds);
        let ids: Vec<u64> = asked.iter().map(|trial| trial["id"].as_u64().unwrap()).collect();
        assert_eq!(ids, (0..2 * rounds as u64).collect::<Vec<_>>());
        let values = asked
            .iter()
            .map(outcome)
            .filter(|told| told["constraints"][0].as_f64().is_some_and(|constraint| constraint <= 0.0));
        let least = values.map(|told| told["values"][0].as_f64().unwrap()).fold(f64::INFINITY, f64::min);
        assert_eq!(best["values"], json!([least]), "{algorithm}");
        assert_eq!(search(algorithm, rounds), (asked, best), "{algorithm}");
    }
}

#[test]
fn bad_lines_are_answered_in_place_and_the_stream_goes_on() {
    let mut optimizer = Optimizer::start();
    assert!(optimizer.refuses("not json").contains("expected an object such as"));
    assert_eq!(optimizer.refuses(r#"{"op":"ask","n":1}"#), r#"'ask' before 'init'; expected {"op":"init", ...} first"#);
    let mut wrong = init("random");
    wrong["protocol"] = json!(2);
    assert_eq!(optimizer.refuses(&wrong.to_string()), "protocol 2; expected 1");
    let refused = optimizer.refuses(&init("annealing").to_string());
    assert!(refused.starts_with("no method 'annealing'; expected one of grid, random"), "{refused}");
    assert!(optimizer.refuses(&init("grid").to_string()).contains("parameter 'x0' is continuous"));
    let mut wrong = init("random");
    wrong["space"][0]["low"] = json!(2);
    assert_eq!(optimizer.refuses(&wrong.to_string()), "parameter 'x0': from 2 to 1; expected the lower bound first");
    wrong = init("random");
    wrong["nosiy"] = json!(true);
    assert!(optimizer.refuses(&wrong.to_string()).contains("nosiy"));

    optimizer.says(init("random"));
    assert_eq!(optimizer.refuses(&init("random").to_string()), "'init' twice; expected one search a process");
    assert_eq!(optimizer.refuses(r#"{"op":"ask","n":0}"#), "'n' is 0; expected at least 1");
    assert!(optimizer.refuses(r#"{"op":"ask","n":41}"#).contains("budget of 40"));
    assert_eq!(
        optimizer.refuses(r#"{"op":"ask","n":1000001}"#),
        "'n' is 1000001; expected at most 1000000 trials at once"
    );
    optimizer.says(json!({"op": "ask", "n": 1}));
    let tell = |id: u64, values: Value| json!({"op": "tell", "results": [{"id": id, "status": "ok", "values": values, "constraints": [0]}]});
    assert!(optimizer.refuses(&tell(5, json!([1])).to_string()).contains("no trial 5"));
    assert!(optimizer.refuses(&tell(0, json!([1, 2])).to_string()).contains("2 values; expected 1"));
    assert!(optimizer.refuses(&tell(0, json!([1])).to_string().replace("ok", "done")).contains("done"));
    optimizer.says(tell(0, json!([1])));
    assert!(optimizer.refuses(&tell(0, json!([1])).to_string()).contains("told twice"));
    assert_eq!(optimizer.says(json!({"op": "best"}))["values"], json!([1.0]));
    optimizer.close();
}

#[test]
fn several_objectives_are_answered_with_a_front_and_rules_are_kept() {
    let mut optimizer = Optimizer::start();
    optimizer.says(json!({
        "op": "init", "protocol": 1,
        "space": [
            {"name": "fast", "type": "int", "low": 1, "high": 20},
            {"name": "slow", "type": "int", "low": 1, "high": 20},
        ],
        "where": ["fast < slow"],
        "objectives": [{"name": "a", "direction": "minimize"}, {"name": "b", "direction": "maximize"}],
        "seed": 1, "budget": 60, "algorithm": "genetic",
    }));
    let mut values = Vec::new();
    for _ in 0..60 {
        let trial = optimizer.says(json!({"op": "ask"}))["trials"][0].clone();
        let number = |name: &str| trial["params"][name].as_i64().unwrap();
        let (fast, slow) = (number("fast"), number("slow"));
        assert!(fast < slow);
        // More of b costs more a, and what is left of 20 costs too.
        let told = [slow + (20 - slow) * fast % 3, slow - fast];
        values.push(told);
        optimizer.says(json!({"op": "tell", "results": [{"id": trial["id"], "status": "ok", "values": told}]}));
    }
    let pareto = optimizer.says(json!({"op": "best"}))["pareto"].clone();
    let front: Vec<[i64; 2]> = pareto
        .as_array()
        .unwrap()
        .iter()
        .map(|trial| [0, 1].map(|k| trial["values"][k].as_f64().unwrap() as i64))
        .collect();
    assert!(front.len() > 1);
    let beats = |x: &[i64; 2], y: &[i64; 2]| x != y && x[0] <= y[0] && x[1] >= y[1];
    let unbeaten = |x: &&[i64; 2]| !values.iter().any(|y| beats(y, x));
    assert_eq!(front, values.iter().filter(unbeaten).copied().collect::<Vec<_>>());
    optimizer.close();
}
