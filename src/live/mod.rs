//! The trading thread: a session with its journal, what feeds it, and what carries out its requests.
//!
//! [`Host`] waits on one inbox for whatever arrives: market data and order updates from a broker, answers to
//! requests, and what somebody asks for. Each becomes an input of the session, which is written down before it is acted
//! on; what follows is handed to the [`OrderDesk`], which talks to the broker, and told to whoever listens. It waits for
//! nobody: no lock that others hold for long, no file but the journal, no call over the network.
//!
//! | file | subject |
//! | --- | --- |
//! | `host` | the trading thread |
//! | `feed` | what brings the market and the time to a session |
//! | `played` | the newest session of a recorded data set, at any speed |
//! | `broker_feed` | the streams of a broker |
//! | `line` | the connection to a broker: its threads, and what is fetched before a session begins |
//! | `desk` | carries out what a session asks of its broker |
//! | `words` | a broker's terms in those of a session, and back |
//! | `priority` | which threads run before others |
//! | `latency` | how long it takes from what arrives to the order |

mod broker_feed;
mod desk;
mod feed;
mod host;
mod latency;
mod line;
mod played;
pub mod priority;
pub mod words;

pub use broker_feed::{BrokerFeed, MarketClock};
pub use desk::{Answers, OrderDesk, REQUEST_PAUSES};
pub use feed::{Feed, Heard};
pub use host::{Arrival, Ask, Ending, Host, Inbox, Received, Shown, Told};
pub use latency::{Latency, LatencySummary};
pub use line::{Line, LineError, Opening};
pub use played::{PlayedDay, is_command};
