//! Accounts, and those that postings need.

use serde::{Deserialize, Serialize};
use std::fmt;

/// What an account is. Assets and expenses grow by debits, the others by credits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountType {
    /// What is owned.
    Asset,
    /// What is owed.
    Liability,
    /// What the owner put in.
    Equity,
    /// What was earned.
    Income,
    /// What was spent.
    Expense,
}

impl AccountType {
    /// The word in files.
    pub fn word(self) -> &'static str {
        match self {
            AccountType::Asset => "asset",
            AccountType::Liability => "liability",
            AccountType::Equity => "equity",
            AccountType::Income => "income",
            AccountType::Expense => "expense",
        }
    }

    /// Whether a balance is normally a debit.
    pub fn is_debit(self) -> bool {
        matches!(self, AccountType::Asset | AccountType::Expense)
    }
}

impl fmt::Display for AccountType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// One account of a chart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// Unique, such as `1100`.
    pub code: String,
    /// Name for people.
    pub name: String,
    /// What it is.
    #[serde(rename = "type")]
    pub kind: AccountType,
    /// Code of the heading it is under.
    #[serde(default)]
    pub parent: Option<String>,
    /// ISO 4217.
    pub currency_code: String,
    /// Whether new entries may use it.
    pub active: bool,
    /// What it is for.
    #[serde(default)]
    pub description: String,
}

/// Declares the system accounts with code, heading, type, name and description.
macro_rules! system_accounts {
    ($($(#[$doc:meta])* $variant:ident = $code:literal, $parent:literal, $kind:ident, $name:literal, $what:literal;)+) => {
        /// An account that postings use. A chart may rename it and put it under another heading, but has it under
        /// this code.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum SystemAccount {
            $($(#[$doc])* $variant,)+
        }

        impl SystemAccount {
            /// All of them by code.
            pub const ALL: &'static [SystemAccount] = &[$(SystemAccount::$variant,)+];

            /// Its code in every chart.
            pub const fn code(self) -> &'static str {
                match self {
                    $(SystemAccount::$variant => $code,)+
                }
            }

            /// What it is.
            pub const fn kind(self) -> AccountType {
                match self {
                    $(SystemAccount::$variant => AccountType::$kind,)+
                }
            }

            /// The account as the first chart has it.
            pub(super) fn account(self, currency: &str) -> Account {
                let (name, parent, description) = match self {
                    $(SystemAccount::$variant => ($name, $parent, $what),)+
                };
                account(self.code(), name, self.kind(), Some(parent), currency, description)
            }
        }
    };
}

system_accounts! {
    /// Cash at the broker.
    Cash = "1100", "1000", Asset, "Cash at broker", "Settled and unsettled cash; a credit balance is a margin loan";
    /// Shares held.
    SharesLong = "1210", "1200", Asset, "Shares held", "Cost of long positions in shares, by lot, without fees";
    /// Options held.
    OptionsLong = "1220", "1200", Asset, "Options held", "Cost of long positions in options, by lot, without fees";
    /// What is not yet explained.
    Suspense = "1900", "1000", Asset, "Suspense", "Differences under investigation; zero when all is explained";
    /// Shares sold short.
    SharesShort = "2110", "2100", Liability, "Shares sold short", "Proceeds of short positions in shares, by lot";
    /// Options written.
    OptionsShort = "2120", "2100", Liability, "Options written", "Proceeds of short positions in options, by lot";
    /// Deposits and withdrawals.
    Capital = "3100", "3000", Equity, "Deposits and withdrawals", "What the owner paid in and took out";
    /// Where the books began.
    OpeningBalances = "3900", "3000", Equity, "Opening balances", "Cash and positions when the books began";
    /// Profit and loss of closed positions.
    RealisedGains = "4100", "4000", Income, "Realised gains and losses", "Proceeds less cost of what was closed, before fees";
    /// Dividends on long positions.
    Dividends = "4200", "4000", Income, "Dividends", "Cash dividends on long positions";
    /// Interest on cash.
    InterestEarned = "4300", "4000", Income, "Interest earned", "Interest on cash";
    /// Commissions of brokers.
    Commissions = "5100", "5000", Expense, "Commissions", "What brokers charge for executions; rebates are credits";
    /// SEC and FINRA.
    RegulatoryFees = "5200", "5000", Expense, "Regulatory fees", "SEC section 31 fees, FINRA trading activity fees and the like";
    /// Fees on short positions.
    BorrowFees = "5300", "5000", Expense, "Borrow fees", "Fees for shares borrowed to be sold short";
    /// Interest on negative cash.
    MarginInterest = "5400", "5000", Expense, "Margin interest", "Interest on margin loans";
    /// Dividends owed on shorts.
    PaymentsInLieu = "5500", "5000", Expense, "Payments in lieu of dividends", "Dividends paid to lenders of shares sold short";
    /// Everything else that brokers charge.
    OtherFees = "5900", "5000", Expense, "Other fees", "Data, platform, transfer and other fees";
}

impl SystemAccount {
    /// Whether its balance is kept by the lots, so that only events move it.
    pub fn is_inventory(self) -> bool {
        matches!(
            self,
            SystemAccount::SharesLong
                | SystemAccount::OptionsLong
                | SystemAccount::SharesShort
                | SystemAccount::OptionsShort
        )
    }

    /// The system account under a code.
    pub fn of(code: &str) -> Option<SystemAccount> {
        SystemAccount::ALL.iter().copied().find(|account| account.code() == code)
    }
}

/// An active account.
pub(super) fn account(
    code: &str,
    name: &str,
    kind: AccountType,
    parent: Option<&str>,
    currency: &str,
    description: &str,
) -> Account {
    Account {
        code: code.to_string(),
        name: name.to_string(),
        kind,
        parent: parent.map(str::to_string),
        currency_code: currency.to_string(),
        active: true,
        description: description.to_string(),
    }
}
