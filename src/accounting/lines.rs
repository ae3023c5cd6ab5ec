//! The lines of an entry, and the one place where debits are compared with credits.

use super::money::{self, AMOUNT_DECIMALS};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

/// Most lines of an entry.
pub(super) const MOST_LINES: usize = 200;

/// One line: an account, and either a debit or a credit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// Code of the account.
    pub account: String,
    /// Dollars, 0 if the line is a credit.
    #[serde(default, with = "rust_decimal::serde::str")]
    pub debit: Decimal,
    /// Dollars, 0 if the line is a debit.
    #[serde(default, with = "rust_decimal::serde::str")]
    pub credit: Decimal,
}

impl Line {
    /// A line from a signed amount: a debit if it is positive, a credit if it is negative.
    pub(super) fn signed(account: &str, amount: Decimal) -> Line {
        let (debit, credit) = if amount > Decimal::ZERO { (amount, Decimal::ZERO) } else { (Decimal::ZERO, -amount) };
        Line { account: account.to_string(), debit, credit }
    }

    /// Debit less credit.
    pub fn amount(&self) -> Decimal {
        self.debit - self.credit
    }
}

/// Lines that are no entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinesError {
    /// Debits are not credits.
    #[error("debits of {debits} are not credits of {credits}")]
    Unbalanced { debits: Decimal, credits: Decimal },
    /// One line is wrong.
    #[error("line {number}: {why}")]
    Line { number: usize, why: String },
    /// Too few or too many.
    #[error("there are {0} lines; an entry has 2 to {MOST_LINES}, or none if it moves no money")]
    Count(usize),
}

/// Lines whose debits equal their credits: the only form in which lines are stored. An event that moves no money, such
/// as a split, has none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BalancedLines(Vec<Line>);

impl BalancedLines {
    /// Checks lines: each has one side, positive and with at most 8 decimals, and both sides have the same sum.
    ///
    /// # Errors
    /// A line is wrong, or debits are not credits.
    pub fn new(lines: Vec<Line>) -> Result<BalancedLines, LinesError> {
        if lines.len() == 1 || lines.len() > MOST_LINES {
            return Err(LinesError::Count(lines.len()));
        }
        let (mut debits, mut credits) = (Decimal::ZERO, Decimal::ZERO);
        let mut checked = Vec::with_capacity(lines.len());
        for (number, line) in lines.into_iter().enumerate() {
            let wrong = |why: String| LinesError::Line { number, why };
            let debit = money::check(line.debit, AMOUNT_DECIMALS).map_err(|e| wrong(e.to_string()))?;
            let credit = money::check(line.credit, AMOUNT_DECIMALS).map_err(|e| wrong(e.to_string()))?;
            let sides = (debit > Decimal::ZERO, credit > Decimal::ZERO);
            if !matches!(sides, (true, false) | (false, true)) || debit + credit < debit.max(credit) {
                return Err(wrong("expected either a debit or a credit, and above 0".to_string()));
            }
            debits += debit;
            credits += credit;
            checked.push(Line { account: line.account, debit, credit });
        }
        if debits != credits {
            return Err(LinesError::Unbalanced { debits, credits });
        }
        Ok(BalancedLines(checked))
    }

    /// The lines.
    pub fn lines(&self) -> &[Line] {
        &self.0
    }

    /// The lines.
    pub fn into_lines(self) -> Vec<Line> {
        self.0
    }

    /// Debits less credits of one account.
    pub fn net(&self, account: &str) -> Decimal {
        self.0.iter().filter(|line| line.account == account).map(Line::amount).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(account: &str, debit: i64, credit: i64) -> Line {
        Line { account: account.to_string(), debit: debit.into(), credit: credit.into() }
    }

    #[test]
    fn an_entry_balances_or_is_none() {
        assert!(BalancedLines::new(vec![line("1100", 5, 0), line("4100", 0, 3), line("5100", 0, 2)]).is_ok());
        assert!(BalancedLines::new(Vec::new()).is_ok());
        let (debits, credits) = (5.into(), 4.into());
        assert_eq!(
            BalancedLines::new(vec![line("1100", 5, 0), line("4100", 0, 4)]),
            Err(LinesError::Unbalanced { debits, credits })
        );
        assert_eq!(BalancedLines::new(vec![line("1100", 5, 0)]), Err(LinesError::Count(1)));
        assert_eq!(BalancedLines::new(vec![line("1100", 5, 0); 201]), Err(LinesError::Count(201)));
    }

    #[test]
    fn a_line_has_one_side_and_it_is_positive() {
        for bad in
            [line("1100", 0, 0), line("1100", 5, 5), line("1100", -5, 0), line("1100", 5, -5), line("1100", -5, 10)]
        {
            let result = BalancedLines::new(vec![line("1100", 5, 0), bad.clone()]);
            assert!(matches!(result, Err(LinesError::Line { number: 1, .. })), "{bad:?}");
        }
        let fine = Line { account: "1100".to_string(), debit: Decimal::new(1, 9), credit: Decimal::ZERO };
        assert!(matches!(BalancedLines::new(vec![fine.clone(), fine]), Err(LinesError::Line { number: 0, .. })));
    }
}
