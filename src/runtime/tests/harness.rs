//! A core around a temporary data folder, with cheap hashes and a clock that stands still, and browsers that keep
//! their cookies.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, LazyLock};

use serde_json::Value;
use tempfile::TempDir;

use crate::market::Nanos;
use crate::runtime::gate::csrf_before_login;
use crate::runtime::protocol::{CookieChange, Peer, Reply, Request, Secret, Verb, write_frame};
use crate::runtime::provisioning::{Next, advance};
use crate::runtime::routes::Method;
use crate::runtime::{BotState, ClockSource, Core, House, Op, Route};
use crate::vault::tests::harness::{NOW, copy, folder, open};
use crate::vault::users::Hasher;

/// The version in tests.
pub(crate) const VERSION: &str = "v1.0.0";
/// The admin of [`Bot::registered`].
pub(crate) const ADMIN: &str = "alice";
/// Everybody's password.
pub(crate) const PASSWORD: &str = "blue kettle sings";
/// A configuration of the simulated broker, with a secret to look for.
pub(crate) const CONFIGURATION: [(&str, &str); 6] = [
    ("entity_code", "ACME"),
    ("jurisdiction_code", "US"),
    ("broker_code", "SIM"),
    ("bot_id", "BOT1"),
    ("smtp_username", "PLANTED-SECRET user"),
    ("smtp_password", " PLANTED-SECRET "),
];

/// A core with its folder.
pub(crate) struct Bot {
    pub core: Arc<Core>,
    pub folder: TempDir,
    now: Arc<AtomicI64>,
    runtime: tokio::runtime::Runtime,
}

impl Bot {
    /// Nothing is configured.
    pub fn fresh() -> Bot {
        Bot::on(folder(), NOW)
    }

    /// Provisioned for the simulated broker, without a user.
    pub fn provisioned() -> Bot {
        static TEMPLATE: LazyLock<TempDir> = LazyLock::new(|| {
            let bot = Bot::fresh();
            assert_eq!(bot.browser().form(Op::ConfigurationSubmit, &CONFIGURATION).status, 303);
            bot.provision();
            bot.stop()
        });
        let folder = folder();
        copy(TEMPLATE.path(), folder.path());
        Bot::on(folder, NOW)
    }

    /// With the admin [`ADMIN`].
    pub fn registered() -> Bot {
        static TEMPLATE: LazyLock<TempDir> = LazyLock::new(|| {
            let bot = Bot::provisioned();
            bot.register();
            bot.stop()
        });
        let folder = folder();
        copy(TEMPLATE.path(), folder.path());
        Bot::on(folder, NOW)
    }

    /// A core on a folder.
    pub fn on(folder: TempDir, start: Nanos) -> Bot {
        Bot::on_clock(folder, start, ClockSource::System)
    }

    /// A core on a folder, whose trading follows this clock.
    pub fn on_clock(folder: TempDir, start: Nanos, source: ClockSource) -> Bot {
        let house = House::open_on(open(folder.path()), &[], VERSION, source, start).unwrap();
        let now = Arc::new(AtomicI64::new(start));
        let clock = Arc::clone(&now);
        let core = Core::of(house, Hasher::for_tests(), Arc::new(move || clock.load(Ordering::Relaxed)));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        Bot { core, folder, now, runtime }
    }

    /// Ends the core; the folder stays.
    pub fn stop(self) -> TempDir {
        // A thread of the provisioning may hold the core for a moment.
        drop((self.core, self.runtime));
        self.folder
    }

    /// Ends the core and starts another on the same folder.
    pub fn restart(self) -> Bot {
        let now = self.now.load(Ordering::Relaxed);
        Bot::on(self.stop(), now)
    }

    /// Lets time pass.
    pub fn wait(&self, time: Nanos) {
        self.now.fetch_add(time, Ordering::Relaxed);
    }

    /// Waits for the thread of the provisioning.
    pub fn provision(&self) {
        for _ in 0..2_000 {
            let state = self.core.with(|house| house.bot_state());
            if !matches!(state, BotState::Provisioning | BotState::Bootstrapping) {
                assert_eq!(state, BotState::Idle);
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        panic!("the provisioning does not end: {:?}", self.core.with(|house| house.provisioning.status().clone()));
    }

    /// Creates [`ADMIN`] with the setup token.
    pub fn register(&self) {
        let token = std::fs::read_to_string(self.folder.path().join("control/setup_token")).unwrap();
        let form = [
            ("username", ADMIN),
            ("email", "alice@example.com"),
            ("password", PASSWORD),
            ("password_confirm", PASSWORD),
            ("setup_token", token.trim()),
        ];
        let reply = self.browser().form(Op::Register, &form);
        assert_eq!((reply.status, reply.location.as_deref()), (303, Some("/login")));
    }

    /// A browser without cookies.
    pub fn browser(&self) -> Browser<'_> {
        Browser {
            bot: self,
            pre: "a random cookie".to_string(),
            session: None,
            setup: None,
            ip: "127.0.0.1".to_string(),
            exposed: false,
        }
    }

    /// A browser in which somebody is logged in.
    pub fn logged_in(&self, name: &str) -> Browser<'_> {
        let mut browser = self.browser();
        let reply = browser.form(Op::Login, &[("username", name), ("password", PASSWORD)]);
        let home = self.core.with(|house| house.phase().page(true));
        assert_eq!((reply.status, reply.location.as_deref()), (303, Some(home)));
        browser
    }

    /// Creates a viewer and returns the id.
    pub fn add_viewer(&self, name: &str) -> i64 {
        let body = serde_json::json!({ "username": name, "email": "v@example.com", "role": "viewer",
            "password": PASSWORD, "current_password": PASSWORD });
        let reply = self.logged_in(ADMIN).json(Op::UserCreate, &[], &body);
        assert_eq!(reply.status, 201, "{}", reply.body);
        reply.body["id"].as_i64().unwrap()
    }

    /// Words of the audit log: action, target, status; the oldest first.
    pub fn audited(&self) -> Vec<String> {
        let page = self.core.with(|house| house.audit.page(0, 1_000, NOW).unwrap());
        let words = |e: crate::vault::audit::StoredEntry| format!("{} {} {}", e.action, e.target, e.status);
        page.entries.into_iter().rev().map(words).collect()
    }

    /// Waits for what the core does by itself.
    pub fn block_on<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    /// Asks the core.
    pub fn answer(&self, request: Request) -> Reply {
        self.runtime.block_on(self.core.answer(request))
    }

    /// Transfers a file: the answer and the data, for frames that the browser sends.
    pub fn transfer(&self, mut request: Request, frames: &[&[u8]]) -> (Reply, Vec<u8>) {
        request.verb = Verb::Transfer;
        self.block_on(async {
            let mut wire = Vec::new();
            for frame in frames {
                write_frame(&mut wire, frame).await.unwrap();
            }
            let sending = self.core.transfer(request, &mut wire.as_slice()).await;
            let mut data = Vec::new();
            if let Some(mut from) = sending.data {
                tokio::io::AsyncReadExt::read_to_end(&mut from, &mut data).await.unwrap();
            }
            (sending.reply, data)
        })
    }

    /// Asks the core several things at once.
    pub fn answer_at_once(&self, requests: Vec<Request>) -> Vec<Reply> {
        self.runtime.block_on(async {
            let asked: Vec<_> = requests
                .into_iter()
                .map(|request| {
                    let core = Arc::clone(&self.core);
                    tokio::spawn(async move { core.answer(request).await })
                })
                .collect();
            let mut replies = Vec::new();
            for reply in asked {
                replies.push(reply.await.unwrap());
            }
            replies
        })
    }
}

/// Does all pieces of a provisioning here and now.
pub(crate) fn run(house: &mut House) {
    while advance(house, NOW) == Next::Piece {}
}

/// A browser: keeps cookies and sends the token of its page.
pub(crate) struct Browser<'a> {
    bot: &'a Bot,
    pub pre: String,
    pub session: Option<String>,
    pub setup: Option<String>,
    pub ip: String,
    pub exposed: bool,
}

impl Browser<'_> {
    /// A request as this browser sends it, with the token of its page.
    pub fn request(&self, op: Op, params: &[(&str, &str)], content_type: &str, body: String) -> Request {
        let route = Route::of(op);
        let secret = |text: &Option<String>| text.as_ref().map(|text| Secret::new(text.as_str()));
        let csrf = match &self.session {
            Some(_) if route.method != Method::Get => self.csrf(),
            _ => csrf_before_login(&self.pre),
        };
        Request {
            verb: Verb::Call,
            op: Some(op),
            other_method: false,
            api: route.is_api(),
            safe: route.method.is_safe(),
            params: params.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect(),
            query: String::new(),
            content_type: content_type.to_string(),
            body: Secret::new(body),
            peer: Peer {
                ip: self.ip.clone(),
                agent: "test".to_string(),
                sessions: secret(&self.session).into_iter().collect(),
                pre: Some(Secret::new(self.pre.as_str())),
                setup: secret(&self.setup),
                csrf: Some(Secret::new(csrf)),
                host: "127.0.0.1:6900".to_string(),
                exposed: self.exposed,
                ..Peer::default()
            },
        }
    }

    /// The token of the session, as a page has it.
    fn csrf(&self) -> String {
        let reply = self.bot.answer(self.request(Op::Session, &[], "", String::new()));
        reply.body["csrf_token"].as_str().unwrap_or("none").to_string()
    }

    /// A form as it would be sent.
    pub fn form_request(&self, op: Op, fields: &[(&str, &str)]) -> Request {
        let mut body = form_urlencoded::Serializer::new(String::new());
        body.extend_pairs(fields);
        self.request(op, &[], "application/x-www-form-urlencoded", body.finish())
    }

    /// Loads a page or a resource of the API.
    pub fn get(&mut self, op: Op) -> Reply {
        self.get_with(op, &[])
    }

    /// As [`Browser::get`], with parameters of the path.
    pub fn get_with(&mut self, op: Op, params: &[(&str, &str)]) -> Reply {
        self.send(self.request(op, params, "", String::new()))
    }

    /// As [`Browser::get_with`], with a query.
    pub fn query(&mut self, op: Op, params: &[(&str, &str)], query: &str) -> Reply {
        let request = Request { query: query.to_string(), ..self.request(op, params, "", String::new()) };
        self.send(request)
    }

    /// Loads a file.
    pub fn download(&self, op: Op, query: &str) -> (Reply, String) {
        let request = Request { query: query.to_string(), ..self.request(op, &[], "", String::new()) };
        let (reply, data) = self.bot.transfer(request, &[]);
        (reply, String::from_utf8(data).unwrap())
    }

    /// Sends a form.
    pub fn form(&mut self, op: Op, fields: &[(&str, &str)]) -> Reply {
        self.send(self.form_request(op, fields))
    }

    /// Sends JSON.
    pub fn json(&mut self, op: Op, params: &[(&str, &str)], body: &Value) -> Reply {
        self.send(self.request(op, params, "application/json", body.to_string()))
    }

    /// Sends a request and keeps the cookies of the answer.
    pub fn send(&mut self, request: Request) -> Reply {
        let reply = self.bot.answer(request);
        for cookie in &reply.cookies {
            match cookie {
                CookieChange::Session(token) => self.session = Some(token.expose().to_string()),
                CookieChange::Setup(ticket) => self.setup = Some(ticket.expose().to_string()),
                CookieChange::LoggedOut => (self.session, self.setup) = (None, None),
            }
        }
        reply
    }
}

/// What a page shows.
pub(crate) fn shown(reply: &Reply) -> &Value {
    &reply.page.as_ref().expect("a page").data
}

/// The fields that are found wrong, in order.
pub(crate) fn wrong(reply: &Reply) -> Vec<String> {
    let errors = match &reply.page {
        Some(page) => &page.data["errors"],
        None => &reply.body["error"]["fields"],
    };
    let errors: BTreeMap<String, Value> = serde_json::from_value(errors.clone()).unwrap_or_default();
    errors.into_keys().collect()
}
