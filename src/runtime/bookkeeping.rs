//! The books as the core keeps them: opened at start, written from events, and told of to those outside.

use std::collections::BTreeMap;

use secrecy::ExposeSecret;

use super::House;
use super::gate::Caller;
use super::logs::{Level, LogName, Record};
use super::reply::Refusal;
use super::{provisioning, start};
use crate::accounting::{Books, BooksError, Deed, Event, Fault, LedgerFormat, OfxAccount, Outcome, Posted};
use crate::market::Nanos;
use crate::settings::Key;
use crate::vault::audit::Recorded;
use crate::vault::{DiskError, SecretFields, SecretFile, Storage, VaultError, secrets};

/// The ledger for people, in the folder of the bot below `output`.
const LEDGER_EXPORT: &str = "ledger.csv";

/// Why the ledger was not written for people.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The books refused.
    #[error(transparent)]
    Books(#[from] BooksError),
    /// The disk refused.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// There are no books, or no name of a bot to put them under.
    #[error("there are no books to export")]
    Nothing,
}

impl House {
    /// Opens the books, or makes them where a data folder has none yet.
    ///
    /// # Errors
    /// They cannot be read or made; in words without a path.
    pub(super) fn open_books(&mut self, now: Nanos) -> Result<(), String> {
        self.books = None;
        let fields = secrets::read_fields(&self.disk, &self.keys, SecretFile::BotIdentity).ok().flatten();
        // Whoever cannot read the identity reports that.
        let Some(fields) = fields else { return Ok(()) };
        let identity = provisioning::identity(&fields);
        let storage = Storage { disk: &self.disk, keys: &self.keys };
        let opened = Books::open_or_create(storage, &identity, now);
        self.books = Some(opened.map_err(|error| match error {
            BooksError::Vault(VaultError::Missing { .. }) => {
                "the ledger or the chart of accounts is missing".to_string()
            }
            error => start::safe_books(&error),
        })?);
        Ok(())
    }

    /// The books.
    ///
    /// # Errors
    /// They cannot be read.
    pub fn books(&self) -> Result<&Books, Refusal> {
        self.books.as_ref().ok_or_else(unreadable)
    }

    /// Changes the books in the name of whoever asks. The deed is audited already.
    ///
    /// # Errors
    /// They cannot be read, or what `change` gives.
    pub fn change_books<T>(
        &mut self,
        caller: &Caller,
        recorded: Recorded,
        change: impl FnOnce(Storage<'_>, &mut Books, Deed<'_>) -> Result<T, BooksError>,
    ) -> Result<T, Refusal> {
        let user = caller.actor().user;
        let deed = Deed { user: &user, recorded, now: caller.now };
        let storage = Storage { disk: &self.disk, keys: &self.keys };
        let books = self.books.as_mut().ok_or_else(unreadable)?;
        Ok(change(storage, books, deed)?)
    }

    /// Books what happened to the account, in order, each event once; then writes the ledger for people, if
    /// LEDGER_EXPORT_MODE wants it. An event that was booked otherwise before is a conflict, which is logged as an
    /// unresolved order and left to somebody.
    ///
    /// # Errors
    /// There are no books, an event cannot be booked, or they cannot be saved; then none is booked.
    pub fn post_events(&mut self, events: &[Event], now: Nanos) -> Result<Vec<Posted>, BooksError> {
        let storage = Storage { disk: &self.disk, keys: &self.keys };
        let missing = || BooksError::Damaged("they could not be opened".to_string());
        let posted = self.books.as_mut().ok_or_else(missing)?.post(storage, events, now)?;
        for (event, done) in events.iter().zip(&posted).filter(|(_, done)| done.outcome == Outcome::Conflict) {
            let message = format!(
                "'{}' ({}) was booked otherwise before, as entry {}",
                event.reference,
                event.what.describe(),
                done.entry
            );
            self.logs.write(LogName::UnresolvedOrders, &Record::new(now, Level::Error, "ledger.conflict", message));
        }
        if posted.iter().any(|done| done.outcome == Outcome::Booked) {
            self.export_ledger_if_wanted(now);
        }
        Ok(posted)
    }

    /// Writes the ledger for people if LEDGER_EXPORT_MODE is `auto`. What fails is logged: the books themselves are
    /// safe, and the next export makes up for it.
    pub fn export_ledger_if_wanted(&mut self, now: Nanos) {
        let wanted = self.settings().is_ok_and(|stored| stored.settings.text(Key::LedgerExportMode) == "auto");
        if !wanted {
            return;
        }
        if let Err(error) = self.export_ledger(now) {
            let words = match error {
                ExportError::Books(error) => start::safe_books(&error),
                ExportError::Disk(error) => start::safe_disk(&error),
                ExportError::Nothing => error.to_string(),
            };
            let message = format!("{LEDGER_EXPORT} could not be written: {words}");
            self.logs.write(LogName::ErrorTracebacks, &Record::new(now, Level::Error, "ledger.export", message));
        }
    }

    /// Writes the whole ledger to `output/<bot>/ledger.csv`, which has its old content or its new one at any time.
    ///
    /// # Errors
    /// There are no books, or the disk refused.
    pub fn export_ledger(&self, now: Nanos) -> Result<(), ExportError> {
        let identity = self.identity();
        let books = self.books.as_ref().filter(|_| !identity.is_empty()).ok_or(ExportError::Nothing)?;
        let text = books.export_ledger(&LedgerFormat::Csv, now)?;
        let folder = format!("output/{identity}");
        self.disk.make_folder(&folder)?;
        Ok(self.disk.write(&format!("{folder}/{LEDGER_EXPORT}"), text.as_bytes())?)
    }

    /// Whose statement an export in OFX is: the account at the broker, or, without a number of one, the bot.
    pub fn ofx_account(&self) -> OfxAccount {
        let read = |file| secrets::read_fields(&self.disk, &self.keys, file).ok().flatten().unwrap_or_default();
        let broker = text_of(&read(SecretFile::BotIdentity), "BROKER_CODE");
        let broker_id = match broker.as_str() {
            "ALPACA" => "alpaca.markets",
            "IBKR" => "interactivebrokers.com",
            "TRADIER" => "tradier.com",
            _ => "simulated",
        };
        let number = text_of(&read(SecretFile::Broker), "BROKER_ACCOUNT_NUMBER");
        let account_id = if number.is_empty() { self.identity() } else { number };
        OfxAccount { broker_id: broker_id.to_string(), account_id }
    }
}

fn text_of(fields: &SecretFields, name: &str) -> String {
    fields.get(name).map_or_else(String::new, |value| value.expose_secret().to_string())
}

fn unreadable() -> Refusal {
    Refusal::conflict("unreadable", "The books cannot be read.")
}

impl From<BooksError> for Refusal {
    fn from(error: BooksError) -> Refusal {
        let words = |error: &BooksError| {
            let text = error.to_string();
            let mut letters = text.chars();
            let first = letters.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
            format!("{first}{}.", letters.as_str())
        };
        match error {
            BooksError::Vault(VaultError::TooLarge { .. }) => {
                Refusal::new(413, "too_large", "The books are full. Nothing was changed.")
            }
            BooksError::Vault(error) => error.into(),
            BooksError::Stale { .. } => Refusal::conflict("stale", words(&error)),
            BooksError::Invalid(faults) => {
                let named = faults.into_iter().map(|Fault { field, why }| (field, format!("{why}.")));
                // Of several faults of one field the first is told.
                Refusal::invalid(named.rev().collect::<BTreeMap<_, _>>())
            }
            BooksError::NoChange => Refusal::new(422, "no_change", words(&error)),
            BooksError::Unbalanced { .. } => {
                let fields = BTreeMap::from([("lines".to_string(), words(&error))]);
                Refusal { fields, ..Refusal::new(422, "unbalanced", words(&error)) }
            }
            BooksError::UnknownEntry(_) | BooksError::UnknownUpload(_) | BooksError::UnknownDiscrepancy(_) => {
                Refusal::not_found(words(&error))
            }
            BooksError::Superseded(_) => Refusal::conflict("superseded", words(&error)),
            BooksError::AlreadyResolved(_) => Refusal::conflict("resolved", words(&error)),
            BooksError::Automatic(_) => Refusal::conflict("automatic", words(&error)),
            BooksError::Event { .. } | BooksError::Money(_) => Refusal::new(422, "invalid", words(&error)),
            BooksError::Statement(_) => Refusal::invalid_field("file", words(&error)),
            BooksError::NotRecorded(_) | BooksError::Damaged(_) => {
                tracing::error!("the books refused: {error}");
                Refusal::internal("The books refused. The log says more.")
            }
        }
    }
}
