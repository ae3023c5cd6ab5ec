//! The core: takes requests, passes them through the gate, and lets the operation of the route answer.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::broadcast;
use tracing::Instrument;

use super::clock::{Clock, ClockSource, TradingClock};
use super::gate::{self, Caller};
use super::house::{House, StartError};
use super::input::Input;
use super::jobs::Jobs;
use super::logs::LogBook;
use super::protocol::{PageName, Reply, Request};
use super::provisioning;
use super::reply::Refusal;
use super::routes::{Op, Route};
use super::streams::Streams;
use super::{BotState, api, openapi, trading};
use crate::live::MarketClock;
use crate::market::Nanos;
use crate::notify::Notifier;
use crate::vault::users::Hasher;

/// Events that a slow listener may be behind before it loses some.
const EVENTS_BEHIND: usize = 256;

/// Something that happened, for pages that look on.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct Event {
    /// Which kind, such as `bot_state`.
    pub event: String,
    /// What happened.
    pub data: serde_json::Value,
}

impl Event {
    /// An event.
    pub fn new(event: &str, data: serde_json::Value) -> Event {
        Event { event: event.to_string(), data }
    }
}

/// The core process.
pub struct Core {
    house: Mutex<House>,
    /// Work on keys and backups as a whole: one at a time.
    pub upkeep: Arc<tokio::sync::Mutex<()>>,
    /// The one backup that may be arriving.
    pub uploading: tokio::sync::Mutex<()>,
    /// Places for streams.
    pub streams: Arc<Streams>,
    /// The logs.
    pub logs: Arc<LogBook>,
    /// What tells people.
    pub notifier: Notifier,
    /// Computes password hashes outside of the lock.
    pub hasher: Hasher,
    /// What happened, for whoever listens.
    pub events: broadcast::Sender<Event>,
    /// The time of sessions, locks, audit and files.
    pub clock: Clock,
    /// The time of schedule, strategies, orders, journal and ledger.
    pub trading_clock: TradingClock,
    /// Backtests and sweeps.
    pub jobs: Arc<Jobs>,
}

impl Core {
    /// Opens the data folder. `trading`: which clock trading follows.
    ///
    /// # Errors
    /// Another process owns it, the disk refuses, or trading may not follow this clock.
    pub fn open(root: &Path, version: &str, clock: Clock, trading: ClockSource) -> Result<Arc<Core>, StartError> {
        let house = House::open(root, version, trading, clock())?;
        Ok(Core::of(house, Hasher::default(), clock))
    }

    /// Around what is open already.
    pub fn of(mut house: House, hasher: Hasher, clock: Clock) -> Arc<Core> {
        let (events, _) = broadcast::channel(EVENTS_BEHIND);
        house.brokerage.audit_by(&clock);
        let jobs = Jobs::new(house.disk.clone(), events.clone(), Arc::clone(&clock));
        Arc::new(Core {
            logs: Arc::clone(&house.logs),
            notifier: house.notifier.clone(),
            trading_clock: TradingClock::new(house.clock_source, &clock),
            house: Mutex::new(house),
            upkeep: Arc::default(),
            uploading: tokio::sync::Mutex::default(),
            streams: Arc::default(),
            hasher,
            events,
            clock,
            jobs,
        })
    }

    /// Goes on with what the start found under way.
    pub fn go_on(self: &Arc<Core>) {
        let now = self.now();
        self.with(|house| {
            // What the start found was before anybody could be told.
            if house.bot_state() == BotState::Error {
                house.tell_of_state(BotState::Error, BotState::Error, now);
            }
            house.tell_of_audit(now);
        });
        provisioning::spawn(self);
        let core = Arc::clone(self);
        // Journals are read; somebody must be able to look on and to pull the kill switch meanwhile.
        std::thread::spawn(move || trading::recover(&core));
    }

    /// Tells whoever listens what happened.
    pub fn tell(&self, event: Event) {
        // Nobody listening is no failure.
        let _ = self.events.send(event);
    }

    /// The time of sessions, locks, audit and files.
    pub fn now(&self) -> Nanos {
        (self.clock)()
    }

    /// The time of trading; `None` as long as its clock follows a feed that told nothing.
    pub fn trading_now(&self) -> Option<Nanos> {
        self.trading_clock.now()
    }

    /// The clock of trading for a session: that of the system as long as the feed told nothing.
    pub fn market_clock(&self) -> MarketClock {
        let (clock, system) = (self.trading_clock.clone(), Arc::clone(&self.clock));
        let told = self.trading_clock.clone();
        MarketClock {
            now: Arc::new(move || clock.now().unwrap_or_else(|| system())),
            told: Arc::new(move |time| told.tell(time)),
            follows_broker: matches!(self.trading_clock, TradingClock::Feed(_)),
        }
    }

    /// Does short work on what the core owns. A panic in earlier work is disregarded: each write to the disk is whole
    /// or not at all, and memory is told of it afterwards.
    pub fn with<T>(&self, work: impl FnOnce(&mut House) -> T) -> T {
        let mut house = self.house.lock().unwrap_or_else(PoisonError::into_inner);
        let before = house.bot_state();
        let done = work(&mut house);
        let after = house.bot_state();
        if before != after {
            self.tell(Event::new("bot_state", serde_json::json!({ "bot_state": after.word() })));
            house.tell_of_state(before, after, self.now());
        }
        done
    }

    /// As [`Core::with`], away from the event loop: for everything that may write to the disk.
    ///
    /// # Errors
    /// The work panicked.
    pub async fn work<T: Send + 'static>(
        self: &Arc<Core>,
        work: impl FnOnce(&mut House) -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        let core = Arc::clone(self);
        let span = tracing::Span::current();
        let done = tokio::task::spawn_blocking(move || span.in_scope(|| core.with(work))).await;
        done.map_err(|_| Refusal::internal("This failed inside the program. The log says more."))
    }

    /// Answers a request.
    pub async fn answer(self: &Arc<Core>, request: Request) -> Reply {
        let span = tracing::info_span!("request", id = request.peer.request_id);
        self.answer_within(request).instrument(span).await
    }

    async fn answer_within(self: &Arc<Core>, request: Request) -> Reply {
        let (caller, route, input) = match self.admit(request).await {
            Ok(admitted) => admitted,
            Err(reply) => return *reply,
        };
        let reply = self.dispatch(route.op, &caller, input).await;
        let mut reply = match reply {
            Ok(reply) => reply,
            Err(refusal) => {
                if refusal.status == 500 {
                    tracing::error!(path = route.path, code = refusal.code, "{}", refusal.message);
                }
                self.with(|house| gate::refuse(house, &caller, route, refusal))
            }
        };
        if reply.cookies.is_empty() {
            reply.cookies = gate::session_cookies(&caller);
        }
        reply
    }

    /// Passes a request through the gate and takes it apart.
    ///
    /// # Errors
    /// The answer to whoever may not pass.
    pub(super) async fn admit(
        self: &Arc<Core>,
        request: Request,
    ) -> Result<(Arc<Caller>, &'static Route, Input), Box<Reply>> {
        let now = self.now();
        let admitted = self.work(move |house| {
            gate::admit(house, &request, now).map(|(caller, route)| (caller, route, Input::of(request)))
        });
        let (caller, route, input) = admitted.await.map_err(|refusal| Box::new(refusal.into()))??;
        Ok((Arc::new(caller), route, input))
    }

    async fn dispatch(self: &Arc<Core>, op: Op, caller: &Arc<Caller>, input: Input) -> Result<Reply, Refusal> {
        use api::jobs::List::{Backtests, Sweeps};
        let by = Arc::clone(caller);
        match op {
            Op::Root => self.work(move |house| Ok(Reply::redirect(by.home(house)))).await?,
            Op::Healthz => Ok(Reply::json(serde_json::json!({ "status": "ok" }))),
            Op::Phase => self.work(|house| api::entry::phase(house)).await?,
            Op::ErrorPage => self.work(move |house| api::error::page(house, &by)).await?,
            Op::ErrorReset => api::error::reset(self, caller, input).await,
            Op::MainPage => self.page(by, PageName::Main).await,
            Op::StatusPage => self.page(by, PageName::Status).await,
            Op::SettingsPage => self.page(by, PageName::Settings).await,
            Op::LogsPage => self.page(by, PageName::Logs).await,
            Op::LedgerPage => self.page(by, PageName::Ledger).await,
            Op::CoaPage => self.page(by, PageName::Coa).await,
            Op::TestPage => self.page(by, PageName::Test).await,
            Op::BacktestPage | Op::BacktestResultPage => self.page(by, PageName::Backtest).await,
            Op::SweepPage | Op::SweepResultPage => self.page(by, PageName::Sweep).await,
            Op::AuditPage => self.page(by, PageName::Audit).await,
            Op::KeysPage => self.page(by, PageName::Keys).await,
            Op::BackupsPage => self.page(by, PageName::Backups).await,
            Op::Status => self.work(move |house| api::status::get(house, &by)).await?,
            Op::SelfCheck => api::status::self_check(self, caller).await,
            Op::Settings => self.work(api::settings::get).await?,
            Op::SettingsValidate => self.work(move |house| api::settings::validate(house, &input)).await?,
            Op::SettingsPut => self.work(move |house| api::settings::put(house, &by, &input)).await?,
            Op::Configuration => self.work(move |house| api::change_configuration::get(house, &by)).await?,
            Op::ConfigurationPut => api::change_configuration::put(self, caller, &input).await,
            Op::ControlStart => api::control::start(self, caller, &input).await,
            Op::ControlStop => self.work(move |house| api::control::stop(house, &by, &input)).await?,
            Op::ControlKill => self.work(move |house| api::control::kill(house, &by, &input)).await?,
            Op::OrdersPending => self.work(|house| api::control::pending(house)).await?,
            Op::OrderConfirm => api::control::decide(self, caller, &input, true).await,
            Op::OrderReject => api::control::decide(self, caller, &input, false).await,
            Op::ControlAcknowledge => self.work(move |house| api::control::acknowledge(house, &by, &input)).await?,
            Op::Test => api::test_mode::get(self, &input).await,
            Op::TestStart => api::test_mode::start(self, caller, &input).await,
            Op::TestReset => api::test_mode::reset(self, caller, &input).await,
            Op::Keys => self.work(|house| api::keys::list(house)).await?,
            Op::KeyRotate => api::keys::rotate(self, caller, &input).await,
            Op::Backups => self.work(|house| api::backups::list(house)).await?,
            Op::BackupCreate => api::backups::create(self, caller, &input).await,
            Op::BackupRestore => api::backups::restore(self, caller, &input).await,
            Op::Audit => self.work(move |house| api::audit::page(house, &by, &input)).await?,
            Op::AuditVerify => api::audit::verify(self, caller).await,
            Op::Logs => api::logs::list(self).await,
            Op::LogLines => api::logs::lines(self, &input).await,
            Op::Ledger => self.work(move |house| api::ledger::page(house, &input)).await?,
            Op::LedgerEntry => self.work(move |house| api::ledger::entry(house, &input)).await?,
            Op::LedgerCreate => self.work(move |house| api::ledger::create(house, &by, &input)).await?,
            Op::LedgerUpdate => self.work(move |house| api::ledger::update(house, &by, &input)).await?,
            Op::LedgerReconcile => self.work(move |house| api::statements::reconcile(house, &by, &input)).await?,
            Op::Discrepancies => self.work(move |house| api::statements::discrepancies(house, &input)).await?,
            Op::DiscrepancyResolve => self.work(move |house| api::statements::resolve(house, &by, &input)).await?,
            Op::Coa => self.work(|house| api::chart::get(house)).await?,
            Op::CoaPut => self.work(move |house| api::chart::put(house, &by, &input)).await?,
            Op::CoaHistory => self.work(move |house| api::chart::history(house, &input)).await?,
            Op::NotifyTest => api::notices::test(self, caller, &input).await,
            Op::OpenApi => Ok(Reply::json(openapi::document(&self.with(|house| house.version.clone())))),
            // These are exchanges of another kind.
            Op::Events
            | Op::LogStream
            | Op::BackupDownload
            | Op::BackupUpload
            | Op::LogDownload
            | Op::LedgerUpload
            | Op::LedgerExport
            | Op::CoaExport
            | Op::TaxReport
            | Op::ActivityReport
            | Op::BacktestFile
            | Op::SweepFile => Err(Refusal::not_found("This is not a question with one answer.")),
            Op::ConfigurationPage => self.work(move |house| api::configuration::page(house, &by)).await?,
            Op::Backtests => api::jobs::list(self, Backtests, &input).await,
            Op::BacktestSubmit => api::jobs::submit(self, Backtests, caller, &input).await,
            Op::Backtest => api::jobs::one(self, Backtests, &input).await,
            Op::BacktestCancel => api::jobs::cancel(self, Backtests, caller, &input).await,
            Op::BacktestSeries => api::results::series(self, Backtests, &input).await,
            Op::BacktestTrades => api::results::trades(self, &input).await,
            Op::Sweeps => api::jobs::list(self, Sweeps, &input).await,
            Op::SweepSubmit => api::jobs::submit(self, Sweeps, caller, &input).await,
            Op::SweepCheck => api::jobs::check(self, Sweeps, &input).await,
            Op::Sweep => api::jobs::one(self, Sweeps, &input).await,
            Op::SweepCancel => api::jobs::cancel(self, Sweeps, caller, &input).await,
            Op::SweepSeries => api::results::series(self, Sweeps, &input).await,
            Op::SweepTrials => api::results::of_sweep(self, "trials", &input).await,
            Op::SweepHeatmap => api::results::of_sweep(self, "heatmap", &input).await,
            Op::SweepSlices => api::results::of_sweep(self, "slices", &input).await,
            Op::SweepImportance => api::results::of_sweep(self, "importance", &input).await,
            Op::SweepFront => api::results::of_sweep(self, "front", &input).await,
            Op::SweepCurves => api::results::of_sweep(self, "curves", &input).await,
            Op::Datasets => api::results::datasets(self).await,
            Op::Dataset => api::results::dataset(self, &input).await,
            Op::Strategies => Ok(api::results::strategies()),
            Op::ConfigurationSubmit => {
                let reply = self.work(move |house| api::configuration::submit(house, &by, &input)).await?;
                provisioning::spawn(self);
                reply
            }
            Op::WaitPage => self.work(move |house| api::wait::page(house, &by)).await?,
            Op::ProvisioningStatus => self.work(|house| api::wait::status(house)).await?,
            Op::RegisterPage => self.work(move |house| api::register::page(house, &by)).await?,
            Op::Register => api::register::submit(self, caller, input).await,
            Op::LoginPage => self.work(move |house| api::login::page(house, &by)).await?,
            Op::Login => api::login::submit(self, caller, input).await,
            Op::Logout => self.work(move |house| api::login::log_out(house, &by)).await?,
            Op::Session => self.work(move |house| api::login::session(house, &by)).await?,
            Op::AccountPage => self.work(move |house| api::users::page(house, &by)).await?,
            Op::UserList => self.work(|house| api::users::list(house)).await?,
            Op::UserCreate => api::users::create(self, caller, input).await,
            Op::UserChange => api::users::change(self, caller, input).await,
            Op::UserDelete => api::users::delete(self, caller, input).await,
            Op::UserSessions => self.work(move |house| api::users::sessions(house, &by, &input)).await?,
            Op::UserSessionsRevoke => self.work(move |house| api::users::revoke(house, &by, &input)).await?,
        }
    }

    /// A page whose script asks for what it shows.
    async fn page(self: &Arc<Core>, by: Arc<Caller>, name: PageName) -> Result<Reply, Refusal> {
        self.work(move |house| Reply::page(name, by.context(house), serde_json::json!({}))).await
    }
}
