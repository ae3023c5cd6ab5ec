//! A chart of accounts: its rules, and how two of them differ.

use super::account::{Account, AccountType, SystemAccount, account};
use super::error::Fault;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Most accounts of a chart.
const MOST_ACCOUNTS: usize = 1_000;
/// Most characters of a code.
const MOST_CODE: usize = 16;
/// Most characters of a name.
const MOST_NAME: usize = 128;
/// Most characters of a description.
const MOST_DESCRIPTION: usize = 512;

/// Accounts by code, with their hierarchy. Every value of this type keeps the rules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Chart {
    accounts: Vec<Account>,
}

/// What changed from one chart to another.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChartDiff {
    /// Accounts that are new.
    pub added: Vec<Account>,
    /// Accounts that are gone.
    pub removed: Vec<Account>,
    /// Accounts with other fields.
    pub changed: Vec<ChangedAccount>,
}

/// An account with other fields.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangedAccount {
    /// Which.
    pub code: String,
    /// What changed.
    pub fields: Vec<FieldChange>,
}

/// One field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldChange {
    /// Its name in JSON.
    pub field: String,
    /// What it was.
    pub before: Value,
    /// What it is.
    pub after: Value,
}

impl ChartDiff {
    /// Whether the charts are the same.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty() && self.changed.is_empty()
    }
}

impl Chart {
    /// Checks accounts and sorts them by code. A chart has all system accounts, active, with their types and without
    /// accounts under them; codes are unique, headings exist, are of the same type, and do not go round in circles.
    ///
    /// # Errors
    /// Everything that is wrong, each with the field `CODE.name` or `accounts[3].code`.
    pub fn new(mut accounts: Vec<Account>, currency: &str) -> Result<Chart, Vec<Fault>> {
        let mut faults = Vec::new();
        if accounts.len() > MOST_ACCOUNTS {
            return Err(vec![Fault::new("accounts", format!("there are {}; at most {MOST_ACCOUNTS}", accounts.len()))]);
        }
        let mut codes: BTreeMap<&str, &Account> = BTreeMap::new();
        for (k, account) in accounts.iter().enumerate() {
            if !is_code(&account.code) {
                let why =
                    format!("must be 1 to {MOST_CODE} characters of 0-9 A-Z . - that begin with a digit or letter");
                faults.push(Fault::new(format!("accounts[{k}].code"), why));
            } else if codes.insert(&account.code, account).is_some() {
                faults.push(Fault::new(format!("accounts[{k}].code"), format!("{} is there twice", account.code)));
            }
        }
        for account in codes.values() {
            check_fields(account, currency, &mut faults);
            check_heading(account, &codes, &mut faults);
        }
        let headings: BTreeSet<&str> = accounts.iter().filter_map(|a| a.parent.as_deref()).collect();
        for system in SystemAccount::ALL {
            let code = system.code();
            let why = match codes.get(code) {
                None => "is needed by postings and cannot be removed".to_string(),
                Some(found) if found.kind != system.kind() => format!("must be of type {}", system.kind()),
                Some(found) if !found.active => "is needed by postings and must be active".to_string(),
                Some(_) if headings.contains(code) => "takes postings and cannot be a heading".to_string(),
                Some(_) => continue,
            };
            faults.push(Fault::new(code, why));
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        accounts.sort_by(|a, b| a.code.cmp(&b.code));
        Ok(Chart { accounts })
    }

    /// The chart a ledger begins with: headings 1000 to 5000 by type, and the system accounts.
    pub fn standard(currency: &str) -> Chart {
        let heading = |code, name, kind, parent| account(code, name, kind, parent, currency, "Heading");
        let mut accounts = vec![
            heading("1000", "Assets", AccountType::Asset, None),
            heading("1200", "Positions held", AccountType::Asset, Some("1000")),
            heading("2000", "Liabilities", AccountType::Liability, None),
            heading("2100", "Positions sold short", AccountType::Liability, Some("2000")),
            heading("3000", "Equity", AccountType::Equity, None),
            heading("4000", "Income", AccountType::Income, None),
            heading("5000", "Expenses", AccountType::Expense, None),
        ];
        accounts.extend(SystemAccount::ALL.iter().map(|system| system.account(currency)));
        accounts.sort_by(|a, b| a.code.cmp(&b.code));
        Chart { accounts }
    }

    /// Accounts by code.
    pub fn accounts(&self) -> &[Account] {
        &self.accounts
    }

    /// One account.
    pub fn get(&self, code: &str) -> Option<&Account> {
        self.accounts.binary_search_by(|a| a.code.as_str().cmp(code)).ok().map(|k| &self.accounts[k])
    }

    /// Whether other accounts are under it, so that it takes no entries.
    pub fn is_heading(&self, code: &str) -> bool {
        self.accounts.iter().any(|a| a.parent.as_deref() == Some(code))
    }

    /// Accounts with their depth, every heading before what is under it, siblings by code.
    pub fn tree(&self) -> Vec<(usize, &Account)> {
        let mut children: BTreeMap<Option<&str>, Vec<&Account>> = BTreeMap::new();
        for account in self.accounts.iter().rev() {
            children.entry(account.parent.as_deref()).or_default().push(account);
        }
        let mut tree = Vec::with_capacity(self.accounts.len());
        let mut open: Vec<(usize, &Account)> =
            children.remove(&None).unwrap_or_default().iter().map(|a| (0, *a)).collect();
        while let Some((depth, account)) = open.pop() {
            tree.push((depth, account));
            open.extend(
                children.remove(&Some(account.code.as_str())).unwrap_or_default().iter().map(|a| (depth + 1, *a)),
            );
        }
        tree
    }

    /// What changes from this chart to `next`.
    pub fn diff(&self, next: &Chart) -> ChartDiff {
        let missing = |from: &Chart, other: &Chart| -> Vec<Account> {
            from.accounts.iter().filter(|a| other.get(&a.code).is_none()).cloned().collect()
        };
        let changed = self.accounts.iter().filter_map(|before| {
            let after = next.get(&before.code)?;
            let fields = changed_fields(before, after);
            (!fields.is_empty()).then(|| ChangedAccount { code: before.code.clone(), fields })
        });
        ChartDiff { added: missing(next, self), removed: missing(self, next), changed: changed.collect() }
    }

    /// Whether `next` keeps what the ledger needs: accounts with entries stay, with their type, and become no headings.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub(super) fn check_used(&self, next: &Chart, used: &BTreeSet<String>) -> Result<(), Vec<Fault>> {
        let faults: Vec<Fault> = used
            .iter()
            .filter_map(|code| {
                let why = match (self.get(code), next.get(code)) {
                    (_, None) => "has entries in the ledger and cannot be removed; it can be made inactive".to_string(),
                    (Some(before), Some(after)) if before.kind != after.kind => {
                        format!("has entries in the ledger and must stay of type {}", before.kind)
                    }
                    _ if next.is_heading(code) => "has entries in the ledger and cannot be a heading".to_string(),
                    _ => return None,
                };
                Some(Fault::new(code.as_str(), why))
            })
            .collect();
        if faults.is_empty() { Ok(()) } else { Err(faults) }
    }
}

fn is_code(code: &str) -> bool {
    let word = |b: u8| b.is_ascii_digit() || b.is_ascii_uppercase();
    (1..=MOST_CODE).contains(&code.len())
        && code.bytes().next().is_some_and(word)
        && code.bytes().all(|b| word(b) || matches!(b, b'.' | b'-'))
}

/// Whether a text has at most `most` characters and no control characters.
pub(super) fn is_text(text: &str, most: usize) -> bool {
    text.chars().count() <= most && !text.chars().any(char::is_control)
}

fn check_fields(account: &Account, currency: &str, faults: &mut Vec<Fault>) {
    let code = &account.code;
    if account.name.trim().is_empty() || !is_text(&account.name, MOST_NAME) {
        let why = format!("must be 1 to {MOST_NAME} characters without control characters");
        faults.push(Fault::new(format!("{code}.name"), why));
    }
    if !is_text(&account.description, MOST_DESCRIPTION) {
        let why = format!("must be at most {MOST_DESCRIPTION} characters without control characters");
        faults.push(Fault::new(format!("{code}.description"), why));
    }
    if account.currency_code != currency {
        faults.push(Fault::new(
            format!("{code}.currency_code"),
            format!("must be {currency}, the currency of the books"),
        ));
    }
}

fn check_heading(account: &Account, codes: &BTreeMap<&str, &Account>, faults: &mut Vec<Fault>) {
    let field = || format!("{}.parent", account.code);
    let Some(parent) = account.parent.as_deref() else { return };
    let Some(heading) = codes.get(parent) else {
        let shown: String = parent.chars().take(MOST_CODE).collect();
        faults.push(Fault::new(field(), format!("there is no account {shown}")));
        return;
    };
    if heading.kind != account.kind {
        let why = format!("{parent} is of type {}, not {}", heading.kind, account.kind);
        faults.push(Fault::new(field(), why));
    }
    // As many steps as there are accounts reach the top, unless they go round.
    let mut above = Some(*heading);
    for _ in 0..codes.len() {
        let Some(next) = above else { return };
        above = next.parent.as_deref().and_then(|code| codes.get(code).copied());
    }
    if above.is_some() {
        faults.push(Fault::new(field(), "its headings go round in a circle"));
    }
}

fn changed_fields(before: &Account, after: &Account) -> Vec<FieldChange> {
    let pairs = [
        ("name", Value::from(before.name.as_str()), Value::from(after.name.as_str())),
        ("type", Value::from(before.kind.word()), Value::from(after.kind.word())),
        ("parent", Value::from(before.parent.clone()), Value::from(after.parent.clone())),
        ("currency_code", Value::from(before.currency_code.as_str()), Value::from(after.currency_code.as_str())),
        ("active", Value::from(before.active), Value::from(after.active)),
        ("description", Value::from(before.description.as_str()), Value::from(after.description.as_str())),
    ];
    pairs
        .into_iter()
        .filter(|(_, before, after)| before != after)
        .map(|(field, before, after)| FieldChange { field: field.to_string(), before, after })
        .collect()
}
