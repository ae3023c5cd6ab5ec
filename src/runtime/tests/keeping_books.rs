//! Ledger and chart of accounts as the web asks for them.

use serde_json::{Value, json};

use super::harness::{ADMIN, Bot, Browser, PASSWORD, wrong};
use crate::accounting::tests::exports::check_nesting;
use crate::accounting::tests::harness::fill;
use crate::accounting::{Event, Happening, Outcome};
use crate::market::SECOND;
use crate::runtime::Op;
use crate::runtime::protocol::Reply;
use crate::vault::DatabaseFile;
use crate::vault::tests::harness::{NOW, assert_sealed};

/// 10000 paid in, and 100 AAPL bought at 10.5 and sold at 11, each for a dollar: a gain of 50 before charges.
fn traded() -> Bot {
    let bot = Bot::registered();
    let event = |reference: &str, what| Event::new(reference, NOW, what);
    let events = [
        event("SIM:1", Happening::Deposit { amount: 10_000.into() }),
        event("SIM:2", fill("buy 100 AAPL at 10.5", "1", "0")),
        event("SIM:3", fill("sell 100 AAPL at 11", "1", "0.02")),
    ];
    let posted = bot.core.with(|house| house.post_events(&events, NOW)).unwrap();
    assert!(posted.iter().all(|done| done.outcome == Outcome::Booked));
    bot
}

fn draft(memo: &str, debit: &str, credit: &str) -> Value {
    json!({ "date": "2026-01-05", "memo": memo, "lines": [
        { "account": "5900", "debit": debit }, { "account": "1100", "credit": credit } ] })
}

fn code(reply: &Reply) -> (u16, &str) {
    (reply.status, reply.body["error"]["code"].as_str().unwrap_or(""))
}

/// A file of the broker: a price that differs, and a fill that the ledger has not.
const STATEMENT: &str = "date,symbol,side,qty,price,fees,execution_id\n2026-01-05,AAPL,buy,100,10.5,1,2\n\
    2026-01-05,AAPL,sell,100,11.5,1.02,3\n2026-01-05,MSFT,buy,7,400,0,77\n2026-01-05,MSFT,hold,7,400,0,78\n";

fn upload(bot: &Bot, browser: &Browser<'_>, file: &[u8]) -> Reply {
    let request = browser.request(Op::LedgerUpload, &[], "application/json", "{}".to_string());
    bot.transfer(request, &[file, b""]).0
}

#[test]
fn a_provisioned_bot_has_books_and_one_of_an_earlier_version_gets_them() {
    let bot = Bot::registered();
    let meta = bot.logged_in(ADMIN).get(Op::Status).body["coa"].clone();
    assert_eq!(
        (&meta["coa_version"], &meta["jurisdiction"], &meta["currency_code"]),
        (&json!("1"), &json!("US"), &json!("USD"))
    );
    let folder = bot.stop();
    for file in [DatabaseFile::Coa, DatabaseFile::Ledger] {
        std::fs::remove_file(folder.path().join(file.path())).unwrap();
    }
    let bot = Bot::on(folder, NOW);
    assert_eq!(bot.core.with(|house| (house.faults.clone(), house.books.is_some())), (Vec::new(), true));
    assert_sealed(bot.folder.path());
}

#[test]
fn a_ledger_that_was_lost_halts_the_bot() {
    let bot = traded();
    let folder = bot.stop();
    std::fs::remove_file(folder.path().join(DatabaseFile::Ledger.path())).unwrap();
    let bot = Bot::on(folder, NOW);
    let faults = bot.core.with(|house| house.faults.clone());
    assert_eq!(faults, ["the ledger or the chart of accounts is missing"]);
}

#[test]
fn an_entry_is_added_changed_and_keeps_its_history() {
    let bot = traded();
    let mut browser = bot.logged_in(ADMIN);
    let made = browser.json(Op::LedgerCreate, &[], &draft("data fee", "12.50", "12.5"));
    assert_eq!((made.status, &made.body["id"], &made.body["version"]), (201, &json!(4), &json!(1)), "{}", made.body);
    assert_eq!(made.body["lines"][0], json!({ "account": "5900", "debit": "12.5", "credit": "0" }));

    let mut change = draft("data fee of January", "12.5", "12.5");
    assert_eq!(wrong(&browser.json(Op::LedgerUpdate, &[("id", "4")], &change)), ["version"]);
    change["version"] = json!(1);
    let changed = browser.json(Op::LedgerUpdate, &[("id", "4")], &change);
    assert_eq!((changed.status, &changed.body["version"]), (200, &json!(2)), "{}", changed.body);
    assert_eq!(code(&browser.json(Op::LedgerUpdate, &[("id", "4")], &change)), (409, "stale"));
    let shown = browser.get_with(Op::LedgerEntry, &[("id", "4")]).body;
    assert_eq!(
        (&shown["entry"]["memo"], &shown["history"][0]["entry"]["memo"]),
        (&json!("data fee of January"), &json!("data fee"))
    );
    assert_eq!(shown["history"][0]["replaced_by"], ADMIN);

    // An entry of an event keeps its figures; words may be added.
    change["version"] = json!(1);
    assert_eq!(code(&browser.json(Op::LedgerUpdate, &[("id", "2")], &change)), (409, "automatic"));
    for unknown in ["99", "0", "-1", "x"] {
        assert_eq!(browser.json(Op::LedgerUpdate, &[("id", unknown)], &change).status, 404, "{unknown}");
        assert_eq!(browser.get_with(Op::LedgerEntry, &[("id", unknown)]).status, 404, "{unknown}");
    }
    let audited = bot.audited().join("\n");
    for line in [
        "ledger.create entries begun\nledger.create 4 done",
        "ledger.update 4 begun\nledger.update 4 done",
        "ledger.update 2 failed",
    ] {
        assert!(audited.contains(line), "{line}\n{audited}");
    }
    assert_sealed(bot.folder.path());
}

#[test]
fn what_is_no_entry_is_refused_by_field_and_not_audited_as_done() {
    let bot = Bot::registered();
    let mut browser = bot.logged_in(ADMIN);
    let mut post = |body: &Value| browser.json(Op::LedgerCreate, &[], body);
    let unbalanced = post(&draft("x", "12.5", "12"));
    assert_eq!((code(&unbalanced), wrong(&unbalanced)), ((422, "unbalanced"), vec!["lines".to_string()]));
    assert_eq!(unbalanced.body["error"]["fields"]["lines"], "Debits of 12.5 are not credits of 12.");
    assert_eq!(wrong(&post(&draft("", "1", "1"))), ["memo"]);
    assert_eq!(wrong(&post(&draft("x", "1e3", "NaN"))), ["lines[0].debit", "lines[1].credit"]);
    let mut body = draft("x", "1", "1");
    body["date"] = json!("2026-02-30");
    assert_eq!(wrong(&post(&body)), ["date"]);
    body = draft("x", "1", "1");
    body["lines"][0]["account"] = json!("1210");
    body["lines"][1]["account"] = json!("nowhere");
    assert_eq!(wrong(&post(&body)), ["lines[0].account", "lines[1].account"]);
    body = draft("x", "1", "1");
    body["lines"][0]["debit"] = json!(0.1);
    body["lines"][1]["credit"] = json!("0.10");
    assert_eq!(post(&body).status, 201, "a number is taken as it stands there");
    body["more"] = json!(1);
    assert_eq!(post(&body).status, 422);
    assert_eq!(bot.audited().iter().filter(|line| line.starts_with("ledger.create")).count(), 2);
}

#[test]
fn pages_are_by_date_and_account_with_a_running_balance() {
    let bot = traded();
    let mut browser = bot.logged_in(ADMIN);
    let page = browser.query(Op::Ledger, &[], "limit=2&offset=1").body;
    assert_eq!((&page["total"], page["entries"].as_array().unwrap().len()), (&json!(3), 2));
    assert_eq!(page["entries"][0]["id"], 2);
    let cash = browser.query(Op::Ledger, &[], "account=1100&from=2026-01-05&to=2026-01-05").body;
    let balances: Vec<&Value> = cash["entries"].as_array().unwrap().iter().map(|entry| &entry["balance"]).collect();
    // 10000, less 1050 and a dollar, with 1100 less 1.02.
    assert_eq!(balances, [&json!("10047.98"), &json!("8949"), &json!("10000")]);
    assert_eq!(browser.query(Op::Ledger, &[], "to=2026-01-04").body["total"], 0);
    for (query, field) in
        [("from=yesterday", "from"), ("limit=0", "limit"), ("limit=1001", "limit"), ("offset=-1", "offset")]
    {
        assert_eq!(wrong(&browser.query(Op::Ledger, &[], query)), [field]);
    }
}

#[test]
fn a_brokers_file_is_compared_and_its_differences_are_resolved() {
    let bot = traded();
    let mut browser = bot.logged_in(ADMIN);
    let receipt = upload(&bot, &browser, STATEMENT.as_bytes());
    assert_eq!((receipt.status, &receipt.body["rows"]), (200, &json!(3)), "{}", receipt.body);
    assert_eq!(receipt.body["errors"][0]["line"], 5);
    let compared = browser.json(Op::LedgerReconcile, &[], &json!({ "upload_id": receipt.body["upload_id"] }));
    assert_eq!(compared.body, json!({ "matched": 1, "mismatched": 2 }));
    let page = browser.query(Op::Discrepancies, &[], "open=true&limit=1").body;
    assert_eq!(
        (&page["total"], &page["open"], page["discrepancies"].as_array().unwrap().len()),
        (&json!(2), &json!(2), 1)
    );
    let found = browser.get(Op::Discrepancies).body["discrepancies"].clone();
    assert_eq!((&found[0]["kind"], &found[1]["kind"]), (&json!("missing_in_ledger"), &json!("differs")));
    let [missing, differs] = [0, 1].map(|k| found[k]["id"].to_string());
    let mut resolve = |id: &str, action: &str, note: &str| {
        browser.json(Op::DiscrepancyResolve, &[("id", id)], &json!({ "action": action, "note": note }))
    };
    assert_eq!(wrong(&resolve(&differs, "book", "x")), ["action"], "it is not missing");
    assert_eq!(wrong(&resolve(&differs, "forget", "x")), ["action"]);
    assert_eq!(wrong(&resolve(&differs, "ignored", " ")), ["note"]);
    assert_eq!(resolve("99", "ignored", "x").status, 404);
    let booked = resolve(&missing, "book", "the core was away").body;
    assert_eq!(
        (&booked["action"], &booked["entry"], &booked["resolved_by"]),
        (&json!("book"), &json!(4), &json!(ADMIN))
    );
    assert_eq!(code(&resolve(&missing, "book", "again")), (409, "resolved"));
    assert_eq!(resolve(&differs, "keep_ledger", "a typing error of the broker").status, 200);
    assert_eq!(browser.query(Op::Discrepancies, &[], "open=true").body["total"], 0);
    // A later file replaces the first, which can be compared no more.
    assert_eq!(upload(&bot, &browser, STATEMENT.as_bytes()).body["upload_id"], 2);
    assert_eq!(code(&browser.json(Op::LedgerReconcile, &[], &json!({ "upload_id": 1 }))), (409, "superseded"));
    assert_eq!(browser.json(Op::LedgerReconcile, &[], &json!({ "upload_id": 9 })).status, 404);
    let audited = bot.audited().join("\n");
    for line in [
        "ledger.upload 1 done",
        "ledger.reconcile 1 done",
        &format!("ledger.resolve {missing} done"),
        "ledger.reconcile 1 failed",
    ] {
        assert!(audited.contains(line), "{line}\n{audited}");
    }
}

#[test]
fn a_file_that_is_none_or_too_large_is_refused() {
    let bot = Bot::registered();
    let browser = bot.logged_in(ADMIN);
    for file in [&b"nonsense"[..], b"", &[0xff, 0xfe], b"date,symbol,side,qty,price\n"] {
        assert_eq!(wrong(&upload(&bot, &browser, file)), ["file"]);
    }
    let request = browser.request(Op::LedgerUpload, &[], "application/json", "{}".to_string());
    let block = vec![b'x'; 256 * 1024];
    let mut frames = vec![block.as_slice(); 21];
    frames.push(b"");
    assert_eq!(bot.transfer(request, &frames).0.status, 413);
}

#[test]
fn exports_are_files_that_no_spreadsheet_takes_for_formulas() {
    let bot = traded();
    let mut browser = bot.logged_in(ADMIN);
    let evil = "=HYPERLINK(\"http://evil.example\")";
    assert_eq!(browser.json(Op::LedgerCreate, &[], &draft(evil, "1", "1")).status, 201);
    for (op, query, name, kind) in [
        (Op::LedgerExport, "format=csv", "ledger_ACME_US_SIM_BOT1_20260105T150000Z.csv", "text/csv; charset=utf-8"),
        (Op::LedgerExport, "format=json", "ledger_ACME_US_SIM_BOT1_20260105T150000Z.json", "application/json"),
        (Op::LedgerExport, "format=ofx", "ledger_ACME_US_SIM_BOT1_20260105T150000Z.ofx", "application/x-ofx"),
        (Op::CoaExport, "format=md", "coa_ACME_US_SIM_BOT1_20260105T150000Z.md", "text/markdown; charset=utf-8"),
        (Op::CoaExport, "format=csv", "coa_ACME_US_SIM_BOT1_20260105T150000Z.csv", "text/csv; charset=utf-8"),
        (Op::CoaExport, "format=json", "coa_ACME_US_SIM_BOT1_20260105T150000Z.json", "application/json"),
        (
            Op::TaxReport,
            "year=2026&format=csv",
            "tax_2026_ACME_US_SIM_BOT1_20260105T150000Z.csv",
            "text/csv; charset=utf-8",
        ),
        (Op::ActivityReport, "format=json", "activity_2026_ACME_US_SIM_BOT1_20260105T150000Z.json", "application/json"),
    ] {
        let (reply, text) = browser.download(op, query);
        let download = reply.download.unwrap_or_else(|| panic!("{query}: {}", reply.body));
        assert_eq!((download.filename.as_str(), download.content_type.as_str()), (name, kind));
        assert!(!text.is_empty());
        let formula = |line: &str| line.split([',', '"']).any(|cell| cell.starts_with('='));
        assert!(!name.ends_with("csv") || !text.lines().any(formula), "{text}");
    }
    let (_, csv) = browser.download(Op::LedgerExport, "");
    assert!(csv.contains("'=HYPERLINK"), "{csv}");
    let (_, ofx) = browser.download(Op::LedgerExport, "format=ofx");
    assert!(check_nesting(&ofx) > 50 && ofx.contains("<ACCTID>ACME_US_SIM_BOT1</ACCTID>"));
    let (_, tax) = browser.download(Op::TaxReport, "year=2026");
    let tax: Value = serde_json::from_str(&tax).unwrap();
    // Sold for 1100 less 1.02, bought for 1050 and a dollar.
    let gain = &tax["rows"][0];
    assert_eq!(
        (&gain["proceeds"], &gain["basis"], &gain["gain"]),
        (&json!("1098.98"), &json!("1051.00"), &json!("47.98"))
    );
    assert_eq!(browser.download(Op::TaxReport, "year=2025&format=csv").1.lines().count(), 1);
    for (op, query, field) in [
        (Op::LedgerExport, "format=xls", "format"),
        (Op::CoaExport, "format=ofx", "format"),
        (Op::TaxReport, "year=abc", "year"),
        (Op::TaxReport, "format=ofx", "format"),
    ] {
        assert_eq!(wrong(&browser.download(op, query).0), [field], "{query}");
    }
}

#[test]
fn the_chart_is_edited_as_a_whole_and_every_edit_is_logged_with_its_diff() {
    let bot = traded();
    let mut browser = bot.logged_in(ADMIN);
    let chart = browser.get(Op::Coa).body;
    assert_eq!(
        (&chart["coa_version"], &chart["entity"], &chart["accounts"][0]["code"]),
        (&json!("1"), &json!("ACME"), &json!("1000"))
    );
    assert_eq!(chart["used_accounts"], json!(["1100", "1210", "3100", "4100", "5100", "5200"]));
    let edited = |change: &dyn Fn(&mut Vec<Value>)| {
        let mut accounts = chart["accounts"].as_array().unwrap().clone();
        change(&mut accounts);
        json!({ "coa_version": "1", "accounts": accounts, "reason": "year end" })
    };
    let index = |code: &str| chart["accounts"].as_array().unwrap().iter().position(|a| a["code"] == code).unwrap();
    let fees = index("5900");
    let gone = edited(&|accounts| drop(accounts.remove(index("1100"))));
    assert_eq!(wrong(&browser.json(Op::CoaPut, &[], &gone)), ["1100"]);
    assert_eq!(code(&browser.json(Op::CoaPut, &[], &edited(&|_| {}))), (422, "no_change"));
    let mut renamed = edited(&|accounts| accounts[fees]["name"] = json!("Data fees"));
    renamed["reason"] = json!("");
    assert_eq!(wrong(&browser.json(Op::CoaPut, &[], &renamed)), ["reason"]);
    renamed["reason"] = json!("year end");
    let done = browser.json(Op::CoaPut, &[], &renamed);
    assert_eq!((done.status, &done.body["coa_version"]), (200, &json!("2")), "{}", done.body);
    let field = json!({ "field": "name", "before": "Other fees", "after": "Data fees" });
    assert_eq!(done.body["diff"]["changed"], json!([{ "code": "5900", "fields": [field] }]));
    assert_eq!(code(&browser.json(Op::CoaPut, &[], &renamed)), (409, "stale"));
    let history = browser.get(Op::CoaHistory).body;
    assert_eq!((&history["total"], &history["versions"][0]["reason"]), (&json!(2), &json!("year end")));
    assert_eq!(browser.get(Op::Status).body["coa"]["coa_version"], "2");

    let log = std::fs::read_to_string(bot.folder.path().join("logs/web/coa_edit.log")).unwrap();
    let line: Value = serde_json::from_str(log.lines().last().unwrap()).unwrap();
    assert_eq!(log.lines().count(), 1);
    assert_eq!(
        (&line["user"], &line["coa_version"], &line["reason"]),
        (&json!(ADMIN), &json!("2"), &json!("year end"))
    );
    assert_eq!(line["diff"], done.body["diff"]);
    let audited = bot.audited().join("\n");
    assert!(audited.contains("coa.update coa begun\ncoa.update coa done"), "{audited}");
    assert_sealed(bot.folder.path());
}

#[test]
fn a_viewer_reads_the_books_and_changes_nothing() {
    let bot = traded();
    bot.add_viewer("victor");
    let mut viewer = bot.logged_in("victor");
    for op in [Op::Ledger, Op::Discrepancies, Op::Coa, Op::CoaHistory, Op::LedgerPage, Op::CoaPage] {
        assert_eq!(viewer.get(op).status, 200, "{op:?}");
    }
    assert_eq!(viewer.download(Op::LedgerExport, "format=ofx").0.status, 200);
    let body = draft("x", "1", "1");
    for (op, params) in [
        (Op::LedgerCreate, &[][..]),
        (Op::LedgerUpdate, &[("id", "1")]),
        (Op::LedgerReconcile, &[]),
        (Op::DiscrepancyResolve, &[("id", "1")]),
        (Op::CoaPut, &[]),
    ] {
        assert_eq!(viewer.json(op, params, &body).status, 403, "{op:?}");
    }
    assert_eq!(upload(&bot, &viewer, STATEMENT.as_bytes()).status, 403);
    assert!(bot.audited().contains(&"authz.deny post /api/v1/ledger/upload denied".to_string()));
    assert_eq!(bot.core.with(|house| house.books().unwrap().entries(&Default::default()).unwrap().total), 3);
}

#[test]
fn what_cannot_be_audited_is_not_booked() {
    let bot = Bot::registered();
    let mut browser = bot.logged_in(ADMIN);
    // A folder in place of the head: nothing can be appended.
    let head = bot.folder.path().join("storage/audit/head.enc");
    std::fs::remove_file(&head).unwrap();
    std::fs::create_dir(&head).unwrap();
    let refused = browser.json(Op::LedgerCreate, &[], &draft("x", "1", "1"));
    assert_eq!(code(&refused), (503, "audit_unavailable"));
    assert_eq!(browser.get(Op::Ledger).body["total"], 0);
}

#[test]
fn a_restored_backup_brings_its_books_along() {
    let bot = traded();
    let mut browser = bot.logged_in(ADMIN);
    let name =
        browser.json(Op::BackupCreate, &[], &json!({ "kind": "full" })).body["name"].as_str().unwrap().to_string();
    bot.wait(2 * SECOND);
    assert_eq!(browser.json(Op::LedgerCreate, &[], &draft("after the backup", "1", "1")).status, 201);
    assert_eq!(browser.get(Op::Ledger).body["total"], 4);
    let restore = json!({ "current_password": PASSWORD });
    let reply = browser.json(Op::BackupRestore, &[("name", &name)], &restore);
    assert_eq!(reply.status, 200, "{}", reply.body);
    let mut browser = bot.logged_in(ADMIN);
    assert_eq!(browser.get(Op::Ledger).body["total"], 3);
    assert_eq!(browser.json(Op::LedgerCreate, &[], &draft("after the restore", "1", "1")).body["id"], 4);
    let bot = bot.restart();
    assert_eq!(bot.logged_in(ADMIN).get(Op::Ledger).body["total"], 4);
}

#[test]
fn the_books_survive_a_new_key() {
    let bot = traded();
    let mut browser = bot.logged_in(ADMIN);
    let rotated = browser.json(Op::KeyRotate, &[("category", "env")], &json!({ "current_password": PASSWORD }));
    assert_eq!(rotated.status, 200, "{}", rotated.body);
    assert_eq!(browser.json(Op::LedgerCreate, &[], &draft("under the new key", "1", "1")).status, 201);
    let bot = bot.restart();
    assert_eq!(bot.core.with(|house| house.faults.clone()), [""; 0]);
    assert_eq!(bot.logged_in(ADMIN).get(Op::Ledger).body["total"], 4);
}

#[test]
fn the_ledger_is_written_for_people_after_postings_unless_that_is_off() {
    let bot = traded();
    let path = bot.folder.path().join("output/ACME_US_SIM_BOT1/ledger.csv");
    let lines = || std::fs::read_to_string(&path).unwrap().lines().count();
    // A header; the lines of the deposit, of the purchase and of the sale.
    assert_eq!(lines(), 1 + 2 + 3 + 5);
    let mut browser = bot.logged_in(ADMIN);
    assert_eq!(browser.json(Op::LedgerCreate, &[], &draft("x", "1", "1")).status, 201);
    assert_eq!(lines(), 13);
    let version = browser.get(Op::Settings).body["version"].clone();
    let off = json!({ "version": version, "values": { "LEDGER_EXPORT_MODE": "off" } });
    assert_eq!(browser.json(Op::SettingsPut, &[], &off).status, 200);
    let event = Event::new("SIM:9", NOW, Happening::Deposit { amount: 5.into() });
    let posted = bot.core.with(|house| house.post_events(std::slice::from_ref(&event), NOW)).unwrap();
    assert_eq!((posted[0].outcome, lines()), (Outcome::Booked, 13));
    // Once is enough; something else under its reference is told to somebody.
    assert_eq!(bot.core.with(|house| house.post_events(&[event], NOW)).unwrap()[0].outcome, Outcome::Already);
    let other = Event::new("SIM:9", NOW, Happening::Deposit { amount: 6.into() });
    assert_eq!(bot.core.with(|house| house.post_events(&[other], NOW)).unwrap()[0].outcome, Outcome::Conflict);
    let log = std::fs::read_to_string(bot.folder.path().join("logs/unresolved_orders.log")).unwrap();
    assert!(log.contains("ledger.conflict") && log.contains("as entry 5"), "{log}");
}
