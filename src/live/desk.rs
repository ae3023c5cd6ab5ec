//! Carries out what a session asks of its broker.
//!
//! Each order has a task of its own, so that one whose answer is slow holds up no other, and what is asked of one order
//! happens in its turn. What can only be good to try again is tried again until it succeeds or is not wanted any more:
//! cancels, questions, and orders that protect or close a position while the broker takes nothing. An order that would
//! open a position is decided for a moment, and is not.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
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
pub const REQUEST_PAUSES: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(5));

/// Executions are asked for from this long before the order was received: clocks differ.
const MARGIN: i64 = 60 * SECOND;

/// Carries out requests at a broker. Dropping it ends what it is trying.
pub struct OrderDesk {
    calls: Arc<Calls>,
    handle: Handle,
    tasks: UnboundedSender<Vec<Request>>,
}

/// What every call needs.
struct Calls {
    broker: Arc<dyn Broker>,
    answers: Answers,
    reach: Reach,
    pauses: (Duration, Duration),
}

/// Whether the broker takes requests, as far as the last ones tell.
struct Reach {
    is_refusing: Mutex<bool>,
    answers: Answers,
}

impl Reach {
    /// A request has been answered, if only with a no; or not, and why. Tells what has changed.
    fn note(&self, result: Result<(), &BrokerError>) {
        let mut is_refusing = self.is_refusing.lock().unwrap_or_else(PoisonError::into_inner);
        match result {
            Err(error) if is_outage(error) && !*is_refusing => {
                *is_refusing = true;
                (self.answers)(BrokerEvent::Refusing { reason: error.to_string() });
            }
            Err(error) if is_outage(error) => {}
            _ if *is_refusing => {
                *is_refusing = false;
                (self.answers)(BrokerEvent::Taking);
            }
            _ => {}
        }
    }
}

/// Whether an error says that the broker takes nothing just now, whatever it is.
fn is_outage(error: &BrokerError) -> bool {
    matches!(
        error,
        BrokerError::Network { .. }
            | BrokerError::RateLimited { .. }
            | BrokerError::Auth { .. }
            | BrokerError::Unknown { .. }
    )
}

impl OrderDesk {
    /// A desk whose calls run on `handle`. `pauses`: the first one between two tries, and the longest.
    pub fn new(broker: Arc<dyn Broker>, handle: Handle, answers: Answers, pauses: (Duration, Duration)) -> OrderDesk {
        let reach = Reach { is_refusing: Mutex::new(false), answers: Arc::clone(&answers) };
        let calls = Arc::new(Calls { broker, answers, reach, pauses });
        let (tasks, handed) = unbounded_channel();
        handle.spawn(Tasks { calls: Arc::clone(&calls), orders: BTreeMap::new() }.run(handed));
        OrderDesk { calls, handle, tasks }
    }

    /// Carries out what follows from one input, in this order. Returns at once. All of it is handed over together, since
    /// each time it is the thread of the connection that is woken, and it may take the processor away.
    pub fn carry_out(&self, requests: Vec<Request>) {
        // It fails when the event loop is gone, which ends with the process, or with the session.
        let _ = self.tasks.send(requests);
    }

    /// Asks for all positions.
    pub fn ask_positions(&self) {
        let calls = Arc::clone(&self.calls);
        self.handle.spawn(async move {
            let positions = calls.broker.get_positions().await;
            calls.reach.note(positions.as_ref().map(drop));
            // If it fails, the next question is not far.
            if let Ok(positions) = positions {
                (calls.answers)(words::positions(&positions));
            }
        });
    }
}

/// Gives each request to the task of its order.
struct Tasks {
    calls: Arc<Calls>,
    orders: BTreeMap<String, UnboundedSender<Request>>,
}

impl Tasks {
    async fn run(mut self, mut handed: UnboundedReceiver<Vec<Request>>) {
        while let Some(requests) = handed.recv().await {
            for request in requests {
                self.give(request);
                // Of tasks that are spawned one after the other the last one would begin first.
                tokio::task::yield_now().await;
            }
        }
    }

    fn give(&mut self, mut request: Request) {
        let (Request::Submit { client_id, .. } | Request::Cancel { client_id } | Request::Resolve { client_id, .. }) =
            &request;
        let client_id = client_id.clone();
        if let Some(order) = self.orders.get(&client_id) {
            match order.send(request) {
                Ok(()) => return,
                // It ended inside the program, or its id is none that a broker takes: another one says what becomes of it.
                Err(lost) => request = lost.0,
            }
        }
        let (sender, requests) = unbounded_channel();
        // The receiver is here.
        let _ = sender.send(request);
        self.orders.insert(client_id.clone(), sender);
        let order = OrderTask { calls: Arc::clone(&self.calls), client_id, requests, next: None, is_refused: false };
        tokio::spawn(order.run());
    }
}

/// What is asked of one order, one after the other.
struct OrderTask {
    calls: Arc<Calls>,
    client_id: String,
    requests: UnboundedReceiver<Request>,
    /// A request that arrived during a pause.
    next: Option<Request>,
    /// The broker has refused it, and everybody was told: it is not sent any more.
    is_refused: bool,
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
                    Request::Submit { instrument, order, exit, .. } => {
                        self.submit(&id, instrument, *order, *exit).await
                    }
                    Request::Cancel { .. } => self.cancel(&id).await,
                    Request::Resolve { again, .. } => self.resolve(&id, again.as_ref()).await,
                };
                if tried == Try::Done {
                    break;
                }
                let pause = self.calls.pauses.0.saturating_mul(1 << tries.min(16)).min(self.calls.pauses.1);
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
        (self.calls.answers)(event);
    }

    async fn submit(&mut self, id: &ClientOrderId, instrument: &str, order: Approved<Order>, exit: bool) -> Try {
        let ticket = match OrderTicket::new(order, instrument, id.clone()) {
            Ok(ticket) => ticket,
            Err(error) => {
                self.answer(BrokerEvent::Refused { client_id: self.client_id.clone(), reason: error.to_string() });
                return Try::Done;
            }
        };
        let submitted = self.calls.broker.submit_order(ticket).await;
        self.calls.reach.note(submitted.as_ref().map(drop));
        match submitted {
            // What the broker says of it comes as an event.
            Ok(_) => {}
            Err(error) if exit && error.is_definite() && is_outage(&error) => return Try::Again,
            Err(error) if error.is_definite() => {
                self.is_refused = true;
                self.answer(BrokerEvent::Refused { client_id: self.client_id.clone(), reason: error.to_string() });
            }
            Err(_) => self.answer(BrokerEvent::OutcomeUnknown { client_id: self.client_id.clone() }),
        }
        Try::Done
    }

    async fn cancel(&self, id: &ClientOrderId) -> Try {
        let canceled = self.calls.broker.cancel_order(id.clone()).await;
        self.calls.reach.note(canceled.as_ref().map(drop));
        match canceled {
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

    async fn resolve(&mut self, id: &ClientOrderId, again: Option<&(String, Approved<Order>)>) -> Try {
        let found = self.calls.broker.get_order_by_client_id(id.clone()).await;
        self.calls.reach.note(found.as_ref().map(drop));
        let order = match found {
            Ok(Some(order)) => order,
            Ok(None) => return self.not_found(id, again).await,
            Err(_) => return Try::Again,
        };
        if !order.filled.is_zero() {
            let Ok(executions) = self.calls.broker.get_executions_since(order.submitted - MARGIN).await else {
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
    async fn not_found(&mut self, id: &ClientOrderId, again: Option<&(String, Approved<Order>)>) -> Try {
        let is_once = self.calls.broker.capabilities().idempotency == Idempotency::UniqueClientId;
        match again.filter(|_| is_once && !self.is_refused) {
            // A new try may end as the first one did: then it is asked for again.
            Some((instrument, order)) => self.submit(id, instrument, *order, true).await,
            None => {
                self.answer(BrokerEvent::NotFound { client_id: self.client_id.clone() });
                Try::Done
            }
        }
    }
}
