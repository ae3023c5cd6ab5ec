//! `tbot option`: JSON lines in, JSON lines out.

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

fn ask(input: &str) -> Vec<Value> {
    let mut child = Command::new(env!("CARGO_BIN_EXE_tbot"))
        .arg("option")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn close(found: &Value, expected: f64) -> bool {
    found.as_f64().is_some_and(|found| (found - expected).abs() <= 1e-12 * expected.abs())
}

#[test]
fn price_greeks_and_back_to_the_volatility() {
    // Hull's textbook example; numbers by mpmath.
    let answers = ask(r#"{"type":"call","S":42,"K":40,"T":0.5,"r":0.1,"q":0,"sigma":0.2}
{"type":"put","S":42,"K":40,"T":0.5,"r":0.1,"sigma":0.2,"id":"p1"}
{"type":"call","S":42,"K":40,"T":0.5,"r":0.1,"q":0,"price":4.759422392871533}"#);
    assert_eq!(answers.len(), 3);
    let call = &answers[0];
    assert!(close(&call["price"], 4.759422392871533) && close(&call["delta"], 0.779131290942669));
    assert!(close(&call["gamma"], 0.04996267040591185) && close(&call["vega"], 8.813415059602852));
    assert!(close(&call["theta"], -4.559092194592627) && close(&call["rho"], 13.982045913360281));
    assert!(close(&call["implied_volatility"], 0.2));
    assert!(close(&answers[1]["price"], 0.8085993729000937));
    assert_eq!(answers[1]["id"], "p1");
    assert!(close(&answers[2]["implied_volatility"], 0.2) && close(&answers[2]["delta"], 0.779131290942669));
}

#[test]
fn bad_lines_are_answered_in_place_and_the_stream_goes_on() {
    let answers = ask(concat!(
        "not json\n",
        "\n",
        "{\"type\":\"call\",\"S\":-1,\"K\":40,\"T\":0.5,\"r\":0.1,\"sigma\":0.2,\"id\":7}\n",
        "{\"type\":\"call\",\"S\":42,\"K\":40,\"T\":0.5,\"r\":0.1}\n",
        "{\"type\":\"call\",\"S\":42,\"K\":40,\"T\":0.5,\"r\":0.1,\"sigma\":0.2,\"price\":1}\n",
        "{\"type\":\"call\",\"S\":42,\"K\":40,\"T\":0.5,\"r\":0.1,\"sigam\":0.2}\n",
        "{\"type\":\"fall\",\"S\":42,\"K\":40,\"T\":0.5,\"r\":0.1,\"sigma\":0.2}\n",
        "{\"type\":\"call\",\"S\":42,\"K\":40,\"T\":0.5,\"r\":0.1,\"price\":42}\n",
        "{\"type\":\"call\",\"S\":42,\"K\":40,\"T\":0,\"r\":0.1,\"price\":3}\n",
        "{\"type\":\"call\",\"S\":42,\"K\":40,\"T\":0,\"r\":0.1,\"sigma\":0.2}\n",
    ));
    let errors: Vec<&str> = answers[..8].iter().map(|a| a["error"].as_str().unwrap()).collect();
    assert_eq!(answers.len(), 9);
    assert!(errors[0].contains("expected an object such as"));
    assert_eq!(answers[1], json!({"id": 7, "error": "S is -1; expected a positive number"}));
    assert!(errors[2].contains("neither 'sigma' nor 'price'"));
    assert!(errors[3].contains("both 'sigma' and 'price'"));
    assert!(errors[4].contains("unknown field `sigam`"));
    assert!(errors[5].contains("unknown variant `fall`, expected `call` or `put`"));
    assert!(errors[6].contains("price 42 has no implied volatility; expected a price above 3.95"));
    assert!(errors[7].contains("T is 0"));
    assert_eq!(answers[8]["price"], 2.0);
    assert!(answers[8]["implied_volatility"].is_null());
}

#[test]
fn an_answer_comes_before_the_next_question() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_tbot"))
        .arg("option")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    for strike in [40, 41] {
        writeln!(input, r#"{{"type":"put","S":42,"K":{strike},"T":0.5,"r":0.1,"sigma":0.2}}"#).unwrap();
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        assert!(serde_json::from_str::<Value>(&line).unwrap()["price"].is_number());
    }
    drop(input);
    assert!(child.wait().unwrap().success());
}
