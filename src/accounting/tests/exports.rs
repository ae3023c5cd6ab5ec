//! The ledger for other programs.

use super::harness::{House, T0, d, day, fill};
use crate::accounting::{Event, Happening, Instrument, LedgerFormat, OfxAccount};
use crate::vault::Storage;

fn house() -> House {
    let mut house = House::new();
    house.post(Happening::Deposit { amount: d("10000") });
    house.post(fill("buy 100 AAPL at 10.005", "1", "0"));
    house.post(fill("sell 150 AAPL at 11", "1.5", "0.03"));
    house.post(Happening::Dividend { instrument: Instrument::share("AAPL"), amount: d("-12.5") });
    house.post(Happening::MarginInterest { amount: d("0.125") });
    let event =
        Event { memo: "=cmd|' /C calc'!A0 <&>".into(), ..Event::new("x", day(0), fill("buy 1 P-1 at 2", "0", "0")) };
    let storage = Storage { disk: &house.disk, keys: &house.keys };
    assert_eq!(house.books.post(storage, &[event], T0).unwrap()[0].entry, 6);
    house
}

#[test]
fn the_csv_has_every_line_exactly_and_no_formulas() {
    let csv = house().books.export_ledger(&LedgerFormat::Csv, T0).unwrap();
    let rows: Vec<csv::StringRecord> = csv::Reader::from_reader(csv.as_bytes()).records().map(Result::unwrap).collect();
    let sum = |column: usize| rows.iter().map(|row| d(&row[column])).sum::<rust_decimal::Decimal>();
    assert_eq!(sum(11), sum(12));
    let cell = |row: &csv::StringRecord| format!("{} {} {} {} {}", &row[0], &row[9], &row[10], &row[11], &row[12]);
    assert_eq!(cell(&rows[2]), "2 1100 Cash at broker 0 1001.5");
    let last = rows.last().unwrap();
    assert_eq!(&last[3], "'=cmd|' /C calc'!A0 <&>");
}

#[test]
fn the_json_says_whose_books_they_are() {
    let text = house().books.export_ledger(&LedgerFormat::Json, T0).unwrap();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&json["entity"], &json["coa_version"]), (&"ACME".into(), &"1".into()));
    assert_eq!(
        json["entries"][1]["lines"][0],
        serde_json::json!({"account": "1100", "debit": "0", "credit": "1001.5"})
    );
    assert_eq!(json["entries"][1]["reference"], "SIM:2");
}

#[test]
fn activity_and_gains_of_a_year_are_rows_in_cents() {
    let house = house();
    let activity = house.books.export_activity(2026).unwrap();
    let lines: Vec<&str> = activity.lines().collect();
    assert_eq!(
        lines[2],
        "2026-03-02,2026-03-02T15:00:01.000000000Z,fill,AAPL,share,buy,100,10.005,1.00,0.00,-1001.50,SIM:2,\
         buy 100 AAPL at 10.005,2"
    );
    // -0.125 is a tie, which goes to the even cent.
    assert!(lines[5].contains(",margin_interest,,,,,,,,-0.12,SIM:5,margin interest,5"), "{}", lines[5]);
    let gains = house.books.export_gains(2026).unwrap();
    // 100 of 150: 1100 less 1.02 of fees; bought for 1000.50 and 1 of fees.
    assert_eq!(
        gains.lines().nth(1).unwrap(),
        "AAPL,share,long,100,2026-03-02,2026-03-02,1098.98,1001.50,97.48,short,3"
    );
}

/// Elements as they are opened and closed; panics where they do not nest.
pub(crate) fn check_nesting(xml: &str) -> usize {
    let mut open = Vec::new();
    let mut count = 0;
    let mut rest = &xml[xml.find("<OFX>").unwrap()..];
    while let Some(start) = rest.find('<') {
        let end = start + rest[start..].find('>').unwrap();
        let name = &rest[start + 1..end];
        match name.strip_prefix('/') {
            Some(name) => assert_eq!(open.pop(), Some(name)),
            None => open.push(name),
        }
        count += 1;
        rest = &rest[end + 1..];
    }
    assert!(open.is_empty());
    count
}

#[test]
fn the_ofx_statement_nests_and_tells_of_a_crossing_as_two_trades() {
    let account = OfxAccount { broker_id: "sim.example".into(), account_id: "A&1".into() };
    let ofx = house().books.export_ledger(&LedgerFormat::Ofx(account), day(1)).unwrap();
    assert!(check_nesting(&ofx) > 100);
    let flat = ofx.replace('\n', "");
    for part in [
        "<ACCTID>A&amp;1</ACCTID>",
        "<DTASOF>20260303150000.000</DTASOF>",
        "<TRNTYPE>DEP</TRNTYPE><DTPOSTED>20260302150000.000</DTPOSTED><TRNAMT>10000.00</TRNAMT><FITID>1</FITID>",
        "<UNITS>100</UNITS><UNITPRICE>10.005</UNITPRICE><COMMISSION>1.00</COMMISSION><FEES>0.00</FEES>\
         <TOTAL>-1001.50</TOTAL><SUBACCTSEC>CASH</SUBACCTSEC><SUBACCTFUND>CASH</SUBACCTFUND></INVBUY>\
         <BUYTYPE>BUY</BUYTYPE></BUYSTOCK>",
        "<FITID>3-1</FITID>",
        "<UNITS>-100</UNITS><UNITPRICE>11</UNITPRICE><COMMISSION>1.00</COMMISSION><FEES>0.02</FEES>\
         <TOTAL>1098.98</TOTAL>",
        "<SELLTYPE>SELL</SELLTYPE>",
        "<UNITS>-50</UNITS><UNITPRICE>11</UNITPRICE><COMMISSION>0.50</COMMISSION><FEES>0.01</FEES>\
         <TOTAL>549.49</TOTAL><SUBACCTSEC>SHORT</SUBACCTSEC>",
        "<SELLTYPE>SELLSHORT</SELLTYPE>",
        "<OPTBUYTYPE>BUYTOOPEN</OPTBUYTYPE><SHPERCTRCT>100</SHPERCTRCT></BUYOPT>",
        "<MEMO>=cmd|' /C calc'!A0 &lt;&amp;&gt;</MEMO>",
        "<TRNTYPE>DEBIT</TRNTYPE><DTPOSTED>20260302150003.000</DTPOSTED><TRNAMT>-12.50</TRNAMT>",
        "<MARGININTEREST>",
        "<STOCKINFO><SECINFO><SECID><UNIQUEID>AAPL</UNIQUEID><UNIQUEIDTYPE>TICKER</UNIQUEIDTYPE></SECID>",
    ] {
        assert!(flat.contains(part), "{part}\n{ofx}");
    }
}

#[test]
fn an_empty_ledger_is_exported_too() {
    let books = House::new().books;
    assert_eq!(books.export_ledger(&LedgerFormat::Csv, T0).unwrap().lines().count(), 1);
    let account = OfxAccount { broker_id: "b".into(), account_id: "a".into() };
    check_nesting(&books.export_ledger(&LedgerFormat::Ofx(account), T0).unwrap());
    assert_eq!(books.realised_gains(2026).unwrap(), []);
}
