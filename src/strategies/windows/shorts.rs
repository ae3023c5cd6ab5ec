//! What is bought or sold for a signal.

use super::puts;
use super::settings::WindowSettings;
use crate::market::SymbolId;
use crate::risk::whole_shares;
use crate::trading::{CONTRACT_SIZE, Orders, Side, View};

/// SHORT_TYPE_*: how a short signal is traded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ShortType {
    /// Buy the ETF that the inverse map names.
    InverseEtf,
    ShortSell,
    /// Buy a put at the money.
    LongPut,
    /// Not at all.
    Disabled,
}

/// An entry in terms of the instrument.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Entry {
    pub instrument: SymbolId,
    pub side: Side,
    /// Shares, more than 0.
    pub qty: f64,
    /// Whether the instrument is the signal's symbol, so that its stop and target are orders.
    pub is_direct: bool,
}

/// What `dollars` buy or sell for a signal in `symbol` at `price`; `None`, with a sentence for the summary,
/// when it cannot be traded.
pub(super) fn entry(
    settings: &WindowSettings,
    symbol: SymbolId,
    side: Side,
    price: f64,
    dollars: f64,
    view: &View<'_>,
    orders: &mut Orders<'_>,
) -> Option<Entry> {
    let entry = match (side, settings.short_type) {
        (Side::Buy, _) | (_, ShortType::ShortSell) => {
            let fractional = settings.fractional && (side == Side::Buy || !settings.whole_shorts);
            Entry { instrument: symbol, side, qty: whole_shares(dollars, price, fractional), is_direct: true }
        }
        (Side::Sell, ShortType::Disabled) => return None,
        (Side::Sell, ShortType::InverseEtf) => inverse_etf(settings, symbol, dollars, view, orders)?,
        (Side::Sell, ShortType::LongPut) => {
            let put = puts::choose(settings, symbol, price, view, orders)?;
            let contracts = whole_shares(dollars, put.price(price, view.now()) * CONTRACT_SIZE, false);
            if contracts == 0.0 {
                return too_small(settings, orders);
            }
            Entry { instrument: orders.put(put), side: Side::Buy, qty: contracts * CONTRACT_SIZE, is_direct: false }
        }
    };
    if entry.qty > 0.0 { Some(entry) } else { too_small(settings, orders) }
}

fn too_small(settings: &WindowSettings, orders: &mut Orders<'_>) -> Option<Entry> {
    orders.warn(format!(
        "{}: some signals were not traded because their allocation does not buy one share or contract",
        settings.name
    ));
    None
}

/// The ETF in place of the short position. One that moves `leverage` times the index needs as many times
/// fewer dollars for the same exposure.
fn inverse_etf(
    settings: &WindowSettings,
    symbol: SymbolId,
    dollars: f64,
    view: &View<'_>,
    orders: &mut Orders<'_>,
) -> Option<Entry> {
    let Some((etf, leverage)) = view.inverse_etf(symbol) else {
        orders.warn(format!(
            "{}: short signals in symbols without an inverse ETF were not traded (--inverse FILE)",
            settings.name
        ));
        return None;
    };
    if !view.has_bar(etf) {
        orders.warn(format!(
            "{}: some short signals were not traded because {} had no bar at that time",
            settings.name,
            view.symbol_name(etf)
        ));
        return None;
    }
    let price = view.past(etf).close()?;
    let qty = whole_shares(dollars / leverage, price, settings.fractional);
    Some(Entry { instrument: etf, side: Side::Buy, qty, is_direct: false })
}
