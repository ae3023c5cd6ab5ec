//! Every route of the table, in every phase, as everybody, with and without the token.

use super::harness::{ADMIN, Bot, Browser, PASSWORD};
use crate::runtime::gate::admit;
use crate::runtime::protocol::{Reply, Request, Secret};
use crate::runtime::routes::{Access, Kind, Method, ROUTES, Route};
use crate::runtime::{Event, Exposure, Op, Phase};
use crate::vault::Actor;

/// What the gate says: nothing if it lets the request pass.
fn judged(bot: &Bot, request: &Request) -> Result<(), Box<Reply>> {
    let now = bot.core.now();
    bot.core.with(|house| admit(house, request, now).map(drop))
}

fn code(reply: &Reply) -> &str {
    reply.body["error"]["code"].as_str().unwrap_or("")
}

/// A bot in a phase. Where somebody can be logged in, there are an admin and a viewer.
fn in_phase(phase: Phase) -> Bot {
    let bot = match phase {
        Phase::Configuration | Phase::Provisioning => Bot::fresh(),
        Phase::Registration => Bot::provisioned(),
        Phase::Main | Phase::Error => {
            let bot = Bot::registered();
            bot.add_viewer("victor");
            bot
        }
    };
    bot.core.with(|house| {
        let event = match phase {
            Phase::Provisioning => {
                // The event is audited, and there is no key yet.
                house.keys.provision(crate::vault::Category::Audit, 0).unwrap();
                house.audit.begin(house.keys.get(crate::vault::Category::Audit).unwrap(), 0).unwrap();
                Event::Configured
            }
            Phase::Error => Event::Fault(Exposure::Flat),
            _ => return,
        };
        house.state.apply(event, &Actor::core(), &mut house.audit, 0).unwrap();
    });
    bot.core.with(|house| assert_eq!(house.phase(), phase));
    bot
}

/// A browser in which somebody is logged in, in whichever phase.
fn logged_in<'a>(bot: &'a Bot, name: &str) -> Browser<'a> {
    let mut browser = bot.browser();
    assert_eq!(browser.form(Op::Login, &[("username", name), ("password", PASSWORD)]).status, 303);
    browser
}

const PHASES: [Phase; 5] = [Phase::Configuration, Phase::Provisioning, Phase::Registration, Phase::Main, Phase::Error];

#[test]
fn a_route_outside_its_phase_does_not_show_that_it_exists() {
    for phase in PHASES {
        let bot = in_phase(phase);
        let browser = bot.browser();
        let mut closed = 0;
        for route in ROUTES.iter().filter(|route| !route.phases.contain(phase)) {
            closed += 1;
            let request = browser.request(route.op, &[], "", String::new());
            let refused = judged(&bot, &request).expect_err(route.path);
            let nowhere = Request { op: None, ..browser.request(route.op, &[], "", String::new()) };
            let unknown = judged(&bot, &nowhere).expect_err("no route");
            // The same answer as for a path that no route has.
            let shown = |reply: &Reply| (reply.status, reply.location.clone(), reply.body.clone());
            assert_eq!(shown(&refused), shown(&unknown), "{phase}: {}", route.path);
            let expected = match (route.is_api(), phase == Phase::Error && !route.method.is_safe()) {
                (true, true) => (409, "halted"),
                (true, false) => (404, "wrong_phase"),
                (false, _) => (303, ""),
            };
            assert_eq!((refused.status, code(&refused)), expected, "{phase}: {}", route.path);
            if !route.is_api() {
                assert_eq!(refused.location.as_deref(), Some(phase.page(false)), "{phase}: {}", route.path);
            }
        }
        assert!(closed >= 4, "{phase}");
    }
}

#[test]
fn a_wrong_method_is_told_where_the_address_is_open_and_nowhere_else() {
    for phase in PHASES {
        let bot = in_phase(phase);
        let browser = bot.browser();
        for route in ROUTES {
            let wrong = Request { other_method: true, ..browser.request(route.op, &[], "", String::new()) };
            let refused = judged(&bot, &wrong).expect_err(route.path);
            if ROUTES.iter().any(|open| open.path == route.path && open.phases.contain(phase)) {
                assert_eq!(refused.status, 405, "{phase}: {}", route.path);
                continue;
            }
            let nowhere = Request { op: None, ..browser.request(route.op, &[], "", String::new()) };
            let unknown = judged(&bot, &nowhere).expect_err("no route");
            let shown = |reply: &Reply| (reply.status, reply.location.clone(), reply.body.clone());
            assert_eq!(shown(&refused), shown(&unknown), "{phase}: {}", route.path);
        }
    }
}

#[test]
fn a_page_whose_name_was_pointed_at_this_machine_cannot_do_the_first_run() {
    let bot = in_phase(Phase::Configuration);
    let browser = bot.browser();
    let asked = |host: &str, exposed: bool| {
        let mut request = browser.request(Op::ConfigurationSubmit, &[], "", String::new());
        request.peer.fetch_site = Some("same-origin".to_string());
        request.peer.origin = Some(format!("http://{host}"));
        (request.peer.host, request.peer.exposed) = (host.to_string(), exposed);
        judged(&bot, &request).is_ok()
    };
    for host in
        ["evil.example:6900", "evil.example", "127.0.0.1.evil.example", "localhost.evil.example:6900", "10.0.0.1"]
    {
        assert!(!asked(host, false), "{host}");
    }
    for host in ["127.0.0.1:6900", "localhost:6900", "LocalHost", "[::1]:6900", "127.0.0.2"] {
        assert!(asked(host, false), "{host}");
    }
    // Who listens for others has other names, and asks for the setup token.
    assert!(asked("bot.example.com", true));
}

#[test]
fn refusals_without_end_do_not_fill_the_audit_log() {
    let bot = in_phase(Phase::Main);
    let mut request = bot.browser().request(Op::Login, &[], "", String::new());
    request.peer.csrf = None;
    let before = bot.core.with(|house| house.audit.page(0, 1, 0).unwrap().total);
    for _ in 0..1_000 {
        assert_eq!(judged(&bot, &request).unwrap_err().status, 403);
    }
    let noted = bot.core.with(|house| house.audit.page(0, 1, 0).unwrap().total) - before;
    assert_eq!(noted, u64::from(crate::vault::lockout::BURST));
    request.peer.ip = "192.0.2.7".to_string();
    assert_eq!(judged(&bot, &request).unwrap_err().status, 403);
    let after = bot.core.with(|house| house.audit.page(0, 1, 0).unwrap().total);
    assert_eq!(after - before, noted + 1, "another address");
    // Somebody at the first address can log in all the same.
    assert_eq!(bot.browser().form(Op::Login, &[("username", ADMIN), ("password", PASSWORD)]).status, 303);
}

#[test]
fn who_is_not_logged_in_reaches_public_routes_only() {
    for phase in [Phase::Main, Phase::Error] {
        let bot = in_phase(phase);
        let browser = bot.browser();
        for route in ROUTES.iter().filter(|route| route.phases.contain(phase)) {
            let judged = judged(&bot, &browser.request(route.op, &[], "", String::new()));
            match (route.access, route.is_api()) {
                (Access::Public, _) => assert!(judged.is_ok(), "{phase}: {}", route.path),
                (_, true) => {
                    let refused = judged.expect_err(route.path);
                    assert_eq!((refused.status, code(&refused)), (401, "not_logged_in"), "{}", route.path);
                }
                (_, false) => {
                    let refused = judged.expect_err(route.path);
                    assert_eq!((refused.status, refused.location.as_deref()), (303, Some("/login")), "{}", route.path);
                }
            }
        }
    }
}

#[test]
fn a_viewer_reaches_everything_but_what_is_for_admins_and_an_admin_reaches_all() {
    for phase in [Phase::Main, Phase::Error] {
        let bot = in_phase(phase);
        let (viewer, admin) = (logged_in(&bot, "victor"), logged_in(&bot, ADMIN));
        for route in ROUTES.iter().filter(|route| route.phases.contain(phase)) {
            let by_viewer = judged(&bot, &viewer.request(route.op, &[], "", String::new()));
            assert_eq!(by_viewer.is_err(), route.access == Access::Admin, "{phase}: {}", route.path);
            if let Err(refused) = by_viewer {
                assert_eq!(refused.status, 403, "{}", route.path);
                assert_eq!(refused.page.is_some(), !route.is_api(), "{}", route.path);
            }
            let by_admin = judged(&bot, &admin.request(route.op, &[], "", String::new()));
            assert!(by_admin.is_ok(), "{phase}: {}", route.path);
        }
    }
}

#[test]
fn nothing_is_changed_without_the_token_of_the_session_or_from_elsewhere() {
    for phase in PHASES {
        let bot = in_phase(phase);
        let in_use = matches!(phase, Phase::Main | Phase::Error);
        let browser = if in_use { logged_in(&bot, ADMIN) } else { bot.browser() };
        for route in ROUTES.iter().filter(|route| route.phases.contain(phase) && !route.method.is_safe()) {
            let forged: [fn(&mut Request); 8] = [
                |request| request.peer.csrf = None,
                |request| request.peer.csrf = Some(Secret::new("guessed")),
                |request| request.peer.csrf = Some(Secret::new("")),
                |request| request.peer.fetch_site = Some("cross-site".to_string()),
                |request| request.peer.fetch_site = Some("same-site".to_string()),
                |request| request.peer.fetch_site = Some("Cross-Site".to_string()),
                |request| request.peer.origin = Some("https://evil.example".to_string()),
                |request| request.peer.origin = Some("null".to_string()),
            ];
            for (k, forge) in forged.into_iter().enumerate() {
                let mut request = browser.request(route.op, &[], "", String::new());
                forge(&mut request);
                let refused = judged(&bot, &request).expect_err(route.path);
                assert_eq!(refused.status, 403, "{phase}: {} forged {k}", route.path);
            }
            let mut request = browser.request(route.op, &[], "", String::new());
            request.peer.fetch_site = Some("same-origin".to_string());
            request.peer.origin = Some("http://127.0.0.1:6900".to_string());
            assert!(judged(&bot, &request).is_ok(), "{phase}: {}", route.path);
        }
    }
}

/// Roles as the contract gives them, written down here once more: A for admins, V for everybody who is logged in.
const CONTRACT: [(&str, &str, char); 57] = [
    ("get", "/main", 'V'),
    ("get", "/status", 'V'),
    ("get", "/settings", 'V'),
    ("get", "/logs", 'V'),
    ("get", "/ledger", 'V'),
    ("get", "/coa", 'V'),
    ("get", "/test", 'A'),
    ("get", "/backtest", 'V'),
    ("get", "/sweep", 'V'),
    ("get", "/audit", 'A'),
    ("get", "/keys", 'A'),
    ("get", "/backups", 'A'),
    ("get", "/api/v1/status", 'V'),
    ("get", "/api/v1/settings", 'V'),
    ("post", "/api/v1/settings/validate", 'A'),
    ("put", "/api/v1/settings", 'A'),
    ("get", "/api/v1/configuration", 'A'),
    ("put", "/api/v1/configuration/{category}", 'A'),
    ("post", "/api/v1/control/start", 'A'),
    ("post", "/api/v1/control/stop", 'A'),
    ("post", "/api/v1/control/kill", 'A'),
    ("post", "/api/v1/control/acknowledge", 'A'),
    ("get", "/api/v1/test", 'A'),
    ("post", "/api/v1/test/start", 'A'),
    ("post", "/api/v1/test/reset", 'A'),
    ("get", "/api/v1/logs", 'V'),
    ("get", "/api/v1/logs/{name}", 'V'),
    ("get", "/api/v1/logs/{name}/stream", 'V'),
    ("get", "/api/v1/keys", 'A'),
    ("post", "/api/v1/keys/{category}/rotate", 'A'),
    ("get", "/api/v1/backups", 'A'),
    ("post", "/api/v1/backups", 'A'),
    ("get", "/api/v1/backups/{name}", 'A'),
    ("post", "/api/v1/backups/{name}/restore", 'A'),
    ("post", "/api/v1/backups/upload", 'A'),
    ("get", "/api/v1/audit", 'A'),
    ("get", "/api/v1/audit/verify", 'A'),
    ("get", "/api/v1/events", 'V'),
    ("get", "/api/v1/selfcheck", 'V'),
    ("get", "/api/v1/openapi.json", 'V'),
    ("get", "/api/v1/users", 'A'),
    ("post", "/api/v1/users", 'A'),
    ("delete", "/api/v1/users/{id}", 'A'),
    ("get", "/api/v1/ledger", 'V'),
    ("post", "/api/v1/ledger/entries", 'A'),
    ("put", "/api/v1/ledger/entries/{id}", 'A'),
    ("post", "/api/v1/ledger/upload", 'A'),
    ("post", "/api/v1/ledger/reconcile", 'A'),
    ("get", "/api/v1/ledger/discrepancies", 'V'),
    ("post", "/api/v1/ledger/discrepancies/{id}/resolve", 'A'),
    ("get", "/api/v1/ledger/export", 'V'),
    ("get", "/api/v1/coa", 'V'),
    ("get", "/api/v1/coa/export", 'V'),
    ("get", "/api/v1/coa/history", 'V'),
    ("put", "/api/v1/coa", 'A'),
    ("get", "/api/v1/reports/tax", 'V'),
    ("get", "/api/v1/reports/activity", 'V'),
];

#[test]
fn roles_are_those_of_the_contract() {
    for (method, path, role) in CONTRACT {
        let found = ROUTES.iter().find(|route| route.path == path && route.method.name() == method);
        let route = found.unwrap_or_else(|| panic!("no route {method} {path}"));
        let expected = if role == 'A' { Access::Admin } else { Access::Viewer };
        assert_eq!(route.access, expected, "{method} {path}");
    }
    let open = |route: &&Route| route.access == Access::Public && !matches!(route.method, Method::Get);
    let open: Vec<&str> = ROUTES.iter().filter(open).map(|route| route.path).collect();
    assert_eq!(open, ["/configuration", "/register", "/error/reset", "/login", "/logout"]);
}

#[test]
fn halted_a_few_deeds_are_possible_and_no_more() {
    let deeds = ROUTES.iter().filter(|route| route.phases.contain(Phase::Error) && !route.method.is_safe());
    let deeds: Vec<&str> = deeds.map(|route| route.path).collect();
    assert_eq!(
        deeds,
        [
            "/error/reset",
            "/login",
            "/logout",
            "/api/v1/configuration/{category}",
            "/api/v1/control/kill",
            "/api/v1/control/acknowledge",
            "/api/v1/keys/{category}/rotate",
            "/api/v1/backups/upload",
            "/api/v1/backups/{name}/restore",
        ]
    );
    // What a page asks for by itself must not keep a session alive.
    for path in ["/api/v1/status", "/api/v1/events", "/api/v1/phase", "/api/v1/logs/{name}/stream"] {
        let route = ROUTES.iter().find(|route| route.path == path).unwrap();
        assert_eq!(route.using, crate::runtime::routes::Use::Polling, "{path}");
    }
    assert!(ROUTES.iter().all(|route| route.kind != Kind::Stream || route.method == Method::Get));
}

/// A password typed into the wrong field must not come back in an answer, nor in whatever shows or keeps answers.
#[test]
fn a_body_that_does_not_fit_is_refused_without_its_values() {
    const FIELDS: [&str; 24] = [
        "current_password",
        "password",
        "passphrase",
        "values",
        "version",
        "kind",
        "channel",
        "mode",
        "confirm",
        "username",
        "email",
        "role",
        "disabled",
        "data",
        "date",
        "seconds",
        "only",
        "upload_id",
        "action",
        "note",
        "coa_version",
        "accounts",
        "lines",
        "reason",
    ];
    let bot = in_phase(Phase::Main);
    let mut browser = logged_in(&bot, ADMIN);
    let params = [("id", "1"), ("category", "smtp"), ("name", "x"), ("entry", "1"), ("run", "x")];
    let mut refused = 0;
    for route in ROUTES.iter().filter(|route| route.kind == Kind::Api && !route.method.is_safe()) {
        for field in FIELDS {
            for value in [r#"["hunter2"]"#, r#"{"smtp_port": ["hunter2"]}"#, r#"[{"code": {"a": "hunter2"}}]"#] {
                let body = format!("{{\"{field}\": {value}}}");
                let reply = browser.send(browser.request(route.op, &params, "application/json", body));
                let text = reply.body.to_string();
                assert!(!text.contains("hunter2"), "{} {field}: {text}", route.path);
                refused += usize::from(reply.status == 422);
            }
        }
    }
    assert!(refused > 500, "{refused}");
}
