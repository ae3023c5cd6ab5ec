//! The fourteen categories: one key each, one purpose each.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What a key is for. Each category has one key file and encrypts its own files only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// `SYSTEM_USERS.db` and what else belongs to logging in.
    Login,
    /// Session tokens, which live in cookies only.
    Session,
    /// The chain of the audit log and its head.
    Audit,
    /// Backups, except portable ones.
    Backup,
    /// The manifest of the keys, `env.json.enc`, the staged configuration, ledger and chart of accounts.
    Env,
    /// The text `.env`.
    EnvEnc,
    /// The text `.env_bot`.
    EnvBot,
    /// Broker credentials.
    Broker,
    /// Entity, jurisdiction, broker and bot: who this bot is.
    BotIdentity,
    /// Mail server credentials.
    Smtp,
    /// Screener credentials.
    ScreenerApi,
    /// Accounting credentials.
    AcctApi,
    /// Alert channels.
    Alert,
    /// Bind address and public origin.
    Network,
}

impl Category {
    /// All categories, in the order of the contract.
    pub const ALL: [Category; 14] = [
        Category::Login,
        Category::Session,
        Category::Audit,
        Category::Backup,
        Category::Env,
        Category::EnvEnc,
        Category::EnvBot,
        Category::Broker,
        Category::BotIdentity,
        Category::Smtp,
        Category::ScreenerApi,
        Category::AcctApi,
        Category::Alert,
        Category::Network,
    ];

    /// The name in file names, manifests and messages.
    pub fn name(self) -> &'static str {
        match self {
            Category::Login => "login",
            Category::Session => "session",
            Category::Audit => "audit",
            Category::Backup => "backup",
            Category::Env => "env",
            Category::EnvEnc => "env_enc",
            Category::EnvBot => "env_bot",
            Category::Broker => "broker",
            Category::BotIdentity => "bot_identity",
            Category::Smtp => "smtp",
            Category::ScreenerApi => "screener_api",
            Category::AcctApi => "acct_api",
            Category::Alert => "alert",
            Category::Network => "network",
        }
    }

    /// The key file, relative to the data folder.
    pub fn key_path(self) -> String {
        format!("{}/{}.key", super::layout::KEYS, self.name())
    }
}

impl fmt::Display for Category {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that is no category.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' is not a key category; expected one of login, session, audit, backup, env, env_enc, env_bot, broker, bot_identity, smtp, screener_api, acct_api, alert, network"
)]
pub struct UnknownCategory(pub String);

impl FromStr for Category {
    type Err = UnknownCategory;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Category::ALL.into_iter().find(|c| c.name() == name).ok_or_else(|| UnknownCategory(name.to_string()))
    }
}
