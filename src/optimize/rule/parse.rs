//! From text to rule, by recursive descent.

use super::super::{Domain, Parameter};
use super::{Arithmetic, Comparison, Condition, Number, RuleError};

/// Parentheses and signs within each other, at most: deeper ones are no rule a person writes.
const DEEPEST: usize = 64;

/// Reads a whole rule.
pub(super) fn condition(text: &str, parameters: &[Parameter]) -> Result<Condition, RuleError> {
    let mut parser = Parser { text, tokens: tokens(text)?, next: 0, depth: 0, parameters };
    let term = parser.any()?;
    let end = parser.token();
    if end.kind != Kind::End {
        return Err(parser.error(end.column, end.kind.shown(), "'and', 'or' or the end"));
    }
    parser.as_condition(term)
}

#[derive(Debug, Clone, PartialEq)]
enum Kind {
    Number(f64),
    Name(String),
    Text(String),
    Symbol(&'static str),
    Other(char),
    End,
}

impl Kind {
    fn shown(&self) -> String {
        match self {
            Kind::Number(x) => format!("'{x}'"),
            Kind::Name(x) | Kind::Text(x) => format!("'{x}'"),
            Kind::Symbol(x) => format!("'{x}'"),
            Kind::Other(x) => format!("'{x}'"),
            Kind::End => "the end".to_string(),
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
struct Token {
    kind: Kind,
    /// Character, from 1.
    column: usize,
}

/// Longer ones first.
const SYMBOLS: [&str; 13] = ["<=", ">=", "==", "!=", "<", ">", "=", "+", "-", "*", "/", "(", ")"];

fn tokens(text: &str) -> Result<Vec<Token>, RuleError> {
    let characters: Vec<char> = text.chars().collect();
    let mut found = Vec::new();
    let mut k = 0;
    while k < characters.len() {
        let c = characters[k];
        let start = k;
        let run = |from: usize, keep: &dyn Fn(usize, char) -> bool| {
            (from..characters.len()).find(|&i| !keep(i, characters[i])).unwrap_or(characters.len())
        };
        let kind = if c.is_whitespace() {
            k += 1;
            continue;
        } else if c.is_ascii_digit() || c == '.' {
            let exponent = |i: usize| i > start && matches!(characters[i - 1], 'e' | 'E');
            k = run(k, &|i, c| c.is_ascii_alphanumeric() || c == '.' || (matches!(c, '+' | '-') && exponent(i)));
            let word: String = characters[start..k].iter().collect();
            match word.parse::<f64>() {
                Ok(x) if x.is_finite() => Kind::Number(x),
                _ => return Err(error(text, start + 1, format!("'{word}'"), "a number")),
            }
        } else if c.is_alphabetic() || c == '_' {
            k = run(k, &|_, c| c.is_alphanumeric() || c == '_' || c == '.');
            Kind::Name(characters[start..k].iter().collect())
        } else if c == '\'' || c == '"' {
            let end = run(k + 1, &|_, other| other != c);
            if end == characters.len() {
                return Err(error(text, start + 1, "a text without an end".to_string(), format!("'{c}'")));
            }
            k = end + 1;
            Kind::Text(characters[start + 1..end].iter().collect())
        } else if let Some(symbol) =
            SYMBOLS.iter().find(|s| s.chars().eq(characters[k..].iter().copied().take(s.len())))
        {
            k += symbol.len();
            Kind::Symbol(symbol)
        } else {
            k += 1;
            Kind::Other(c)
        };
        found.push(Token { kind, column: start + 1 });
    }
    found.push(Token { kind: Kind::End, column: characters.len() + 1 });
    Ok(found)
}

fn error(rule: &str, column: usize, found: String, expected: impl Into<String>) -> RuleError {
    RuleError { rule: rule.to_string(), column, found, expected: expected.into() }
}

/// What a part of a rule turned out to be, and where it starts.
struct Term {
    what: What,
    column: usize,
}

enum What {
    Number(Number),
    Text(String),
    Categorical(usize),
    Condition(Condition),
}

impl What {
    fn shown(&self) -> &'static str {
        match self {
            What::Number(_) => "a number",
            What::Text(_) | What::Categorical(_) => "a text",
            What::Condition(_) => "a comparison",
        }
    }
}

struct Parser<'a> {
    text: &'a str,
    tokens: Vec<Token>,
    next: usize,
    depth: usize,
    parameters: &'a [Parameter],
}

impl Parser<'_> {
    fn token(&self) -> Token {
        self.tokens[self.next.min(self.tokens.len() - 1)].clone()
    }

    fn error(&self, column: usize, found: String, expected: impl Into<String>) -> RuleError {
        error(self.text, column, found, expected)
    }

    fn takes_word(&mut self, word: &str) -> bool {
        let takes = matches!(&self.token().kind, Kind::Name(name) if name == word);
        self.next += usize::from(takes);
        takes
    }

    /// The first of these symbols that comes next.
    fn takes(&mut self, symbols: &[&str]) -> Option<&'static str> {
        match self.token().kind {
            Kind::Symbol(symbol) if symbols.contains(&symbol) => {
                self.next += 1;
                Some(symbol)
            }
            _ => None,
        }
    }

    fn deeper<T>(&mut self, inner: impl FnOnce(&mut Self) -> Result<T, RuleError>) -> Result<T, RuleError> {
        if self.depth == DEEPEST {
            let column = self.token().column;
            return Err(self.error(column, "nested too deeply".to_string(), format!("at most {DEEPEST} levels")));
        }
        self.depth += 1;
        let result = inner(self);
        self.depth -= 1;
        result
    }

    /// A term that stands where a condition must.
    fn as_condition(&self, term: Term) -> Result<Condition, RuleError> {
        match term.what {
            What::Condition(condition) => Ok(condition),
            _ => {
                let token = self.token();
                Err(self.error(token.column, token.kind.shown(), "a comparison, such as fast < slow"))
            }
        }
    }

    fn as_number(&self, term: Term) -> Result<Number, RuleError> {
        match term.what {
            What::Number(number) => Ok(number),
            other => Err(self.error(term.column, other.shown().to_string(), "a number or a numeric parameter")),
        }
    }

    fn any(&mut self) -> Result<Term, RuleError> {
        let mut left = self.all()?;
        while self.takes_word("or") {
            let a = self.as_condition(left)?;
            let right = self.all()?;
            let column = right.column;
            let b = self.as_condition(right)?;
            left = Term { what: What::Condition(Condition::Or(Box::new(a), Box::new(b))), column };
        }
        Ok(left)
    }

    fn all(&mut self) -> Result<Term, RuleError> {
        let mut left = self.negation()?;
        while self.takes_word("and") {
            let a = self.as_condition(left)?;
            let right = self.negation()?;
            let column = right.column;
            let b = self.as_condition(right)?;
            left = Term { what: What::Condition(Condition::And(Box::new(a), Box::new(b))), column };
        }
        Ok(left)
    }

    fn negation(&mut self) -> Result<Term, RuleError> {
        let column = self.token().column;
        if !self.takes_word("not") {
            return self.comparison();
        }
        let inner = self.deeper(Self::negation)?;
        let inner = self.as_condition(inner)?;
        Ok(Term { what: What::Condition(Condition::Not(Box::new(inner))), column })
    }

    /// One term, or a chain of comparisons: `a < b < c` is `a < b and b < c`.
    fn comparison(&mut self) -> Result<Term, RuleError> {
        let mut left = self.sum()?;
        let column = left.column;
        let mut chain: Option<Condition> = None;
        loop {
            let sign = self.token();
            if sign.kind == Kind::Symbol("=") {
                return Err(self.error(sign.column, sign.kind.shown(), "'=='"));
            }
            let Some(symbol) = self.takes(&["<", "<=", ">", ">=", "==", "!="]) else { break };
            let right = self.sum()?;
            let condition = self.compare(&left, symbol, sign.column, &right)?;
            chain = Some(match chain {
                None => condition,
                Some(before) => Condition::And(Box::new(before), Box::new(condition)),
            });
            left = right;
        }
        Ok(chain.map_or(left, |condition| Term { what: What::Condition(condition), column }))
    }

    fn compare(&self, left: &Term, symbol: &str, column: usize, right: &Term) -> Result<Condition, RuleError> {
        let texts = |term: &Term| matches!(term.what, What::Text(_) | What::Categorical(_));
        if !texts(left) && !texts(right) {
            let comparison = match symbol {
                "<" => Comparison::Less,
                "<=" => Comparison::LessOrEqual,
                ">" => Comparison::Greater,
                ">=" => Comparison::GreaterOrEqual,
                "==" => Comparison::Equal,
                _ => Comparison::NotEqual,
            };
            let number = |term: &Term| match &term.what {
                What::Number(number) => Ok(number.clone()),
                other => Err(self.error(term.column, other.shown().to_string(), "a number or a numeric parameter")),
            };
            return Ok(Condition::Compare(comparison, number(left)?, number(right)?));
        }
        if !matches!(symbol, "==" | "!=") {
            return Err(self.error(column, format!("'{symbol}'"), "'==' or '!=' for texts"));
        }
        if !texts(right) {
            let found = right.what.shown().to_string();
            return Err(self.error(right.column, found, "a text, to compare with the text before it"));
        }
        if !texts(left) {
            let found = left.what.shown().to_string();
            return Err(self.error(left.column, found, "a text, to compare with the text after it"));
        }
        let equal = symbol == "==";
        match (&left.what, &right.what) {
            (What::Categorical(a), What::Text(text)) => self.choice(*a, text, equal, right.column),
            (What::Text(text), What::Categorical(a)) => self.choice(*a, text, equal, left.column),
            (&What::Categorical(left), &What::Categorical(right)) => Ok(Condition::Texts { left, right, equal }),
            _ => Err(self.error(left.column, "two texts".to_string(), "a parameter on one side")),
        }
    }

    /// A parameter compared with a text, which must be one of its choices: another one is a slip.
    fn choice(&self, parameter: usize, text: &str, equal: bool, column: usize) -> Result<Condition, RuleError> {
        let Parameter { name, domain, .. } = &self.parameters[parameter];
        match domain {
            Domain::Categorical { choices } if !choices.iter().any(|choice| choice == text) => {
                let expected = format!("one of {}, as '{name}' is", choices.join(", "));
                Err(self.error(column, format!("'{text}'"), expected))
            }
            _ => Ok(Condition::Text { parameter, text: text.to_string(), equal }),
        }
    }

    fn sum(&mut self) -> Result<Term, RuleError> {
        let mut left = self.product()?;
        while let Some(symbol) = self.takes(&["+", "-"]) {
            let kind = if symbol == "+" { Arithmetic::Add } else { Arithmetic::Subtract };
            let right = self.product()?;
            left = self.arithmetic(kind, left, right)?;
        }
        Ok(left)
    }

    fn product(&mut self) -> Result<Term, RuleError> {
        let mut left = self.sign()?;
        while let Some(symbol) = self.takes(&["*", "/"]) {
            let kind = if symbol == "*" { Arithmetic::Multiply } else { Arithmetic::Divide };
            let right = self.sign()?;
            left = self.arithmetic(kind, left, right)?;
        }
        Ok(left)
    }

    fn arithmetic(&self, kind: Arithmetic, left: Term, right: Term) -> Result<Term, RuleError> {
        let column = left.column;
        let (left, right) = (self.as_number(left)?, self.as_number(right)?);
        Ok(Term { what: What::Number(Number::Arithmetic(kind, Box::new(left), Box::new(right))), column })
    }

    fn sign(&mut self) -> Result<Term, RuleError> {
        let column = self.token().column;
        if self.takes(&["-"]).is_none() {
            return self.atom();
        }
        let inner = self.deeper(Self::sign)?;
        let inner = self.as_number(inner)?;
        Ok(Term { what: What::Number(Number::Negative(Box::new(inner))), column })
    }

    fn atom(&mut self) -> Result<Term, RuleError> {
        let Token { kind, column } = self.token();
        let what = match kind {
            Kind::Number(x) => What::Number(Number::Constant(x)),
            Kind::Text(text) => What::Text(text),
            Kind::Name(name) if !matches!(name.as_str(), "and" | "or" | "not") => {
                let Some(k) = self.parameters.iter().position(|p| p.name == name) else {
                    let names: Vec<&str> = self.parameters.iter().map(|p| p.name.as_str()).collect();
                    let expected = format!("one of {}, or a text in quotes", names.join(", "));
                    return Err(self.error(column, format!("no parameter '{name}'"), expected));
                };
                match self.parameters[k].domain {
                    Domain::Categorical { .. } => What::Categorical(k),
                    _ => What::Number(Number::Parameter(k)),
                }
            }
            Kind::Symbol("(") => {
                self.next += 1;
                let inner = self.deeper(Self::any)?;
                let end = self.token();
                if self.takes(&[")"]).is_none() {
                    return Err(self.error(end.column, end.kind.shown(), "')'"));
                }
                return Ok(Term { what: inner.what, column });
            }
            other => return Err(self.error(column, other.shown(), "a number or a parameter")),
        };
        self.next += 1;
        Ok(Term { what, column })
    }
}
