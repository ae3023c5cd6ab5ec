//! What the core answers, one file a subject. An operation gets what the core owns, who asks, and what the request
//! brings; it gives a reply or a refusal.

pub mod audit;
pub mod backups;
pub mod change_configuration;
pub mod chart;
pub mod configuration;
pub mod control;
pub mod entry;
pub mod error;
pub mod jobs;
pub mod keys;
pub mod ledger;
pub mod login;
pub mod logs;
pub mod notices;
mod paging;
pub mod register;
pub mod reports;
pub mod results;
pub mod settings;
pub mod statements;
pub mod status;
pub mod test_mode;
pub mod users;
pub mod wait;
