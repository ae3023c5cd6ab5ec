//! Orders: send, cancel, replace.
//!
//! An order is never sent again blindly. Whenever the answer to it leaves open whether it was taken, the broker is
//! asked for it by our own id; only if it says that there is none, the order is sent again, under the same id, which
//! the broker takes once. So the worst that a lost answer can do is to leave the outcome open.

use reqwest::Method;
use rust_decimal::Decimal;
use tokio::time::Instant;

use super::Shared;
use super::http::{Call, Failure};
use super::reads::encode;
use super::refusal;
use super::rules::{is_ours, order_body, replacement_body, replacement_qty};
use super::wire::WireOrder;
use crate::brokers::{
    BrokerError, CancelOutcome, ClientOrderId, OrderReport, OrderTicket, RejectClass, Rejection, Replacement,
};
use crate::trading::Side;

/// What an order under our id has to be, to be ours.
struct Meant<'a> {
    id: &'a ClientOrderId,
    symbol: String,
    side: Side,
    qty: Option<Decimal>,
}

/// What the broker said when asked for an order.
enum Found {
    Order(Box<OrderReport>),
    /// It said, more than once, that there is none.
    None,
    /// It could not be asked.
    NoAnswer(BrokerError),
}

impl Shared {
    pub(super) async fn submit(&self, ticket: &OrderTicket) -> Result<OrderReport, BrokerError> {
        let body = order_body(ticket)?;
        self.book().submitting(ticket, self.http.now());
        let call = Call::order(Method::POST, "/v2/orders", Some(body));
        let meant = Meant {
            id: ticket.client_id(),
            symbol: ticket.symbol().to_string(),
            side: ticket.side(),
            qty: Some(ticket.qty()),
        };
        self.settle(self.place(&call, &meant).await, ticket.client_id())
    }

    pub(super) async fn replace(&self, id: &ClientOrderId, change: &Replacement) -> Result<OrderReport, BrokerError> {
        let old = self.known(id).await?;
        let filled = self.book().get(id.as_str()).map_or(old.filled, |order| order.filled.max(old.filled));
        let qty = replacement_qty(change.qty(), old.qty, filled)?;
        self.book().submitting_replacement(id, change.client_id(), qty, self.http.now());
        let path = format!("/v2/orders/{}", encode(&old.broker_id));
        let call = Call::order(Method::PATCH, path, Some(replacement_body(change, qty)));
        let meant = Meant { id: change.client_id(), symbol: old.symbol, side: old.side, qty };
        self.settle(self.place(&call, &meant).await, change.client_id())
    }

    /// Enters into the book what became of an order.
    fn settle(
        &self,
        outcome: Result<OrderReport, BrokerError>,
        id: &ClientOrderId,
    ) -> Result<OrderReport, BrokerError> {
        match &outcome {
            Ok(report) => self.take(report),
            Err(error) if error.is_definite() => self.book().not_sent(id),
            Err(_) => self.book().outcome_unknown(id),
        }
        outcome
    }

    /// Makes a call that brings an order into being, at most once.
    async fn place(&self, call: &Call, meant: &Meant<'_>) -> Result<OrderReport, BrokerError> {
        let started = Instant::now();
        let limit = self.http.options.retry_limit;
        let unknown = |why: &str| BrokerError::Unknown { client_id: meant.id.to_string(), why: why.to_string() };
        // Why it is open whether an earlier try was taken.
        let mut open: Option<String> = None;
        let mut attempt = 0;
        loop {
            let mut wait = self.http.pause(attempt, meant.id.as_str());
            let failed = match self.http.once(call, attempt).await {
                Ok(reply) if reply.is_success() => match self.http.parse::<WireOrder>(&call.what(), &reply.body) {
                    Ok(order) => return Ok(order.report()),
                    Err(error) => {
                        open = Some(error.to_string());
                        error
                    }
                },
                // Refused before anything was done with it.
                Ok(reply) if reply.is_rate_limited() => {
                    wait = reply.wait.unwrap_or(wait);
                    BrokerError::RateLimited { retry_after: wait }
                }
                Ok(reply) => {
                    let error = refusal::of(&call.what(), &reply, &self.http.redactor);
                    if is_duplicate(&error) {
                        return match self.look_for(meant).await {
                            Found::Order(report) => Ok(*report),
                            Found::None => Err(error),
                            Found::NoAnswer(why) => Err(unknown(&format!("{error}, and then {why}"))),
                        };
                    }
                    if refusal::is_verdict(&error) && open.is_none() {
                        return Err(as_rejection(error));
                    }
                    // A refusal after an open try may be due to that very order; and what comes from something before
                    // the broker says nothing at all.
                    open.get_or_insert_with(|| error.to_string());
                    error
                }
                Err(Failure::NotSent(why)) => BrokerError::Network { what: call.what(), why },
                Err(Failure::Held(longer)) => {
                    wait = longer;
                    BrokerError::RateLimited { retry_after: longer }
                }
                Err(Failure::Lost(why)) => {
                    open = Some(why.clone());
                    BrokerError::Network { what: call.what(), why }
                }
            };
            if let Some(why) = &open {
                match self.look_for(meant).await {
                    Found::Order(report) => return Ok(*report),
                    Found::None => {}
                    Found::NoAnswer(error) => return Err(unknown(&format!("{why}; asked for it: {error}"))),
                }
            }
            // An order is decided for a moment: after the time of one call it is not sent any more.
            if attempt >= limit || started.elapsed() + wait > self.http.options.timeout {
                return Err(match open {
                    Some(why) => unknown(&why),
                    None => failed,
                });
            }
            tokio::time::sleep(wait).await;
            attempt += 1;
        }
    }

    /// Asks for an order by our id. The broker may learn of it a moment after it was sent, so a no is believed only
    /// when it is repeated.
    async fn look_for(&self, meant: &Meant<'_>) -> Found {
        for attempt in 0..=self.http.options.retry_limit.clamp(1, 3) {
            tokio::time::sleep(self.http.pause(attempt, meant.id.as_str())).await;
            match self.order(meant.id.as_str()).await {
                Ok(Some(report)) if is_ours(&meant.symbol, meant.side, meant.qty, &report) => {
                    return Found::Order(Box::new(report));
                }
                Ok(Some(_)) => {
                    return Found::NoAnswer(BrokerError::Protocol {
                        what: format!("order {}", meant.id),
                        why: "the broker has another order under this id".to_string(),
                    });
                }
                Ok(None) => {}
                Err(error) => return Found::NoAnswer(error),
            }
        }
        Found::None
    }

    /// The order of our id, from the book if its number is known, else from the broker.
    async fn known(&self, id: &ClientOrderId) -> Result<KnownOrder, BrokerError> {
        if let Some(order) = self.book().get(id.as_str())
            && let Some(broker_id) = &order.broker_id
        {
            let (symbol, side) = (order.symbol.clone(), order.side);
            return Ok(KnownOrder { broker_id: broker_id.clone(), symbol, side, qty: order.qty, filled: order.filled });
        }
        let report = self.order(id.as_str()).await?.ok_or_else(|| BrokerError::NotFound(format!("order {id}")))?;
        self.take(&report);
        let OrderReport { broker_id, symbol, side, qty, filled, .. } = report;
        Ok(KnownOrder { broker_id, symbol, side, qty, filled })
    }

    pub(super) async fn cancel(&self, id: &ClientOrderId) -> Result<CancelOutcome, BrokerError> {
        let order = self.known(id).await?;
        let call = Call::order(Method::DELETE, format!("/v2/orders/{}", encode(&order.broker_id)), None);
        let reply = self.http.call(&call).await?;
        if reply.is_success() {
            return Ok(CancelOutcome::Requested);
        }
        match refusal::of(&call.what(), &reply, &self.http.redactor) {
            error @ BrokerError::Rejected(_) => {
                let report =
                    self.order(id.as_str()).await?.ok_or_else(|| BrokerError::NotFound(format!("order {id}")))?;
                self.take(&report);
                let is_final = self.book().get(id.as_str()).is_some_and(|order| order.state.is_final());
                if is_final { Ok(CancelOutcome::AlreadyFinal) } else { Err(error) }
            }
            error => Err(error),
        }
    }

    pub(super) async fn cancel_all(&self) -> Result<usize, BrokerError> {
        let call = Call::order(Method::DELETE, "/v2/orders", None);
        let reply = self.http.call(&call).await?;
        if !reply.is_success() {
            return Err(refusal::of(&call.what(), &reply, &self.http.redactor));
        }
        let orders: Vec<serde::de::IgnoredAny> = self.http.parse(&call.what(), &reply.body)?;
        Ok(orders.len())
    }
}

/// What has to be known of an order to change it.
struct KnownOrder {
    broker_id: String,
    symbol: String,
    side: Side,
    qty: Option<Decimal>,
    filled: Decimal,
}

fn is_duplicate(error: &BrokerError) -> bool {
    matches!(error, BrokerError::Rejected(Rejection { class: RejectClass::DuplicateClientId, .. }))
}

/// For an order, "not found" means the asset or the order to be replaced.
fn as_rejection(error: BrokerError) -> BrokerError {
    match error {
        BrokerError::NotFound(what) => BrokerError::Rejected(Rejection {
            code: None,
            message: format!("{what}: not found"),
            class: RejectClass::InvalidOrder,
        }),
        error => error,
    }
}
