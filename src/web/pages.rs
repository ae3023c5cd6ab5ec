//! Pages, from templates that are checked when the program is built. Everything in them is escaped.
//!
//! Pages of the first run, the login and the error page are complete without a script. Panels of the dashboard are
//! frames that their modules fill from the API.

use std::collections::{BTreeMap, BTreeSet};

use askama::Template;
use serde::Deserialize;

use super::form::{GROUPS, Group};
use super::look::Look;
use crate::runtime::Phase;
use crate::runtime::protocol::{Context, Page, PageName};

/// What the frame of every page shows.
struct Frame<'a> {
    context: &'a Context,
    csrf: &'a str,
    look: Look,
}

impl Frame<'_> {
    fn is_admin(&self) -> bool {
        self.context.user.as_ref().is_some_and(|user| user.admin)
    }

    fn is_halted(&self) -> bool {
        self.context.phase == Phase::Error
    }

    /// Whether the bot is closing what is open, and will be done with it by itself.
    fn is_closing(&self) -> bool {
        let closing = ["graceful_closing_positions", "emergency_closing_positions", "shutdown_triggered"];
        closing.contains(&self.context.bot_state.as_str())
    }

    /// The state as people read it.
    fn state(&self) -> String {
        self.context.bot_state.replace('_', " ")
    }

    /// What the state means for whoever looks: a word that the style turns into a colour.
    fn mood(&self) -> &'static str {
        match self.context.bot_state.as_str() {
            "error" | "shutdown_triggered" | "emergency_closing_positions" => "bad",
            "shutdown" | "graceful_closing_positions" | "updating" => "warn",
            "analyzing" | "trading" | "monitoring" => "good",
            _ => "calm",
        }
    }
}

/// The configuration form.
#[derive(Deserialize, Default)]
#[serde(default)]
struct ConfigurationData {
    values: BTreeMap<String, String>,
    set: BTreeSet<String>,
    errors: BTreeMap<String, String>,
    message: Option<String>,
    setup_token_needed: bool,
    initial: bool,
}

impl ConfigurationData {
    fn value(&self, name: &str) -> &str {
        self.values.get(name).map_or("", String::as_str)
    }

    fn error(&self, name: &str) -> Option<&String> {
        self.errors.get(name)
    }

    fn is_set(&self, name: &str) -> bool {
        self.set.contains(name)
    }

    /// Faults of fields that the form does not have.
    fn strange_errors(&self) -> Vec<(&String, &String)> {
        let known = |name: &str| name == "setup_token" || label_of(name).is_some();
        self.errors.iter().filter(|(name, _)| !known(name)).collect()
    }

    /// Whether a group starts open: it is needed, or something is in it or wrong with it.
    fn is_open(&self, group: &Group) -> bool {
        let touched = |name| !self.value(name).is_empty() || self.error(name).is_some() || self.is_set(name);
        !group.optional || group.fields.iter().any(|field| touched(field.name))
    }
}

fn label_of(name: &str) -> Option<&'static str> {
    let mut fields = GROUPS.iter().flat_map(|group| group.fields);
    fields.find(|field| field.name == name).map(|field| field.label)
}

#[derive(Template)]
#[template(path = "pages/configuration.html")]
struct ConfigurationPage<'a> {
    frame: Frame<'a>,
    groups: &'static [Group],
    form: ConfigurationData,
}

/// How far the provisioning is.
#[derive(Deserialize, Default)]
#[serde(default)]
struct WaitData {
    status: ProvisioningStatus,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ProvisioningStatus {
    state: String,
    step: String,
    steps_done: u64,
    steps_total: u64,
    message: String,
}

/// The steps of a provisioning, as the API names them, with what people read.
const STEPS: [(&str, &str); 6] = [
    ("keys", "Make the keys"),
    ("config", "Encrypt the configuration"),
    ("secrets", "Encrypt the secrets"),
    ("databases", "Create the databases"),
    ("verify", "Check everything"),
    ("launch", "Launch the bot"),
];

impl ProvisioningStatus {
    fn steps(&self) -> Vec<(&'static str, &'static str, &'static str)> {
        let now = STEPS.iter().position(|(name, _)| *name == self.step).unwrap_or(0);
        let state = |k: usize| match (k as u64) < self.steps_done || self.state == "done" {
            true => "done",
            false if k == now && self.state == "failed" => "failed",
            false if k == now && self.state == "running" => "running",
            false => "waiting",
        };
        STEPS.iter().enumerate().map(|(k, (name, text))| (*name, *text, state(k))).collect()
    }
}

#[derive(Template)]
#[template(path = "pages/wait.html")]
struct WaitPage<'a> {
    frame: Frame<'a>,
    data: WaitData,
}

/// The registration form.
#[derive(Deserialize, Default)]
#[serde(default)]
struct RegisterData {
    values: BTreeMap<String, String>,
    errors: BTreeMap<String, String>,
    message: Option<String>,
    setup_token_needed: bool,
    first: bool,
}

impl RegisterData {
    fn value(&self, name: &str) -> &str {
        self.values.get(name).map_or("", String::as_str)
    }

    fn error(&self, name: &str) -> Option<&String> {
        self.errors.get(name)
    }

    /// What stands before a field.
    fn label(&self, name: &str) -> String {
        match name {
            "username" => "User name".to_string(),
            "email" => "E-mail".to_string(),
            "password" => "Password".to_string(),
            "password_confirm" => "Password again".to_string(),
            "current_password" => "Current password".to_string(),
            "setup_token" => "Setup token".to_string(),
            other => other.replace('_', " "),
        }
    }
}

#[derive(Template)]
#[template(path = "pages/register.html")]
struct RegisterPage<'a> {
    frame: Frame<'a>,
    data: RegisterData,
}

/// The login form.
#[derive(Deserialize, Default)]
#[serde(default)]
struct LoginData {
    values: BTreeMap<String, String>,
    message: Option<String>,
    retry_after: Option<u64>,
}

impl LoginData {
    fn username(&self) -> &str {
        self.values.get("username").map_or("", String::as_str)
    }
}

#[derive(Template)]
#[template(path = "pages/login.html")]
struct LoginPage<'a> {
    frame: Frame<'a>,
    data: LoginData,
}

/// Why the bot is halted, and what can be done.
#[derive(Deserialize, Default)]
#[serde(default)]
struct ErrorData {
    faults: Vec<String>,
    reason: String,
    recovery: Option<Recovery>,
    reset_open: bool,
    errors: BTreeMap<String, String>,
    message: Option<String>,
}

/// What an admin can repair.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Recovery {
    keys: Vec<KeyState>,
    backups: Vec<String>,
}

/// What is known of a key.
#[derive(Deserialize, Default)]
#[serde(default)]
struct KeyState {
    category: String,
    /// `ok`, `unusable` or `missing`.
    state: String,
}

#[derive(Template)]
#[template(path = "pages/error.html")]
struct ErrorPage<'a> {
    frame: Frame<'a>,
    data: ErrorData,
    /// The forms of the configuration, for what must be entered again.
    groups: &'static [Group],
    form: ConfigurationData,
}

/// A refusal in words.
#[derive(Deserialize, Default)]
#[serde(default)]
struct RefusedData {
    status: u16,
    message: String,
}

#[derive(Template)]
#[template(path = "pages/refused.html")]
struct RefusedPage<'a> {
    frame: Frame<'a>,
    data: RefusedData,
}

#[derive(Template)]
#[template(path = "pages/plain.html")]
struct Plain<'a> {
    status: u16,
    message: &'a str,
    look: Look,
}

/// A panel of the dashboard: its place in the navigation and its name there.
struct Panel {
    name: &'static str,
    path: &'static str,
    title: &'static str,
    admin: bool,
    /// The letter that opens it after `g`.
    key: char,
}

const fn panel(name: &'static str, path: &'static str, title: &'static str, admin: bool, key: char) -> Panel {
    Panel { name, path, title, admin, key }
}

/// The panels by group, in the order of the navigation.
const PANELS: &[(&str, &[Panel])] = &[
    ("Bot", &[panel("status", "/status", "Status", false, 's'), panel("logs", "/logs", "Logs", false, 'l')]),
    (
        "Research",
        &[
            panel("backtests", "/backtest", "Backtests", false, 'b'),
            panel("sweeps", "/sweep", "Sweeps", false, 'w'),
            panel("test", "/test", "Test", true, 't'),
        ],
    ),
    (
        "Books",
        &[panel("ledger", "/ledger", "Ledger", false, 'j'), panel("coa", "/coa", "Chart of accounts", false, 'c')],
    ),
    (
        "Setup",
        &[
            panel("settings", "/settings", "Settings", false, 'e'),
            panel("configuration", "/configuration", "Configuration", true, 'f'),
            panel("account", "/account", "Account and users", false, 'u'),
        ],
    ),
    (
        "Security",
        &[
            panel("keys", "/keys", "Keys", true, 'k'),
            panel("backups", "/backups", "Backups", true, 'p'),
            panel("audit", "/audit", "Audit", true, 'a'),
        ],
    ),
];

#[derive(Template)]
#[template(path = "pages/main.html")]
struct MainPage<'a> {
    frame: Frame<'a>,
    groups: &'static [(&'static str, &'static [Panel])],
}

impl MainPage<'_> {
    fn may(&self, panel: &Panel) -> bool {
        !panel.admin || self.frame.is_admin()
    }

    fn any(&self, panels: &[Panel]) -> bool {
        panels.iter().any(|panel| self.may(panel))
    }
}

/// Panels that come without data: their modules fetch what they show.
macro_rules! panels {
    ($($page:ident $path:literal)*) => {
        $(#[derive(Template)]
        #[template(path = $path)]
        struct $page<'a> {
            frame: Frame<'a>,
        })*
    };
}

panels! {
    StatusPage "pages/status.html"
    SettingsPage "pages/settings.html"
    LogsPage "pages/logs.html"
    AccountPage "pages/account.html"
    AuditPage "pages/audit.html"
    KeysPage "pages/keys.html"
    BackupsPage "pages/backups.html"
    LedgerPage "pages/ledger.html"
    CoaPage "pages/coa.html"
    TestPage "pages/test.html"
    BacktestPage "pages/backtest.html"
    SweepPage "pages/sweep.html"
}

/// The HTML of a page.
///
/// # Errors
/// The page does not have the data that its template needs.
pub fn render(page: &Page, csrf: &str, look: Look) -> Result<String, askama::Error> {
    let frame = Frame { context: &page.context, csrf, look };
    match page.name {
        PageName::Configuration => ConfigurationPage { frame, groups: GROUPS, form: data(page)? }.render(),
        PageName::Wait => WaitPage { frame, data: data(page)? }.render(),
        PageName::Register => RegisterPage { frame, data: data(page)? }.render(),
        PageName::Login => LoginPage { frame, data: data(page)? }.render(),
        PageName::Error => {
            let form = ConfigurationData::default();
            ErrorPage { frame, data: data(page)?, groups: GROUPS, form }.render()
        }
        PageName::Refused => RefusedPage { frame, data: data(page)? }.render(),
        PageName::Main => MainPage { frame, groups: PANELS }.render(),
        PageName::Status => StatusPage { frame }.render(),
        PageName::Settings => SettingsPage { frame }.render(),
        PageName::Logs => LogsPage { frame }.render(),
        PageName::Account => AccountPage { frame }.render(),
        PageName::Audit => AuditPage { frame }.render(),
        PageName::Keys => KeysPage { frame }.render(),
        PageName::Backups => BackupsPage { frame }.render(),
        PageName::Ledger => LedgerPage { frame }.render(),
        PageName::Coa => CoaPage { frame }.render(),
        PageName::Test => TestPage { frame }.render(),
        PageName::Backtest => BacktestPage { frame }.render(),
        PageName::Sweep => SweepPage { frame }.render(),
    }
}

fn data<T: for<'de> Deserialize<'de>>(page: &Page) -> Result<T, askama::Error> {
    T::deserialize(&page.data).map_err(askama::Error::custom)
}

/// A page that needs nothing from the core.
pub fn plain(status: u16, message: &str, look: Look) -> String {
    Plain { status, message, look }.render().unwrap_or_else(|_| message.to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::runtime::protocol::PageUser;

    const ALL: [PageName; 19] = [
        PageName::Configuration,
        PageName::Wait,
        PageName::Register,
        PageName::Login,
        PageName::Main,
        PageName::Status,
        PageName::Settings,
        PageName::Logs,
        PageName::Ledger,
        PageName::Coa,
        PageName::Test,
        PageName::Account,
        PageName::Backtest,
        PageName::Sweep,
        PageName::Audit,
        PageName::Keys,
        PageName::Backups,
        PageName::Error,
        PageName::Refused,
    ];

    fn html(name: PageName, admin: bool, data: Value) -> String {
        let user = PageUser { id: 1, username: "<ada>".to_string(), admin };
        let context = Context {
            phase: Phase::Main,
            bot_state: "idle".to_string(),
            identity: "<E>_US_SIM_B".to_string(),
            version: "v1.0.0".to_string(),
            user: Some(user),
            csrf: None,
        };
        render(&Page { name, context, data }, "to\"ken", Look { theme: Some("dark"), framed: false }).unwrap()
    }

    #[test]
    fn every_page_renders_without_data_and_keeps_to_the_policy() {
        for name in ALL {
            let html = html(name, true, json!({}));
            assert!(html.starts_with("<!doctype html>") && html.trim_end().ends_with("</html>"), "{name:?}");
            assert_eq!(html.matches("<h1").count(), 1, "{name:?}");
            assert!(html.contains("data-theme=\"dark\"") && html.contains("content=\"to&#34;ken\""), "{name:?}");
            for forbidden in ["style=", "<style", " onclick", " onload", "javascript:", "http://", "https://fonts"] {
                assert!(!html.contains(forbidden), "{name:?} has {forbidden}");
            }
            let scripts = html.matches("<script").count();
            assert_eq!(html.matches(" src=\"/static/js/").count(), scripts, "{name:?}: no script stands in a page");
            assert_eq!(html.matches("<script type=\"module\"").count(), 1, "{name:?}");
            assert!(!html.contains("<E>") && !html.contains("<ada>"), "{name:?} escapes");
        }
    }

    #[test]
    fn every_module_and_style_that_a_page_names_exists() {
        for name in ALL {
            let html = html(name, true, json!({}));
            for part in html.split("/static/").skip(1) {
                let path = part.split('"').next().unwrap_or_default();
                assert!(crate::web::assets::get(path, &axum::http::HeaderMap::new()).is_some(), "{name:?}: {path}");
            }
        }
    }

    #[test]
    fn an_error_of_a_field_is_tied_to_it_and_what_was_entered_is_kept() {
        let data = json!({
            "values": { "entity_code": "acme\"><script>", "broker_code": "IBKR" },
            "set": ["broker_api_key"],
            "errors": { "entity_code": "Capitals & digits only.", "nonsense": "There is no such field." },
            "initial": true, "setup_token_needed": true, "message": null,
        });
        let html = html(PageName::Configuration, true, data);
        assert!(html.contains("value=\"acme&#34;&#62;&#60;script&#62;\""));
        assert!(html.contains("aria-describedby=\"entity_code-hint entity_code-error\" aria-invalid=\"true\""));
        assert!(html.contains("id=\"entity_code-error\">Capitals &#38; digits only."));
        assert!(html.contains("nonsense: There is no such field."));
        assert!(html.contains("<option value=\"IBKR\" selected>"));
        assert!(html.contains("name=\"setup_token\""));
    }

    #[test]
    fn every_input_has_a_label_and_no_secret_a_value() {
        let values: BTreeMap<&str, &str> =
            GROUPS.iter().flat_map(|group| group.fields).map(|field| (field.name, "hunter2")).collect();
        for initial in [true, false] {
            let html = html(PageName::Configuration, true, json!({ "values": values, "initial": initial }));
            for field in GROUPS.iter().flat_map(|group| group.fields) {
                assert_eq!(html.matches(&format!("<label for=\"{}\"", field.name)).count(), 1, "{}", field.name);
                assert_eq!(html.matches(&format!(" id=\"{}\"", field.name)).count(), 1, "{}", field.name);
            }
            for input in html.split("<input type=\"password\"").skip(1) {
                assert!(!input.split('>').next().unwrap_or_default().contains("value="));
            }
        }
    }

    #[test]
    fn a_viewer_sees_no_panel_of_an_admin_and_no_kill_switch() {
        let (admin, viewer) = (html(PageName::Main, true, json!({})), html(PageName::Main, false, json!({})));
        for only in ["id=\"kill\"", "data-panel=\"keys\"", "data-panel=\"audit\"", "title=\"Configuration\""] {
            assert!(admin.contains(only) && !viewer.contains(only), "{only}");
        }
        assert!(viewer.contains("title=\"Status\"") && viewer.contains("title=\"Ledger\""));
        assert!(!viewer.contains("<h2>Security</h2>"));
    }

    #[test]
    fn the_steps_of_a_provisioning_say_what_is_done_what_runs_and_what_waits() {
        let status = |state: &str, step: &str, steps_done| ProvisioningStatus {
            state: state.to_string(),
            step: step.to_string(),
            steps_done,
            steps_total: 6,
            message: String::new(),
        };
        let states = |status: ProvisioningStatus| status.steps().iter().map(|step| step.2).collect::<Vec<_>>();
        let expected = ["done", "done", "running", "waiting", "waiting", "waiting"];
        assert_eq!(states(status("running", "secrets", 2)), expected);
        assert_eq!(states(status("failed", "config", 1))[..2], ["done", "failed"]);
        assert_eq!(states(status("done", "launch", 6)), ["done"; 6]);
    }
}
