//! The order stream: what the core asked of its venue, as text. Backtest, replay and acceptance compare it byte for
//! byte.

use crate::market::{Market, Nanos, SymbolId, format_time};
use crate::risk::{Approved, BarVenue, Venue};
use crate::trading::{Fill, Instruments, Order, OrderChange, OrderId, OrderKind, Portfolio, Trail};
use std::fmt::Write;

/// One line for everything that was asked of a venue, in the order of asking. Numbers are the shortest decimals that
/// read back as the same bits.
///
/// ```text
/// 2024-03-26T13:51:00.000000000Z submit id=3 strategy=open symbol=AAPL side=buy type=market qty=12 tif=day reason=breakout
/// 2024-03-26T13:51:00.000000000Z submit id=4 strategy=open symbol=AAPL side=sell type=stop qty=12 stop=169.5 tif=day group=0 parent=3 reason=stop
/// 2024-03-26T14:20:00.000000000Z replace id=4 stop=170
/// 2024-03-26T14:31:00.000000000Z cancel id=4
/// ```
///
/// Prices, `group` and `parent` are there where the order has them; blanks in names and reasons become `_`.
#[derive(Debug, Clone)]
pub struct OrderStream {
    instruments: Vec<String>,
    strategies: Vec<String>,
    lines: Vec<String>,
}

impl OrderStream {
    /// Before the first order. `strategies` by index.
    pub fn new(market: &Market, strategies: Vec<String>) -> OrderStream {
        OrderStream { instruments: market.symbols.clone(), strategies, lines: Vec::new() }
    }

    /// The lines so far.
    pub fn lines(&self) -> &[String] {
        &self.lines
    }

    /// Takes the lines so far.
    pub fn take(&mut self) -> Vec<String> {
        std::mem::take(&mut self.lines)
    }

    fn grow(&mut self, instruments: &Instruments<'_>) {
        for id in self.instruments.len()..instruments.len() {
            self.instruments.push(instruments.name(SymbolId(id as u32)));
        }
    }

    fn submit(&mut self, order: &Order) {
        let request = &order.request;
        let mut line = format!(
            "{} submit id={} strategy={} symbol={} side={} type={} qty={}",
            format_time(order.decided),
            order.id.0,
            word(&self.strategies[usize::from(order.strategy)]),
            word(&self.instruments[request.symbol.index()]),
            request.side.name(),
            request.kind.order_type().name(),
            request.qty,
        );
        push(&mut line, "limit", request.kind.limit());
        push(&mut line, "stop", request.kind.stop());
        if let OrderKind::TrailingStop { trail, .. } = request.kind {
            match trail {
                Trail::Amount(dollars) => push(&mut line, "trail", Some(dollars)),
                Trail::Percent(percent) => push(&mut line, "trail_pct", Some(percent)),
            }
        }
        push(&mut line, "tif", Some(request.tif.name()));
        push(&mut line, "group", request.oco);
        push(&mut line, "parent", request.parent.map(|id| id.0));
        push(&mut line, "reason", Some(word(request.reason)));
        self.lines.push(line);
    }

    fn cancel(&mut self, id: OrderId, decided: Nanos) {
        self.lines.push(format!("{} cancel id={}", format_time(decided), id.0));
    }

    fn replace(&mut self, id: OrderId, change: &OrderChange, decided: Nanos) {
        let mut line = format!("{} replace id={}", format_time(decided), id.0);
        push(&mut line, "qty", change.qty);
        push(&mut line, "limit", change.limit);
        push(&mut line, "stop", change.stop);
        self.lines.push(line);
    }
}

/// One fill in the manner of the order stream; `instrument` is its name.
pub fn fill_line(fill: &Fill, instrument: &str) -> String {
    format!(
        "{} fill id={} symbol={} side={} qty={} price={} commission={}",
        format_time(fill.time),
        fill.order.0,
        word(instrument),
        fill.side.name(),
        fill.qty,
        fill.price,
        fill.commission,
    )
}

fn word(text: &str) -> String {
    text.replace(' ', "_")
}

fn push(line: &mut String, name: &str, value: Option<impl std::fmt::Display>) {
    if let Some(value) = value {
        // Writing to a string cannot fail.
        let _ = write!(line, " {name}={value}");
    }
}

/// A venue with the stream of what is asked of it.
#[derive(Debug)]
pub struct Recorded<V> {
    pub venue: V,
    pub stream: OrderStream,
}

impl<V> Recorded<V> {
    /// Records what is asked of `venue` from now on.
    pub fn new(venue: V, stream: OrderStream) -> Recorded<V> {
        Recorded { venue, stream }
    }
}

impl<V: Venue> Venue for Recorded<V> {
    fn grow(&mut self, instruments: &Instruments<'_>) {
        self.stream.grow(instruments);
        self.venue.grow(instruments);
    }

    fn submit(&mut self, order: Approved<Order>) {
        self.stream.submit(order.get());
        self.venue.submit(order);
    }

    fn cancel(&mut self, symbol: SymbolId, id: OrderId, decided: Nanos) {
        self.stream.cancel(id, decided);
        self.venue.cancel(symbol, id, decided);
    }

    fn replace(&mut self, symbol: SymbolId, id: OrderId, change: Approved<OrderChange>, decided: Nanos) {
        self.stream.replace(id, change.get(), decided);
        self.venue.replace(symbol, id, change, decided);
    }
}

impl<V: BarVenue> BarVenue for Recorded<V> {
    fn start_day(&mut self, day: usize, instruments: &Instruments<'_>) {
        self.venue.start_day(day, instruments);
    }

    fn extend_day(&mut self, instruments: &Instruments<'_>) {
        self.venue.extend_day(instruments);
    }

    fn next_step(&self) -> Option<usize> {
        self.venue.next_step()
    }

    fn process(&mut self, step: usize, portfolio: &mut Portfolio, instruments: &Instruments<'_>) {
        self.venue.process(step, portfolio, instruments);
    }

    fn settle(&mut self, step: usize, portfolio: &mut Portfolio, instruments: &Instruments<'_>) -> bool {
        self.venue.settle(step, portfolio, instruments)
    }

    fn end_of_day(&mut self, portfolio: &mut Portfolio, instruments: &Instruments<'_>) {
        self.venue.end_of_day(portfolio, instruments);
    }

    fn split(
        &mut self,
        symbol: SymbolId,
        ratio: f64,
        time: Nanos,
        portfolio: &mut Portfolio,
        instruments: &Instruments<'_>,
    ) {
        self.venue.split(symbol, ratio, time, portfolio, instruments);
    }

    fn end_of_data(&mut self, time: Nanos, portfolio: &mut Portfolio, instruments: &Instruments<'_>) {
        self.venue.end_of_data(time, portfolio, instruments);
    }

    fn ambiguity_pnl(&self) -> f64 {
        self.venue.ambiguity_pnl()
    }

    fn keeps_account(&self) -> bool {
        self.venue.keeps_account()
    }

    fn take_notes(&mut self) -> Vec<String> {
        self.venue.take_notes()
    }
}
