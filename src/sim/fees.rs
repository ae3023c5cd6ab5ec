//! Regulatory fees on sales, by date.
//!
//! Both are charged by every broker on sales only. Section 31 rates: the SEC's fee rate advisories. Trading
//! Activity Fee (TAF): FINRA By-Laws, Schedule A, section 1, and its notices (11-27: 0.000090 from
//! 2011-07-01; 12-06: 0.000095 from 2012-03-01; 12-31: 0.000119 from 2012-07-01; SR-FINRA-2020-032:
//! 0.000130, 0.000145 and 0.000166 from the start of 2022, 2023 and 2024; SR-FINRA-2024-019: 0.000195 from
//! 2026). A date before a table takes its first rate.

use chrono::NaiveDate;

/// (first day, dollars a million dollars of sales).
const SECTION_31: [((i32, u32, u32), f64); 23] = [
    ((2008, 1, 22), 15.30),
    ((2008, 1, 25), 11.00),
    ((2008, 4, 1), 5.60),
    ((2009, 4, 10), 25.70),
    ((2010, 1, 15), 12.70),
    ((2010, 4, 1), 16.90),
    ((2011, 1, 21), 19.20),
    ((2012, 2, 21), 18.00),
    ((2012, 4, 1), 22.40),
    ((2013, 5, 25), 17.40),
    ((2014, 3, 18), 22.10),
    ((2015, 2, 14), 18.40),
    ((2016, 2, 16), 21.80),
    ((2017, 7, 4), 23.10),
    ((2018, 5, 22), 13.00),
    ((2019, 4, 16), 20.70),
    ((2020, 2, 18), 22.10),
    ((2021, 2, 25), 5.10),
    ((2022, 5, 14), 22.90),
    ((2023, 2, 27), 8.00),
    ((2024, 5, 22), 27.80),
    ((2025, 5, 14), 0.00),
    ((2026, 4, 4), 20.60),
];

/// (first day, dollars a share sold, most a trade).
const TRADING_ACTIVITY: [((i32, u32, u32), f64, f64); 8] = [
    ((2008, 1, 1), 0.000_075, 3.75),
    ((2011, 7, 1), 0.000_090, 4.50),
    ((2012, 3, 1), 0.000_095, 4.75),
    ((2012, 7, 1), 0.000_119, 5.95),
    ((2022, 1, 1), 0.000_130, 6.49),
    ((2023, 1, 1), 0.000_145, 7.27),
    ((2024, 1, 1), 0.000_166, 8.30),
    ((2026, 1, 1), 0.000_195, 9.79),
];

fn is_from(first: (i32, u32, u32), date: NaiveDate) -> bool {
    use chrono::Datelike;
    (date.year(), date.month(), date.day()) >= first
}

/// SEC section 31 fee on a sale of `notional` dollars.
pub fn section_31(notional: f64, date: NaiveDate) -> f64 {
    let known = SECTION_31.partition_point(|row| is_from(row.0, date));
    notional * SECTION_31[known.saturating_sub(1)].1 / 1e6
}

/// FINRA trading activity fee on a sale of `qty` shares.
pub fn trading_activity(qty: f64, date: NaiveDate) -> f64 {
    let known = TRADING_ACTIVITY.partition_point(|row| is_from(row.0, date));
    let (_, rate, cap) = TRADING_ACTIVITY[known.saturating_sub(1)];
    (qty * rate).min(cap)
}
