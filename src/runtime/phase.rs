//! What the web may show, as a pure function of the bot's state and of what exists.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::state::BotState;

/// The part of the program that is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// The first configuration is to be entered.
    Configuration,
    /// Keys, secrets and databases are being made.
    Provisioning,
    /// The first user is to be registered.
    Registration,
    /// Everything, after a login.
    Main,
    /// The error page, and reading after a login.
    Error,
}

impl Phase {
    /// The word in `/api/v1/phase`.
    pub const fn word(self) -> &'static str {
        match self {
            Phase::Configuration => "configuration",
            Phase::Provisioning => "provisioning",
            Phase::Registration => "registration",
            Phase::Main => "main",
            Phase::Error => "error",
        }
    }

    /// The page that a request outside its phase is sent to.
    pub const fn page(self, logged_in: bool) -> &'static str {
        match self {
            Phase::Configuration => "/configuration",
            Phase::Provisioning => "/wait",
            Phase::Registration => "/register",
            Phase::Main if logged_in => "/main",
            Phase::Main => "/login",
            Phase::Error => "/error",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// The phase. `users` is the number of users in `SYSTEM_USERS.db`, `provisioned` whether a provisioning has ended.
///
/// What does not fit together is [`Phase::Error`]: a state file that says `initialize` where there are users or keys
/// must not open the configuration to whoever comes next, and an unprovisioned `idle` must not open the registration.
pub const fn phase(state: BotState, users: u64, provisioned: bool) -> Phase {
    match state {
        BotState::Initialize if users == 0 && !provisioned => Phase::Configuration,
        BotState::Provisioning | BotState::Bootstrapping => Phase::Provisioning,
        BotState::Idle | BotState::Analyzing | BotState::Trading | BotState::Monitoring | BotState::Updating
            if provisioned =>
        {
            if users == 0 {
                Phase::Registration
            } else {
                Phase::Main
            }
        }
        _ => Phase::Error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of the contract: phase with no user, phase with users.
    const TABLE: [(&str, &str, &str); 13] = [
        ("initialize", "configuration", "error"),
        ("provisioning", "provisioning", "provisioning"),
        ("bootstrapping", "provisioning", "provisioning"),
        ("idle", "registration", "main"),
        ("analyzing", "registration", "main"),
        ("trading", "registration", "main"),
        ("monitoring", "registration", "main"),
        ("updating", "registration", "main"),
        ("shutdown", "error", "error"),
        ("graceful_closing_positions", "error", "error"),
        ("emergency_closing_positions", "error", "error"),
        ("shutdown_triggered", "error", "error"),
        ("error", "error", "error"),
    ];

    #[test]
    fn phases_are_those_of_the_contract() {
        for (word, nobody, somebody) in TABLE {
            let state: BotState = word.parse().unwrap();
            let provisioned = !matches!(state, BotState::Initialize);
            assert_eq!(phase(state, 0, provisioned).word(), nobody, "{word} without users");
            for users in [1, 2, u64::MAX] {
                assert_eq!(phase(state, users, provisioned).word(), somebody, "{word} with {users}");
            }
        }
    }

    #[test]
    fn what_does_not_fit_together_opens_nothing() {
        for users in [0, 1] {
            assert_eq!(phase(BotState::Initialize, users, true), Phase::Error);
            assert_eq!(phase(BotState::Idle, users, false), Phase::Error);
            assert_eq!(phase(BotState::Trading, users, false), Phase::Error);
        }
    }

    #[test]
    fn configuration_is_open_in_one_case_only() {
        let mut open = Vec::new();
        for state in BotState::ALL {
            for users in [0, 1] {
                for provisioned in [false, true] {
                    if phase(state, users, provisioned) == Phase::Configuration {
                        open.push((state, users, provisioned));
                    }
                }
            }
        }
        assert_eq!(open, [(BotState::Initialize, 0, false)]);
    }

    #[test]
    fn a_phase_has_its_page() {
        assert_eq!(Phase::Main.page(false), "/login");
        assert_eq!(Phase::Main.page(true), "/main");
        assert_eq!(Phase::Provisioning.page(true), "/wait");
    }
}
