//! The configuration form in words: groups, labels and help of the fields that `POST /configuration` takes.
//!
//! The core checks what is entered; here is only how it is asked for. Secret fields are never filled in again.

/// How a field is entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// A line of text.
    Text,
    /// A secret: hidden while typed, never sent back.
    Secret,
    /// A whole number.
    Number { low: u32, high: u32 },
    /// An e-mail address.
    Email,
    /// One of these values, each with its label.
    Choice(&'static [(&'static str, &'static str)]),
}

/// A field.
#[derive(Debug)]
pub struct Field {
    /// Its name in the form and in the API.
    pub name: &'static str,
    /// What stands before it.
    pub label: &'static str,
    /// How it is entered.
    pub entry: Entry,
    /// What is expected.
    pub hint: &'static str,
    /// The brokers that need it; empty: it does not depend on the broker.
    pub brokers: &'static str,
    /// Whether it must be filled in whenever it is shown.
    pub required: bool,
}

impl Field {
    const fn new(name: &'static str, label: &'static str, entry: Entry, hint: &'static str) -> Field {
        Field { name, label, entry, hint, brokers: "", required: false }
    }

    const fn required(mut self) -> Field {
        self.required = true;
        self
    }

    const fn of(mut self, brokers: &'static str) -> Field {
        self.brokers = brokers;
        self
    }

    /// The type of its input.
    pub fn input_type(&self) -> &'static str {
        match self.entry {
            Entry::Text | Entry::Choice(_) => "text",
            Entry::Secret => "password",
            Entry::Number { .. } => "number",
            Entry::Email => "email",
        }
    }

    /// Whether it is a secret.
    pub fn is_secret(&self) -> bool {
        self.entry == Entry::Secret
    }

    /// Lowest and highest number.
    pub fn range(&self) -> Option<(u32, u32)> {
        match self.entry {
            Entry::Number { low, high } => Some((low, high)),
            _ => None,
        }
    }

    /// What can be chosen.
    pub fn choices(&self) -> Option<&'static [(&'static str, &'static str)]> {
        match self.entry {
            Entry::Choice(choices) => Some(choices),
            _ => None,
        }
    }

    /// Whether its value is one of a few capitals and digits.
    pub fn is_code(&self) -> bool {
        matches!(self.name, "entity_code" | "jurisdiction_code" | "bot_id")
    }
}

/// Fields that belong together; a category of `PUT /api/v1/configuration/{category}`.
#[derive(Debug)]
pub struct Group {
    /// Its name in the API.
    pub name: &'static str,
    /// Its heading.
    pub title: &'static str,
    /// What it is for.
    pub about: &'static str,
    /// Whether the bot works without it.
    pub optional: bool,
    /// Its fields.
    pub fields: &'static [Field],
}

use Entry::{Choice, Email, Number, Secret, Text};

const BROKERS: &[(&str, &str)] = &[
    ("SIM", "SIM: simulated, no account needed"),
    ("ALPACA", "ALPACA: Alpaca Markets"),
    ("IBKR", "IBKR: Interactive Brokers"),
    ("TRADIER", "TRADIER: Tradier Brokerage"),
];

/// All groups, in the order of the form.
pub const GROUPS: &[Group] = &[
    Group {
        name: "identity",
        title: "Identity",
        about: "Names this bot in its files, logs and books.",
        optional: false,
        fields: &[
            Field::new("entity_code", "Entity code", Text, "Who trades. 1 to 16 capitals and digits.").required(),
            Field::new("jurisdiction_code", "Jurisdiction code", Text, "Such as USA. 1 to 16 capitals and digits.")
                .required(),
            Field::new("broker_code", "Broker", Choice(BROKERS), "Where orders go.").required(),
            Field::new("bot_id", "Bot ID", Text, "Such as BOT1. 1 to 16 capitals and digits.").required(),
        ],
    },
    Group {
        name: "broker",
        title: "Broker account",
        about: "Access to the account that is traded.",
        optional: false,
        fields: &[
            Field::new("broker_url", "URL", Text, "https:// address of the broker's API, or tws://host:port for IBKR.")
                .of("ALPACA IBKR TRADIER"),
            Field::new("broker_host", "Host", Text, "Host of TWS or IB Gateway, if it is not in the URL.").of("IBKR"),
            Field::new("broker_api_key", "API key", Secret, "From the broker's website.").of("ALPACA TRADIER"),
            Field::new("broker_secret_key", "Secret key", Secret, "Belongs to the API key.").of("ALPACA"),
            Field::new("broker_account_number", "Account number", Text, "The account that is traded.")
                .of("ALPACA IBKR TRADIER"),
            Field::new("broker_username", "User name", Text, "Only if the broker asks for one.")
                .of("ALPACA IBKR TRADIER"),
            Field::new("broker_password", "Password", Secret, "Only if the broker asks for one.")
                .of("ALPACA IBKR TRADIER"),
        ],
    },
    Group {
        name: "smtp",
        title: "E-mail",
        about: "Where reports and alerts are sent from and to.",
        optional: true,
        fields: &[
            Field::new("smtp_host", "Server", Text, "Such as smtp.example.com."),
            Field::new("smtp_port", "Port", Number { low: 1, high: 65_535 }, "587 or 465 with most providers."),
            Field::new("smtp_username", "User name", Text, "As the provider gave it."),
            Field::new("smtp_password", "Password", Secret, "As the provider gave it."),
            Field::new("smtp_from", "From", Email, "Sender of the messages."),
            Field::new("smtp_to", "To", Text, "Who receives them; several with commas between."),
        ],
    },
    Group {
        name: "screener",
        title: "Screener",
        about: "The service that lists the stocks to choose from.",
        optional: true,
        fields: &[
            Field::new("screener_name", "Service", Text, "Its name."),
            Field::new("screener_url", "URL", Text, "https:// address of its API."),
            Field::new("screener_api_key", "API key", Secret, "From the service's website."),
        ],
    },
    Group {
        name: "accounting",
        title: "Accounting",
        about: "The service that receives exports of the books.",
        optional: true,
        fields: &[
            Field::new("acct_api_url", "URL", Text, "https:// address of its API."),
            Field::new("acct_api_key", "API key", Secret, "From the service's website."),
        ],
    },
    Group {
        name: "alerts",
        title: "Alerts",
        about: "Further ways to reach you when something needs a person.",
        optional: true,
        fields: &[
            Field::new("slack_webhook_url", "Slack webhook URL", Secret, "https://hooks.slack.com/..."),
            Field::new("pagerduty_key", "PagerDuty key", Secret, "Integration key of the service."),
            Field::new("sms_url", "SMS URL", Text, "https:// address of the SMS service."),
            Field::new("sms_from", "SMS sender", Text, "Number or name that messages come from."),
            Field::new("sms_to", "SMS recipient", Text, "Number with country code."),
            Field::new("sms_token", "SMS token", Secret, "Access to the SMS service."),
        ],
    },
    Group {
        name: "network",
        title: "Network",
        about: "How browsers reach this interface.",
        optional: true,
        fields: &[
            Field::new(
                "bind_address",
                "Listen on",
                Text,
                "Address and port for the service file, such as 127.0.0.1:6900.",
            ),
            Field::new("public_origin", "Public origin", Text, "If a proxy is in front: https://bot.example.com."),
        ],
    },
    Group {
        name: "login",
        title: "Login rules",
        about: "Empty fields keep the default.",
        optional: true,
        fields: &[
            Field::new(
                "session_timeout",
                "Log out after inactivity",
                Number { low: 5, high: 86_400 },
                "Seconds; default 3000.",
            ),
            Field::new(
                "session_timeout_minutes",
                "Log out at the latest after",
                Number { low: 1, high: 10_080 },
                "Minutes; default 120.",
            ),
            Field::new(
                "login_attempt_limit",
                "Failed logins until locked",
                Number { low: 1, high: 100 },
                "Default 10.",
            ),
            Field::new("login_lockout_minutes", "Locked for", Number { low: 1, high: 1_440 }, "Minutes; default 15."),
        ],
    },
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::runtime::configuration::FIELDS;

    #[test]
    fn the_form_asks_for_the_fields_of_the_core_in_its_categories() {
        let asked: BTreeSet<(&str, &str, bool)> = GROUPS
            .iter()
            .flat_map(|group| group.fields.iter().map(|field| (field.name, group.name, field.is_secret())))
            .collect();
        let taken: BTreeSet<(&str, &str, bool)> =
            FIELDS.iter().map(|field| (field.name, field.group.word(), field.secret)).collect();
        assert_eq!(asked, taken);
    }
}
