//! What the core answers, one file a subject. An operation gets what the core owns, who asks, and what the request
//! brings; it gives a reply or a refusal.

pub mod configuration;
pub mod entry;
pub mod error;
pub mod jobs;
pub mod login;
pub mod register;
pub mod results;
pub mod users;
pub mod wait;
