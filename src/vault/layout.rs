//! Where everything lies in the data folder, and which key protects it.

use super::Category;

/// Flags, the state word, the lock and the socket.
pub const CONTROL: &str = "control";
/// The file whose lock makes a process the owner of the data folder.
pub const LOCK: &str = "control/core.lock";
/// One file a backtest or sweep that was started from the browser.
pub const JOBS: &str = "control/jobs";
/// Data sets of the user's own, beside those that are part of the program.
pub const DATASETS: &str = "datasets";
/// Results of backtests, sweeps and walk-forward analyses.
pub const RESULTS: &str = "backtest_results";
/// One key file a category, and the manifest.
pub const KEYS: &str = "storage/keys";
/// Fingerprints of the keys, under the key `env`.
pub const MANIFEST: &str = "storage/keys/manifest.json.enc";
/// Encrypted credentials and configuration.
pub const SECRETS: &str = "storage/secrets";
/// The audit log and its head.
pub const AUDIT: &str = "storage/audit";
/// Encrypted backups.
pub const BACKUPS: &str = "storage/backups";
/// Encrypted SQLite images.
pub const DATABASES: &str = "core/databases";
/// A restore that is under way: the content of the backup, under the key `env`.
pub const RESTORE: &str = "storage/secrets/restore.enc";

/// The folders that every data folder has.
pub const FOLDERS: [&str; 11] =
    [CONTROL, JOBS, KEYS, SECRETS, AUDIT, BACKUPS, DATABASES, OUTPUT, "logs", RESULTS, DATASETS];

/// What the core says of itself: status files, no secrets.
pub const OUTPUT: &str = "output";

/// Whether the disk of the vault writes in this folder, so that temporary files there are left over from its writes.
pub(super) fn is_ours(folder: &str) -> bool {
    let said = folder.strip_prefix(OUTPUT).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    folder.is_empty() || said || [CONTROL, JOBS, KEYS, SECRETS, AUDIT, BACKUPS, DATABASES].contains(&folder)
}

/// Whether a file is one of secrets or of keys.
pub(super) fn is_secret(path: &str) -> bool {
    path.rsplit_once('/').is_some_and(|(folder, _)| [KEYS, SECRETS].contains(&folder))
}

/// A file of secret fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SecretFile {
    /// What else the configuration says.
    Env,
    /// A configuration that was accepted and is not yet provisioned.
    Staged,
    /// Entity, jurisdiction, broker, bot.
    BotIdentity,
    /// Credentials of the broker.
    Broker,
    /// Credentials of the broker to fail over to.
    BrokerFailover,
    /// Credentials of the mail server.
    Smtp,
    /// Credentials of the screener.
    ScreenerApi,
    /// Credentials of the accounting system.
    AcctApi,
    /// Slack, SMS and PagerDuty.
    AlertChannels,
    /// Bind address and public origin.
    NetworkConfig,
}

impl SecretFile {
    /// All of them.
    pub const ALL: [SecretFile; 10] = [
        SecretFile::Env,
        SecretFile::Staged,
        SecretFile::BotIdentity,
        SecretFile::Broker,
        SecretFile::BrokerFailover,
        SecretFile::Smtp,
        SecretFile::ScreenerApi,
        SecretFile::AcctApi,
        SecretFile::AlertChannels,
        SecretFile::NetworkConfig,
    ];

    /// Relative to the data folder.
    pub fn path(self) -> &'static str {
        match self {
            SecretFile::Env => "storage/secrets/env.json.enc",
            SecretFile::Staged => "storage/secrets/staged.enc",
            SecretFile::BotIdentity => "storage/secrets/bot_identity.json.enc",
            SecretFile::Broker => "storage/secrets/broker_credentials.json.enc",
            SecretFile::BrokerFailover => "storage/secrets/broker_failover_credentials.json.enc",
            SecretFile::Smtp => "storage/secrets/smtp_credentials.json.enc",
            SecretFile::ScreenerApi => "storage/secrets/screener_api.json.enc",
            SecretFile::AcctApi => "storage/secrets/acct_api_credentials.json.enc",
            SecretFile::AlertChannels => "storage/secrets/alert_channels.json.enc",
            SecretFile::NetworkConfig => "storage/secrets/network_config.json.enc",
        }
    }

    /// The key it is under.
    pub fn category(self) -> Category {
        match self {
            SecretFile::Env | SecretFile::Staged => Category::Env,
            SecretFile::BotIdentity => Category::BotIdentity,
            SecretFile::Broker | SecretFile::BrokerFailover => Category::Broker,
            SecretFile::Smtp => Category::Smtp,
            SecretFile::ScreenerApi => Category::ScreenerApi,
            SecretFile::AcctApi => Category::AcctApi,
            SecretFile::AlertChannels => Category::Alert,
            SecretFile::NetworkConfig => Category::Network,
        }
    }

    /// Whether another file comes first under its key.
    pub(super) fn is_second(self) -> bool {
        matches!(self, SecretFile::Staged | SecretFile::BrokerFailover)
    }

    /// Whether a provisioned data folder has it.
    pub fn is_required(self) -> bool {
        !matches!(self, SecretFile::Staged | SecretFile::BrokerFailover)
    }
}

/// A text that exists in its encrypted form only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TextFile {
    /// `.env`: paths of keys and secrets, limits of sessions and logins.
    Env,
    /// `.env_bot`: the settings of strategies, risk and run time.
    EnvBot,
}

impl TextFile {
    /// Both.
    pub const ALL: [TextFile; 2] = [TextFile::Env, TextFile::EnvBot];

    /// Relative to the data folder.
    pub fn path(self) -> &'static str {
        match self {
            TextFile::Env => ".env.enc",
            TextFile::EnvBot => "storage/secrets/.env_bot.enc",
        }
    }

    /// The key it is under.
    pub fn category(self) -> Category {
        match self {
            TextFile::Env => Category::EnvEnc,
            TextFile::EnvBot => Category::EnvBot,
        }
    }
}

/// A database that exists on disk as one encrypted image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DatabaseFile {
    /// Users, and what protects their logging in.
    Users,
    /// The ledger.
    Ledger,
    /// The chart of accounts.
    Coa,
}

impl DatabaseFile {
    /// All of them.
    pub const ALL: [DatabaseFile; 3] = [DatabaseFile::Users, DatabaseFile::Ledger, DatabaseFile::Coa];

    /// Relative to the data folder.
    pub fn path(self) -> &'static str {
        match self {
            DatabaseFile::Users => "core/databases/SYSTEM_USERS.db",
            DatabaseFile::Ledger => "core/databases/LEDGER.db",
            DatabaseFile::Coa => "core/databases/COA.db",
        }
    }

    /// The key it is under.
    pub fn category(self) -> Category {
        match self {
            DatabaseFile::Users => Category::Login,
            DatabaseFile::Ledger | DatabaseFile::Coa => Category::Env,
        }
    }

    /// Bytes of a page. Every save encrypts the whole image, and most tables hold a few rows; the ledger grows, and
    /// large pages hold a sixth more of its entries.
    pub(super) fn page_size(self) -> u32 {
        match self {
            DatabaseFile::Users | DatabaseFile::Coa => 1024,
            DatabaseFile::Ledger => 4096,
        }
    }

    /// The number in the image's header that says which database it is, so that two under the same key cannot be
    /// swapped: "tbU1", "tbL1", "tbC1" in ASCII.
    pub(super) fn application_id(self) -> i32 {
        match self {
            DatabaseFile::Users => 0x7462_5531,
            DatabaseFile::Ledger => 0x7462_4c31,
            DatabaseFile::Coa => 0x7462_4331,
        }
    }
}
