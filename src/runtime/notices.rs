//! What people are told of the bot, and how it is logged.

use std::sync::Arc;

use super::core::Core;
use super::logs::{Level as LogLevel, LogBook, LogName, Record};
use super::stored_settings::StoredSettings;
use super::{BotState, House};
use crate::market::Nanos;
use crate::notify::{Attempt, Channels, Journal, Kind, Level, Notice, Policy};
use crate::vault::audit::{Action, Entry};
use crate::vault::{Actor, SecretFile, secrets};

impl House {
    /// Follows the settings and the configuration of the channels as they are now.
    pub fn refresh_notices(&self) {
        let read = |file| secrets::read_fields(&self.disk, &self.keys, file).ok().flatten().unwrap_or_default();
        let channels = Channels::of(&read(SecretFile::Smtp), &read(SecretFile::AlertChannels));
        let source = self.identity();
        // Those on the disk: whether they are remembered is not the business of notices.
        if let Ok(stored) = StoredSettings::read(&self.disk, &self.keys) {
            let policy = Policy::of(&stored.settings, channels, &source);
            self.notifier.set_policy(policy);
        }
    }

    /// Tells people. Nobody waits for it.
    pub fn tell_people(&self, notice: Notice, now: Nanos) {
        // What is held back is counted there, and what is not delivered is in the log of notices.
        let _ = self.notifier.tell(notice, now);
    }

    /// Tells people of a change of the bot's state, if it is one that they want to know of.
    pub(super) fn tell_of_state(&self, before: BotState, after: BotState, now: Nanos) {
        let faults = if self.faults.is_empty() { String::new() } else { format!(" {}.", self.faults.join("; ")) };
        let (level, title, text) = match (before, after) {
            (_, BotState::Error) => {
                let text = format!("It was {before} before.{faults} An admin must look at it.");
                (Level::Critical, "The bot is halted by an error", text)
            }
            (_, BotState::EmergencyClosingPositions | BotState::ShutdownTriggered) => {
                (Level::Critical, "All positions are being closed at once", format!("The bot was {before} before."))
            }
            (_, BotState::Shutdown) => {
                let text = "It holds no position. An admin must acknowledge it before it trades again.".to_string();
                (Level::Critical, "The bot was stopped for good", text)
            }
            (_, BotState::GracefulClosingPositions) => {
                (Level::Routine, "The session is being stopped", "Positions are being closed in order.".to_string())
            }
            (BotState::Idle, BotState::Analyzing) => {
                (Level::Routine, "A session has started", "The bot is analyzing.".to_string())
            }
            (before, BotState::Idle) if before.in_session() || before.is_closing() => {
                (Level::Routine, "The session has ended", "The bot is idle.".to_string())
            }
            _ => return,
        };
        self.tell_people(Notice::new(level, Kind::State, title, &text), now);
    }

    /// Tells people if the audit log was found broken.
    pub(super) fn tell_of_audit(&mut self, now: Nanos) {
        if let Some(first_bad) = self.audit.broken_from() {
            let text = format!("Entry {first_bad} is wrong or missing. The log was set aside; a new one goes on.");
            self.tell_people(Notice::new(Level::Critical, Kind::Audit, "The audit log was changed", &text), now);
        }
    }

    /// Audits that somebody tries a channel.
    pub(super) fn note_test(&mut self, actor: &Actor, channel: &str, status: &str, now: Nanos) {
        self.audit.note(Entry::new(now, actor, Action::NotifyTest, channel, status));
    }
}

impl Core {
    /// Sends notices until `stop` is ready, and writes what became of each into `notifications.log`.
    pub(super) async fn send_notices(self: Arc<Core>, stop: impl Future<Output = ()>) {
        let clock = Arc::clone(&self.clock);
        self.notifier.run(clock, journal(Arc::clone(&self.logs)), stop).await;
    }
}

fn journal(logs: Arc<LogBook>) -> Journal {
    Arc::new(move |attempt: &Attempt| {
        let Attempt { utc, notice, channel, outcome, detail } = attempt;
        let level = match *outcome {
            "delivered" => LogLevel::Info,
            "undelivered" if notice.level == Level::Critical => LogLevel::Error,
            _ => LogLevel::Warn,
        };
        let mut record = Record::new(*utc, level, notice.kind.word(), notice.title.clone());
        let channel = channel.map_or("none", |channel| channel.word());
        for (name, value) in
            [("level", notice.level.word()), ("channel", channel), ("outcome", outcome), ("why", detail.as_str())]
        {
            record.detail.insert(name.to_string(), value.into());
        }
        logs.write(LogName::Notifications, &record);
    })
}
