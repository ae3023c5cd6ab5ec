//! The chart of accounts and its versions.

use super::harness::{House, T0, d, day, fill};
use crate::accounting::{
    Account, AccountType, BooksError, Chart, ChartFormat, EntryDraft, Fault, Happening, Line, SystemAccount,
};
use crate::vault::audit::Action;

fn account(code: &str, kind: AccountType, parent: Option<&str>) -> Account {
    Account {
        code: code.to_string(),
        name: format!("Account {code}"),
        kind,
        parent: parent.map(str::to_string),
        currency_code: "USD".to_string(),
        active: true,
        description: String::new(),
    }
}

fn standard() -> Vec<Account> {
    Chart::standard("USD").accounts().to_vec()
}

/// The standard chart with one account changed.
fn with(code: &str, change: impl FnOnce(&mut Account)) -> Vec<Account> {
    let mut accounts = standard();
    change(accounts.iter_mut().find(|a| a.code == code).unwrap());
    accounts
}

fn faults(accounts: Vec<Account>) -> Vec<String> {
    Chart::new(accounts, "USD").unwrap_err().iter().map(Fault::to_string).collect()
}

impl House {
    fn edit(&mut self, based_on: &str, accounts: Vec<Account>) -> Result<String, BooksError> {
        let (storage, books, deed) = self.deed("alice", Action::CoaUpdate, day(1));
        books.update_chart(storage, based_on, accounts, "year end", deed).map(|v| v.coa_version.clone())
    }
}

#[test]
fn the_standard_chart_keeps_its_own_rules() {
    let chart = Chart::new(standard(), "USD").unwrap();
    assert_eq!(chart, Chart::standard("USD"));
    for system in SystemAccount::ALL {
        assert_eq!(SystemAccount::of(system.code()), Some(*system));
        let first = chart.get(system.code()).unwrap().code.as_bytes()[0];
        let range = match system.kind() {
            AccountType::Asset => b'1',
            AccountType::Liability => b'2',
            AccountType::Equity => b'3',
            AccountType::Income => b'4',
            AccountType::Expense => b'5',
        };
        assert_eq!(first, range, "{}", system.code());
    }
    let tree: Vec<String> = chart.tree().iter().map(|(depth, a)| format!("{depth}{}", a.code)).collect();
    assert_eq!(tree[..7], ["01000", "11100", "11200", "21210", "21220", "11900", "02000"]);
    assert_eq!(tree.len(), chart.accounts().len());
}

#[test]
fn what_breaks_a_rule_is_refused_with_its_field() {
    let twice = [standard(), vec![account("1100", AccountType::Asset, None)]].concat();
    let last = twice.len() - 1;
    assert_eq!(faults(twice), [format!("accounts[{last}].code: 1100 is there twice")]);
    assert_eq!(
        faults(with("1210", |a| a.parent = Some("2000".into()))),
        ["1210.parent: 2000 is of type liability, not asset"]
    );
    assert_eq!(faults(with("1210", |a| a.parent = Some("7777".into()))), ["1210.parent: there is no account 7777"]);
    assert_eq!(faults(with("1100", |a| a.active = false)), ["1100: is needed by postings and must be active"]);
    assert_eq!(
        faults(with("1100", |a| a.name = " ".into())),
        ["1100.name: must be 1 to 128 characters without control characters"]
    );
    assert_eq!(
        faults(with("1100", |a| a.currency_code = "EUR".into())),
        ["1100.currency_code: must be USD, the currency of the books"]
    );
    let gone: Vec<Account> = standard().into_iter().filter(|a| a.code != "5100").collect();
    assert_eq!(faults(gone), ["5100: is needed by postings and cannot be removed"]);
    let under = [standard(), vec![account("1101", AccountType::Asset, Some("1100"))]].concat();
    assert_eq!(faults(under), ["1100: takes postings and cannot be a heading"]);
    for code in ["", "a1", "1 2", "-1", "12345678901234567", "1\n", "é"] {
        let faults = faults([standard(), vec![account(code, AccountType::Asset, None)]].concat());
        assert!(faults[0].contains(".code: must be 1 to 16"), "{code:?}: {faults:?}");
    }
    assert!(faults(vec![account("1", AccountType::Asset, None); 1_001])[0].contains("at most 1000"));
}

#[test]
fn headings_do_not_go_round() {
    let own = [standard(), vec![account("1500", AccountType::Asset, Some("1500"))]].concat();
    assert_eq!(faults(own), ["1500.parent: its headings go round in a circle"]);
    let ring = [
        account("1501", AccountType::Asset, Some("1503")),
        account("1502", AccountType::Asset, Some("1501")),
        account("1503", AccountType::Asset, Some("1502")),
    ];
    assert_eq!(faults([standard(), ring.to_vec()].concat()).len(), 3);
}

#[test]
fn an_edit_is_a_new_version_with_its_diff_and_history() {
    let mut house = House::new();
    assert_eq!(house.books.chart_version().coa_version, "1");
    let mut accounts = with("5900", |a| a.name = "Data fees".into());
    accounts.push(account("5910", AccountType::Expense, Some("5000")));
    let (_, preview) = house.books.preview_chart(accounts.clone()).unwrap();
    assert_eq!(house.edit("1", accounts.clone()).unwrap(), "2");
    assert_eq!(house.books.chart().get("5900").unwrap().name, "Data fees");

    let history = house.books.chart_history().unwrap();
    assert_eq!(history.len(), 2);
    assert_eq!((history[0].user.as_str(), history[0].reason.as_str()), ("alice", "year end"));
    assert_eq!(history[0].utc, "2026-03-03T15:00:00.000000000Z");
    assert_eq!(history[0].diff, preview);
    let diff = serde_json::to_value(&history[0].diff).unwrap();
    assert_eq!(diff["added"][0]["code"], "5910");
    assert_eq!(
        diff["changed"],
        serde_json::json!([{
            "code": "5900",
            "fields": [{"field": "name", "before": "Other fees", "after": "Data fees"}],
        }])
    );

    let removed: Vec<Account> = accounts.into_iter().filter(|a| a.code != "5910").collect();
    assert_eq!(house.edit("2", removed).unwrap(), "3");
    assert_eq!(house.books.chart_history().unwrap()[0].diff.removed[0].code, "5910");
    let reopened = house.reopened();
    assert_eq!(reopened.chart(), house.books.chart());
    assert_eq!(reopened.chart_history().unwrap(), house.books.chart_history().unwrap());
}

#[test]
fn an_edit_of_an_old_version_or_of_nothing_is_refused() {
    let mut house = House::new();
    house.edit("1", with("5900", |a| a.name = "Data fees".into())).unwrap();
    for stale in ["1", "3", "02", "", "x"] {
        let refused = house.edit(stale, with("5900", |a| a.name = "Fees".into()));
        assert!(matches!(&refused, Err(BooksError::Stale { current, .. }) if current == "2"), "{stale}");
    }
    let same = house.books.chart().accounts().to_vec();
    assert!(matches!(house.edit("2", same), Err(BooksError::NoChange)));
    let (storage, books, deed) = house.deed("alice", Action::LedgerUpdate, T0);
    let refused = books.update_chart(storage, "2", standard(), "why", deed);
    assert!(matches!(refused, Err(BooksError::NotRecorded(Action::CoaUpdate))));
    let (storage, books, deed) = house.deed("alice", Action::CoaUpdate, T0);
    let refused = books.update_chart(storage, "2", standard(), " ", deed);
    assert!(matches!(refused, Err(BooksError::Invalid(_))));
    assert_eq!(house.books.chart_version().coa_version, "2");
}

#[test]
fn an_account_with_entries_stays_what_it_is() {
    let mut house = House::new();
    let extra = [standard(), vec![account("5910", AccountType::Expense, Some("5000"))]].concat();
    house.edit("1", extra.clone()).unwrap();
    let line = |account: &str, debit: &str, credit: &str| Line {
        account: account.to_string(),
        debit: d(debit),
        credit: d(credit),
    };
    let lines = vec![line("5910", "7", "0"), line("1100", "0", "7")];
    let date = chrono::NaiveDate::from_ymd_opt(2026, 3, 2).unwrap();
    let draft = EntryDraft { date, memo: "quotes".into(), flags: Vec::new(), lines };
    let (storage, books, deed) = house.deed("alice", Action::LedgerCreate, T0);
    books.create_entry(storage, &draft, deed).unwrap();

    let why = |result: Result<String, BooksError>| result.unwrap_err().to_string();
    assert_eq!(
        why(house.edit("2", standard())),
        "5910: has entries in the ledger and cannot be removed; it can be made inactive"
    );
    let change = |change: fn(&mut Account)| {
        let mut accounts = extra.clone();
        change(accounts.last_mut().unwrap());
        accounts
    };
    let retyped = change(|a| (a.kind, a.parent) = (AccountType::Income, Some("4000".into())));
    assert_eq!(why(house.edit("2", retyped)), "5910: has entries in the ledger and must stay of type expense");
    let heading = [extra.clone(), vec![account("5911", AccountType::Expense, Some("5910"))]].concat();
    assert_eq!(why(house.edit("2", heading)), "5910: has entries in the ledger and cannot be a heading");

    // Made inactive it takes no more entries.
    house.edit("2", change(|a| a.active = false)).unwrap();
    let (storage, books, deed) = house.deed("alice", Action::LedgerCreate, T0);
    let refused = books.create_entry(storage, &draft, deed).unwrap_err();
    assert_eq!(refused.to_string(), "lines[0].account: the account is not active");
    assert_eq!(house.balance("5910"), "7");
}

#[test]
fn postings_find_their_accounts_under_every_chart() {
    let mut house = House::new();
    let renamed = with("1210", |a| (a.name, a.parent) = ("Shares".into(), Some("1000".into())));
    house.edit("1", renamed).unwrap();
    house.post(Happening::Deposit { amount: d("100") });
    house.post(fill("buy 1 AAPL at 10", "0", "0"));
    let balance = house.books.trial_balance(None).unwrap();
    assert_eq!(balance.accounts[1].name, "Shares");
}

#[test]
fn exports_are_harmless_in_documents_and_spreadsheets() {
    let mut house = House::new();
    house
        .edit("1", with("5900", |a| (a.name, a.description) = ("=HYPERLINK(1)".into(), "a|b <i> \"q\", *x*".into())))
        .unwrap();
    let markdown = house.books.export_chart(ChartFormat::Markdown).unwrap();
    assert!(markdown.contains("Entity ACME, jurisdiction US, currency USD, version 2 of 2026-03-03T15"), "{markdown}");
    assert!(markdown.contains("| 1210 | &emsp;&emsp;Shares held | asset | yes |"), "{markdown}");
    assert!(markdown.contains("| a\\|b &lt;i> \"q\", \\*x\\* |\n"), "{markdown}");

    let csv = house.books.export_chart(ChartFormat::Csv).unwrap();
    assert!(csv.contains("\r\n5900,'=HYPERLINK(1),expense,5000,USD,true,\"a|b <i> \"\"q\"\", *x*\"\r\n"), "{csv}");

    let json: serde_json::Value = serde_json::from_str(&house.books.export_chart(ChartFormat::Json).unwrap()).unwrap();
    assert_eq!((&json["coa_version"], &json["entity"]), (&"2".into(), &"ACME".into()));
    // What is exported can be handed in again.
    let accounts: Vec<Account> = serde_json::from_value(json["accounts"].clone()).unwrap();
    assert_eq!(&Chart::new(accounts, "USD").unwrap(), house.books.chart());
}
