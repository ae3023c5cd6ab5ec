//! The ledger of a test: the entries that its fills would make, beside the books and never in them.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde_json::json;

use crate::accounting::{Event, Happening, Instrument, Lot, PostingError, SystemAccount, money, post};
use crate::market::{Nanos, format_time};
use crate::runtime::trading::execution_event;
use crate::session::LedgerFill;

/// Lots and cash in memory; entries as lines of text.
#[derive(Debug, Default)]
pub struct TrialLedger {
    lots: BTreeMap<Instrument, Vec<Lot>>,
    cash: Decimal,
    entries: u64,
}

impl TrialLedger {
    /// The entry of the cash at the beginning, one JSON object.
    ///
    /// # Errors
    /// It cannot be booked.
    pub fn open(&mut self, test: &str, cash: f64, time: Nanos) -> Result<String, PostingError> {
        let amount = money::round(money::decimal(cash)?);
        self.book(&Event::new(format!("TEST:{test}:opening"), time, Happening::OpeningCash { amount }))
    }

    /// The entry of an execution, one JSON object.
    ///
    /// # Errors
    /// It cannot be booked.
    pub fn fill(&mut self, fill: &LedgerFill) -> Result<String, PostingError> {
        let event = execution_event("TEST", None, fill)?;
        self.book(&event)
    }

    /// Cash, dollars.
    pub fn cash(&self) -> Decimal {
        self.cash
    }

    /// How many entries there are.
    pub fn entries(&self) -> u64 {
        self.entries
    }

    fn book(&mut self, event: &Event) -> Result<String, PostingError> {
        let own = event.what.instrument();
        let open = own.and_then(|instrument| self.lots.get(instrument)).map_or(&[][..], Vec::as_slice);
        let posting = post(event, open)?;
        if let Some(instrument) = own {
            self.lots.insert(instrument.clone(), posting.lots);
        }
        self.cash += posting.lines.net(SystemAccount::Cash.code());
        self.entries += 1;
        let entry = json!({
            "reference": event.reference,
            "utc": format_time(event.time),
            "memo": event.what.describe(),
            "lines": posting.lines.lines(),
        });
        Ok(entry.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(side: &str, qty: f64, price: f64) -> LedgerFill {
        LedgerFill {
            execution: format!("t-{side}-{qty}"),
            time: 1_700_000_000_000_000_000,
            order: 1,
            strategy: "open".to_string(),
            instrument: "AAA".to_string(),
            side: side.to_string(),
            qty,
            price,
            commission: 1.0,
        }
    }

    /// 1000 - (10 x 20 + 1) + (10 x 21 - 1) = 1008; the gain is 10 x (21 - 20).
    #[test]
    fn fills_become_balanced_entries_and_cash_follows() {
        let mut ledger = TrialLedger::default();
        ledger.open("t", 1_000.0, 0).unwrap();
        ledger.fill(&fill("buy", 10.0, 20.0)).unwrap();
        let sold: serde_json::Value = serde_json::from_str(&ledger.fill(&fill("sell", 10.0, 21.0)).unwrap()).unwrap();
        assert_eq!((ledger.cash(), ledger.entries()), (Decimal::from(1_008), 3));
        let side = |name: &str| -> Decimal {
            let lines = sold["lines"].as_array().unwrap();
            lines.iter().map(|line| line[name].as_str().unwrap().parse::<Decimal>().unwrap()).sum()
        };
        assert_eq!(side("debit"), side("credit"));
        assert!(ledger.lots[&Instrument::share("AAA")].is_empty());
    }
}
