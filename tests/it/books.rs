//! The books of a run: what the core did, booked as decimals, comes to the cash, positions and profit of the core.

use crate::small_market::{SmallMarket, plain_run, run_with, walk};
use proptest::prelude::*;
use tradebot::accounting::money::{self, decimal};
use tradebot::accounting::{Books, Event, Fill, Happening, Identity, Instrument, Outcome, SystemAccount};
use tradebot::backtest::RunResult;
use tradebot::engine::StrategySetup;
use tradebot::market::{ActionKind, CorporateAction, MINUTE, Market, format_time};
use tradebot::strategies::{OrdersFromFile, parse_order_lines};
use tradebot::vault::{Category, Disk, Keys, Storage};

const SESSIONS: usize = 5;
const NAMES: [&str; 2] = ["A", "B"];

/// One market order: session, minute, symbol, hundredths of a share (negative: sold).
type Order = (usize, i64, usize, i64);

/// Five sessions of two walking prices, with a dividend and a split of each.
fn market(seed: u64) -> Market {
    let mut small = SmallMarket::new("2024-03-25", "2024-04-01");
    for (k, name) in NAMES.into_iter().enumerate() {
        small = small.symbol(name, walk(seed + k as u64, SESSIONS));
    }
    let action = |session: usize, name: &str, kind| CorporateAction {
        date: small.sessions[session].date,
        symbol: small.id(name),
        kind,
    };
    small.parts.actions = vec![
        action(1, "A", ActionKind::Dividend { amount: 0.375 }),
        action(2, "A", ActionKind::Split { ratio: 3.0 }),
        action(3, "B", ActionKind::Dividend { amount: 1.1 }),
        action(3, "B", ActionKind::Split { ratio: 1.0 / 3.0 }),
        action(4, "A", ActionKind::Dividend { amount: 0.01 }),
    ];
    small.build()
}

fn run(market: &Market, orders: &[Order]) -> RunResult {
    let mut sorted: Vec<Order> = orders.to_vec();
    sorted.sort();
    let lines = sorted.iter().enumerate().map(|(k, &(session, minute, symbol, hundredths))| {
        let time = format_time(market.days[session].open + minute * MINUTE);
        let (name, side) = (NAMES[symbol], if hundredths > 0 { "buy" } else { "sell" });
        format!("{time},{k},{name},{side},market,{},,,,\n", hundredths.abs() as f64 / 100.0)
    });
    let text = format!("ts,id,symbol,side,type,qty,limit,stop,tif,oco\n{}", lines.collect::<String>());
    let lines = parse_order_lines(text.as_bytes(), "orders.csv").unwrap();
    let mut config = plain_run();
    config.rules.commission = "ibkr_tiered".parse().unwrap();
    config.rules.slippage = "fixed_pct:0.03".parse().unwrap();
    let strategy = Box::new(OrdersFromFile::new(lines));
    run_with(market, &config, vec![StrategySetup { strategy, bound_to_position_limit: false }])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_run_booked_fill_by_fill_comes_to_the_cash_positions_and_profit_of_the_core(
        seed in any::<u32>(),
        orders in prop::collection::vec((0..SESSIONS, 0..380_i64, 0..2_usize, -20_000..20_000_i64), 1..60),
    ) {
        let market = market(u64::from(seed));
        let orders: Vec<Order> = orders.into_iter().filter(|order| order.3 != 0).collect();
        let result = run(&market, &orders);
        prop_assert!(result.fills.len() * 2 >= orders.len(), "{} of {} filled", result.fills.len(), orders.len());

        let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        let (disk, _) = Disk::open(folder.path()).unwrap();
        let (mut keys, _) = Keys::open(&disk).unwrap();
        let now = market.days[0].open;
        keys.provision(Category::Env, now).unwrap();
        let storage = Storage { disk: &disk, keys: &keys };
        let identity = Identity { entity: "ACME".into(), jurisdiction: "US".into(), currency_code: "USD".into() };
        let mut books = Books::create(storage, &identity, now).unwrap();
        let post = |books: &mut Books, events: Vec<Event>| {
            for posted in books.post(storage, &events, now).unwrap() {
                assert_eq!(posted.outcome, Outcome::Booked);
            }
        };
        post(&mut books, vec![Event::new("cash", now, Happening::Deposit { amount: decimal(result.start_equity).unwrap() })]);

        let mut held = [0.0; 2];
        let mut fills = result.fills.iter().enumerate().peekable();
        let mut actions = market.actions.iter().peekable();
        for day in &market.days {
            while let Some(action) = actions.next_if(|action| action.date <= day.date) {
                let instrument = Instrument::share(NAMES[action.symbol.index()]);
                let what = match action.kind {
                    ActionKind::Split { ratio } => {
                        held[action.symbol.index()] *= ratio;
                        Happening::Split { instrument, new: decimal(ratio).unwrap(), old: 1.into() }
                    }
                    ActionKind::Dividend { amount } => {
                        let held = books.position(&instrument).unwrap();
                        let amount = money::amount(held, decimal(amount).unwrap()).unwrap();
                        if amount.is_zero() {
                            continue;
                        }
                        Happening::Dividend { instrument, amount }
                    }
                };
                let reference = format!("action:{}:{}:{}", action.date, action.symbol.index(), what.word());
                post(&mut books, vec![Event::new(reference, day.open, what)]);
            }
            let mut events = Vec::new();
            while let Some((k, fill)) = fills.next_if(|(_, fill)| fill.time <= day.close) {
                held[fill.symbol.index()] += fill.side.sign() * fill.qty;
                let instrument = Instrument::share(NAMES[fill.symbol.index()]);
                let fill = Happening::Fill(Fill::from_core(fill, instrument, 0.0).unwrap());
                events.push(Event::new(format!("fill:{k}"), day.open, fill));
            }
            post(&mut books, events);
        }
        prop_assert!(fills.next().is_none());
        prop_assert_eq!(books.check().unwrap(), Vec::<String>::new());
        prop_assert!(books.trial_balance(None).unwrap().sum.is_zero());

        let number = |value: rust_decimal::Decimal| value.to_string().parse::<f64>().unwrap();
        let cash = result.cash_changes.last().map_or(result.start_equity, |change| change.1);
        prop_assert!((number(books.cash().unwrap()) - cash).abs() < 0.005, "{} and {cash}", books.cash().unwrap());

        let gains: f64 = result.trades.iter().map(|trade| trade.pnl + trade.commission).sum();
        let booked = -number(books.balance(SystemAccount::RealisedGains.code()).unwrap());
        prop_assert!((booked - gains).abs() < 0.005, "{booked} and {gains}");
        let charged = number(books.balance(SystemAccount::Commissions.code()).unwrap());
        prop_assert!((charged - result.costs.commission).abs() < 0.005);

        for (name, position) in NAMES.into_iter().zip(held) {
            let booked = number(books.position(&Instrument::share(name)).unwrap());
            prop_assert!((booked - position).abs() < 1e-6, "{name}: {booked} and {position}");
        }
    }
}
