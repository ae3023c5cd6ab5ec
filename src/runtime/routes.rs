//! The one table of routes: the web's router, the gate, the roles and the OpenAPI document are made from it.
//!
//! A route that is not built has no row. [`Op`] names what a row asks of the core; the core answers every [`Op`] in one
//! `match`, so a row without an answer does not compile.

use serde::{Deserialize, Serialize};

use super::Phase;

/// An HTTP method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Method {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

impl Method {
    /// Whether it changes nothing.
    pub const fn is_safe(self) -> bool {
        matches!(self, Method::Get)
    }

    /// Its name in lower case, as OpenAPI writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Method::Get => "get",
            Method::Post => "post",
            Method::Put => "put",
            Method::Patch => "patch",
            Method::Delete => "delete",
        }
    }
}

/// Who may use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Everybody. Forms of the first run decide themselves whom they believe.
    Public,
    /// Whoever is logged in.
    Viewer,
    /// Admins.
    Admin,
}

/// What a route speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A page.
    Page,
    /// A form of a page.
    Form,
    /// JSON.
    Api,
    /// JSON, or columns of numbers for `Accept: application/octet-stream`.
    Series,
    /// Server-sent events.
    Stream,
    /// A file to the browser.
    Download,
    /// A file from the browser.
    Upload,
}

/// Whether using a route keeps a session alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// A person did something.
    Deed,
    /// The page asks by itself.
    Polling,
}

/// Phases in which a route is open, one bit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Phases(u8);

impl Phases {
    /// Whether `phase` is among them.
    pub const fn contain(self, phase: Phase) -> bool {
        self.0 & bit(phase) != 0
    }

    const fn of<const N: usize>(phases: [Phase; N]) -> Phases {
        let (mut bits, mut k) = (0, 0);
        while k < N {
            bits |= bit(phases[k]);
            k += 1;
        }
        Phases(bits)
    }
}

const fn bit(phase: Phase) -> u8 {
    1 << phase as u8
}

const ALL: Phases =
    Phases::of([Phase::Configuration, Phase::Provisioning, Phase::Registration, Phase::Main, Phase::Error]);
const CONFIGURATION: Phases = Phases::of([Phase::Configuration, Phase::Main]);
const FIRST: Phases = Phases::of([Phase::Configuration]);
const PROVISIONING: Phases = Phases::of([Phase::Provisioning]);
const REGISTRATION: Phases = Phases::of([Phase::Registration, Phase::Main]);
const MAIN: Phases = Phases::of([Phase::Main]);
/// Open also while the bot is halted.
const HALTED: Phases = Phases::of([Phase::Main, Phase::Error]);
const ERROR: Phases = Phases::of([Phase::Error]);

/// One row.
#[derive(Debug, Clone, Copy)]
pub struct Route {
    /// What it asks of the core.
    pub op: Op,
    /// Method.
    pub method: Method,
    /// Path; `{name}` is a parameter.
    pub path: &'static str,
    /// What it speaks.
    pub kind: Kind,
    /// In which phases it is open.
    pub phases: Phases,
    /// Who may use it.
    pub access: Access,
    /// Whether using it keeps a session alive.
    pub using: Use,
    /// What it does, for the OpenAPI document.
    pub summary: &'static str,
}

impl Route {
    /// The row of an operation.
    pub fn of(op: Op) -> &'static Route {
        &ROUTES[op as usize]
    }

    /// Whether its answers are JSON.
    pub fn is_api(&self) -> bool {
        self.path.starts_with("/api/") || self.path == "/healthz"
    }
}

macro_rules! routes {
    ($($op:ident: $method:ident $path:literal, $kind:ident, $phases:ident, $access:ident, $using:ident; $summary:literal)*) => {
        /// What a route asks of the core.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Op {
            $(#[doc = $summary] $op,)*
        }

        /// Every route, in the order of [`Op`].
        pub const ROUTES: &[Route] = &[
            $(Route {
                op: Op::$op,
                method: Method::$method,
                path: $path,
                kind: Kind::$kind,
                phases: $phases,
                access: Access::$access,
                using: Use::$using,
                summary: $summary,
            },)*
        ];
    };
}

routes! {
    // In every phase.
    Root: Get "/", Page, ALL, Public, Polling; "Goes to the page of the phase."
    Healthz: Get "/healthz", Api, ALL, Public, Polling; "Whether the core answers."
    Phase: Get "/api/v1/phase", Api, ALL, Public, Polling; "The phase and the bot's state."
    ErrorPage: Get "/error", Page, ALL, Public, Polling; "The error page: state, reason, what can be done."
    // The first run.
    ConfigurationPage: Get "/configuration", Page, CONFIGURATION, Public, Deed; "The configuration form: of the first run, or for an admin."
    ConfigurationSubmit: Post "/configuration", Form, FIRST, Public, Deed; "Takes the first configuration; of several at once, one."
    WaitPage: Get "/wait", Page, PROVISIONING, Public, Polling; "How far the provisioning is."
    ProvisioningStatus: Get "/api/v1/provisioning/status", Api, PROVISIONING, Public, Polling; "How far the provisioning is."
    RegisterPage: Get "/register", Page, REGISTRATION, Public, Deed; "The form of the first user, or of one's own credentials."
    Register: Post "/register", Form, REGISTRATION, Public, Deed; "Creates the first user, or changes one's own credentials."
    ErrorReset: Post "/error/reset", Form, ERROR, Public, Deed; "With the setup token: restores a portable backup, or resets everything."
    // Users and sessions.
    LoginPage: Get "/login", Page, HALTED, Public, Polling; "The login form."
    Login: Post "/login", Form, HALTED, Public, Deed; "Logs in."
    Logout: Post "/logout", Form, HALTED, Public, Deed; "Logs out."
    Session: Get "/api/v1/session", Api, HALTED, Viewer, Polling; "Who is logged in, with the CSRF token."
    AccountPage: Get "/account", Page, MAIN, Viewer, Deed; "One's own credentials and sessions; for admins, the users."
    UserList: Get "/api/v1/users", Api, MAIN, Admin, Deed; "All users."
    UserCreate: Post "/api/v1/users", Api, MAIN, Admin, Deed; "Creates a user; needs the own password."
    UserChange: Patch "/api/v1/users/{id}", Api, MAIN, Admin, Deed; "Changes a user; a change of role or password needs the own password."
    UserDelete: Delete "/api/v1/users/{id}", Api, MAIN, Admin, Deed; "Deletes a user; needs the own password."
    UserSessions: Get "/api/v1/users/{id}/sessions", Api, MAIN, Viewer, Deed; "The sessions of a user: one's own, or, for admins, anybody's."
    UserSessionsRevoke: Post "/api/v1/users/{id}/sessions/revoke", Api, MAIN, Viewer, Deed; "Ends one session of a user, or all."
    // Pages of the dashboard.
    MainPage: Get "/main", Page, MAIN, Viewer, Deed; "The dashboard, which frames the other pages."
    StatusPage: Get "/status", Page, HALTED, Viewer, Deed; "How the bot is."
    SettingsPage: Get "/settings", Page, MAIN, Viewer, Deed; "The settings of strategies, risk and run time."
    LogsPage: Get "/logs", Page, HALTED, Viewer, Deed; "The logs, as they are written."
    LedgerPage: Get "/ledger", Page, MAIN, Viewer, Deed; "The ledger."
    CoaPage: Get "/coa", Page, MAIN, Viewer, Deed; "The chart of accounts."
    TestPage: Get "/test", Page, MAIN, Admin, Deed; "The functional tests."
    BacktestPage: Get "/backtest", Page, MAIN, Viewer, Deed; "Backtests."
    BacktestResultPage: Get "/backtest/{id}", Page, MAIN, Viewer, Deed; "One backtest."
    SweepPage: Get "/sweep", Page, MAIN, Viewer, Deed; "Sweeps."
    SweepResultPage: Get "/sweep/{id}", Page, MAIN, Viewer, Deed; "One sweep or walk-forward analysis."
    AuditPage: Get "/audit", Page, HALTED, Admin, Deed; "The audit log."
    KeysPage: Get "/keys", Page, HALTED, Admin, Deed; "The keys; halted, one that is lost is replaced here."
    BackupsPage: Get "/backups", Page, HALTED, Admin, Deed; "The backups; halted, one is restored here."
    // Settings, configuration, control.
    Status: Get "/api/v1/status", Api, HALTED, Viewer, Polling; "What the bot is doing."
    SelfCheck: Get "/api/v1/selfcheck", Api, HALTED, Viewer, Polling; "Whether every module is well."
    Events: Get "/api/v1/events", Stream, HALTED, Viewer, Polling; "Events as they happen: bot_state, status, alert."
    Settings: Get "/api/v1/settings", Api, MAIN, Viewer, Deed; "The settings with their version and schema."
    SettingsValidate: Post "/api/v1/settings/validate", Api, MAIN, Admin, Deed; "Judges a change of settings without doing it."
    SettingsPut: Put "/api/v1/settings", Api, MAIN, Admin, Deed; "Changes settings; those not named keep their value."
    Configuration: Get "/api/v1/configuration", Api, HALTED, Admin, Deed; "The configuration by category; of secrets only whether they are set."
    ConfigurationPut: Put "/api/v1/configuration/{category}", Api, HALTED, Admin, Deed; "Changes a category of the configuration; what is not named keeps its value."
    ControlStart: Post "/api/v1/control/start", Api, MAIN, Admin, Deed; "Starts a session, on paper or live."
    ControlStop: Post "/api/v1/control/stop", Api, MAIN, Admin, Deed; "Stops the session and closes its positions in order."
    ControlKill: Post "/api/v1/control/kill", Api, HALTED, Admin, Deed; "Stops everything and closes all positions at once."
    ControlAcknowledge: Post "/api/v1/control/acknowledge", Api, HALTED, Admin, Deed; "Ends a halt, if every start check passes."
    OrdersPending: Get "/api/v1/orders/pending", Api, MAIN, Viewer, Polling; "Orders that wait for confirmation."
    OrderConfirm: Post "/api/v1/orders/pending/{id}/confirm", Api, MAIN, Admin, Deed; "Sends an order that waits."
    OrderReject: Post "/api/v1/orders/pending/{id}/reject", Api, MAIN, Admin, Deed; "Drops an order that waits."
    // TEST_MODE.
    Test: Get "/api/v1/test", Api, MAIN, Admin, Polling; "The test that runs, and the results of those before."
    TestStart: Post "/api/v1/test/start", Api, MAIN, Admin, Deed; "Runs the strategies over a day, apart from live data."
    TestReset: Post "/api/v1/test/reset", Api, MAIN, Admin, Deed; "Stops the test that runs; if none does, removes the results."
    // Keys, backups, audit, logs.
    Keys: Get "/api/v1/keys", Api, HALTED, Admin, Deed; "Fingerprints of all keys."
    KeyRotate: Post "/api/v1/keys/{category}/rotate", Api, HALTED, Admin, Deed; "Gives a category a new key and encrypts its files again."
    Backups: Get "/api/v1/backups", Api, HALTED, Admin, Deed; "The backups, the newest first."
    BackupCreate: Post "/api/v1/backups", Api, MAIN, Admin, Deed; "Makes a backup."
    BackupDownload: Get "/api/v1/backups/{name}", Download, HALTED, Admin, Deed; "A backup, encrypted as it is."
    BackupUpload: Post "/api/v1/backups/upload", Upload, HALTED, Admin, Deed; "Takes in a portable backup from elsewhere."
    BackupRestore: Post "/api/v1/backups/{name}/restore", Api, HALTED, Admin, Deed; "Puts the content of a backup in place and ends all sessions."
    Audit: Get "/api/v1/audit", Api, HALTED, Admin, Deed; "Entries of the audit log, the newest first."
    AuditVerify: Get "/api/v1/audit/verify", Api, HALTED, Admin, Deed; "Whether the audit log is whole."
    Logs: Get "/api/v1/logs", Api, HALTED, Viewer, Deed; "The logs with their lengths."
    LogLines: Get "/api/v1/logs/{name}", Api, HALTED, Viewer, Deed; "Lines of a log."
    LogStream: Get "/api/v1/logs/{name}/stream", Stream, HALTED, Viewer, Polling; "The lines of a log as they are written."
    LogDownload: Get "/api/v1/logs/{name}/download", Download, HALTED, Viewer, Deed; "A log as it is now."
    // Books.
    Ledger: Get "/api/v1/ledger", Api, MAIN, Viewer, Deed; "Entries of the ledger, the newest book date first; of one account with its running balance."
    LedgerCreate: Post "/api/v1/ledger/entries", Api, MAIN, Admin, Deed; "Adds an entry."
    LedgerEntry: Get "/api/v1/ledger/entries/{id}", Api, MAIN, Viewer, Deed; "An entry with its earlier versions."
    LedgerUpdate: Put "/api/v1/ledger/entries/{id}", Api, MAIN, Admin, Deed; "Replaces a version of an entry by a next one."
    LedgerUpload: Post "/api/v1/ledger/upload", Upload, MAIN, Admin, Deed; "Takes in a CSV file of the broker."
    LedgerReconcile: Post "/api/v1/ledger/reconcile", Api, MAIN, Admin, Deed; "Compares the latest file of the broker with the ledger."
    Discrepancies: Get "/api/v1/ledger/discrepancies", Api, MAIN, Viewer, Deed; "Differences between broker and ledger, the newest first."
    DiscrepancyResolve: Post "/api/v1/ledger/discrepancies/{id}/resolve", Api, MAIN, Admin, Deed; "Notes what was done about a difference, or books what the ledger lacks."
    LedgerExport: Get "/api/v1/ledger/export", Download, MAIN, Viewer, Deed; "The whole ledger as a file."
    Coa: Get "/api/v1/coa", Api, MAIN, Viewer, Deed; "The chart of accounts in force."
    CoaPut: Put "/api/v1/coa", Api, MAIN, Admin, Deed; "Puts a whole new chart in force as the next version."
    CoaExport: Get "/api/v1/coa/export", Download, MAIN, Viewer, Deed; "The chart of accounts as a file."
    CoaHistory: Get "/api/v1/coa/history", Api, MAIN, Viewer, Deed; "Versions of the chart with what changed, the newest first."
    TaxReport: Get "/api/v1/reports/tax", Download, MAIN, Viewer, Deed; "Gains and losses of a year, as a file."
    ActivityReport: Get "/api/v1/reports/activity", Download, MAIN, Viewer, Deed; "Everything that was booked in a year, as a file."
    NotifyTest: Post "/api/v1/notifications/test", Api, MAIN, Admin, Deed; "Sends a test on a channel of notices, and says what came of it."
    OpenApi: Get "/api/v1/openapi.json", Api, HALTED, Viewer, Deed; "This document: every route there is."
    // Backtests and sweeps.
    Backtests: Get "/api/v1/backtests", Api, MAIN, Viewer, Polling; "Backtests, queued, running and ended, newest first."
    BacktestSubmit: Post "/api/v1/backtests", Api, MAIN, Admin, Deed; "Queues a backtest."
    Backtest: Get "/api/v1/backtests/{id}", Api, MAIN, Viewer, Polling; "A backtest: state, progress, summary, files."
    BacktestCancel: Post "/api/v1/backtests/{id}/cancel", Api, MAIN, Admin, Deed; "Cancels a backtest."
    BacktestFile: Get "/api/v1/backtests/{id}/files/{name}", Download, MAIN, Viewer, Deed; "A file of a backtest."
    BacktestSeries: Get "/api/v1/backtests/{id}/series/{name}", Series, MAIN, Viewer, Deed; "Equity, drawdown, exposure or bars over time."
    BacktestTrades: Get "/api/v1/backtests/{id}/trades", Api, MAIN, Viewer, Deed; "Closed trades, sorted and filtered."
    Sweeps: Get "/api/v1/sweeps", Api, MAIN, Viewer, Polling; "Sweeps and walk-forward analyses, newest first."
    SweepSubmit: Post "/api/v1/sweeps", Api, MAIN, Admin, Deed; "Queues a sweep or a walk-forward analysis, or takes a sweep up again."
    SweepCheck: Post "/api/v1/sweeps/check", Api, MAIN, Admin, Deed; "Says how many trials a sweep would have, of how many combinations, and queues nothing."
    Sweep: Get "/api/v1/sweeps/{id}", Api, MAIN, Viewer, Polling; "A sweep: state, progress, summary, files."
    SweepCancel: Post "/api/v1/sweeps/{id}/cancel", Api, MAIN, Admin, Deed; "Cancels a sweep; its trials stay."
    SweepFile: Get "/api/v1/sweeps/{id}/files/{name}", Download, MAIN, Viewer, Deed; "A file of a sweep."
    SweepSeries: Get "/api/v1/sweeps/{id}/series/{name}", Series, MAIN, Viewer, Deed; "Equity or drawdown of a walk-forward analysis over time."
    SweepTrials: Get "/api/v1/sweeps/{id}/trials", Api, MAIN, Viewer, Deed; "Trials, sorted and filtered."
    SweepHeatmap: Get "/api/v1/sweeps/{id}/heatmap", Api, MAIN, Viewer, Deed; "An objective over two parameters."
    SweepSlices: Get "/api/v1/sweeps/{id}/slices", Api, MAIN, Viewer, Deed; "An objective over each parameter."
    SweepImportance: Get "/api/v1/sweeps/{id}/importance", Api, MAIN, Viewer, Deed; "How much each parameter explains."
    SweepFront: Get "/api/v1/sweeps/{id}/front", Api, MAIN, Viewer, Deed; "The Pareto front."
    SweepCurves: Get "/api/v1/sweeps/{id}/curves", Api, MAIN, Viewer, Deed; "Growth of one dollar in the best trials."
    Datasets: Get "/api/v1/datasets", Api, MAIN, Viewer, Deed; "Data sets that a run can use."
    Dataset: Get "/api/v1/datasets/{name}", Api, MAIN, Viewer, Deed; "Symbols, dates and bars of a data set."
    Strategies: Get "/api/v1/strategies", Api, MAIN, Viewer, Deed; "Strategies and their parameters."
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_route_has_one_row_and_an_operation_finds_it() {
        let mut seen = BTreeSet::new();
        for (k, route) in ROUTES.iter().enumerate() {
            assert_eq!(route.op as usize, k);
            assert_eq!(Route::of(route.op).path, route.path);
            assert!(seen.insert((route.method, route.path)), "{:?} {}", route.method, route.path);
            assert!(route.path.starts_with('/') && route.summary.ends_with('.'), "{}", route.path);
        }
    }

    #[test]
    fn pages_and_forms_are_no_api() {
        for route in ROUTES {
            let speaks_html = matches!(route.kind, Kind::Page | Kind::Form);
            assert_ne!(speaks_html, route.is_api(), "{}", route.path);
        }
    }
}
