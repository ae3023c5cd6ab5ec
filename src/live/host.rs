//! The trading thread: it gives a session what arrives and what is asked, and passes on what comes out.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::desk::OrderDesk;
use super::feed::{Feed, Heard};
use super::latency::{Latency, LatencySummary};
use crate::brokers::BrokerEvent;
use crate::session::live::{BrokerEvent as VenueEvent, Request};
use crate::session::{Command, Input, JournalError, Output, Recorder, RecorderError, SessionVenue, StatusSnapshot};

/// Time between two looks that others get, while nothing waits.
const SHOW: Duration = Duration::from_millis(100);
/// And however much waits.
const SHOW_AT_LAST: Duration = Duration::from_secs(1);
/// Time between two comparisons of all positions with the broker's; while nothing may be opened, the shorter one.
const POSITIONS: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(5));

/// Something that arrives at the trading thread.
#[derive(Debug)]
pub enum Arrival {
    /// Somebody asks for something.
    Ask(Ask),
    /// A broker said something.
    Broker(BrokerEvent),
    /// What became of a request.
    Answer(VenueEvent),
    /// The process ends.
    Leave,
}

/// Where everything arrives.
#[derive(Debug, Clone)]
pub struct Inbox(Sender<(Instant, Arrival)>);

/// The end of an inbox that a [`Host`] reads.
pub struct Received(Receiver<(Instant, Arrival)>);

impl Inbox {
    /// An inbox.
    pub fn new() -> (Inbox, Received) {
        let (sender, receiver) = channel();
        (Inbox(sender), Received(receiver))
    }

    /// Puts something in. `false`: nobody reads any more.
    pub fn send(&self, arrival: Arrival) -> bool {
        self.0.send((Instant::now(), arrival)).is_ok()
    }
}

/// Something that is asked of a session that runs.
#[derive(Debug)]
pub struct Ask {
    pub command: Command,
    /// Whether there was something to do.
    pub answer: Option<oneshot::Sender<bool>>,
}

/// What the trading thread says.
#[derive(Debug)]
pub enum Told {
    /// What came out of the session.
    Outputs(Vec<Output>),
    /// Words about the connection to the broker; `true`: somebody must look.
    Note(bool, String),
    /// Nothing more comes.
    Ended(Ending),
}

/// Why nothing more comes.
#[derive(Debug)]
pub enum Ending {
    /// The session is over.
    Over,
    /// It cannot go on.
    Failed(String),
    /// The process ends; the session goes on in the next one.
    Left,
}

/// What the trading thread lets others see.
pub struct Shown {
    open: AtomicBool,
    seen: Mutex<(Arc<StatusSnapshot>, LatencySummary)>,
}

impl Shown {
    /// A first look.
    pub fn new(status: StatusSnapshot, open: bool) -> Arc<Shown> {
        let seen = Mutex::new((Arc::new(status), LatencySummary::default()));
        Arc::new(Shown { open: AtomicBool::new(open), seen })
    }

    fn show(&self, status: StatusSnapshot, latency: LatencySummary, open: bool) {
        self.open.store(open, Ordering::Release);
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = (Arc::new(status), latency);
    }

    /// The session as it was a moment ago.
    pub fn status(&self) -> Arc<StatusSnapshot> {
        Arc::clone(&self.seen.lock().unwrap_or_else(PoisonError::into_inner).0)
    }

    /// From what arrived to what followed from it: until the requests are handed to the broker's connection, or the
    /// simulated venue has the orders. Over the inputs that something followed from.
    pub fn latency(&self) -> LatencySummary {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).1
    }

    /// Whether a position or an order is open.
    pub fn is_open(&self) -> bool {
        self.open.load(Ordering::Acquire)
    }
}

/// The thread's state.
pub struct Host<V, F> {
    recorder: Recorder<V>,
    feed: F,
    /// Carries out requests; a session on the simulated venue has none.
    desk: Option<OrderDesk>,
    inbox: Received,
    told: Sender<Told>,
    shown: Arc<Shown>,
    /// Why the journal cannot be written any more, if so.
    unwritten: Option<String>,
    latency: Latency,
    /// When that arrived which is being taken.
    arrived: Instant,
    /// Outputs that nobody was told of yet.
    untold: Vec<Output>,
    last_shown: Instant,
    /// Something has happened since.
    is_news: bool,
    compares: (Duration, Duration),
    positions_due: Instant,
}

impl<V: SessionVenue, F: Feed> Host<V, F> {
    /// A thread's state; nothing happens yet.
    pub fn new(
        recorder: Recorder<V>,
        feed: F,
        desk: Option<OrderDesk>,
        inbox: Received,
        told: Sender<Told>,
        shown: Arc<Shown>,
    ) -> Host<V, F> {
        let now = Instant::now();
        let (unwritten, compares, positions_due) = (None, POSITIONS, now + POSITIONS.0);
        Host {
            recorder,
            feed,
            desk,
            inbox,
            told,
            shown,
            unwritten,
            latency: Latency::default(),
            arrived: now,
            untold: Vec::new(),
            last_shown: now,
            is_news: false,
            compares,
            positions_due,
        }
    }

    /// The same with other times between two comparisons of positions: `often` while nothing may be opened.
    #[must_use]
    pub fn with_comparisons(self, seldom: Duration, often: Duration) -> Host<V, F> {
        Host { compares: (seldom, often), positions_due: Instant::now() + seldom, ..self }
    }

    /// Carries out what a session that goes on asks first, then runs until it is over, or the process ends.
    pub fn run(mut self, first: Vec<Output>) {
        self.pass_on(first);
        let ending = self.play().unwrap_or_else(|error| Ending::Failed(error.to_string()));
        // What is not on the disk yet is brought there by the journal's own thread, too.
        let _ = self.recorder.journal().sync();
        self.tell();
        let _ = self.told.send(Told::Ended(ending));
    }

    fn play(&mut self) -> Result<Ending, RecorderError> {
        // The process before may have ended between the end of its windows and what follows from it.
        self.follow_up()?;
        while !self.recorder.session().is_over() {
            // All of a minute arrives together: what it leads to comes before anybody is shown anything.
            let next = match self.inbox.0.try_recv() {
                Ok(arrived) => Ok(arrived),
                Err(TryRecvError::Disconnected) => Err(RecvTimeoutError::Disconnected),
                Err(TryRecvError::Empty) => {
                    self.tell();
                    if self.is_news && self.last_shown.elapsed() >= SHOW {
                        self.show();
                    }
                    let patience = if self.is_news { SHOW } else { Duration::MAX };
                    self.inbox.0.recv_timeout(self.feed.wait().min(patience))
                }
            };
            match next {
                Ok((_, Arrival::Leave)) | Err(RecvTimeoutError::Disconnected) => return Ok(Ending::Left),
                Ok((arrived, arrival)) => {
                    (self.arrived, self.is_news) = (arrived, true);
                    self.arrive(arrival)?;
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
            if self.feed.wait().is_zero() {
                self.tick()?;
            } else if self.is_news && self.last_shown.elapsed() >= SHOW_AT_LAST {
                self.show();
            }
        }
        self.show();
        Ok(self.unwritten.take().map_or(Ending::Over, Ending::Failed))
    }

    /// Takes what is due by the clock.
    fn tick(&mut self) -> Result<(), RecorderError> {
        for input in self.feed.take() {
            self.arrived = Instant::now();
            self.take(&input)?;
        }
        self.compare_positions();
        self.show();
        Ok(())
    }

    fn arrive(&mut self, arrival: Arrival) -> Result<(), RecorderError> {
        match arrival {
            Arrival::Leave => Ok(()),
            Arrival::Ask(ask) => self.ask(ask),
            Arrival::Answer(broker) => {
                match &broker {
                    VenueEvent::Refusing { reason } => {
                        self.note(true, format!("the broker takes no requests: {reason}"))
                    }
                    VenueEvent::Taking => self.note(false, "the broker takes requests again".to_string()),
                    _ => {}
                }
                let time = self.feed.now();
                self.take(&Input::Broker { time, broker })
            }
            Arrival::Broker(event) => {
                let Heard { input, note } = self.feed.hear(event);
                if let Some((urgent, text)) = note {
                    self.note(urgent, text);
                }
                input.map_or(Ok(()), |input| self.take(&input))
            }
        }
    }

    /// Says something about the connection to the broker; whoever listens may have gone.
    fn note(&mut self, urgent: bool, text: String) {
        self.tell();
        let _ = self.told.send(Told::Note(urgent, text));
    }

    fn ask(&mut self, ask: Ask) -> Result<(), RecorderError> {
        let session = self.recorder.session();
        let is_something = match ask.command {
            Command::Confirm { order } | Command::Decline { order } => session.is_waiting(order),
            _ => true,
        };
        if is_something {
            let time = self.feed.now().max(session.now());
            self.take(&Input::Command { time, command: ask.command })?;
            self.show();
        }
        if let Some(answer) = ask.answer {
            // Whoever asked may have gone.
            let _ = answer.send(is_something);
        }
        Ok(())
    }

    fn take(&mut self, input: &Input) -> Result<(), RecorderError> {
        if self.recorder.session().is_over() {
            return Ok(());
        }
        let taken = match self.unwritten {
            Some(_) => self.recorder.handle_unwritten(input),
            None => self.recorder.handle(input),
        };
        let outputs = match taken {
            Err(RecorderError::Journal(error)) if self.feed.goes_on() && self.recorder.session().is_open() => {
                return self.close_unwritten(&error);
            }
            outputs => outputs?,
        };
        let is_new_stage = outputs.iter().any(|output| matches!(output, Output::Stage(_)));
        self.pass_on(outputs);
        if is_new_stage { self.follow_up() } else { Ok(()) }
    }

    /// Asks of the session what follows from the stage that it has come to.
    fn follow_up(&mut self) -> Result<(), RecorderError> {
        let session = self.recorder.session();
        match session.follow_up(self.feed.goes_on()) {
            Some(command) => self.take(&Input::Command { time: session.now(), command }),
            None => Ok(()),
        }
    }

    /// The journal cannot be written, on a full disk, say, and something is open. Taking risk away needs no journal:
    /// everything is closed at once, and then the session ends as a failed one.
    fn close_unwritten(&mut self, error: &JournalError) -> Result<(), RecorderError> {
        let why = format!("the journal cannot be written: {error}");
        self.note(true, "the journal cannot be written, everything is closed".to_string());
        self.unwritten = Some(why);
        let time = self.recorder.session().now();
        self.take(&Input::Command { time, command: Command::Kill })
    }

    /// Requests first: they are urgent. What is only told waits until nothing else does.
    fn pass_on(&mut self, outputs: Vec<Output>) {
        let request = |output: &Output| match output {
            Output::Request(request) => Some(request.clone()),
            _ => None,
        };
        let requests: Vec<Request> = outputs.iter().filter_map(request).collect();
        let has_followed = match self.desk {
            Some(_) => !requests.is_empty(),
            None => outputs.iter().any(|output| matches!(output, Output::Order(_))),
        };
        if has_followed {
            // Before they are handed over: the thread that gets them may take the processor at once.
            self.latency.record(self.arrived.elapsed());
            if let Some(desk) = &self.desk {
                desk.carry_out(requests);
            }
        }
        self.untold.extend(outputs);
    }

    /// Tells what came out of the session.
    fn tell(&mut self) {
        if !self.untold.is_empty() {
            // Whoever listens may have gone.
            let _ = self.told.send(Told::Outputs(std::mem::take(&mut self.untold)));
        }
    }

    /// Asks for all positions now and then.
    fn compare_positions(&mut self) {
        let Some(desk) = &self.desk else { return };
        if Instant::now() >= self.positions_due {
            desk.ask_positions();
            self.positions_due = Instant::now() + self.compares.0;
        } else if self.recorder.session().entries_blocked().is_some() {
            self.positions_due = self.positions_due.min(Instant::now() + self.compares.1);
        }
    }

    fn show(&mut self) {
        (self.last_shown, self.is_news) = (Instant::now(), false);
        self.tell();
        let session = self.recorder.session();
        self.shown.show(session.status(), self.latency.summary(), session.is_open());
    }
}
