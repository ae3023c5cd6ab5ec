//! `tbot optimizer`: the optimiser alone, JSON lines in and out.

use super::CliError;
use crate::optimize::{Goal, Outcome, Params, SearchSettings, Space, SpaceError, Study, StudyError, Value};
use serde::Deserialize;
use serde_json::{Map, Value as Json, json};
use std::io::{self, BufRead, BufReader, ErrorKind, Write};

/// The optimiser alone, without backtests
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    AskTell(AskTellArgs),
}

/// Proposes parameters for any program: reads one JSON object a line from stdin, answers one a line on stdout.
///
/// {"op":"init","protocol":1,"space":[..],"objectives":[{"name":"y","direction":"minimize"}],"constraints":0,
/// "seed":7,"budget":120,"batch":1,"algorithm":"genetic","noisy":false} begins; "where" may list rules such as
/// "fast < slow". {"op":"ask","n":1} is answered with trials, each an id and params; {"op":"tell","results":
/// [{"id":0,"status":"ok","values":[0.31],"constraints":[]}]} says what came of them (status ok, failed or
/// pruned; a constraint is met at or below 0); {"op":"best"} is answered with the recommendation,
/// {"op":"close"} ends. A bad line is answered with {"ok":false,"error":".."}; the stream goes on.
/// The space is described in docs/spaces.md.
#[derive(Debug, clap::Args)]
struct AskTellArgs {}

/// Runs the command.
pub fn run(args: &Args) -> Result<(), CliError> {
    let Command::AskTell(_) = args.command;
    let mut input = BufReader::new(io::stdin().lock());
    let mut out = io::BufWriter::new(io::stdout().lock());
    match converse(&mut input, &mut out) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(CliError::failed(error)),
        _ => Ok(()),
    }
}

/// Trials of one answer: a line that asks for more would fill the memory before it is answered.
const MOST_ASKED: usize = 1_000_000;

#[derive(Debug, Deserialize)]
#[serde(tag = "op", rename_all = "lowercase", deny_unknown_fields)]
enum Request {
    Init(Box<Init>),
    Ask {
        #[serde(default = "one")]
        n: usize,
    },
    Tell {
        results: Vec<Told>,
    },
    Best {},
    Close {},
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Init {
    protocol: u64,
    space: Json,
    #[serde(default, rename = "where")]
    rules: Vec<String>,
    objectives: Vec<Objective>,
    #[serde(default)]
    constraints: usize,
    seed: u64,
    budget: usize,
    #[serde(default = "one")]
    batch: usize,
    algorithm: String,
    #[serde(default)]
    noisy: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Objective {
    name: String,
    direction: Direction,
}

#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Direction {
    Minimize,
    Maximize,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Told {
    id: u64,
    status: Status,
    /// `null`: undefined.
    #[serde(default)]
    values: Vec<Option<f64>>,
    #[serde(default)]
    constraints: Vec<Option<f64>>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    Ok,
    Failed,
    Pruned,
}

fn one() -> usize {
    1
}

#[derive(Debug, thiserror::Error)]
enum LineError {
    #[error("{0}; expected an object such as {{\"op\":\"ask\",\"n\":1}}")]
    Json(#[from] serde_json::Error),
    #[error("'{op}' before 'init'; expected {{\"op\":\"init\", ...}} first")]
    NoStudy { op: &'static str },
    #[error("'init' twice; expected one search a process")]
    SecondInit,
    #[error("protocol {found}; expected 1")]
    Protocol { found: u64 },
    #[error("'{key}' is 0; expected at least 1")]
    Zero { key: &'static str },
    #[error("'n' is {n}; expected at most {MOST_ASKED} trials at once")]
    TooMany { n: usize },
    #[error(transparent)]
    Space(#[from] SpaceError),
    #[error(transparent)]
    Study(#[from] StudyError),
}

/// A search and how its categorical values were written.
struct Session {
    study: Study,
    /// By parameter, the choices as they came: words, numbers or booleans.
    choices: Vec<Vec<Json>>,
}

/// Answers every line that is not blank, until the end or `close`.
fn converse<R: io::Read>(input: &mut BufReader<R>, out: &mut impl Write) -> io::Result<()> {
    let mut session = None;
    let mut line = Vec::new();
    let mut open = true;
    while open && input.read_until(b'\n', &mut line)? > 0 {
        if !line.trim_ascii().is_empty() {
            let request = serde_json::from_slice(&line);
            open = !matches!(request, Ok(Request::Close {}));
            let reply = request.map_err(LineError::from).and_then(|request| answer(&mut session, request));
            let reply = reply.unwrap_or_else(|error| json!({"ok": false, "error": error.to_string()}));
            serde_json::to_writer(&mut *out, &reply)?;
            out.write_all(b"\n")?;
        }
        line.clear();
        // One who waits for an answer has sent no further line yet.
        if input.buffer().is_empty() {
            out.flush()?;
        }
    }
    out.flush()
}

fn answer(session: &mut Option<Session>, request: Request) -> Result<Json, LineError> {
    match (request, session) {
        (Request::Close {}, _) => Ok(json!({"ok": true})),
        (Request::Init(_), Some(_)) => Err(LineError::SecondInit),
        (Request::Init(init), session) => {
            *session = Some(Session::new(*init)?);
            Ok(json!({"ok": true}))
        }
        (Request::Ask { n: 0 }, _) => Err(LineError::Zero { key: "n" }),
        (Request::Ask { n }, _) if n > MOST_ASKED => Err(LineError::TooMany { n }),
        (Request::Ask { n }, Some(session)) => {
            let asked = session.study.ask(n)?;
            let trials: Vec<Json> =
                asked.iter().map(|(id, params)| json!({"id": id, "params": session.params(params)})).collect();
            Ok(json!({"ok": true, "trials": trials}))
        }
        (Request::Tell { results }, Some(session)) => {
            session.study.tell(results.into_iter().map(Told::outcome).collect())?;
            Ok(json!({"ok": true}))
        }
        (Request::Best {}, Some(session)) => Ok(session.best()),
        (Request::Ask { .. }, None) => Err(LineError::NoStudy { op: "ask" }),
        (Request::Tell { .. }, None) => Err(LineError::NoStudy { op: "tell" }),
        (Request::Best {}, None) => Err(LineError::NoStudy { op: "best" }),
    }
}

impl Told {
    /// What came of the trial; values of one that failed or was pruned are not of the whole and not kept.
    fn outcome(self) -> (u64, Outcome) {
        let numbers = |list: Vec<Option<f64>>| list.into_iter().map(|x| x.unwrap_or(f64::NAN)).collect();
        let outcome = match self.status {
            Status::Ok => Outcome::Complete { values: numbers(self.values), constraints: numbers(self.constraints) },
            Status::Failed => Outcome::Failed,
            Status::Pruned => Outcome::Pruned,
        };
        (self.id, outcome)
    }
}

impl Session {
    fn new(init: Init) -> Result<Session, LineError> {
        if init.protocol != 1 {
            return Err(LineError::Protocol { found: init.protocol });
        }
        for (key, value) in [("budget", init.budget), ("batch", init.batch)] {
            if value == 0 {
                return Err(LineError::Zero { key });
            }
        }
        let space = Space::from_json(&init.space)?.with_rules(&init.rules)?;
        let choices = |parameter: &Json| parameter["choices"].as_array().cloned().unwrap_or_default();
        let choices = init.space.as_array().map(|list| list.iter().map(choices).collect()).unwrap_or_default();
        let objectives = init.objectives.into_iter().map(|o| (o.name, o.direction == Direction::Maximize)).collect();
        let goal = Goal { objectives, constraints: init.constraints };
        let settings = SearchSettings { seed: init.seed, budget: init.budget, batch: init.batch, noisy: init.noisy };
        Ok(Session { study: Study::new(&init.algorithm, space, goal, &settings)?, choices })
    }

    /// Parameters by name, choices as they were given.
    fn params(&self, params: &Params) -> Json {
        let mut object = Map::new();
        for (k, (parameter, value)) in self.study.history().space.parameters().iter().zip(params).enumerate() {
            let Some(value) = value else { continue };
            let given = match value {
                Value::Text(_) => {
                    parameter.domain.level_of(value).and_then(|level| self.choices[k].get(level as usize))
                }
                _ => None,
            };
            object.insert(parameter.name.clone(), given.cloned().unwrap_or_else(|| value.into()));
        }
        Json::Object(object)
    }

    fn best(&mut self) -> Json {
        let best = self.study.best();
        let mut reply = match best {
            Some(id) => self.trial(id),
            None => json!({"id": null, "params": null, "values": null}),
        };
        if self.study.history().goal.objectives.len() > 1 {
            reply["pareto"] = self.study.history().pareto().into_iter().map(|id| self.trial(id)).collect();
        }
        let mut answer = json!({"ok": true});
        if let (Json::Object(answer), Json::Object(reply)) = (&mut answer, reply) {
            answer.extend(reply);
        }
        answer
    }

    /// A finished trial.
    fn trial(&self, id: usize) -> Json {
        let trial = &self.study.history().trials[id];
        let values = match &trial.outcome {
            Some(Outcome::Complete { values, .. }) => json!(values),
            _ => Json::Null,
        };
        json!({"id": id, "params": self.params(&trial.params), "values": values})
    }
}
