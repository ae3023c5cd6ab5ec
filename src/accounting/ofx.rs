//! The ledger as an investment statement in OFX 2.2, which personal finance and tax programs read.
//!
//! Fills are BUYSTOCK, SELLSTOCK, BUYOPT and SELLOPT; a fill that goes through zero is two of them. Dividends are
//! INCOME; margin interest is MARGININTEREST; everything else that moves cash is INVBANKTRAN. Amounts are in cents.
//! Splits and opening positions move no cash and are not told: readers get splits from their own source of prices.
//! Source: Open Financial Exchange Specification 2.2, chapter 13.

use super::books::Entry;
use super::error::BooksError;
use super::event::{Fill, Happening, Instrument, InstrumentKind};
use super::money::{cents, share};
use crate::market::{Nanos, format_time};
use crate::trading::Side;
use rust_decimal::Decimal;
use std::collections::BTreeSet;

/// Whose statement it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfxAccount {
    /// Domain of the broker, such as `alpaca.markets`.
    pub broker_id: String,
    /// Account number.
    pub account_id: String,
}

/// An entry with what the statement needs of it.
pub(super) struct Booked {
    pub entry: Entry,
    pub event: Option<Happening>,
    /// Units that it closed.
    pub closed: Decimal,
    /// What it did to cash.
    pub cash: Decimal,
}

/// Elements, written one after another.
struct Xml(String);

impl Xml {
    fn open(&mut self, name: &str) {
        self.0 += &format!("<{name}>");
    }

    fn close(&mut self, name: &str) {
        self.0 += &format!("</{name}>\n");
    }

    fn value(&mut self, name: &str, value: &str) {
        self.0 += &format!("<{name}>{}</{name}>", escaped(value));
    }

    fn within(&mut self, name: &str, content: impl FnOnce(&mut Xml)) {
        self.open(name);
        content(self);
        self.close(name);
    }

    fn status(&mut self) {
        self.within("STATUS", |x| {
            x.value("CODE", "0");
            x.value("SEVERITY", "INFO");
        });
    }
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            c if c.is_control() => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    escaped
}

/// `20260302145959.123` from `2026-03-02T14:59:59.123456789Z`.
fn ofx_time(utc: &str) -> String {
    let digits: String = utc.chars().filter(char::is_ascii_digit).collect();
    let at = |from: usize, to: usize| digits.get(from..to).unwrap_or("");
    format!("{}.{}", at(0, 14), at(14, 17))
}

/// The whole statement.
pub(super) fn statement(
    booked: &[Booked],
    cash: Decimal,
    currency: &str,
    account: &OfxAccount,
    now: Nanos,
) -> Result<String, BooksError> {
    let as_of = ofx_time(&format_time(now));
    let first = booked.iter().map(|b| b.entry.utc.as_str()).min().map_or_else(|| as_of.clone(), ofx_time);
    let mut x = Xml("<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"no\"?>\n<?OFX OFXHEADER=\"200\" \
                     VERSION=\"220\" SECURITY=\"NONE\" OLDFILEUID=\"NONE\" NEWFILEUID=\"NONE\"?>\n"
        .to_string());
    x.open("OFX");
    x.within("SIGNONMSGSRSV1", |x| {
        x.within("SONRS", |x| {
            x.status();
            x.value("DTSERVER", &as_of);
            x.value("LANGUAGE", "ENG");
        });
    });
    x.open("INVSTMTMSGSRSV1");
    x.open("INVSTMTTRNRS");
    x.value("TRNUID", "0");
    x.status();
    x.open("INVSTMTRS");
    x.value("DTASOF", &as_of);
    x.value("CURDEF", currency);
    x.within("INVACCTFROM", |x| {
        x.value("BROKERID", &account.broker_id);
        x.value("ACCTID", &account.account_id);
    });
    x.open("INVTRANLIST");
    x.value("DTSTART", &first);
    x.value("DTEND", &as_of);
    let mut securities: BTreeSet<&Instrument> = BTreeSet::new();
    for booked in booked {
        if let Some(instrument) = booked.event.as_ref().and_then(Happening::instrument)
            && !matches!(booked.event, Some(Happening::Split { .. } | Happening::OpeningPosition { .. }))
        {
            securities.insert(instrument);
        }
        transaction(&mut x, booked)?;
    }
    x.close("INVTRANLIST");
    x.within("INVBAL", |x| {
        x.value("AVAILCASH", &cents(cash.max(Decimal::ZERO)).to_string());
        x.value("MARGINBALANCE", &cents(cash.min(Decimal::ZERO)).to_string());
        x.value("SHORTBALANCE", "0.00");
    });
    x.close("INVSTMTRS");
    x.close("INVSTMTTRNRS");
    x.close("INVSTMTMSGSRSV1");
    if !securities.is_empty() {
        x.within("SECLISTMSGSRSV1", |x| {
            x.within("SECLIST", |x| {
                for instrument in securities {
                    security(x, instrument);
                }
            });
        });
    }
    x.close("OFX");
    Ok(x.0)
}

fn security_id(x: &mut Xml, instrument: &Instrument) {
    x.within("SECID", |x| {
        x.value("UNIQUEID", &instrument.name);
        x.value("UNIQUEIDTYPE", "TICKER");
    });
}

fn security(x: &mut Xml, instrument: &Instrument) {
    // Strike and expiry of options are in their names only, so they are told of as other securities.
    let aggregate = match instrument.kind {
        InstrumentKind::Share => "STOCKINFO",
        InstrumentKind::Option => "OTHERINFO",
    };
    x.within(aggregate, |x| {
        x.within("SECINFO", |x| {
            security_id(x, instrument);
            x.value("SECNAME", &instrument.name);
            x.value("TICKER", &instrument.name);
        });
    });
}

fn transaction(x: &mut Xml, booked: &Booked) -> Result<(), BooksError> {
    let entry = &booked.entry;
    let id = entry.id.to_string();
    match &booked.event {
        Some(Happening::Fill(fill)) => return trade(x, entry, fill, booked.closed),
        Some(Happening::Dividend { instrument, amount }) if *amount > Decimal::ZERO => x.within("INCOME", |x| {
            head(x, entry, &id);
            security_id(x, instrument);
            x.value("INCOMETYPE", "DIV");
            x.value("TOTAL", &cents(*amount).to_string());
            x.value("SUBACCTSEC", "CASH");
            x.value("SUBACCTFUND", "CASH");
        }),
        Some(Happening::MarginInterest { amount }) => x.within("MARGININTEREST", |x| {
            head(x, entry, &id);
            x.value("TOTAL", &cents(-*amount).to_string());
            x.value("SUBACCTFUND", "MARGIN");
        }),
        _ if booked.cash.is_zero() => {}
        event => x.within("INVBANKTRAN", |x| {
            x.within("STMTTRN", |x| {
                let kind = match event {
                    Some(Happening::Deposit { .. }) => "DEP",
                    Some(Happening::InterestEarned { .. }) => "INT",
                    Some(Happening::BorrowFee { .. } | Happening::OtherFee { .. }) => "FEE",
                    _ if booked.cash > Decimal::ZERO => "CREDIT",
                    _ => "DEBIT",
                };
                x.value("TRNTYPE", kind);
                x.value("DTPOSTED", &ofx_time(&entry.utc));
                x.value("TRNAMT", &cents(booked.cash).to_string());
                x.value("FITID", &id);
                x.value("NAME", &entry.memo.chars().take(32).collect::<String>());
            });
            x.value("SUBACCTFUND", "CASH");
        }),
    }
    Ok(())
}

fn head(x: &mut Xml, entry: &Entry, id: &str) {
    x.within("INVTRAN", |x| {
        x.value("FITID", id);
        x.value("DTTRADE", &ofx_time(&entry.utc));
        x.value("MEMO", &entry.memo.chars().take(255).collect::<String>());
    });
}

/// A fill: what it closed, and what it opened.
fn trade(x: &mut Xml, entry: &Entry, fill: &Fill, closed: Decimal) -> Result<(), BooksError> {
    let closed = closed.min(fill.quantity);
    let notional = fill.notional()?;
    let parts = [(closed, true), (fill.quantity - closed, false)];
    let parts: Vec<(Decimal, bool)> = parts.into_iter().filter(|(units, _)| *units >= super::money::DUST).collect();
    let whole = fill.quantity;
    let (mut value_left, mut commission_left, mut fees_left) = (notional, fill.commission, fill.regulatory_fees);
    for (k, (units, closes)) in parts.iter().enumerate() {
        let is_last = k + 1 == parts.len();
        let part = |left: &mut Decimal, total: Decimal| {
            let taken = if is_last { *left } else { share(total, *units, whole) };
            *left -= taken;
            taken
        };
        let value = part(&mut value_left, notional);
        let commission = part(&mut commission_left, fill.commission);
        let fees = part(&mut fees_left, fill.regulatory_fees);
        let id = if parts.len() == 1 { entry.id.to_string() } else { format!("{}-{}", entry.id, k + 1) };
        let names = names(fill.instrument.kind, fill.side, *closes);
        let (units, total) = match fill.side {
            Side::Buy => (*units, -value - commission - fees),
            Side::Sell => (-*units, value - commission - fees),
        };
        x.within(names.outer, |x| {
            x.within(names.inner, |x| {
                head(x, entry, &id);
                security_id(x, &fill.instrument);
                x.value("UNITS", &units.normalize().to_string());
                x.value("UNITPRICE", &fill.price.to_string());
                x.value("COMMISSION", &cents(commission).to_string());
                x.value("FEES", &cents(fees).to_string());
                x.value("TOTAL", &cents(total).to_string());
                x.value("SUBACCTSEC", names.subaccount);
                x.value("SUBACCTFUND", "CASH");
            });
            x.value(names.kind, names.word);
            if fill.instrument.kind == InstrumentKind::Option {
                x.value("SHPERCTRCT", "100");
            }
        });
    }
    Ok(())
}

/// The words of one kind of transaction.
struct Names {
    outer: &'static str,
    inner: &'static str,
    kind: &'static str,
    word: &'static str,
    subaccount: &'static str,
}

fn names(instrument: InstrumentKind, side: Side, closes: bool) -> Names {
    let (outer, inner, kind, word) = match (instrument, side, closes) {
        (InstrumentKind::Share, Side::Buy, false) => ("BUYSTOCK", "INVBUY", "BUYTYPE", "BUY"),
        (InstrumentKind::Share, Side::Buy, true) => ("BUYSTOCK", "INVBUY", "BUYTYPE", "BUYTOCOVER"),
        (InstrumentKind::Share, Side::Sell, true) => ("SELLSTOCK", "INVSELL", "SELLTYPE", "SELL"),
        (InstrumentKind::Share, Side::Sell, false) => ("SELLSTOCK", "INVSELL", "SELLTYPE", "SELLSHORT"),
        (InstrumentKind::Option, Side::Buy, false) => ("BUYOPT", "INVBUY", "OPTBUYTYPE", "BUYTOOPEN"),
        (InstrumentKind::Option, Side::Buy, true) => ("BUYOPT", "INVBUY", "OPTBUYTYPE", "BUYTOCLOSE"),
        (InstrumentKind::Option, Side::Sell, true) => ("SELLOPT", "INVSELL", "OPTSELLTYPE", "SELLTOCLOSE"),
        (InstrumentKind::Option, Side::Sell, false) => ("SELLOPT", "INVSELL", "OPTSELLTYPE", "SELLTOOPEN"),
    };
    let is_short = matches!((side, closes), (Side::Buy, true) | (Side::Sell, false));
    Names { outer, inner, kind, word, subaccount: if is_short { "SHORT" } else { "CASH" } }
}
