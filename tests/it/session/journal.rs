//! The journal: what is written, what a torn or changed file does, and going on after a stop.

use super::drive::{backtest, inputs, recorder, spec, streams};
use crate::look_ahead::{Change, market, variants};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use tradebot::backtest::RunSpec;
use tradebot::market::Market;
use tradebot::session::journal::{Record, read};
use tradebot::session::replay::replay;
use tradebot::session::{Journal, JournalError, Output, Recorder};
use tradebot::sim::SimVenue;

/// A session of one day that trades, and its journal.
fn one_day(path: &Path) -> (RunSpec, Market, usize) {
    let market = market(0, Change::Nothing);
    let spec = spec("open", &variants("open")[0]);
    let first = market.days.len() - 1;
    let mut recorder = recorder(&spec, &market, first, path);
    for input in inputs(&market, first) {
        recorder.handle(&input).unwrap();
    }
    (spec, market, first)
}

#[test]
fn a_journal_is_private_and_replays_to_the_orders_of_the_backtest() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    let (spec, market, first) = one_day(&path);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let replay = replay(&path).unwrap();
    assert_eq!(replay.divergence, None);
    assert!(replay.unwritten.is_empty() && replay.torn == 0);
    assert_eq!(replay.orders, backtest(&spec, &market, first).orders);
    assert!(!replay.orders.is_empty());
}

#[test]
fn every_input_stands_before_the_orders_that_follow_from_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    one_day(&path);
    let contents = read(&path).unwrap();
    let first_order = contents.records.iter().position(|r| matches!(r, Record::Out(_))).unwrap();
    let before = contents.records[..first_order].iter().rev().find(|r| matches!(r, Record::In(_)));
    let Some(Record::In(input)) = before else { panic!("no input before the first order") };
    let Record::Out(line) = &contents.records[first_order] else { unreachable!() };
    let decided = tradebot::market::parse_time(line.split(' ').next().unwrap()).unwrap();
    assert!(input.time() >= decided && input.time() < decided + tradebot::market::MINUTE, "{line}");
}

#[test]
fn a_changed_byte_anywhere_is_named_by_its_record() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    one_day(&path);
    let whole = fs::read(&path).unwrap();
    let starts: Vec<usize> =
        std::iter::once(0).chain(whole.iter().enumerate().filter(|b| *b.1 == b'\n').map(|b| b.0 + 1)).collect();
    for at in (0..whole.len()).step_by(whole.len() / 199 + 1).chain([0, whole.len() - 2]) {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        fs::write(&path, &changed).unwrap();
        let record = starts.partition_point(|&start| start <= at) - 1;
        let Err(JournalError::Record { record: found, .. }) = read(&path) else {
            panic!("byte {at} of record {record} goes unnoticed")
        };
        assert_eq!(found, record as u64, "byte {at}");
    }
}

#[test]
fn a_record_left_out_or_exchanged_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    one_day(&path);
    let whole = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = whole.lines().collect();
    let text = |lines: &[&str]| lines.iter().map(|line| format!("{line}\n")).collect::<String>();
    let mut without = lines.clone();
    without.remove(40);
    fs::write(&path, text(&without)).unwrap();
    assert!(read(&path).unwrap_err().to_string().contains("record 40 (byte"));
    let mut exchanged = lines.clone();
    exchanged.swap(40, 41);
    fs::write(&path, text(&exchanged)).unwrap();
    assert!(read(&path).unwrap_err().to_string().contains("record 40 (byte"));
}

#[test]
fn a_changed_order_with_a_right_checksum_is_the_first_divergence() {
    let folder = tempfile::tempdir().unwrap();
    let (path, forged) = (folder.path().join("journal"), folder.path().join("forged"));
    one_day(&path);
    let contents = read(&path).unwrap();
    let (plan, history, first) = contents.beginning(&path).unwrap();
    let orders: Vec<usize> =
        (0..contents.records.len()).filter(|&k| matches!(contents.records[k], Record::Out(_))).collect();
    let target = orders[orders.len() / 2];
    // One byte of an order is another, one order is missing, one is there twice.
    for kind in 0..3 {
        let _ = fs::remove_file(&forged);
        let mut journal = Journal::create(&forged, &plan, &history).unwrap();
        for (k, record) in contents.records.iter().enumerate().skip(first) {
            match (record, kind) {
                (Record::Out(line), 0) if k == target => {
                    journal.append(&Record::Out(line.replace("side=buy", "side=buz").replace("sell", "selm"))).unwrap();
                }
                (Record::Out(_), 1) if k == target => {}
                (Record::Out(_), 2) if k == target => {
                    journal.append(record).unwrap();
                    journal.append(record).unwrap();
                }
                _ => journal.append(record).unwrap(),
            }
        }
        drop(journal);
        let divergence = replay(&forged).unwrap().divergence.unwrap();
        let expected = if kind == 2 { target + 1 } else { target };
        assert_eq!(divergence.record, expected as u64, "{kind}: {divergence}");
        assert_ne!(divergence.expected, divergence.found);
    }
}

#[test]
fn a_session_that_was_stopped_at_any_byte_goes_on_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    let (spec, market, first) = one_day(&path);
    let expected = backtest(&spec, &market, first);
    let whole = fs::read(&path).unwrap();
    let contents = read(&path).unwrap();
    let begins = {
        let text = String::from_utf8(whole.clone()).unwrap();
        let (_, history, _) = contents.beginning(&path).unwrap();
        text.lines().take(1 + history.len()).map(|line| line.len() + 1).sum::<usize>()
    };
    let all = inputs(&market, first);
    let orders_begin = whole.windows(8).position(|w| w == b"{\"out\":\"").unwrap();
    // Around the first orders byte by byte in large strides, and over the whole file.
    let cuts = (orders_begin - 300..orders_begin + 900).step_by(37).chain((begins..whole.len()).step_by(31_337));
    for cut in cuts {
        fs::write(&path, &whole[..cut]).unwrap();
        let (mut recorder, unwritten) = Recorder::<SimVenue>::resume(&path).unwrap();
        let done = read(&path).unwrap().records.iter().filter(|r| matches!(r, Record::In(_))).count();
        let written: Vec<Output> = read(&path)
            .unwrap()
            .records
            .into_iter()
            .filter_map(|r| match r {
                Record::Out(line) => Some(Output::Order(line)),
                _ => None,
            })
            .collect();
        assert!(written.ends_with(&unwritten.iter().cloned().map(Output::Order).collect::<Vec<_>>()));
        let mut outputs = written;
        for input in &all[done..] {
            outputs.extend(recorder.handle(input).unwrap());
        }
        assert_eq!(streams(recorder.session(), &outputs), expected, "cut at byte {cut}");
        drop(recorder);
        assert_eq!(replay(&path).unwrap().divergence, None, "cut at byte {cut}");
    }
}

#[test]
fn one_process_at_a_time_has_a_journal_and_none_is_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    let (spec, market, first) = one_day(&path);
    let _open = Journal::open(&path).unwrap();
    assert!(matches!(Journal::open(&path), Err(JournalError::Locked { .. })));
    let (plan, history) =
        tradebot::session::Plan::new("s-2", tradebot::session::Mode::Paper, spec, 1_000, &market.parts_before(first))
            .unwrap();
    assert!(matches!(Journal::create(&path, &plan, &history), Err(JournalError::File { .. })));
}

#[test]
fn what_is_no_journal_is_refused_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    let error = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        replay(&path).unwrap_err().to_string()
    };
    assert!(error(b"").ends_with("no journal: it is empty"));
    assert!(error(b"0 abc").ends_with("no journal: it has no whole record"));
    assert!(error(b"hello\n").contains("record 0 (byte 0): expected a number, a checksum and JSON"));
    assert!(error(b"1 0123456789abcdef {}\n").contains("record 0 (byte 0): its number is \"1\""));
    assert!(error(b"0 0123456789abcdef {}\n").contains("its checksum is"));
    assert!(error(b"\xff\xfe\n").contains("not UTF-8"));
    assert!(error(&vec![b'0'; 5 << 20]).contains("a line of more than"));
}

#[test]
fn replay_exits_with_0_for_the_same_1_for_a_divergence_and_2_for_a_bad_file() {
    let folder = tempfile::tempdir().unwrap();
    let (path, forged) = (folder.path().join("journal"), folder.path().join("forged"));
    one_day(&path);
    let run = |args: &[&str]| {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_tbot")).arg("replay").args(args).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let (code, out, _) = run(&[path.to_str().unwrap()]);
    assert_eq!(code, Some(0));
    assert!(out.contains(": same: "), "{out}");
    let (code, out, err) = run(&["--orders", path.to_str().unwrap()]);
    assert_eq!(code, Some(0));
    assert!(out.lines().all(|line| line.contains(" id=")) && err.contains(": same: "), "{out}{err}");

    let contents = read(&path).unwrap();
    let (plan, history, first) = contents.beginning(&path).unwrap();
    let mut journal = Journal::create(&forged, &plan, &history).unwrap();
    for record in &contents.records[first..] {
        match record {
            Record::Out(line) => journal.append(&Record::Out(line.replace("qty=", "qty=1"))).unwrap(),
            record => journal.append(record).unwrap(),
        }
    }
    drop(journal);
    let (code, out, _) = run(&[forged.to_str().unwrap()]);
    assert_eq!(code, Some(1));
    assert!(out.contains(": different at record ") && out.contains("expected: ") && out.contains("found: "), "{out}");

    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    fs::write(&path, bytes).unwrap();
    let (code, out, err) = run(&[path.to_str().unwrap()]);
    assert_eq!((code, out.as_str()), (Some(2), ""));
    assert!(err.contains("journal, record ") && err.contains("its checksum is"), "{err}");
}
