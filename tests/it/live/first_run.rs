//! From an empty folder to a logged-in admin.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;

use super::{ADMIN, CONFIGURATION, Client, Live, PASSWORD, until};

/// Every file and folder below a folder.
fn tree(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(root).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            found.extend(tree(&entry.path()));
        }
        found.push(entry.path());
    }
    found
}

/// Nobody else can read anything, and nothing secret can be read at all.
fn assert_sealed(root: &Path) {
    for path in tree(root) {
        let metadata = std::fs::symlink_metadata(&path).unwrap();
        let expected = if metadata.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(metadata.permissions().mode() & 0o777, expected, "{}", path.display());
        if metadata.is_file() {
            let content = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
            for word in ["PLANTED-SECRET", PASSWORD, "SQLite format"] {
                assert!(!content.contains(word), "{} contains '{word}'", path.display());
            }
        }
    }
}

fn state_word(root: &Path) -> String {
    std::fs::read_to_string(root.join("control/bot_state.txt")).unwrap()
}

#[test]
fn the_first_run_leads_from_an_empty_folder_to_a_logged_in_admin() {
    let live = Live::start();
    let mut browser = live.client();
    assert_eq!(browser.get("/").location(), Some("/configuration"));
    assert_eq!(browser.get("/main").location(), Some("/configuration"), "out of its phase");
    assert_eq!(browser.get("/api/v1/session").json()["error"]["code"], "wrong_phase");
    let reply = browser.form("/configuration", &[("entity_code", "x")]);
    assert_eq!(reply.status, 422);
    let page = reply.text();
    assert!(page.contains(r#"aria-invalid="true""#) && page.contains(r#"value="x""#), "{page}");
    let reply = browser.form("/configuration", &CONFIGURATION);
    assert_eq!((reply.status, reply.location()), (303, Some("/wait")));
    assert!(browser.cookies.contains_key("tbot_setup"));
    assert_eq!(live.settle(), "registration");
    assert_eq!(browser.get("/").location(), Some("/register"));
    assert_eq!(browser.get("/api/v1/provisioning/status").status, 404);
    let page = browser.get("/register").text();
    assert!(page.contains(r#"name="password_confirm""#), "{page}");
    live.register(&mut browser, &[]);
    assert_eq!(live.client().form("/register", &[("username", "eve")]).status, 403);
    let reply = browser.form("/login", &[("username", ADMIN), ("password", "a wrong password")]);
    assert_eq!(reply.status, 401);
    assert!(reply.text().contains(r#"role="alert""#), "{}", reply.text());
    let mut admin = live.logged_in(ADMIN);
    for page in ["/main", "/account", "/configuration", "/register"] {
        assert_eq!(admin.get(page).status, 200, "{page}");
    }
    let session = admin.get("/api/v1/session").json();
    assert_eq!((session["username"].as_str(), session["role"].as_str()), (Some(ADMIN), Some("admin")));
    let stored = admin.get("/api/v1/users").json();
    assert_eq!(stored[0]["username"], ADMIN);
    let reply = admin.json("POST", "/api/v1/users", &json!({ "username": "victor" }));
    assert_eq!(reply.status, 422);
    let reply = admin.form("/logout", &[]);
    assert_eq!((reply.location(), reply.header("clear-site-data")), (Some("/login"), Some("\"cookies\"")));
    let stderr = live.stderr();
    assert_eq!(stderr.matches("setup token:").count(), 1, "{stderr}");
    assert!(!live.data().join("control/setup_token").exists());
    let folder = live.stop();
    assert_eq!(state_word(folder.path()), "idle\n");
    assert_sealed(folder.path());
}

#[test]
fn cookies_are_bound_and_hidden_from_scripts() {
    let live = Live::registered();
    let mut browser = live.client();
    let reply = browser.form("/login", &[("username", ADMIN), ("password", PASSWORD)]);
    let cookie = reply.header("set-cookie").unwrap();
    assert!(cookie.starts_with("tbot_session=") && cookie.ends_with("; HttpOnly; SameSite=Strict; Path=/"), "{cookie}");
}

/// Whenever the core is killed, the next start is ready for the first user or asks for the configuration again.
#[test]
fn a_core_killed_while_it_provisions_is_set_up_by_the_next_start() {
    // Milliseconds between the answer and the kill, spread over a provisioning.
    for pause in [0, 5, 15, 40, 90, 160] {
        let live = Live::start();
        assert_eq!(live.client().form("/configuration", &CONFIGURATION).location(), Some("/wait"));
        std::thread::sleep(Duration::from_millis(pause));
        live.kill("core");
        let (status, folder) = live.ended();
        assert!(!status.success(), "the program ends with its core");
        let live = Live::start_on(folder, &[]);
        let mut browser = live.client();
        if live.settle() == "configuration" {
            browser.form("/configuration", &CONFIGURATION);
        }
        assert_eq!(live.settle(), "registration", "after {pause} ms");
        let token = std::fs::read_to_string(live.data().join("control/setup_token")).unwrap();
        live.register(&mut browser, &[("setup_token", token.trim())]);
        let folder = live.stop();
        assert_eq!(state_word(folder.path()), "idle\n");
        assert_sealed(folder.path());
    }
}

#[test]
fn of_several_first_configurations_and_users_at_once_one_is_taken() {
    let live = Live::start();
    let at_once = |work: &(dyn Fn(usize, &mut Client) -> bool + Sync)| -> usize {
        std::thread::scope(|scope| {
            let work = |k| {
                let mut client = live.client();
                client.csrf();
                scope.spawn(move || work(k, &mut client))
            };
            let threads: Vec<_> = (0..4).map(work).collect();
            threads.into_iter().map(|thread| usize::from(thread.join().unwrap())).sum()
        })
    };
    let taken = at_once(&|k, client| {
        let id = format!("BOT{k}");
        let form = CONFIGURATION.map(|(name, value)| (name, if name == "bot_id" { id.as_str() } else { value }));
        client.form("/configuration", &form);
        client.cookies.contains_key("tbot_setup")
    });
    assert_eq!(taken, 1);
    assert_eq!(live.settle(), "registration");
    let token = std::fs::read_to_string(live.data().join("control/setup_token")).unwrap();
    let taken = at_once(&|k, client| {
        let name = format!("user{k}");
        let form = [
            ("username", name.as_str()),
            ("email", "a@example.com"),
            ("password", PASSWORD),
            ("password_confirm", PASSWORD),
            ("setup_token", token.trim()),
        ];
        client.form("/register", &form).location() == Some("/login")
    });
    assert_eq!(taken, 1);
}

#[test]
fn a_web_that_is_killed_comes_back_and_the_session_goes_on() {
    let live = Live::registered();
    let mut admin = live.logged_in(ADMIN);
    live.kill("web");
    let session = until("a new web", || {
        let mut probe = live.client();
        probe.try_raw(
            format!("GET /healthz HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", live.address).as_bytes(),
        )?;
        Some(admin.get("/api/v1/session"))
    });
    assert_eq!(session.json()["username"], ADMIN);
}
