//! What is told.

/// How much it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Somebody must act: CRITICAL_ALERT_CHANNEL, and others if it fails.
    Critical,
    /// For information: ROUTINE_ALERT_CHANNEL.
    Routine,
}

impl Level {
    /// Its word.
    pub const fn word(self) -> &'static str {
        match self {
            Level::Critical => "critical",
            Level::Routine => "routine",
        }
    }
}

/// What it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// An order was filled (NOTIFY_ON_FILL).
    Fill,
    /// A position was closed (NOTIFY_ON_EXIT).
    Exit,
    /// Something failed (NOTIFY_ON_FAILURE).
    Failure,
    /// The bot's state.
    State,
    /// Backups.
    Backup,
    /// The audit log.
    Audit,
    /// Logins.
    Login,
    /// The share that is invested.
    Rebalance,
    /// Somebody tries a channel.
    Test,
}

impl Kind {
    /// Its word.
    pub const fn word(self) -> &'static str {
        match self {
            Kind::Fill => "fill",
            Kind::Exit => "exit",
            Kind::Failure => "failure",
            Kind::State => "state",
            Kind::Backup => "backup",
            Kind::Audit => "audit",
            Kind::Login => "login",
            Kind::Rebalance => "rebalance",
            Kind::Test => "test",
        }
    }
}

/// Most characters of a title and of a text.
const MOST_TITLE: usize = 200;
const MOST_TEXT: usize = 4_000;

/// Something that people are told. It holds no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// How much it matters.
    pub level: Level,
    /// What it is about.
    pub kind: Kind,
    /// One line.
    pub title: String,
    /// More.
    pub text: String,
    /// Notices with the same key are the same.
    pub key: String,
}

impl Notice {
    /// A notice; its key is its kind and title. Control characters become blanks, and what is too long is cut.
    pub fn new(level: Level, kind: Kind, title: &str, text: &str) -> Notice {
        let title: String = title.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MOST_TITLE).collect();
        let plain = |c: char| if c.is_control() && c != '\n' { ' ' } else { c };
        let text = text.chars().map(plain).take(MOST_TEXT).collect();
        let key = format!("{}:{title}", kind.word());
        Notice { level, kind, title, text, key }
    }

    /// Under another key.
    #[must_use]
    pub fn keyed(self, key: &str) -> Notice {
        Notice { key: format!("{}:{key}", self.kind.word()), ..self }
    }
}
