//! The web process: HTTP to browsers, the Unix socket to the core, and nothing else. It holds no key and opens no file
//! of the data folder; killing it changes nothing.
//!
//! A request becomes a [`Request`](crate::runtime::protocol::Request), the core decides, and its
//! [`Reply`](crate::runtime::protocol::Reply) becomes JSON, a page or a redirection. Limits of size and time, headers
//! and cookies are the web's part.

mod assets;
mod browser;
mod client;
mod exchange;
mod form;
mod handler;
mod headers;
mod listener;
mod look;
mod pages;
mod respond;

pub use client::CoreClient;
pub use handler::{Settings, router};
pub use listener::{ListenError, Tls, serve};
