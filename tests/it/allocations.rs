//! The engine does not allocate per bar, nor per fill: a run over twice the bars allocates hardly more often.

use crate::small_market::{SmallMarket, plain_run, run_with, strategy, walk};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use tradebot::backtest::RunConfig;
use tradebot::trading::AccountKind;

/// The system's allocator, counting the calls of each thread: other tests run at the same time.
struct Counting;

thread_local! {
    static CALLS: Cell<u64> = const { Cell::new(0) };
}

fn count() {
    // A thread that is ending has no counter any more, and nobody reads it.
    let _ = CALLS.try_with(|calls| calls.set(calls.get() + 1));
}

// SAFETY: every call is handed on unchanged to the system's allocator; the counter itself never allocates, since
// it is constant-initialised and has no destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn calls() -> u64 {
    CALLS.with(Cell::get)
}

/// (bars, fills, allocations) of a run over the sessions up to `to`.
fn measure(to: &str, config: &RunConfig, direction: &str) -> (u64, usize, u64) {
    let small = SmallMarket::new("2024-03-11", to);
    let sessions = small.sessions.len();
    let market = small.symbol("A", walk(7, sessions)).symbol("B", walk(8, sessions)).build();
    let params = [("fast", "3"), ("slow", "8"), ("qty", "100"), ("direction", direction)];
    let strategies = vec![strategy("sma_cross", &params, false)];
    let before = calls();
    let result = run_with(&market, config, strategies);
    (market.bar_count(), result.fills.len(), calls() - before)
}

#[test]
fn allocations_do_not_grow_with_bars_or_fills() {
    let mut latency = RunConfig { cash: 1e7, ..plain_run() };
    latency.rules.latency = 500_000_000;
    latency.rules.commission = "per_share:0.005:min=1:max_pct=0.5".parse().unwrap();
    latency.rules.slippage = "normal:0.15:0.10".parse().unwrap();
    let mut capped = latency.clone();
    capped.rules.participation = 0.001;
    let mut immediate = latency.clone();
    immediate.rules.fill = "close".parse().unwrap();
    let mut cash = latency.clone();
    cash.limits.account.kind = AccountKind::Cash;
    let configs =
        [("long", &latency), ("long_short", &latency), ("long_short", &capped), ("long", &immediate), ("long", &cash)];
    for (direction, config) in configs {
        let (bars, fills, allocations) = measure("2024-03-22", config, direction);
        let (bars_2, fills_2, allocations_2) = measure("2024-04-05", config, direction);
        assert!(bars_2 > bars + 6_000 && fills_2 > fills + 500, "{bars} {bars_2} {fills} {fills_2}");
        // Tables that double when they are full may do so once or twice more, each.
        assert!(allocations_2 < allocations + 100, "{direction} {config:?}: {allocations} then {allocations_2}");
    }
}
