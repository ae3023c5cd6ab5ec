//! `tbot option`: a calculator for European options, JSON lines in and out.

use super::CliError;
use crate::market::OptionRight;
use crate::stats::{EuropeanOption, OptionError};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::io::{self, BufRead, BufReader, ErrorKind, Write};

/// Prices European options: reads one JSON object a line from stdin, answers one a line on stdout.
///
/// Request: {"type":"call","S":42,"K":40,"T":0.5,"r":0.1,"q":0,"sigma":0.2}, T in years, r and q continuous
/// a year (q may be left out: 0), sigma a year. With "price" in place of "sigma" the implied volatility is
/// found first. An "id" comes back as it is. A bad line is answered with {"error":".."}; the stream goes on.
#[derive(Debug, clap::Args)]
pub struct Args {}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    #[serde(rename = "type")]
    right: Right,
    #[serde(rename = "S")]
    spot: f64,
    #[serde(rename = "K")]
    strike: f64,
    #[serde(rename = "T")]
    years: f64,
    #[serde(rename = "r")]
    rate: f64,
    #[serde(rename = "q", default)]
    dividend_yield: f64,
    sigma: Option<f64>,
    price: Option<f64>,
    #[serde(rename = "id")]
    _id: Option<Value>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Right {
    Call,
    Put,
}

#[derive(Debug, Serialize)]
struct Answer {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<Value>,
    price: f64,
    delta: Option<f64>,
    gamma: Option<f64>,
    vega: Option<f64>,
    theta: Option<f64>,
    rho: Option<f64>,
    implied_volatility: Option<f64>,
}

#[derive(Debug, Serialize)]
struct Refusal {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<Value>,
    error: String,
}

#[derive(Debug, thiserror::Error)]
enum LineError {
    #[error(
        "{0}; expected an object such as {{\"type\":\"call\",\"S\":42,\"K\":40,\"T\":0.5,\"r\":0.1,\"q\":0,\"sigma\":0.2}}"
    )]
    Json(#[from] serde_json::Error),
    #[error("both 'sigma' and 'price'; expected one of them")]
    Both,
    #[error("neither 'sigma' nor 'price'; expected one of them")]
    Neither,
    #[error(transparent)]
    Option(#[from] OptionError),
}

/// Runs the command.
pub fn run(_args: &Args) -> Result<(), CliError> {
    let mut input = BufReader::new(io::stdin().lock());
    let mut out = io::BufWriter::new(io::stdout().lock());
    match answer_lines(&mut input, &mut out) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(CliError::failed(error)),
        _ => Ok(()),
    }
}

/// Answers every line that is not blank, in order.
fn answer_lines<R: io::Read>(input: &mut BufReader<R>, out: &mut impl Write) -> io::Result<()> {
    let mut line = Vec::new();
    while input.read_until(b'\n', &mut line)? > 0 {
        if !line.trim_ascii().is_empty() {
            let id = serde_json::from_slice::<Value>(&line).ok().and_then(|v| v.get("id").cloned());
            match answer(&line) {
                Ok(mut answer) => {
                    answer.id = id;
                    serde_json::to_writer(&mut *out, &answer)?;
                }
                Err(error) => serde_json::to_writer(&mut *out, &Refusal { id, error: error.to_string() })?,
            }
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

fn answer(line: &[u8]) -> Result<Answer, LineError> {
    let request: Request = serde_json::from_slice(line)?;
    let right = match request.right {
        Right::Call => OptionRight::Call,
        Right::Put => OptionRight::Put,
    };
    let option =
        EuropeanOption::new(right, request.spot, request.strike, request.years, request.rate, request.dividend_yield)?;
    let (sigma, price) = match (request.sigma, request.price) {
        (Some(sigma), None) => (sigma, option.price(sigma)?),
        (None, Some(price)) => (option.implied_volatility(price)?, price),
        (Some(_), Some(_)) => return Err(LineError::Both),
        (None, None) => return Err(LineError::Neither),
    };
    let greeks = option.greeks(sigma)?;
    Ok(Answer {
        id: None,
        price,
        delta: greeks.delta,
        gamma: greeks.gamma,
        vega: greeks.vega,
        theta: greeks.theta,
        rho: greeks.rho,
        // Without time or volatility the price is the intrinsic value, which has no implied volatility.
        implied_volatility: if request.years > 0.0 && sigma > 0.0 { Some(sigma) } else { None },
    })
}
