//! Streams, files and limits of HTTP, from outside.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::json;

use super::client::Client;
use super::{ADMIN, Live, PASSWORD, until};

/// A request whose answer is read line by line.
fn open(live: &Live, client: &Client, path: &str) -> BufReader<TcpStream> {
    let mut stream = TcpStream::connect(live.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let cookies: Vec<String> = client.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let head = format!(
        "GET {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncookie: {}\r\n\r\n",
        live.address,
        cookies.join("; ")
    );
    stream.write_all(head.as_bytes()).unwrap();
    BufReader::new(stream)
}

/// Reads lines up to one that begins so; panics at the end of the stream.
fn line_of(stream: &mut BufReader<TcpStream>, beginning: &str) -> String {
    loop {
        let mut line = String::new();
        assert!(stream.read_line(&mut line).unwrap() > 0, "the stream ended before {beginning:?}");
        if line.starts_with(beginning) {
            return line.trim_end().to_string();
        }
    }
}

fn multipart(fields: &[(&str, &str)], file: Option<&[u8]>) -> (String, Vec<u8>) {
    let mut body = Vec::new();
    for (name, value) in fields {
        body.extend(format!("--XX\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n").bytes());
    }
    if let Some(file) = file {
        let head = "--XX\r\ncontent-disposition: form-data; name=\"file\"; filename=\"../../x\"\r\n\r\n";
        body.extend(head.bytes());
        body.extend(file);
        body.extend(b"\r\n");
    }
    body.extend(b"--XX--\r\n");
    ("multipart/form-data; boundary=XX".to_string(), body)
}

#[test]
fn events_come_as_they_happen_and_end_with_the_session() {
    let live = Live::registered();
    let mut admin = live.logged_in(ADMIN);
    let mut events = open(&live, &admin, "/api/v1/events");
    assert!(line_of(&mut events, "HTTP/1.1 200").contains("200"));
    assert_eq!(line_of(&mut events, "content-type:"), "content-type: text/event-stream");
    assert_eq!(line_of(&mut events, "cache-control:"), "cache-control: no-store");
    assert_eq!(line_of(&mut events, "data:"), r#"data: {"bot_state":"idle"}"#);
    assert_eq!(admin.json("POST", "/api/v1/control/kill", &json!({})).json()["bot_state"], "shutdown");
    assert_eq!(line_of(&mut events, r#"data: {"bot_state":"#), r#"data: {"bot_state":"shutdown"}"#);
    let mut log = open(&live, &admin, "/api/v1/logs/mid.log/stream");
    line_of(&mut log, "HTTP/1.1 200");
    std::fs::write(live.data().join("logs/mid.log"), "a line\n").unwrap();
    assert_eq!(line_of(&mut log, "data:"), r#"data: {"line":"a line"}"#);
    assert_eq!(admin.form("/logout", &[]).location(), Some("/login"));
    for mut stream in [events, log] {
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).unwrap();
        assert!(rest.ends_with(b"0\r\n\r\n"), "ended in order");
    }
}

#[test]
fn a_stream_is_refused_like_any_request() {
    let live = Live::registered();
    assert_eq!(live.client().get("/api/v1/events").status, 401);
    let mut admin = live.logged_in(ADMIN);
    assert_eq!(admin.get("/api/v1/logs/core.log/stream").status, 404);
    let open: Vec<_> = (0..8)
        .map(|_| {
            let mut stream = open(&live, &admin, "/api/v1/events");
            line_of(&mut stream, "HTTP/1.1 200");
            stream
        })
        .collect();
    let refused = admin.get("/api/v1/events");
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("5")));
    drop(open);
    until("places are free again", || {
        let mut stream = self::open(&live, &admin, "/api/v1/events");
        let mut line = String::new();
        stream.read_line(&mut line).unwrap();
        line.starts_with("HTTP/1.1 200").then_some(())
    });
}

#[test]
fn backups_go_out_and_come_in() {
    let live = Live::registered();
    let mut admin = live.logged_in(ADMIN);
    let body = json!({ "kind": "portable", "passphrase": "correct horse battery" });
    let made = admin.json("POST", "/api/v1/backups", &body);
    assert_eq!(made.status, 201, "{}", made.text());
    let name = made.json()["name"].as_str().unwrap().to_string();
    let file = admin.get(&format!("/api/v1/backups/{name}"));
    assert_eq!(file.header("content-disposition"), Some(format!("attachment; filename=\"{name}\"").as_str()));
    assert_eq!(file.header("content-length"), Some(file.body.len().to_string().as_str()));
    assert_eq!(file.header("content-type"), Some("application/octet-stream"));
    assert_eq!(file.body, std::fs::read(live.data().join("storage/backups").join(&name)).unwrap());
    let token = admin.csrf();
    let mut upload = |fields: &[(&str, &str)], file: Option<&[u8]>, token: &str| {
        let (kind, body) = multipart(fields, file);
        admin.send("POST", "/api/v1/backups/upload", &[("content-type", &kind), ("x-csrf-token", token)], &body)
    };
    let password = [("current_password", PASSWORD)];
    // Names tell seconds apart.
    let taken = until("another second", || {
        let reply = upload(&password, Some(&file.body), &token);
        (reply.status != 409).then_some(reply)
    });
    assert_eq!(taken.status, 201, "{}", taken.text());
    assert_ne!(taken.json()["name"], name.as_str());
    assert_eq!(upload(&password, Some(b"no backup"), &token).status, 422);
    assert_eq!(upload(&password, None, &token).status, 422, "no file");
    assert_eq!(upload(&[], Some(&file.body), &token).status, 422, "no password");
    assert_eq!(upload(&password, Some(&file.body), "forged").status, 403);
    let in_form = [("csrf_token", token.as_str()), ("current_password", PASSWORD)];
    assert_eq!(upload(&in_form, Some(b"no backup"), "").status, 422, "the token may be a field");
    let text = admin.send("POST", "/api/v1/backups/upload", &[("content-type", "text/plain")], b"x");
    assert_eq!(text.status, 415);
    assert_eq!(admin.get("/api/v1/backups/../../../etc/passwd").status, 404);
    assert_eq!(admin.get("/api/v1/backups/%2e%2e%2f%2e%2e%2fkeys%2fenv.key").status, 404);
}

#[test]
fn too_much_of_anything_is_refused_with_the_headers_of_every_answer() {
    let live = Live::registered();
    let mut admin = live.logged_in(ADMIN);
    let token = admin.csrf();
    let json_type = [("content-type", "application/json"), ("x-csrf-token", token.as_str())];
    let huge = vec![b' '; 256 * 1024 + 1];
    let long_path = format!("/api/v1/status?x={}", "y".repeat(8 * 1024));
    let answers = [
        (413, admin.send("PUT", "/api/v1/settings", &json_type, &huge)),
        (415, admin.send("PUT", "/api/v1/settings", &[("content-type", "text/plain"), json_type[1]], b"{}")),
        (400, admin.send("PUT", "/api/v1/settings", &json_type, b"{")),
        (422, admin.send("PUT", "/api/v1/settings", &json_type, b"{}")),
        (414, admin.get(&long_path)),
        (405, admin.send("TRACE", "/api/v1/status", &[], b"")),
        (405, admin.send("BREW", "/api/v1/status", &[], b"")),
        (405, admin.send("DELETE", "/api/v1/settings", &json_type, b"")),
        (404, admin.get("/api/v1/nothing")),
        // As JSON it would be longer than a message to the core may be.
        (400, admin.send("PUT", "/api/v1/settings", &json_type, &[1; 250 * 1024])),
        (431, admin.send("GET", "/api/v1/status", &[("x-filler", &"z".repeat(33 * 1024))], b"")),
    ];
    for (status, answer) in answers {
        assert_eq!(answer.status, status, "{}", answer.text());
        assert!(answer.json()["error"]["code"].is_string(), "{status}");
        for name in ["content-security-policy", "x-content-type-options", "x-request-id", "cache-control"] {
            assert!(answer.header(name).is_some(), "{status}: {name}");
        }
    }
    let many = format!("GET / HTTP/1.1\r\nhost: x\r\nx-filler: {}\r\n\r\n", "z".repeat(64 * 1024));
    assert_eq!(live.client().raw(many.as_bytes()).status, 431);
    assert_eq!(admin.get("/api/v1/status").status, 200, "and life goes on");
}

#[test]
fn before_the_first_run_no_method_shows_that_an_address_exists() {
    let live = Live::start();
    let known = live.client().send("PUT", "/api/v1/users", &[], b"");
    let unknown = live.client().send("PUT", "/api/v1/nothing", &[], b"");
    assert_eq!((known.status, known.text()), (unknown.status, unknown.text()));
    assert_eq!(known.json()["error"]["code"], "wrong_phase");
    let known = live.client().send("PATCH", "/settings", &[], b"");
    assert_eq!((known.status, known.location()), (303, Some("/configuration")));
    assert_eq!(live.client().send("PUT", "/configuration", &[], b"").status, 405, "where it is open, it is told");
}

#[test]
fn a_core_that_is_killed_while_it_replaces_a_key_ends_that_at_its_next_start() {
    let mut folder = Live::registered().stop();
    for (k, category) in ["env", "audit", "login", "backup", "broker"].into_iter().enumerate() {
        let live = Live::start_on(folder, &[]);
        let mut admin = live.logged_in(ADMIN);
        if category == "backup" {
            assert_eq!(admin.json("POST", "/api/v1/backups", &json!({ "kind": "full" })).status, 201);
        }
        let log = live.data().join("storage/audit/audit.log");
        let begun = |log: &std::path::Path| {
            let text = std::fs::read_to_string(log).unwrap_or_default();
            text.matches(r#""action":"key.rotate""#).count()
        };
        let before = begun(&log);
        let asking = std::thread::spawn({
            let path = format!("/api/v1/keys/{category}/rotate");
            move || {
                // The answer may never come.
                let token = admin.csrf();
                let body = json!({ "current_password": PASSWORD }).to_string();
                let headers = [("content-type", "application/json"), ("x-csrf-token", token.as_str())];
                std::panic::catch_unwind(move || admin.send("POST", &path, &headers, body.as_bytes())).ok();
            }
        });
        until("the rotation begins", || (begun(&log) > before).then_some(()));
        // Somewhere in its steps, a little later each time.
        std::thread::sleep(Duration::from_millis(k as u64));
        live.kill("core");
        folder = live.ended().1;
        asking.join().unwrap();
        let live = Live::start_on(folder, &[]);
        let mut admin = live.logged_in(ADMIN);
        assert_eq!(admin.get("/api/v1/phase").json()["bot_state"], "idle", "{category}");
        let checks = admin.get("/api/v1/selfcheck").json();
        assert!(checks.as_array().unwrap().iter().all(|check| check["ok"] == true), "{category}: {checks}");
        assert_eq!(admin.get("/api/v1/audit/verify").json()["ok"], true, "{category}");
        for entry in std::fs::read_dir(live.data().join("storage/keys")).unwrap().map(Result::unwrap) {
            let content = std::fs::read_to_string(entry.path()).unwrap();
            assert_eq!(content.lines().count(), 1, "{}", entry.path().display());
        }
        folder = live.stop();
    }
}

#[test]
fn the_two_checks_read_a_folder_and_say_what_is_wrong() {
    use std::process::Command;
    let check = |command: &str, folder: &std::path::Path| {
        let mut program = Command::new(env!("CARGO_BIN_EXE_tbot"));
        let output = program.args([command, "--json", "--data-dir"]).arg(folder).output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let live = Live::registered();
    // Beside the core that owns the folder.
    for command in ["self-check", "build-check"] {
        let (code, text) = check(command, live.data());
        assert_eq!(code, Some(0), "{command}: {text}");
        assert!(!text.contains("PLANTED-SECRET"));
    }
    let folder = live.stop();
    std::fs::remove_file(folder.path().join("storage/keys/smtp.key")).unwrap();
    std::fs::write(folder.path().join(".env_bot"), "MAX_TRADES=4\n").unwrap();
    let (code, text) = check("self-check", folder.path());
    assert_eq!(code, Some(1));
    assert!(text.contains("'smtp' is missing"), "{text}");
    let (code, text) = check("build-check", folder.path());
    assert_eq!(code, Some(1));
    assert!(text.contains(".env_bot exists in plain"), "{text}");
    assert_eq!(check("self-check", &folder.path().join("nowhere")).0, Some(2));
}
