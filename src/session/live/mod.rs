//! The venue of a real broker, without the broker: what to ask of it, and what follows from what it says.
//!
//! The core's order is one thing, what lies at the broker another. A child waits here until its parent has filled,
//! and goes to the broker for as much as it filled; what fills in one order of a group is taken from the others; an
//! exit may have to wait until the shares that another one holds are free. So each order of the core has any number
//! of **wires**: orders at the broker, each with a client order id made of session, order and number, decided and
//! derivable before it is sent.
//!
//! After every input [`LiveVenue`] compares, for each open order, the quantity that should lie at the broker with the
//! one that does, and asks for the difference. Nothing else sends anything. A wire is never sent twice: whether one
//! that was sent exists is found out by asking for its id.
//!
//! # What we believe, what the broker says, what we do
//!
//! | we believe | the broker says | we do |
//! | --- | --- | --- |
//! | sent, no word yet | it has it | take its state, book what it filled |
//! | sent, no word yet | it never had it | an entry ends as rejected; an exit that is still wanted goes out as a new wire |
//! | sent, no word yet | it does not know it, for long | an entry ends as rejected; an exit is sent again under its id |
//! | sent, no word yet | nothing, and the process is a new one | ask; an exit that it does not know is sent again under its id |
//! | sent or open, an entry | rejected, or canceled by its hand | end it |
//! | sent or open, an exit | rejected, or canceled by its hand | a new wire after a pause; the third time a stop goes to the market, and a limit ends |
//! | an exit is to be sent | an order on the other side is open, and it takes no both | call that back, an entry that is just filling after a moment; then send |
//! | open | open | nothing |
//! | open | more is filled | its exits count it at once; book the executions, ask for those that are missing |
//! | open | ended | book the executions, then end it |
//! | open | it does not know it | unknown, never canceled: no entries, somebody must look |
//! | never arrived, or refused | open after all | cancel it, book what it filled |
//! | ended | another execution | book it; what it opens and no exit of it guards is closed at the market |
//! | anything | it takes no requests | no entries, somebody must look; exits and cancels are tried until it does |
//! | nothing, but the id is of this session | open | cancel it, tell |
//! | nothing, the id is not ours | anything | leave it alone |
//! | positions | others | no entries until they agree |
//! | anything in a symbol | trading in it is halted | no entries in it; exits at the market wait, stops and limits lie |

mod broker;
mod converge;
mod entry;
mod venue;
mod wire;

pub use broker::{BrokerEvent, Execution, Report, Request, VenueRules};
pub use venue::{KnownWire, LiveVenue};
