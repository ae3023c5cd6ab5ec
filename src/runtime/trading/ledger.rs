//! Executions into the books.

use super::side;
use crate::accounting::{BooksError, Event, Fill, Happening, Instrument, MoneyError, Outcome};
use crate::market::{Nanos, SymbolId};
use crate::runtime::House;
use crate::session::LedgerFill;
use crate::trading::{self, OrderId};
use crate::vault::Storage;

/// The event of an execution. Its reference makes it one, however often it is booked. `flag` marks what was not
/// traded with real money.
///
/// # Errors
/// A number that books cannot hold.
pub fn event(broker: &str, flag: Option<&str>, fill: &LedgerFill) -> Result<Event, MoneyError> {
    let core = trading::Fill {
        order: OrderId(fill.order),
        time: fill.time,
        symbol: SymbolId(0),
        side: side(&fill.side),
        qty: fill.qty,
        price: fill.price,
        commission: fill.commission,
        slippage: 0.0,
    };
    let what = Happening::Fill(Fill::from_core(&core, Instrument::of_symbol(&fill.instrument), 0.0)?);
    let flags = flag.into_iter().map(str::to_string).chain([fill.strategy.clone()]).collect();
    Ok(Event { flags, ..Event::new(format!("{broker}:{}", fill.execution), fill.time, what) })
}

/// Books events, all or, if one of them cannot be booked, each that can. Gives back what somebody has to look at.
///
/// # Errors
/// Nothing could be booked now; it may be tried again.
pub fn book(house: &mut House, events: &[Event], now: Nanos) -> Result<Vec<String>, String> {
    let House { books, disk, keys, .. } = house;
    let Some(books) = books.as_mut() else { return Err("the books cannot be read".to_string()) };
    let storage = || Storage { disk, keys };
    let conflicts = |posted: Vec<crate::accounting::Posted>, events: &[Event]| {
        let of = events.iter().zip(posted).filter(|(_, posted)| posted.outcome == Outcome::Conflict);
        let words = of.map(|(event, posted)| {
            format!("execution {} differs from ledger entry {} under that reference", event.reference, posted.entry)
        });
        words.collect::<Vec<String>>()
    };
    match books.post(storage(), events, now) {
        Ok(posted) => Ok(conflicts(posted, events)),
        Err(BooksError::Event { .. }) => {
            let mut strange = Vec::new();
            for event in events {
                let one = std::slice::from_ref(event);
                match books.post(storage(), one, now) {
                    Ok(posted) => strange.extend(conflicts(posted, one)),
                    Err(error @ BooksError::Event { .. }) => strange.push(error.to_string()),
                    Err(error) => return Err(crate::runtime::start::safe_books(&error)),
                }
            }
            Ok(strange)
        }
        Err(error) => Err(crate::runtime::start::safe_books(&error)),
    }
}
