//! Carries out what a session asks of its broker.
//!
//! Each order has a task of its own, so that one whose answer is slow holds up no other, and what is asked of one order
//! happens in its turn. What can only be good to try again is tried again until it succeeds or is not wanted any more:
//! cancels, questions, and orders that protect or close a position while the broker takes nothing. An order that would
//! open a position is decided for a moment, and is not.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::words;
use crate::brokers::{Broker, BrokerError, ClientOrderId, Idempotency, OrderTicket};
use crate::market::SECOND;
use crate::risk::Approved;
use crate::session::live::{BrokerEvent, Request};
use crate::trading::Order;

/// Where the answers go.
pub type Answers = Arc<dyn Fn(BrokerEvent) + Send + Sync>;

/// The first pause between two tries, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(5));

/// Executions are asked for from this long before the order was received: clocks differ.
const MARGIN: i64 = 60 * SECOND;

/// Carries out requests at a broker. Dropping it ends what it is trying.
pub struct OrderDesk {
    broker: Arc<dyn Broker>,
    handle: Handle,
    answers: Answers,
    pauses: (Duration, Duration),
    orders: BTreeMap<String, UnboundedSender<Request>>,
}

impl OrderDesk {
    /// A desk whose calls run on `handle`.
    pub fn new(broker: Arc<dyn Broker>, handle: Handle, answers: Answers) -> OrderDesk {
        OrderDesk { broker, handle, answers, pauses: PAUSES, orders: BTreeMap::new() }
    }

    /// The same with other pauses between two tries.
    #[must_use]
    pub fn with_pauses(self, first: Duration, longest: Duration) -> OrderDesk {
        OrderDesk { pauses: (first, longest), ..self }
    }

    /// Carries out a request. Returns at once.
    pub fn carry_out(&mut self, request: Request) {
        let (Request::Submit { client_id, .. } | Request::Cancel { client_id } | Request::Resolve { client_id }) =
            &request;
        let (client_id, mut request) = (client_id.clone(), request);
        if let Some(order) = self.orders.get(&client_id) {
            match order.send(request) {
                Ok(()) => return,
                // Its task is gone, with the event loop: a new one can only fail the same way.
                Err(lost) => request = lost.0,
            }
        }
        let (sender, requests) = unbounded_channel();
        // The receiver is here.
        let _ = sender.send(request);
        self.orders.insert(client_id.clone(), sender);
        let order = OrderTask {
            broker: Arc::clone(&self.broker),
            answers: Arc::clone(&self.answers),
            pauses: self.pauses,
            client_id,
            requests,
            next: None,
            ticket: None,
        };
        self.handle.spawn(order.run());
    }

    /// Asks for all positions.
    pub fn ask_positions(&self) {
        let (broker, answers) = (Arc::clone(&self.broker), Arc::clone(&self.answers));
        self.handle.spawn(async move {
            // If it fails, the next question is not far.
            if let Ok(positions) = broker.get_positions().await {
                answers(words::positions(&positions));
            }
        });
    }
}

/// What is asked of one order, one after the other.
struct OrderTask {
    broker: Arc<dyn Broker>,
    answers: Answers,
    pauses: (Duration, Duration),
    client_id: String,
    requests: UnboundedReceiver<Request>,
    /// A request that arrived during a pause.
    next: Option<Request>,
    /// The order, if it was sent by this desk and takes risk away: it may be sent again under the same id.
    ticket: Option<OrderTicket>,
}

/// Whether a try is to be repeated.
#[derive(PartialEq, Eq)]
enum Try {
    Done,
    Again,
}

impl OrderTask {
    async fn run(mut self) {
        let Ok(id) = ClientOrderId::new(self.client_id.clone()) else {
            let reason = "the id of the order is none that a broker takes".to_string();
            return self.answer(BrokerEvent::Refused { client_id: self.client_id.clone(), reason });
        };
        loop {
            let request = match self.next.take() {
                Some(request) => request,
                None => match self.requests.recv().await {
                    Some(request) => request,
                    None => return,
                },
            };
            let mut tries = 0;
            loop {
                let tried = match &request {
                    Request::Submit { instrument, order, .. } => self.submit(&id, instrument, *order).await,
                    Request::Cancel { .. } => self.cancel(&id).await,
                    Request::Resolve { .. } => self.resolve(&id).await,
                };
                if tried == Try::Done {
                    break;
                }
                let pause = self.pauses.0.saturating_mul(1 << tries.min(16)).min(self.pauses.1);
                tries += 1;
                match tokio::time::timeout(pause, self.requests.recv()).await {
                    Err(_) => {}
                    // Nobody wants to know any more.
                    Ok(None) => return,
                    Ok(Some(Request::Resolve { .. })) if !matches!(request, Request::Resolve { .. }) => {}
                    Ok(Some(other)) => {
                        if matches!(request, Request::Submit { .. }) {
                            // It was not sent, and something else is wanted of it: it is not sent any more.
                            self.answer(BrokerEvent::NeverArrived { client_id: self.client_id.clone() });
                        }
                        self.next = Some(other);
                        break;
                    }
                }
            }
        }
    }

    fn answer(&self, event: BrokerEvent) {
        (self.answers)(event);
    }

    async fn submit(&mut self, id: &ClientOrderId, instrument: &str, order: Approved<Order>) -> Try {
        let client_id = || self.client_id.clone();
        let ticket = match OrderTicket::new(order, instrument, id.clone()) {
            Ok(ticket) => ticket,
            Err(error) => {
                self.answer(BrokerEvent::Refused { client_id: client_id(), reason: error.to_string() });
                return Try::Done;
            }
        };
        let takes_risk_away = order.get().request.parent.is_some() || order.get().liquidates;
        let is_once = self.broker.capabilities().idempotency == Idempotency::UniqueClientId;
        match self.broker.submit_order(ticket.clone()).await {
            // What the broker says of it comes as an event.
            Ok(_) => {}
            Err(BrokerError::Network { .. } | BrokerError::RateLimited { .. }) if takes_risk_away => return Try::Again,
            Err(error) if error.is_definite() => {
                self.answer(BrokerEvent::Refused { client_id: client_id(), reason: error.to_string() });
            }
            Err(_) => {
                self.ticket = (takes_risk_away && is_once).then_some(ticket);
                self.answer(BrokerEvent::OutcomeUnknown { client_id: client_id() });
            }
        }
        Try::Done
    }

    async fn cancel(&self, id: &ClientOrderId) -> Try {
        match self.broker.cancel_order(id.clone()).await {
            // What becomes of it comes as an event.
            Ok(_) => Try::Done,
            Err(error @ (BrokerError::NotFound(_) | BrokerError::Rejected(_) | BrokerError::Unsupported(_))) => {
                let client_id = self.client_id.clone();
                self.answer(BrokerEvent::CancelRefused { client_id, reason: error.to_string() });
                Try::Done
            }
            Err(_) => Try::Again,
        }
    }

    async fn resolve(&mut self, id: &ClientOrderId) -> Try {
        let order = match self.broker.get_order_by_client_id(id.clone()).await {
            Ok(Some(order)) => order,
            Ok(None) => return self.not_found().await,
            Err(_) => return Try::Again,
        };
        if !order.filled.is_zero() {
            let Ok(executions) = self.broker.get_executions_since(order.submitted - MARGIN).await else {
                return Try::Again;
            };
            for (_, execution) in executions.iter().filter(|(broker_id, _)| *broker_id == order.broker_id) {
                self.answer(BrokerEvent::Report(words::recorded_execution(&order, execution)));
            }
        }
        self.answer(BrokerEvent::Report(words::record(&order)));
        Try::Done
    }

    /// The broker does not know the order. One that takes risk away is sent again under its id, which the broker takes
    /// once; of any other the adapter tells when it can be taken as lost.
    async fn not_found(&mut self) -> Try {
        let Some(ticket) = self.ticket.clone() else {
            self.answer(BrokerEvent::NotFound { client_id: self.client_id.clone() });
            return Try::Done;
        };
        match self.broker.submit_order(ticket).await {
            Ok(_) => Try::Done,
            Err(error @ BrokerError::Rejected(_)) => {
                self.answer(BrokerEvent::Refused { client_id: self.client_id.clone(), reason: error.to_string() });
                Try::Done
            }
            Err(_) => Try::Again,
        }
    }
}
