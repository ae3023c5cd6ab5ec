//! Comparison with the broker's records: what a stream did not say.
//!
//! The stream has no replay and no sequence numbers, and it can fall silent while it stays connected
//! (alpaca-trade-api-csharp#170). So the records are compared after every connect, and slowly while orders pend.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use rust_decimal::Decimal;

use super::Shared;
use crate::brokers::{BrokerError, BrokerEvent, OrderReport, Source, Status};
use crate::market::{Nanos, SECOND};
use crate::trading::OrderState;

/// How far clocks may be apart, and how late something may be entered into the records.
const MARGIN: Nanos = 60 * SECOND;

impl Shared {
    /// Reports everything that the records know and we do not. With `new_orders`, orders that we do not know are
    /// looked for too, and positions are reported.
    pub(super) async fn compare(&self, new_orders: bool) -> Result<(), BrokerError> {
        let _one_at_a_time = self.comparing.lock().await;
        let began = self.http.now();
        let mut records: BTreeMap<String, OrderReport> = BTreeMap::new();
        let mut enter = |reports: Vec<OrderReport>| {
            for report in reports {
                records.insert(report.broker_id.clone(), report);
            }
        };
        enter(self.open_orders().await?);
        if new_orders {
            let since = self.complete_until.load(Ordering::SeqCst).saturating_sub(MARGIN);
            enter(self.orders_since(since).await?);
        }
        // An order that is missing in a list may be filled, canceled or lost: it is asked for by its id.
        let missing: Vec<(String, OrderState, Nanos)> = {
            let book = self.book();
            let lost = self.lost();
            let is_listed = |id: &Option<String>| id.as_ref().is_some_and(|id| records.contains_key(id));
            let listed_ids: Vec<&str> = records.values().map(|report| report.client_id.as_str()).collect();
            book.pending()
                // What is being sent just now is none of the records' business yet.
                .filter(|order| order.state != OrderState::Submitting)
                .filter(|order| new_orders || !lost.contains(&order.client_id))
                .filter(|order| !is_listed(&order.broker_id) && !listed_ids.contains(&order.client_id.as_str()))
                .map(|order| (order.client_id.clone(), order.state, order.sent))
                .collect()
        };
        for (client_id, state, sent) in missing {
            match self.order(&client_id).await? {
                Some(report) => {
                    records.insert(report.broker_id.clone(), report);
                }
                None if state == OrderState::Unknown => self.denied(client_id, sent),
                // Known by the broker's number only.
                None => {}
            }
        }
        // Executions first, so that whoever hears of an end has heard of everything before it.
        let owed: Vec<(&OrderReport, Nanos)> = {
            let book = self.book();
            records
                .values()
                .filter_map(|record| {
                    let known = book.by_broker_id(&record.broker_id).or_else(|| book.get(&record.client_id));
                    let booked = known.map_or(Decimal::ZERO, |order| order.booked());
                    (record.filled > booked).then(|| (record, known.map_or(record.submitted, |order| order.sent)))
                })
                .collect()
        };
        if let Some(earliest) = owed.iter().map(|(_, sent)| *sent).min() {
            for (order_id, execution) in self.executions_since(earliest.saturating_sub(MARGIN)).await? {
                let Some(&record) = owed.iter().map(|(record, _)| record).find(|record| record.broker_id == order_id)
                else {
                    continue;
                };
                let filled = execution.cumulative.unwrap_or_default();
                self.take(&OrderReport {
                    qty: None,
                    status: Status::State(OrderState::PartiallyFilled),
                    filled,
                    time: execution.time,
                    execution: Some(execution),
                    // What the order was after this execution, not what it is now.
                    source: Source::Stream,
                    ..record.clone()
                });
            }
        }
        for record in records.values() {
            self.take(record);
        }
        if new_orders {
            let positions = self.positions().await?;
            self.send(BrokerEvent::Positions(positions));
        }
        self.complete_until.fetch_max(began, Ordering::SeqCst);
        Ok(())
    }

    /// The broker denies knowing an order whose sending had an unknown outcome.
    fn denied(&self, client_id: String, sent: Nanos) {
        let longest = Nanos::try_from(self.http.options.timing.lost_after.as_nanos()).unwrap_or(Nanos::MAX);
        if self.http.now().saturating_sub(sent) < longest {
            return;
        }
        let is_first = self.lost().insert(client_id.clone());
        if is_first {
            self.send(BrokerEvent::OrderLost { client_id, sent });
        }
    }

    /// Whether anything may still come of an order that we know, lost ones left out.
    fn is_pending(&self) -> bool {
        let book = self.book();
        let lost = self.lost();
        book.pending().any(|order| order.state != OrderState::Submitting && !lost.contains(&order.client_id))
    }
}

/// Compares now and then while orders pend, whether or not the stream is up.
pub(super) async fn poll(shared: Arc<Shared>) {
    loop {
        tokio::time::sleep(shared.http.options.timing.poll).await;
        if shared.is_pending() {
            // The call was repeated and is in the log; the next round asks again.
            let _ = shared.compare(false).await;
        }
    }
}
