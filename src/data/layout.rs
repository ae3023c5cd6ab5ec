//! Which column of a file is what.

use super::DataError;

/// Names of the quote columns in the order of [`Chunk::quotes`](super::chunk::Chunk::quotes).
pub(super) const QUOTE_NAMES: [&str; 8] =
    ["bid_open", "bid_high", "bid_low", "bid_close", "ask_open", "ask_high", "ask_low", "ask_close"];
/// Names of the bar columns in the order of [`Chunk::trade`](super::chunk::Chunk::trade).
pub(super) const TRADE_NAMES: [&str; 5] = ["open", "high", "low", "close", "volume"];
/// Names of the time column, best first.
const TIME_NAMES: [&str; 5] = ["ts", "timestamp", "datetime", "time", "date"];
/// Columns that belong to bars but play no part in a run.
const UNUSED_NAMES: [&str; 4] = ["vwap", "trades", "bid_size", "ask_size"];

/// Column indices of one bar file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layout {
    pub time: usize,
    pub symbol: Option<usize>,
    /// open, high, low, close, volume; `None` in a file of quotes only.
    pub trade: Option<[usize; 5]>,
    /// Bid and ask columns, where there are any.
    pub quotes: Option<[Option<usize>; 8]>,
    /// Names of the columns that are not used.
    pub extra: Vec<String>,
}

impl Layout {
    /// Finds the columns by name, without regard to case.
    ///
    /// # Errors
    /// No time column, some but not all price columns, neither prices nor quotes, or a name that occurs twice.
    pub(super) fn find(file: &str, names: &[String]) -> Result<Layout, DataError> {
        let lower: Vec<String> =
            names.iter().map(|n| n.trim().trim_start_matches('\u{feff}').to_ascii_lowercase()).collect();
        if let Some(twice) = (1..lower.len()).find(|&i| lower[..i].contains(&lower[i])) {
            return Err(DataError::file(file, format!("column '{}' occurs twice", names[twice])));
        }
        let at = |name: &str| lower.iter().position(|n| n == name);
        let unknown = |what: &str| {
            DataError::file(
                file,
                format!(
                    "unknown column layout: {what} among [{}]; expected ts, symbol, open, high, low, close, volume",
                    names.join(", ")
                ),
            )
        };
        let time = TIME_NAMES.iter().find_map(|n| at(n)).ok_or_else(|| unknown("no time column (ts)"))?;
        let found: Vec<usize> = TRADE_NAMES.iter().filter_map(|n| at(n)).collect();
        let trade: Option<[usize; 5]> = found.as_slice().try_into().ok();
        let mut quotes = QUOTE_NAMES.map(at);
        quotes[3] = quotes[3].or_else(|| at("bid"));
        quotes[7] = quotes[7].or_else(|| at("ask"));
        let has_quotes = quotes.iter().any(Option::is_some);
        if trade.is_none() && (!found.is_empty() || !has_quotes) {
            let missing: Vec<&str> = TRADE_NAMES.into_iter().filter(|n| at(n).is_none()).collect();
            return Err(unknown(&format!("no {}", missing.join(", "))));
        }
        let symbol = at("symbol").or_else(|| at("ticker"));
        let mut used = vec![time];
        used.extend(symbol);
        used.extend(trade.iter().flatten());
        used.extend(quotes.iter().flatten());
        let extra = (0..names.len())
            .filter(|i| !used.contains(i) && !UNUSED_NAMES.contains(&lower[*i].as_str()))
            .map(|i| names[i].clone())
            .collect();
        Ok(Layout { time, symbol, trade, quotes: has_quotes.then_some(quotes), extra })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(names: &str) -> Result<Layout, String> {
        let names: Vec<String> = names.split(',').map(String::from).collect();
        Layout::find("x.csv", &names).map_err(|e| e.to_string())
    }

    #[test]
    fn names_are_found_in_any_order_and_case_and_the_rest_is_extra() {
        let layout = find("Volume,CLOSE,low,high,open,Ticker,Timestamp,vwap,adj_close").expect("a layout");
        assert_eq!(layout.time, 6);
        assert_eq!(layout.symbol, Some(5));
        assert_eq!(layout.trade, Some([4, 3, 2, 1, 0]));
        assert_eq!(layout.quotes, None);
        assert_eq!(layout.extra, ["adj_close"]);
        let layout = find("ts,date,open,high,low,close,volume").expect("a layout");
        assert_eq!((layout.time, layout.extra), (0, vec!["date".to_string()]));
    }

    #[test]
    fn bid_and_ask_are_the_closing_quotes_and_may_stand_alone() {
        let layout = find("ts,open,high,low,close,volume,bid,ask").expect("a layout");
        assert_eq!(layout.quotes, Some([None, None, None, Some(6), None, None, None, Some(7)]));
        let layout = find("ts,symbol,bid_close,ask_close").expect("a layout");
        assert_eq!(layout.trade, None);
    }

    #[test]
    fn an_unknown_layout_says_what_is_missing() {
        insta::assert_snapshot!(find("a,b,c").unwrap_err(), @"x.csv: unknown column layout: no time column (ts) among [a, b, c]; expected ts, symbol, open, high, low, close, volume");
        insta::assert_snapshot!(find("ts,open,high,low,close").unwrap_err(), @"x.csv: unknown column layout: no volume among [ts, open, high, low, close]; expected ts, symbol, open, high, low, close, volume");
        insta::assert_snapshot!(find("ts,close,bid,volume").unwrap_err(), @"x.csv: unknown column layout: no open, high, low among [ts, close, bid, volume]; expected ts, symbol, open, high, low, close, volume");
        insta::assert_snapshot!(find("ts,ts,open,high,low,close,volume").unwrap_err(), @"x.csv: column 'ts' occurs twice");
    }
}
