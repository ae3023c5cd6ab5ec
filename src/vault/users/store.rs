//! `SYSTEM_USERS.db`: users, and the failed logins that must survive a restart.

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::super::audit::{Action, Recorded};
use super::super::lockout::{AttemptedName, Failures, LockoutChange, MOST_NAMES};
use super::super::{Category, Database, DatabaseFile, Storage, VaultError};
use super::account::{Account, Accounts, Role};
use super::hasher::PasswordHash;
use super::name::{Email, Username};
use crate::market::{Nanos, format_time};

/// Most users.
pub const MOST_USERS: u64 = 1_000;

/// Ids are never used again: a session of a deleted user must not become one of the next.
const SCHEMA: &str = "
CREATE TABLE users (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    username TEXT NOT NULL COLLATE NOCASE UNIQUE,
    email TEXT NOT NULL,
    role TEXT NOT NULL CHECK (role IN ('admin', 'viewer')),
    password_hash TEXT NOT NULL,
    disabled INTEGER NOT NULL DEFAULT 0 CHECK (disabled IN (0, 1)),
    created_utc TEXT NOT NULL,
    updated_utc TEXT NOT NULL
) STRICT;
CREATE TABLE login_failures (
    name TEXT PRIMARY KEY,
    count INTEGER NOT NULL,
    last_ns INTEGER NOT NULL
) STRICT;
PRAGMA user_version = 1;
";

/// A change of users that did not happen.
#[derive(Debug, thiserror::Error)]
pub enum UserError {
    /// There is a first user already.
    #[error("there is a user already")]
    NotTheFirst,
    /// The name is in use.
    #[error("this user name is taken; names that differ in case only are the same")]
    NameTaken,
    /// Nobody has this id.
    #[error("there is no user {0}")]
    Unknown(i64),
    /// Nobody could administer afterwards.
    #[error("this is the last enabled admin; make somebody else an admin first")]
    LastAdmin,
    /// As many as may be.
    #[error("there are {MOST_USERS} users, which is the most")]
    TooMany,
    /// The proof is of another deed.
    #[error("the audit entry is not about {}", .0.word())]
    NotRecorded(Action),
    /// The database refused.
    #[error(transparent)]
    Vault(#[from] VaultError),
}

/// A user.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct User {
    /// From 1, never used again.
    pub id: i64,
    /// Name.
    pub username: String,
    /// E-mail address.
    pub email: String,
    /// What the user may do.
    pub role: Role,
    /// Whether the user may log in.
    pub disabled: bool,
}

/// What a login is checked against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// Whose.
    pub user: User,
    /// The stored hash.
    pub hash: PasswordHash,
}

/// A user to be created.
#[derive(Debug, Clone)]
pub struct NewUser {
    /// Name.
    pub username: Username,
    /// E-mail address.
    pub email: Email,
    /// The hash of a password that keeps the rules.
    pub hash: PasswordHash,
}

/// What is to change of a user; `None` stays.
#[derive(Debug, Clone, Default)]
pub struct UserChange {
    /// Name.
    pub username: Option<Username>,
    /// E-mail address.
    pub email: Option<Email>,
    /// Role.
    pub role: Option<Role>,
    /// Whether the user may log in.
    pub disabled: Option<bool>,
    /// Password.
    pub hash: Option<PasswordHash>,
}

/// The users of a data folder.
#[derive(Debug)]
pub struct Users {
    database: Database,
}

impl Users {
    /// Makes the database without any user.
    ///
    /// # Errors
    /// It cannot be saved.
    pub fn create_database(storage: Storage<'_>, now: Nanos) -> Result<Users, VaultError> {
        let database = Database::create(storage.disk, storage.keys, DatabaseFile::Users, SCHEMA, now)?;
        Ok(Users { database })
    }

    /// Opens the database; `None` if there is none.
    ///
    /// # Errors
    /// It cannot be decrypted, or is not the database of users.
    pub fn open(storage: Storage<'_>) -> Result<Option<Users>, VaultError> {
        let Some(database) = Database::open(storage.disk, storage.keys, DatabaseFile::Users)? else { return Ok(None) };
        let version: i64 = database.read(|db| db.query_row("PRAGMA user_version", [], |row| row.get(0)))?;
        if version != 1 {
            return Err(VaultError::Content { category: Category::Login, what: "users of another version" });
        }
        Ok(Some(Users { database }))
    }

    /// How many users there are.
    ///
    /// # Errors
    /// The database refused.
    pub fn count(&self) -> Result<u64, VaultError> {
        self.database.read(count)
    }

    /// All users by id.
    ///
    /// # Errors
    /// The database refused.
    pub fn list(&self) -> Result<Vec<User>, VaultError> {
        self.database.read(|db| {
            let mut statement = db.prepare("SELECT id, username, email, role, disabled FROM users ORDER BY id")?;
            statement.query_map([], user)?.collect()
        })
    }

    /// One user.
    ///
    /// # Errors
    /// The database refused.
    pub fn get(&self, id: i64) -> Result<Option<User>, VaultError> {
        self.database.read(|db| get(db, id))
    }

    /// What a login under this name is checked against; `None` if nobody has it.
    ///
    /// # Errors
    /// The database refused, or holds no bcrypt hash there.
    pub fn credentials(&self, username: &str) -> Result<Option<Credentials>, VaultError> {
        let sql = "SELECT id, username, email, role, disabled, password_hash FROM users WHERE username = ?1";
        let found: Option<(User, String)> =
            self.database.read(|db| db.query_row(sql, [username], |row| Ok((user(row)?, row.get(5)?))).optional())?;
        let Some((user, hash)) = found else { return Ok(None) };
        let what = "a password hash that is not of bcrypt";
        let hash = PasswordHash::new(&hash).map_err(|_| VaultError::Content { category: Category::Login, what })?;
        Ok(Some(Credentials { user, hash }))
    }

    /// Creates the first user, an admin. One transaction decides: of two who try, one gets it.
    ///
    /// # Errors
    /// There is a user already, the proof is of another deed, or it cannot be saved.
    pub fn create_first(
        &mut self,
        storage: Storage<'_>,
        new: &NewUser,
        recorded: Recorded,
        now: Nanos,
    ) -> Result<i64, UserError> {
        require(&recorded, Action::UserCreate)?;
        self.change(storage, now, |tx| {
            if count(tx).map_err(database)? > 0 {
                return Err(UserError::NotTheFirst);
            }
            insert(tx, new, Role::Admin, now)
        })
    }

    /// Creates a further user.
    ///
    /// # Errors
    /// The name is taken, there are too many, the proof is of another deed, or it cannot be saved.
    pub fn create(
        &mut self,
        storage: Storage<'_>,
        new: &NewUser,
        role: Role,
        recorded: Recorded,
        now: Nanos,
    ) -> Result<i64, UserError> {
        require(&recorded, Action::UserCreate)?;
        self.change(storage, now, |tx| {
            if count(tx).map_err(database)? >= MOST_USERS {
                return Err(UserError::TooMany);
            }
            insert(tx, new, role, now)
        })
    }

    /// Changes a user.
    ///
    /// # Errors
    /// There is no such user, the name is taken, nobody could administer afterwards, the proof is of another deed, or
    /// it cannot be saved.
    pub fn update(
        &mut self,
        storage: Storage<'_>,
        id: i64,
        change: &UserChange,
        recorded: Recorded,
        now: Nanos,
    ) -> Result<User, UserError> {
        require(&recorded, Action::UserUpdate)?;
        self.change(storage, now, |tx| {
            if let Some(username) = &change.username {
                free(tx, username, Some(id))?;
            }
            let sql = "UPDATE users SET username = COALESCE(?2, username), email = COALESCE(?3, email),
                role = COALESCE(?4, role), disabled = COALESCE(?5, disabled),
                password_hash = COALESCE(?6, password_hash), updated_utc = ?7 WHERE id = ?1";
            let changed = tx.execute(
                sql,
                params![
                    id,
                    change.username.as_ref().map(Username::as_str),
                    change.email.as_ref().map(Email::as_str),
                    change.role.map(Role::word),
                    change.disabled.map(i64::from),
                    change.hash.as_ref().map(PasswordHash::as_str),
                    format_time(now),
                ],
            );
            if changed.map_err(database)? == 0 {
                return Err(UserError::Unknown(id));
            }
            keep_an_admin(tx)?;
            get(tx, id).map_err(database)?.ok_or(UserError::Unknown(id))
        })
    }

    /// Deletes a user.
    ///
    /// # Errors
    /// There is no such user, nobody could administer afterwards, the proof is of another deed, or it cannot be saved.
    pub fn delete(&mut self, storage: Storage<'_>, id: i64, recorded: Recorded, now: Nanos) -> Result<(), UserError> {
        require(&recorded, Action::UserDelete)?;
        self.change(storage, now, |tx| {
            if tx.execute("DELETE FROM users WHERE id = ?1", [id]).map_err(database)? == 0 {
                return Err(UserError::Unknown(id));
            }
            keep_an_admin(tx)
        })
    }

    /// Replaces the hash of the same password by a stronger one, unless the password was changed meanwhile.
    ///
    /// # Errors
    /// It cannot be saved.
    pub fn rehash(
        &mut self,
        storage: Storage<'_>,
        checked: &Credentials,
        stronger: &PasswordHash,
        now: Nanos,
    ) -> Result<(), UserError> {
        self.change(storage, now, |tx| {
            let sql = "UPDATE users SET password_hash = ?3 WHERE id = ?1 AND password_hash = ?2";
            tx.execute(sql, params![checked.user.id, checked.hash.as_str(), stronger.as_str()]).map_err(database)?;
            Ok(())
        })
    }

    /// The stored failures.
    ///
    /// # Errors
    /// The database refused.
    pub fn failures(&self) -> Result<Vec<(AttemptedName, Failures)>, VaultError> {
        self.database.read(|db| {
            let sql = "SELECT name, count, last_ns FROM login_failures ORDER BY last_ns DESC, name LIMIT ?1";
            let mut statement = db.prepare(sql)?;
            let rows = statement.query_map([MOST_NAMES as i64], |row| {
                let failures = Failures { count: row.get(1)?, last: row.get(2)? };
                Ok((AttemptedName::from_row(row.get(0)?), failures))
            })?;
            rows.collect()
        })
    }

    /// Stores what changed in the counts.
    ///
    /// # Errors
    /// It cannot be saved. The counts in memory hold all the same.
    pub fn store_failures(
        &mut self,
        storage: Storage<'_>,
        changes: &[LockoutChange],
        now: Nanos,
    ) -> Result<(), UserError> {
        if changes.is_empty() {
            return Ok(());
        }
        self.change(storage, now, |tx| {
            for change in changes {
                match change {
                    LockoutChange::Set(name, failures) => tx.execute(
                        "INSERT INTO login_failures (name, count, last_ns) VALUES (?1, ?2, ?3)
                         ON CONFLICT (name) DO UPDATE SET count = ?2, last_ns = ?3",
                        params![name.as_str(), failures.count, failures.last],
                    ),
                    LockoutChange::Forget(name) => {
                        tx.execute("DELETE FROM login_failures WHERE name = ?1", [name.as_str()])
                    }
                }
                .map_err(database)?;
            }
            Ok(())
        })
    }

    fn change<T>(
        &mut self,
        storage: Storage<'_>,
        now: Nanos,
        change: impl FnOnce(&Transaction<'_>) -> Result<T, UserError>,
    ) -> Result<T, UserError> {
        self.database.change(storage.disk, storage.keys, now, change)
    }
}

impl Accounts for Users {
    /// A database that cannot be read knows nobody.
    fn active(&self, user_id: i64) -> Option<Account> {
        let user = self.get(user_id).ok()??;
        (!user.disabled).then_some(Account { username: user.username, role: user.role })
    }
}

fn require(recorded: &Recorded, action: Action) -> Result<(), UserError> {
    if recorded.is(action) { Ok(()) } else { Err(UserError::NotRecorded(action)) }
}

fn database(source: rusqlite::Error) -> UserError {
    UserError::Vault(VaultError::Database { category: Category::Login, source })
}

fn count(db: &Connection) -> rusqlite::Result<u64> {
    db.query_row("SELECT COUNT(*) FROM users", [], |row| row.get::<_, i64>(0)).map(i64::unsigned_abs)
}

fn user(row: &Row<'_>) -> rusqlite::Result<User> {
    let role: String = row.get(3)?;
    // The table takes two words only. Whatever is not the one has the fewer rights.
    let role = if role == Role::Admin.word() { Role::Admin } else { Role::Viewer };
    Ok(User { id: row.get(0)?, username: row.get(1)?, email: row.get(2)?, role, disabled: row.get(4)? })
}

fn get(db: &Connection, id: i64) -> rusqlite::Result<Option<User>> {
    db.query_row("SELECT id, username, email, role, disabled FROM users WHERE id = ?1", [id], user).optional()
}

/// Refuses a name that somebody else has.
fn free(tx: &Transaction<'_>, username: &Username, except: Option<i64>) -> Result<(), UserError> {
    let sql = "SELECT id FROM users WHERE username = ?1";
    let holder: Option<i64> = tx.query_row(sql, [username.as_str()], |row| row.get(0)).optional().map_err(database)?;
    if holder.is_some() && holder != except { Err(UserError::NameTaken) } else { Ok(()) }
}

fn insert(tx: &Transaction<'_>, new: &NewUser, role: Role, now: Nanos) -> Result<i64, UserError> {
    free(tx, &new.username, None)?;
    let sql = "INSERT INTO users (username, email, role, password_hash, created_utc, updated_utc)
        VALUES (?1, ?2, ?3, ?4, ?5, ?5)";
    let (name, email, hash) = (new.username.as_str(), new.email.as_str(), new.hash.as_str());
    tx.execute(sql, params![name, email, role.word(), hash, format_time(now)]).map_err(database)?;
    Ok(tx.last_insert_rowid())
}

/// Refuses a change after which nobody could administer.
fn keep_an_admin(tx: &Transaction<'_>) -> Result<(), UserError> {
    let sql = "SELECT COUNT(*) FROM users WHERE role = 'admin' AND disabled = 0";
    let admins: i64 = tx.query_row(sql, [], |row| row.get(0)).map_err(database)?;
    if admins == 0 { Err(UserError::LastAdmin) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
