//! A local Alpaca: the protocol of the broker on a loopback port, with a clock that a test moves, bars that a test
//! provides, executions that a [`Filler`] decides, and faults on demand or drawn from a seed.
//!
//! It is written from the broker's documentation and not from the adapter. It knows nothing of the program, except
//! for the exchange calendar and the time.
//!
//! ```text
//! let alpaca = LocalAlpaca::start(Setup::default());
//! alpaca.feed(bars);                       // a recorded day
//! ... connect to alpaca.url(), with alpaca.now() as clock ...
//! while alpaca.step() { ... }              // minute by minute: bars go out, the filler decides, updates go out
//! ```

mod checks;
mod desk;
mod faults;
mod filler;
mod rest;
mod server;
mod sockets;

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use rust_decimal::Decimal;
use tokio::sync::oneshot;
use tradebot::market::Nanos;

pub use desk::{AssetRow, Desk, FeedBar, Order};
pub use faults::{Fault, RandomFaults, StreamFault};
pub use filler::{AtMarket, Filler, Manual, Market, Outcome};
use sockets::Hub;

/// Credentials that the server accepts unless a [`Setup`] says otherwise.
pub const KEY: &str = "PKLOCALKEY0123456789";
pub const SECRET: &str = "localsecret/ABCDEFGHIJKLMNOPQRSTUVWXYZ+0123";

/// How the server starts.
pub struct Setup {
    pub key: String,
    pub secret: String,
    /// The clock at the start.
    pub now: Nanos,
    pub cash: Decimal,
    pub multiplier: Decimal,
    pub symbols: Vec<AssetRow>,
    pub filler: Box<dyn Filler>,
    /// Order updates as binary frames, as paper accounts have them.
    pub binary_frames: bool,
    /// Calls a minute (of real time) that are allowed.
    pub calls_per_minute: u32,
}

impl Default for Setup {
    /// 26 March 2024, 10:00 in New York; 100,000 USD on margin; four stocks; nothing fills by itself.
    fn default() -> Setup {
        Setup {
            key: KEY.into(),
            secret: SECRET.into(),
            now: tradebot::market::parse_time("2024-03-26T14:00:00Z").unwrap(),
            cash: Decimal::from(100_000),
            multiplier: Decimal::from(2),
            symbols: ["AAPL", "MSFT", "SPY", "TSLA"].map(AssetRow::new).to_vec(),
            filler: Box::new(Manual),
            binary_frames: true,
            calls_per_minute: 1_000_000,
        }
    }
}

/// A request that arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// `POST /v2/orders`, without the query.
    pub what: String,
    pub query: String,
    pub body: String,
}

/// What has happened so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watched {
    /// Requests and messages that went wrong.
    pub faults: u64,
    /// How often the open orders were asked for, and told.
    pub comparisons: u64,
    /// Requests that ask for more than an answer.
    pub deeds: u64,
}

/// Everything behind one lock.
struct World {
    desk: Desk,
    hub: Hub,
    faults: faults::Faults,
    arrivals: Vec<Arrival>,
    /// Requests that are carried out after the next one of their kind, with the time at which they were sent.
    late: Vec<(Nanos, Arrival)>,
    /// How often the open orders were asked for, and told.
    comparisons: u64,
    deeds: u64,
}

impl World {
    /// Sends what the desk has to say.
    fn flush(&mut self) {
        for push in self.desk.take_pushes() {
            self.hub.push(push, &mut self.faults);
        }
    }
}

type SharedWorld = Arc<Mutex<World>>;

fn lock(world: &SharedWorld) -> MutexGuard<'_, World> {
    world.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A running server. Dropping it ends it.
pub struct LocalAlpaca {
    url: String,
    world: SharedWorld,
    gate: Arc<Mutex<rest::Gate>>,
    clock: Arc<AtomicI64>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl LocalAlpaca {
    /// Starts a server on a free port of the loopback interface, on a thread of its own.
    pub fn start(setup: Setup) -> LocalAlpaca {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let clock = Arc::new(AtomicI64::new(setup.now));
        let gate = Arc::new(Mutex::new(rest::Gate::new(&setup)));
        let served_gate = Arc::clone(&gate);
        let binary = setup.binary_frames;
        let world = Arc::new(Mutex::new(World {
            desk: Desk::new(setup, Arc::clone(&clock)),
            hub: Hub::new(binary),
            faults: faults::Faults::default(),
            arrivals: Vec::new(),
            late: Vec::new(),
            comparisons: 0,
            deeds: 0,
        }));
        let (stop, stopped) = oneshot::channel();
        let served = Arc::clone(&world);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(server::serve(listener, served, served_gate, stopped));
        });
        LocalAlpaca { url, world, gate, clock, stop: Some(stop), thread: Some(thread) }
    }

    /// The base of everything: `http://127.0.0.1:PORT`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The server's clock, for a client that is to have the same.
    pub fn now(&self) -> Arc<dyn Fn() -> Nanos + Send + Sync> {
        let clock = Arc::clone(&self.clock);
        Arc::new(move || clock.load(Ordering::SeqCst))
    }

    /// Looks at, or changes, the state behind the protocol. What it says to the streams goes out.
    pub fn with<T>(&self, action: impl FnOnce(&mut Desk) -> T) -> T {
        let mut world = lock(&self.world);
        let result = action(&mut world.desk);
        world.flush();
        result
    }

    /// Bars to come. Each goes out when the clock reaches the end of its minute.
    pub fn feed(&self, bars: impl IntoIterator<Item = FeedBar>) {
        self.with(|desk| desk.feed(bars));
    }

    /// Moves the clock, minute end by minute end.
    pub fn advance_to(&self, time: Nanos) {
        while self.with(|desk| desk.advance(time)) {}
    }

    /// Moves the clock to the end of the next minute that has bars; `false` if there is none.
    pub fn step(&self) -> bool {
        match self.with(|desk| desk.next_minute()) {
            Some(end) => {
                self.advance_to(end);
                true
            }
            None => false,
        }
    }

    /// Executes a part of an order.
    pub fn fill(&self, client_id: &str, qty: &str, price: &str) {
        let (qty, price) = (qty.parse().unwrap(), price.parse().unwrap());
        self.with(|desk| {
            let order = desk.order_by_client_id(client_id).unwrap_or_else(|| panic!("no order {client_id}")).id.clone();
            desk.outcome(Outcome::Fill { order, qty, price });
        });
    }

    /// What is to go wrong with the next request that `what` names: its words are all in method, path or body.
    pub fn fault(&self, what: &str, fault: Fault) {
        self.faults(what, fault, 1);
    }

    /// What is to go wrong with the next `times` requests that `what` names.
    pub fn faults(&self, what: &str, fault: Fault, times: usize) {
        lock(&self.world).faults.script(what, fault, times);
    }

    /// Nothing goes wrong any more.
    pub fn forget_faults(&self) {
        lock(&self.world).faults.forget();
    }

    /// From now on nobody is reached any more, or everybody again.
    pub fn be_unreachable(&self, unreachable: bool) {
        self.forget_faults();
        self.refuse_streams(unreachable);
        if unreachable {
            self.faults("", Fault::LoseRequest, usize::MAX);
            self.cut_streams();
        }
    }

    /// Another secret than before is the right one.
    pub fn change_secret(&self, secret: &str) {
        self.gate.lock().unwrap_or_else(PoisonError::into_inner).secret = secret.to_string();
    }

    /// What is to happen to the next message of the order stream.
    pub fn stream_fault(&self, fault: StreamFault) {
        lock(&self.world).faults.script_stream(fault);
    }

    /// Faults drawn from a seed, from now on; `None` ends them.
    pub fn random_faults(&self, random: Option<RandomFaults>) {
        lock(&self.world).faults.random = random;
    }

    /// Looks at the state together with what has happened so far.
    pub fn watch<T>(&self, look: impl FnOnce(&Desk, Watched) -> T) -> T {
        let world = lock(&self.world);
        let (faults, comparisons) = (world.faults.count, world.comparisons);
        look(&world.desk, Watched { faults, comparisons, deeds: world.deeds })
    }

    /// Takes no requests at all, until told otherwise.
    pub fn outage(&self, is_out: bool) {
        lock(&self.world).faults.is_out = is_out;
    }

    /// Cuts all streams.
    pub fn cut_streams(&self) {
        lock(&self.world).hub.cut();
    }

    /// The streams stay connected and say nothing any more, not even a pong.
    pub fn mute_streams(&self, muted: bool) {
        lock(&self.world).hub.mute(muted);
    }

    /// Refuses the next connections of the market data stream: another one has the key.
    pub fn refuse_data_streams(&self, times: usize) {
        lock(&self.world).hub.refuse_data = times;
    }

    /// Refuses connections of both streams before they begin.
    pub fn refuse_streams(&self, refused: bool) {
        lock(&self.world).hub.refuse_all = refused;
    }

    /// How often the streams were connected to: orders, market data.
    pub fn connections(&self) -> (usize, usize) {
        let world = lock(&self.world);
        (world.hub.order_connections, world.hub.data_connections)
    }

    /// The symbols of a channel of market data that anyone is subscribed to.
    pub fn watched(&self, channel: &str) -> Vec<String> {
        lock(&self.world).hub.watched(channel)
    }

    /// Sends a text to everyone on the order stream (`true`) or the market data stream.
    pub fn say(&self, to_orders: bool, text: &str) {
        lock(&self.world).hub.say(to_orders, text);
    }

    /// Requests so far.
    pub fn arrivals(&self) -> Vec<Arrival> {
        lock(&self.world).arrivals.clone()
    }

    /// How many requests of this method and path arrived.
    pub fn count(&self, what: &str) -> usize {
        lock(&self.world).arrivals.iter().filter(|arrival| arrival.what == what).count()
    }
}

impl Drop for LocalAlpaca {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
